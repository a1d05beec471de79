//! A [`Sheet`] as one HTML page: no script, nothing from outside, pictures as JPEG inside it.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use minijinja::{Environment, Value, context};

use crate::error::Error;
use crate::sheet::{Row, Section, Sheet, Tile};

/// Of 1 to 100. A view of 224 x 224 pixels takes about 19 kB, measured on 42 views of photos.
const JPEG_QUALITY: u8 = 88;

/// Its name ends in `.html`, which makes the engine escape every text.
const TEMPLATE: (&str, &str) = ("sheet.html", include_str!("../templates/sheet.html"));

impl Sheet {
    /// The sheet as an HTML page, which adapts to the width of the window and to dark mode.
    ///
    /// # Errors
    /// [`Error::NoPixels`], [`Error::Encode`] for a picture of more than 65,535 pixels on a side, [`Error::Template`].
    pub fn html(&self) -> Result<String, Error> {
        self.check()?;
        let sections =
            self.sections.iter().map(|section| self.section(section)).collect::<Result<Vec<_>, _>>()?;
        let mut environment = Environment::new();
        environment.add_template(TEMPLATE.0, TEMPLATE.1)?;
        let page = environment.get_template(TEMPLATE.0)?;
        Ok(page.render(context! { title => &self.title, note => &self.note, sections })?)
    }

    /// Writes the sheet as an HTML file.
    ///
    /// # Errors
    /// Those of [`Sheet::html`], and [`Error::Io`].
    pub fn write_html(&self, path: &Path) -> Result<(), Error> {
        Ok(fs_err::write(path, self.html()?)?)
    }

    fn section(&self, section: &Section) -> Result<Value, Error> {
        // Sections of equally wide tiles share their columns, so that their tiles stay equally wide in any window.
        let widest = section.widest();
        let alike = self.sections.iter().filter(|other| other.widest() == widest);
        let columns = alike.map(Section::columns).max().unwrap_or(0).max(1);
        let rows = section.rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(context! {
            title => &section.title,
            note => &section.note,
            // Fewer columns in a narrower window, chosen so that few rows end with a gap.
            wide => columns,
            medium => if columns > 3 { columns.div_ceil(2) } else { columns },
            narrow => if columns % 3 == 0 { 3 } else { columns.min(2) },
            widest,
            rows,
        })
    }
}

pub(crate) fn row(row: &Row) -> Result<Value, Error> {
    let tiles = row.tiles.iter().map(tile).collect::<Result<Vec<_>, _>>()?;
    Ok(context! { heading => &row.heading, tiles })
}

fn tile(tile: &Tile) -> Result<Value, Error> {
    let (width, height) = tile.picture.dimensions();
    tile.check()?;
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
    tile.picture.write_with_encoder(encoder).map_err(|source| Error::Encode {
        name: tile.caption.clone(),
        format: "JPEG",
        source,
    })?;
    Ok(context! {
        // Base64 has nothing to escape; looking for it would make each `/` five bytes longer.
        data => Value::from_safe_string(BASE64_STANDARD.encode(jpeg)),
        caption => &tile.caption,
        width,
        height,
    })
}
