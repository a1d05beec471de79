//! Bytes of a picture file to upright RGB pixels, and from there to what a network is given, plain or augmented.
//!
//! One [`decode()`] for every stage: the format is told from the content, EXIF orientation is applied, and
//! what is odd about a file ([`Photo::findings`]) or makes it unusable ([`Rejected`]) has a name
//! ([`Reason`]). [`Preprocessing`] is the project's resize rule with a backbone's mean and standard
//! deviation; it is stored with every model and feature table, and makes the plain view.
//!
//! A [`Policy`] is a list of [`transform`]s. It draws numbers for each view, which can be kept in a table, and an
//! [`Augmenter`] makes the view from them: geometry moves a [`Canvas`], one step samples the pixels, and the other
//! transforms change them. Beside it [`mix`](mod@mix), for batches, and [`test_time`], for predictions.
//!
//! A [`Loader`] does all of it for the photos of a data set. Photos are [`image::RgbImage`]: `[H, W, 3]`, u8, RGB, upright; views in the making are [`Planes`]: `[3, H, W]`, f32,
//! 0 to 1. Not here: walking folders, tensors, tables.
//!
//! Reading order: [`decode`](mod@decode), [`format`](mod@format), `jpeg`, [`orientation`], [`reason`], [`preprocessing`]; then
//! [`policy`], [`transform`], [`canvas`], `sampler`, [`views`].

mod bmp;
mod gif;
mod jpeg;
mod png;
mod rectangle;
mod sampler;
mod tiff;
mod webp;

pub mod augmentation;
pub mod border;
pub mod canvas;
pub mod choice;
pub mod colour;
pub mod content;
pub mod decode;
pub mod format;
pub mod gaussian;
pub mod heat;
pub mod limits;
pub mod loader;
pub mod mix;
pub mod orientation;
pub mod planes;
pub mod policy;
pub mod preprocessing;
pub mod read;
pub mod reason;
pub mod rejected;
pub mod resizer;
pub mod test_time;
pub mod transform;
pub mod tta;
pub mod views;

pub use augmentation::Augmentation;
pub use border::Border;
pub use canvas::{Canvas, Map};
pub use choice::{NamedPolicy, POLICIES, PolicyChoice};
pub use content::content;
pub use decode::{Photo, decode, decode_small, is_decoding};
pub use format::Format;
pub use image::RgbImage;
pub use limits::Limits;
pub use loader::Loader;
pub use mix::{BatchMix, Mixing};
pub use planes::Planes;
pub use policy::{Column, Policy};
pub use preprocessing::{Crop, Decode, Filter, Preprocessing, Resize};
pub use read::{ReadError, read, read_content};
pub use reason::Reason;
pub use rejected::Rejected;
pub use resizer::Resizer;
pub use test_time::TestViews;
pub use transform::{AnyTransform, TRANSFORMS, Transform};
pub use tta::{FixedViews, MOST_RANDOM, Tta};
pub use views::{Augmenter, Views};
