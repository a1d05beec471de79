//! Bytes of a picture file to upright RGB pixels, and from there to what a network is given.
//!
//! One [`decode()`] for every stage: the format is told from the content, EXIF orientation is applied, and
//! what is odd about a file ([`Photo::findings`]) or makes it unusable ([`Rejected`]) has a name
//! ([`Reason`]). [`Preprocessing`] is the project's resize rule with a backbone's mean and standard
//! deviation; it is stored with every model and feature table.
//!
//! Pixels are [`image::RgbImage`]: `[H, W, 3]`, u8, RGB, upright. Not here: files and folders, tensors,
//! tables.
//!
//! Reading order: [`decode`](mod@decode), [`format`](mod@format), `jpeg`, [`orientation`], [`reason`], [`preprocessing`].

mod gif;
mod jpeg;
mod png;
mod webp;

pub mod decode;
pub mod format;
pub mod limits;
pub mod orientation;
pub mod preprocessing;
pub mod reason;
pub mod rejected;
pub mod resizer;

pub use decode::{Photo, decode, is_decoding};
pub use format::Format;
pub use image::RgbImage;
pub use limits::Limits;
pub use preprocessing::{Crop, Filter, Preprocessing, Resize};
pub use reason::Reason;
pub use rejected::Rejected;
pub use resizer::Resizer;
