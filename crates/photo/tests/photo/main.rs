//! The crate against other programs' results, slow and obvious computations, and hostile files.
//!
//! Photos: `parity`, the plain view as Pillow's. `hard_images`: a folder of nasty files, each with its expected verdict.
//! `variants`: as many kinds of files, drawn by a script, against Pillow.
//! `damage`: arbitrary changes to small valid files. `orientation`: the eight EXIF orientations.
//!
//! Augmentation: `views`, against a slow computation and against themselves; `geometry`, `colour`, `blur` and `erasing`,
//! against OpenCV, Pillow and torchvision, whose results the `make_fixtures.py` of each folder made; `draws`,
//! `colour_draws` and `mixing`, what is drawn and how often (`statistics` says when that is as it should be);
//! `speed`, ignored unless asked for; `live`, the fixtures against what made them.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod blur;
mod colour;
mod colour_draws;
mod damage;
mod draws;
mod erasing;
mod geometry;
mod hard_images;
mod live;
mod mixing;
mod orientation;
mod parity;
mod speed;
mod statistics;
mod variants;
mod views;
