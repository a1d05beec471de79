//! [`Sheet`]: pictures with captions, in rows and sections, and how they become one picture.

use std::path::Path;

use image::imageops;
use image::{Rgb, RgbImage};

use crate::error::Error;
use crate::font::Fonts;
use crate::layout::{Layout, Placed};
use crate::png;

/// Nearly white, so that a white picture stands out.
const PAPER: Rgb<u8> = Rgb([253, 253, 252]);
/// The line of one pixel around a picture.
const HAIRLINE: Rgb<u8> = Rgb([218, 220, 223]);

/// Pictures with captions, under a title.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// What it shows.
    pub title: String,
    /// A sentence or two below the title.
    pub note: Option<String>,
    /// From top to bottom.
    pub sections: Vec<Section>,
}

/// Rows that belong together; their tiles stand in common columns.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// What it shows.
    pub title: String,
    /// A sentence or two below the title.
    pub note: Option<String>,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// Tiles side by side.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Above the tiles.
    pub heading: Option<String>,
    /// From left to right.
    pub tiles: Vec<Tile>,
}

/// A picture and what is said about it.
#[derive(Debug, Clone)]
pub struct Tile {
    /// `[H, W, 3]`, u8, RGB, H and W at least 1; shown in its own size.
    pub picture: RgbImage,
    /// Below the picture; may be empty.
    pub caption: String,
}

impl Sheet {
    /// The sheet as one picture, `[H, W, 3]`, u8, RGB, at most [`MAX_SIDE`](crate::MAX_SIDE) high and wide. Where
    /// tiles in their own size would be more than that, all are drawn at 1/2 of it, 1/3, and so on to 1/16.
    ///
    /// # Errors
    /// [`Error::NoPixels`], [`Error::TooLarge`], [`Error::Font`].
    pub fn render(&self) -> Result<RgbImage, Error> {
        let fonts = Fonts::load()?;
        let layout = Layout::of(self, &fonts)?;
        let mut sheet = RgbImage::from_pixel(layout.width, layout.height, PAPER);
        for Placed { x, y, width, height, picture } in &layout.pictures {
            fill(&mut sheet, [x - 1, y - 1, width + 2, height + 2], HAIRLINE);
            let (x, y) = (i64::from(*x), i64::from(*y));
            if picture.dimensions() == (*width, *height) {
                imageops::replace(&mut sheet, *picture, x, y);
            } else {
                imageops::replace(&mut sheet, &imageops::thumbnail(*picture, *width, *height), x, y);
            }
        }
        for text in &layout.texts {
            let baseline = text.y as f32 + text.style.baseline();
            fonts.draw(&mut sheet, &text.line, text.style, text.x as f32, baseline);
        }
        Ok(sheet)
    }

    /// Writes the sheet as a PNG file.
    ///
    /// # Errors
    /// Those of [`Sheet::render`], and [`Error::Io`].
    pub fn write_png(&self, path: &Path) -> Result<(), Error> {
        png::write(&self.render()?, path)
    }

    /// Whether each picture has pixels.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut tiles = self.sections.iter().flat_map(|section| &section.rows).flat_map(|row| &row.tiles);
        tiles.try_for_each(Tile::check)
    }
}

impl Tile {
    /// Whether its picture has pixels.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.picture.dimensions() {
            (0, _) | (_, 0) => {
                let (width, height) = self.picture.dimensions();
                Err(Error::NoPixels { caption: self.caption.clone(), width, height })
            }
            _ => Ok(()),
        }
    }
}

impl Section {
    /// How many tiles its longest row has.
    pub(crate) fn columns(&self) -> usize {
        self.rows.iter().map(|row| row.tiles.len()).max().unwrap_or(0)
    }

    /// Width of its widest picture, in pixels.
    pub(crate) fn widest(&self) -> u32 {
        self.rows.iter().flat_map(|row| &row.tiles).map(|tile| tile.picture.width()).max().unwrap_or(0)
    }
}

fn fill(picture: &mut RgbImage, [left, top, width, height]: [u32; 4], colour: Rgb<u8>) {
    for y in top..top + height {
        for x in left..left + width {
            picture.put_pixel(x, y, colour);
        }
    }
}
