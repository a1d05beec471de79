//! [`Chart`]: curves over two axes, as a PNG picture, as an SVG picture and as text for a terminal.
//!
//! All three depend on the chart alone: the same chart gives the same bytes. Points that an axis cannot show are left
//! out, and the legend counts them: those that are not finite or beyond ±1e300, and on a logarithmic axis those that
//! are not above 1e-290. A curve has a gap where a point is left out.
//!
//! Reading order: `axis`, `curve`, `shape`, `figure`, then `paint`, `svg`, `text`.

mod axis;
mod curve;
mod figure;
mod legend;
mod marks;
mod number;
mod paint;
mod shape;
mod svg;
mod text;

pub use number::short;

use std::path::Path;

use image::RgbImage;

use crate::error::Error;
use figure::Figure;

/// Width of a chart as a picture, in pixels.
pub const WIDTH: u32 = 1200;
/// Height of a chart as a picture, in pixels.
pub const HEIGHT: u32 = 700;

/// Curves over two axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// In the order of the legend; a later one is drawn over an earlier one.
    pub lines: Vec<Line>,
    /// Places on the x axis that have a name. The axis reaches as far as they do.
    pub marks: Vec<Mark>,
}

/// What an axis measures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// Name and, where it has one, unit.
    pub label: String,
    /// How values are spread over it.
    pub scale: Scale,
    /// Where it begins at the lowest; `None`: at the smallest value. Points below are drawn at its low end, and the legend
    /// counts them.
    pub floor: Option<f64>,
}

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart; only values above 0 have a place.
    Log,
}

/// A curve. In pictures, curves differ by colour and by dashes or the shape of their points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// `(x, y)` in the order in which they are joined. Where neighbours share a column of pixels, it keeps the first,
    /// lowest, highest and last of them: a line looks the same, and a file stays small if x only grows.
    pub points: Vec<(f64, f64)>,
    /// How it looks.
    pub look: Look,
}

/// How a curve looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// Points joined by a line. A point without neighbours is a dot.
    #[default]
    Line,
    /// As `Line`, but thin and pale, in the colour of the next curve that is not faint: what that curve was made from.
    Faint,
    /// Points only.
    Points,
    /// Points joined by a line.
    LineAndPoints,
}

/// A place on the x axis that has a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Above the vertical line that is drawn there; may be empty.
    pub label: String,
}

impl Chart {
    /// The chart as one picture, `[HEIGHT, WIDTH, 3]`, u8, RGB.
    ///
    /// # Errors
    /// [`Error::Font`].
    pub fn render(&self) -> Result<RgbImage, Error> {
        let fonts = crate::font::Fonts::load()?;
        Ok(paint::render(&Figure::of(self, &fonts, [WIDTH, HEIGHT]), &fonts))
    }

    /// Writes the chart as a PNG file of [`WIDTH`] x [`HEIGHT`] pixels.
    ///
    /// # Errors
    /// Those of [`Chart::render`], [`Error::Encode`] and [`Error::Io`].
    pub fn write_png(&self, path: &Path) -> Result<(), Error> {
        crate::png::write(&self.render()?, path)
    }

    /// The chart as an SVG picture that needs nothing else: no script, nothing from outside. Texts are texts, in Noto Sans
    /// or another font without serifs where that is not installed.
    ///
    /// # Errors
    /// [`Error::Font`].
    pub fn svg(&self) -> Result<String, Error> {
        self.svg_sized([WIDTH, HEIGHT])
    }

    /// As [`Chart::svg`], of another width and height in pixels, at least 400 x 400: texts keep their size.
    pub(crate) fn svg_sized(&self, size: [u32; 2]) -> Result<String, Error> {
        Ok(svg::render(&Figure::of(self, &crate::font::Fonts::load()?, size)))
    }

    /// Writes the chart as an SVG file.
    ///
    /// # Errors
    /// Those of [`Chart::svg`], and [`Error::Io`].
    pub fn write_svg(&self, path: &Path) -> Result<(), Error> {
        Ok(fs_err::write(path, self.svg()?)?)
    }

    /// The chart as `height` lines of at most `width` characters, at least 30 x 16, without colours. Each curve has a
    /// sign of its own: the first is drawn with the dots of Braille characters, the others with one character per place.
    pub fn to_text(&self, width: usize, height: usize) -> String {
        text::render(self, width, height)
    }
}

/// A text as it may be shown. Names come from strangers: a control character could steer a terminal, and XML has no
/// place for it.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' | '\r' => ' ',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}
