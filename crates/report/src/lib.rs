//! What stages print as pictures and pages.
//!
//! A [`Sheet`] is pictures with captions, in rows and sections. It is drawn as one PNG picture
//! ([`Sheet::write_png`]) or written as one HTML page that needs nothing else ([`Sheet::write_html`]). Both depend on
//! the sheet alone: the same sheet gives the same bytes.
//!
//! Pixels are [`image::RgbImage`]: `[H, W, 3]`, u8, RGB. Not here: which pictures to show, tensors, tables.
//!
//! Reading order: [`sheet`], `layout`, `font`, [`page`].

mod error;
mod font;
mod layout;

pub mod page;
pub mod sheet;

pub use error::Error;
pub use layout::MAX_SIDE;
pub use sheet::{Row, Section, Sheet, Tile};
