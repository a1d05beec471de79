//! [`Album`]: pictures as JPEG inside the page, all of one quality, so that the page keeps its size.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use minijinja::{Value, context};

use super::{Evaluation, SheetPhoto};
use crate::error::Error;

/// A page of 1,000 photos with thumbnails, and two pictures of each of 60, stays below 5 MB.
const PAGE_BYTES: usize = 4_900_000;
/// What pictures may take, however much the rest of the page does.
const LEAST_BYTES: usize = 600_000;
/// What sheets and their markup take at least beside thumbnails.
const SHEETS_BYTES: usize = LEAST_BYTES + 100_000;
/// What thumbnails may take in the page, however much the rest does.
const LEAST_THUMBNAIL_BYTES: usize = 1_500_000;
/// From the best. Pictures of what answers rest on are smooth by nature and lose their pixels first.
const STEPS: [Album; 10] = [
    Album::new(88, 100, 100),
    Album::new(80, 100, 100),
    Album::new(72, 100, 100),
    Album::new(64, 100, 100),
    Album::new(56, 100, 100),
    Album::new(56, 100, 50),
    Album::new(48, 100, 50),
    Album::new(40, 100, 50),
    Album::new(40, 75, 50),
    Album::new(32, 75, 50),
];
/// So many pictures, evenly spread, tell how large all will be.
const SAMPLE: usize = 16;

/// How pictures are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Album {
    /// Of JPEG, 1 to 100; 0: not at all.
    quality: u8,
    /// Sides of pictures, in % of their own.
    side: u32,
    /// Sides of pictures of what answers rest on, in % of their own.
    heat_side: u32,
}

impl Album {
    /// Without pictures.
    pub(super) const EMPTY: Album = Album::new(0, 100, 100);

    const fn new(quality: u8, side: u32, heat_side: u32) -> Album {
        Album { quality, side, heat_side }
    }

    /// The best that leaves the page small beside `other_bytes` of everything else.
    pub(super) fn of(evaluation: &Evaluation, other_bytes: usize) -> Result<Album, Error> {
        let (pictures, heats) = (evaluation.pictures(), evaluation.heats());
        let room = PAGE_BYTES.saturating_sub(other_bytes).max(LEAST_BYTES);
        for album in STEPS {
            let bytes = estimated(&pictures, album.quality, album.side)?
                + estimated(&heats, album.quality, album.heat_side)?;
            // Base64 writes three bytes as four.
            if bytes * 4.0 / 3.0 <= room as f64 {
                return Ok(album);
            }
        }
        Ok(STEPS[STEPS.len() - 1])
    }

    /// A picture for the template: its bytes and its sides. `None` without pixels.
    pub(super) fn picture(&self, picture: Option<&RgbImage>, name: &str) -> Result<Option<Value>, Error> {
        self.sized(picture, self.side, name)
    }

    /// As [`Album::picture`], of what an answer rests on.
    pub(super) fn heat(&self, picture: Option<&RgbImage>, name: &str) -> Result<Option<Value>, Error> {
        self.sized(picture, self.heat_side, name)
    }

    fn sized(&self, picture: Option<&RgbImage>, percent: u32, name: &str) -> Result<Option<Value>, Error> {
        let has_pixels = |picture: &&RgbImage| !picture.is_empty();
        let Some(picture) = picture.filter(has_pixels).filter(|_| self.quality > 0) else { return Ok(None) };
        let (width, height) = picture.dimensions();
        let source = source("jpeg", &encoded(picture, self.quality, percent, name)?);
        Ok(Some(context! { source, width, height }))
    }
}

/// Bytes of all thumbnails, as files, beside `other_bytes` of everything else but sheets.
pub(super) fn thumbnail_room(other_bytes: usize) -> usize {
    let in_page = PAGE_BYTES.saturating_sub(other_bytes + SHEETS_BYTES).max(LEAST_THUMBNAIL_BYTES);
    // Base64 writes three bytes as four.
    in_page / 4 * 3
}

impl Evaluation {
    /// Every picture that the page encodes itself, but for what answers rest on.
    fn pictures(&self) -> Vec<&RgbImage> {
        let of_photo = self.on_sheets().flat_map(|photo| {
            let near = photo.neighbours.iter().filter_map(|neighbour| neighbour.picture.as_ref());
            photo.picture.iter().chain(near)
        });
        let views = self.views.iter().flat_map(|sheet| &sheet.views);
        let views = views.filter_map(|(_, picture, _)| picture.as_ref());
        of_photo.chain(views).filter(|picture| !picture.is_empty()).collect()
    }

    /// What answers rest on.
    fn heats(&self) -> Vec<&RgbImage> {
        self.on_sheets().filter_map(|photo| photo.heat.as_ref()).filter(|heat| !heat.is_empty()).collect()
    }

    pub(super) fn on_sheets(&self) -> impl Iterator<Item = &SheetPhoto> {
        self.sheets.iter().flat_map(|sheet| &sheet.rows).flat_map(|(_, photos)| photos)
    }
}

/// About how many bytes all pictures take, from some of them.
fn estimated(pictures: &[&RgbImage], quality: u8, percent: u32) -> Result<f64, Error> {
    let sample = pictures.iter().step_by(pictures.len().div_ceil(SAMPLE).max(1));
    let (mut bytes, mut seen) = (0, 0);
    for picture in sample {
        bytes += encoded(picture, quality, percent, "")?.len();
        seen += picture.len();
    }
    let all: usize = pictures.iter().map(|picture| picture.len()).sum();
    Ok(bytes as f64 * all as f64 / seen.max(1) as f64)
}

/// Bytes of a picture as an address that is the picture itself. Base64 has nothing to escape; looking for it would make
/// each `/` five bytes longer.
pub(super) fn source(format: &str, bytes: &[u8]) -> Value {
    Value::from_safe_string(format!("data:image/{format};base64,{}", BASE64_STANDARD.encode(bytes)))
}

fn encoded(picture: &RgbImage, quality: u8, percent: u32, name: &str) -> Result<Vec<u8>, Error> {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
    let result = if percent == 100 {
        picture.write_with_encoder(encoder)
    } else {
        let side = |side: u32| (side * percent / 100).max(1);
        imageops::thumbnail(picture, side(picture.width()), side(picture.height()))
            .write_with_encoder(encoder)
    };
    result.map_err(|source| Error::Encode { name: name.to_owned(), format: "JPEG", source })?;
    Ok(jpeg)
}
