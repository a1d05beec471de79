//! [`Thumbnail`]s: small pictures of photos, in three [`SIZES`], and the [`Room`] that a page has for them.

use image::codecs::jpeg::JpegEncoder;
use image::imageops;
use pipeline_photo::resizer::Window;
use pipeline_photo::{Resizer, RgbImage};

/// The longer side of a small picture, in pixels: twice that of the page's list, for fine screens.
const SIDE: u32 = 96;

/// The longer side in pixels and JPEG's quality, 1 to 100, from the best. Of 1,000 photos of cats and dogs they take 2.4, 1.8
/// and 1.2 kB on average, so that about 1,150, 1,500 or 2,300 have room in a page.
const SIZES: [(u32, u8); 3] = [(SIDE, 70), (SIDE, 50), (64, 50)];

/// The header alone takes as much: no more thumbnails than a room by this have room.
pub(super) const FEWEST_BYTES: usize = 600;

/// A photo as a small JPEG file in each of [`SIZES`]: which of them the page shows is known once all are there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Thumbnail(pub(super) [Vec<u8>; SIZES.len()]);

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

impl Thumbnail {
    /// Of a picture that [`small`] has made.
    pub(super) fn of(id: &str, small: &RgbImage) -> Result<Self, pipeline_report::Error> {
        let mut thumbnail = Thumbnail::default();
        for (bytes, (side, quality)) in thumbnail.0.iter_mut().zip(SIZES) {
            let encoder = JpegEncoder::new_with_quality(bytes, quality);
            let scaled = |length: u32| (length * side / SIDE).max(1);
            let written = if side < SIDE {
                let (width, height) = (scaled(small.width()), scaled(small.height()));
                imageops::thumbnail(small, width, height).write_with_encoder(encoder)
            } else {
                small.write_with_encoder(encoder)
            };
            written.map_err(|source| pipeline_report::Error::Encode {
                name: id.to_owned(),
                format: "JPEG",
                source,
            })?;
        }
        Ok(thumbnail)
    }

    /// How many bytes each size takes.
    pub(super) fn bytes(&self) -> [usize; SIZES.len()] {
        self.0.each_ref().map(Vec::len)
    }
}

/// What is left of so many bytes. The first thumbnail that does not fit in the smallest size is the last one asked for: what has
/// room does not depend on what comes after it.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    /// By all so far, in each size.
    taken: [usize; SIZES.len()],
    is_full: bool,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Room { bytes, taken: [0; SIZES.len()], is_full: false }
    }

    /// Takes so many bytes in each size, where the smallest has as many left.
    pub(super) fn takes(&mut self, bytes: [usize; SIZES.len()]) -> bool {
        let smallest = SIZES.len() - 1;
        self.is_full |= self.taken[smallest] + bytes[smallest] > self.bytes;
        if !self.is_full {
            self.taken.iter_mut().zip(bytes).for_each(|(taken, bytes)| *taken += bytes);
        }
        !self.is_full
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The best size in which all that were taken have room, as a place in [`Thumbnail`].
    pub(super) fn size(&self) -> usize {
        self.taken.iter().position(|taken| *taken <= self.bytes).unwrap_or(SIZES.len() - 1)
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
    fn a_thumbnail_is_the_small_picture_as_jpeg_in_three_sizes_each_smaller_than_the_one_before() {
        let picture = RgbImage::from_fn(96, 30, |x, y| Rgb([2 * x as u8, 8 * y as u8, 90]));
        let thumbnail = Thumbnail::of("a.jpg", &picture).unwrap();
        let bytes = thumbnail.bytes();
        assert!(bytes.is_sorted_by(|a, b| a > b) && bytes[2] > FEWEST_BYTES, "{bytes:?}");
        let decoded = thumbnail.0.map(|jpeg| image::load_from_memory(&jpeg).unwrap().into_rgb8());
        let off = decoded[0].as_raw().iter().zip(picture.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        // By hand: 30 * 64 / 96 = 20.
        assert_eq!(decoded.each_ref().map(RgbImage::dimensions), [(96, 30), (96, 30), (64, 20)]);
        assert!(off < Some(30), "{off:?}");
    }

    #[test]
    fn nothing_has_room_after_the_first_that_has_none_and_the_best_size_is_the_one_that_all_fit_in() {
        let mut room = Room::new(100);
        let taken = [60, 40, 0, 1, 0].map(|bytes| room.takes([bytes; 3]));
        assert_eq!((taken, room.size()), ([true, true, true, false, false], 0));
        let mut room = Room::new(100);
        assert_eq!([60, 41, 1].map(|bytes| room.takes([bytes; 3])), [true, false, false]);
        let mut room = Room::new(100);
        let mut size_after = |bytes| (room.takes(bytes), room.size());
        // By hand: 60, 50, 30; then 101, 90, 55; then 120, 101, 70; the last would be 101 in the smallest.
        assert_eq!(size_after([60, 50, 30]), (true, 0));
        assert_eq!(size_after([41, 40, 25]), (true, 1));
        assert_eq!(size_after([19, 11, 15]), (true, 2));
        assert_eq!(size_after([40, 35, 31]), (false, 2));
    }
}
