//! What stages print as pictures and pages.
//!
//! | module | what | files |
//! |---|---|---|
//! | [`sheet`], [`page`] | a [`Sheet`]: pictures with captions, in rows and sections | PNG, HTML |
//! | [`chart`] | a [`Chart`](chart::Chart): curves over two axes | PNG, SVG, text for a terminal |
//! | [`confusion`], [`confusion_text`] | a confusion matrix | PNG, text for a terminal |
//! | [`training`] | the charts of a training: learning rates, losses, the learning-rate finder | |
//! | [`evaluation`] | the [`Evaluation`](evaluation::Evaluation) of models: the page `report.html` | HTML |
//! | [`inspection`] | an [`Inspection`](inspection::Inspection) of a data set: what was found in it | HTML |
//! | [`comparison`] | a [`Comparison`](comparison::Comparison) of two evaluations | HTML, text for a terminal |
//! | [`name`] | names of classes and files, made fit for a line | |
//! | [`tensorboard`] | numbers over steps, for TensorBoard | event file |
//!
//! Each file needs nothing else and depends on what it shows alone: the same sheet, chart or numbers give the same bytes.
//!
//! Pixels are [`image::RgbImage`]: `[H, W, 3]`, u8, RGB. Not here: which pictures and numbers to show, tensors, tables.
//!
//! Reading order: [`sheet`], `layout`, `font`, [`page`]; then [`chart`], [`training`], [`confusion`], [`evaluation`];
//! [`tensorboard`] stands alone.

mod error;
mod font;
mod layout;
mod number;
mod png;

pub mod chart;
pub mod comparison;
pub mod confusion;
pub mod confusion_text;
pub mod evaluation;
pub mod inspection;
pub mod name;
pub mod page;
pub mod sheet;
pub mod tensorboard;
pub mod training;

pub use error::Error;
pub use layout::MAX_SIDE;
pub use sheet::{Row, Section, Sheet, Tile};
