//! Drawn cats and dogs: the quick start's pictures, made from a seed, so that no photo need be fetched.
//!
//! [`draw`] makes one picture, [`draw_all`] a folder of them as the ingest stage reads it. The drawings
//! vary in pose, size, colour, light, background and clutter, and some are hard (far away, dark, partly
//! hidden, a dog with a cat's ears), so that a classifier gets most of them right and not all. Nothing
//! here knows of networks or stages.
//!
//! Read `picture` first; `cat`, `dog` and `body` are the animals, `background`, `clutter` and `camera`
//! what is around them, `shape`, `canvas`, `palette` and `dice` what they are drawn with.

mod background;
mod body;
mod camera;
mod canvas;
mod cat;
mod clutter;
mod dice;
mod dog;
mod error;
mod face;
mod folder;
mod fur;
mod palette;
mod picture;
mod shape;

pub use error::Error;
pub use folder::{Options, Written, draw_all};
pub use picture::{Animal, draw};
