//! `decode` and the resize rule against other programs' results and hostile files.
//!
//! `parity`: pixels as Pillow's. `hard_images`: a folder of nasty files, each with its expected verdict.
//! `damage`: arbitrary changes to small valid files. `orientation`: the eight EXIF orientations.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod damage;
mod hard_images;
mod orientation;
mod parity;
