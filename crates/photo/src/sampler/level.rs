//! [`Level`]: a photo, or the part of it that a view needs, reduced by a whole number and packed for sampling.

use std::ops::Range;

use image::RgbImage;

/// Bits of a channel in a packed pixel.
const CHANNEL_BITS: u32 = 21;

/// What the weights of a pixel of the view add up to: 13 bits, which with the 8 of a level fill those of a channel.
pub(super) const WHOLE: u16 = 1 << (CHANNEL_BITS - 8);

/// Three levels side by side, [`CHANNEL_BITS`] for each. Weighted sums of packed pixels are packed sums: no channel
/// flows into the next, since 255 times [`WHOLE`] is less than 2^21.
fn pack([red, green, blue]: [u8; 3]) -> u64 {
    u64::from(red) | u64::from(green) << CHANNEL_BITS | u64::from(blue) << (2 * CHANNEL_BITS)
}

/// The channels of a weighted sum, 0 to 1.
#[inline(always)]
pub(super) fn unpack(sum: u64) -> [f32; 3] {
    const SCALE: f32 = 1.0 / (255.0 * WHOLE as f32);
    [0, 1, 2].map(|channel| (sum >> (channel * CHANNEL_BITS) & ((1 << CHANNEL_BITS) - 1)) as f32 * SCALE)
}

/// Most pixels of a level that is made whole, so that further views of the photo find it: 32 MiB. Of larger ones only
/// the part is made that a view needs.
const MOST_WHOLE: usize = 4 << 20;

/// A photo reduced by a whole number.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) reduction: u32,
    /// Of the whole photo, reduced.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Which columns and rows of it are there.
    columns: Range<usize>,
    rows: Range<usize>,
    /// `[rows, columns]`, each packed.
    pixels: Vec<u64>,
}

impl Level {
    /// The reduction of a level that holds nothing of use.
    pub(super) const OF_NO_PHOTO: u32 = 0;

    /// Forgets its photo, and gives back what only a very large one needed.
    pub(super) fn forget(&mut self) {
        self.reduction = Level::OF_NO_PHOTO;
        self.pixels.clear();
        self.pixels.shrink_to(MOST_WHOLE);
    }

    /// Whether these columns and rows are there.
    pub(super) fn has(&self, columns: &Range<usize>, rows: &Range<usize>) -> bool {
        let within = |part: &Range<usize>, of: &Range<usize>| of.start <= part.start && part.end <= of.end;
        within(columns, &self.columns) && within(rows, &self.rows)
    }

    /// Width and height of a photo reduced by `reduction`.
    pub(super) fn sides(photo: &RgbImage, reduction: u32) -> (usize, usize) {
        (photo.width().div_ceil(reduction) as usize, photo.height().div_ceil(reduction) as usize)
    }

    /// Makes at least these columns and rows. Each pixel becomes the mean of a square of about `reduction` x `reduction`.
    pub(super) fn make(
        &mut self,
        photo: &RgbImage,
        reduction: u32,
        columns: Range<usize>,
        rows: Range<usize>,
    ) {
        self.reduction = reduction;
        (self.width, self.height) = Level::sides(photo, reduction);
        let is_small = self.width * self.height <= MOST_WHOLE;
        (self.columns, self.rows) = if is_small { (0..self.width, 0..self.height) } else { (columns, rows) };
        self.pixels.clear();
        for y in self.rows.clone() {
            if reduction == 1 {
                let row =
                    &photo.as_raw()[3 * (y * self.width + self.columns.start)..][..3 * self.columns.len()];
                self.pixels.extend(row.chunks_exact(3).map(|p| pack([p[0], p[1], p[2]])));
            } else {
                let squares =
                    self.columns.clone().map(|x| mean_of_square(photo, [x, y], [self.width, self.height]));
                self.pixels.extend(squares.map(pack));
            }
        }
    }

    /// The distance from a row to the next, in pixels.
    pub(super) fn stride(&self) -> usize {
        self.columns.len()
    }

    /// The pixels from column `x` of row `y` on, both of the whole photo, reduced, and there.
    #[inline(always)]
    pub(super) fn from(&self, x: usize, y: usize) -> &[u64] {
        &self.pixels[(y - self.rows.start) * self.columns.len() + (x - self.columns.start)..]
    }
}

/// The mean of the pixels of the photo that pixel (`x`, `y`) of a level of `width` x `height` stands for, halves rounded
/// up. The photo is shared out evenly, so that its edges are those of the level also where the reduction leaves a rest.
fn mean_of_square(photo: &RgbImage, [x, y]: [usize; 2], [width, height]: [usize; 2]) -> [u8; 3] {
    let (photo_width, photo_height) = (photo.width() as usize, photo.height() as usize);
    let part = |at: usize, of: usize, all: usize| at * all / of..(at + 1) * all / of;
    let (columns, rows) = (part(x, width, photo_width), part(y, height, photo_height));
    let count = (rows.len() * columns.len()) as u64;
    let mut sums = [0_u64; 3];
    for row in rows {
        let pixels = &photo.as_raw()[3 * (row * photo_width + columns.start)..][..3 * columns.len()];
        for pixel in pixels.chunks_exact(3) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
    }
    sums.map(|sum| ((sum + count / 2) / count) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_are_the_sums_of_each_channel() {
        let pixels = [[255, 0, 1], [255, 128, 254], [255, 255, 255]];
        let weights = [WHOLE - 5000, 4999, 1];
        let sum = pixels.iter().zip(weights).map(|(pixel, weight)| pack(*pixel) * u64::from(weight)).sum();
        let whole = f64::from(WHOLE);
        let expected =
            [255.0, (128.0 * 4999.0 + 255.0) / whole, ((whole - 5000.0) + 254.0 * 4999.0 + 255.0) / whole];
        for (found, expected) in unpack(sum).into_iter().zip(expected) {
            assert!((f64::from(found) * 255.0 - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn a_level_shares_the_photo_out_evenly_and_each_pixel_is_the_mean_of_its_part() {
        let photo = RgbImage::from_fn(5, 3, |x, y| image::Rgb([(10 * x + y) as u8, 0, 255]));
        let mut level = Level::default();
        level.make(&photo, 2, 0..3, 0..2);
        // Columns 0, 1 and 2, 3 and 4; rows 0, 1 and 2. Means by hand, halves rounded up: 0, (10 + 20) / 2, (30 + 40) / 2;
        // (1 + 2) / 2 = 1.5, (11 + 12 + 21 + 22) / 4 = 16.5, (31 + 32 + 41 + 42) / 4 = 36.5.
        let reds: Vec<u64> = level.pixels.iter().map(|pixel| pixel & 255).collect();
        assert_eq!((level.width, level.height, reds), (3, 2, vec![0, 15, 35, 2, 17, 37]));
        assert_eq!(level.from(0, 0)[0], pack([0, 0, 255]));
    }

    #[test]
    fn of_a_large_photo_only_the_part_is_made_and_it_is_that_of_the_whole() {
        // 4,194,400 pixels, a few more than are made whole.
        let photo = RgbImage::from_fn(10_486, 400, |x, y| image::Rgb([(x % 251) as u8, y as u8, 7]));
        let mut level = Level::default();
        level.make(&photo, 1, 100..130, 20..50);
        assert_eq!((level.width, level.pixels.len(), level.stride()), (10_486, 900, 30));
        assert_eq!(level.from(129, 49)[0], pack([129, 49, 7]));
        assert!(level.has(&(100..130), &(30..40)) && !level.has(&(99..130), &(30..40)));
        level.make(&photo, 2, 50..60, 10..11);
        assert!(level.has(&(0..5_243), &(0..200)), "reduced it is small enough to be made whole");
    }
}
