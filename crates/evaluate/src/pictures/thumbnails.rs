//! Small pictures of photos, and the [`Room`] that a page has for them.

use image::codecs::jpeg::JpegEncoder;
use pipeline_photo::resizer::Window;
use pipeline_photo::{Resizer, RgbImage};

/// The longer side of a small picture, in pixels.
const SIDE: u32 = 96;

/// Of 1 to 100; a thumbnail takes about 2.4 kB, measured on 1,000 photos of cats and dogs.
const JPEG_QUALITY: u8 = 70;

/// Bytes of all thumbnails together: about 900. In a page they are a third longer (base64), which leaves 2 of 5 MB to the
/// rest.
pub(super) const ROOM: usize = 2_200_000;

/// The header alone takes as much: no more thumbnails than [`ROOM`] by this have room.
pub(super) const FEWEST_BYTES: usize = 600;

/// The whole photo, its longer side [`SIDE`] or as it is where it is smaller.
pub(super) fn small(photo: &RgbImage, resizer: &mut Resizer) -> RgbImage {
    let longer = photo.width().max(photo.height());
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(SIDE) + u64::from(longer) / 2) / u64::from(longer);
        (rounded as u32).clamp(1, side)
    };
    if longer <= SIDE {
        return photo.clone();
    }
    let (width, height) = (scaled(photo.width()), scaled(photo.height()));
    resizer.bilinear(photo, width, height, Window { x: 0, y: 0, width, height })
}

/// A small picture as a JPEG file.
pub(super) fn jpeg(id: &str, small: &RgbImage) -> Result<Vec<u8>, pipeline_report::Error> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    small.write_with_encoder(encoder).map_err(|source| pipeline_report::Error::Encode {
        name: id.to_owned(),
        format: "JPEG",
        source,
    })?;
    Ok(bytes)
}

/// What is left of so many bytes. The first thumbnail that does not fit is the last one asked for: what has room does not
/// depend on what comes after it.
#[derive(Debug)]
pub(super) struct Room {
    left: usize,
    is_full: bool,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Room { left: bytes, is_full: false }
    }

    /// Takes so many bytes, where there are as many.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        self.is_full |= bytes > self.left;
        if !self.is_full {
            self.left -= bytes;
        }
        !self.is_full
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_longer_side_becomes_96_and_a_smaller_photo_stays() {
        let sides = |width, height| small(&RgbImage::new(width, height), &mut Resizer::new()).dimensions();
        // By hand: 96 / 400 of 301 is 72.24; of 3 it is .72; of 1 by 5,000 nothing is left but a pixel.
        for (photo, expected) in [
            ((400, 301), (96, 72)),
            ((301, 400), (72, 96)),
            ((3, 400), (1, 96)),
            ((1, 5000), (1, 96)),
            ((96, 95), (96, 95)),
            ((7, 5), (7, 5)),
        ] {
            assert_eq!(sides(photo.0, photo.1), expected, "{photo:?}");
        }
    }

    #[test]
    fn a_thumbnail_is_a_jpeg_of_the_small_picture() {
        let picture = RgbImage::from_fn(40, 30, |x, y| Rgb([5 * x as u8, 8 * y as u8, 90]));
        let bytes = jpeg("a.jpg", &picture).unwrap();
        assert!(bytes.len() > FEWEST_BYTES, "{}", bytes.len());
        let decoded = image::load_from_memory(&bytes).unwrap().into_rgb8();
        let off = decoded.as_raw().iter().zip(picture.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(decoded.dimensions() == (40, 30) && off < Some(30), "{:?} {off:?}", decoded.dimensions());
    }

    #[test]
    fn nothing_has_room_after_the_first_that_has_none() {
        let mut room = Room::new(100);
        assert_eq!([60, 40, 0, 1, 0].map(|bytes| room.takes(bytes)), [true, true, true, false, false]);
        let mut room = Room::new(100);
        assert_eq!([60, 41, 1].map(|bytes| room.takes(bytes)), [true, false, false]);
    }
}
