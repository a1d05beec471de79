//! [`appearance`]: a perceptual hash, the mean colour, and whether a photo is grey.

use pipeline_photo::resizer::Window;
use pipeline_photo::{Resizer, RgbImage};
use pipeline_table::Appearance;

/// Sides of the small grey picture, and of the block of low frequencies in its transform.
const SMALL: usize = 32;
const LOW: usize = 8;

/// One in the table of cosines. Whole numbers make sums exact, so that coefficients that cancel are zero on every machine.
const ONE: f64 = (1 << 14) as f64;

/// Half of the coefficients below this: noise of compression, not a picture. It is 1 grey level in an orthonormal transform.
/// Of 5,200 photos of cats and dogs the least has 17.
const NOISE: i64 = 16 << 28;

/// How far the channels of a grey pixel may be apart, of 255: compression leaves a few levels.
const GREY_SPREAD: u8 = 8;

/// What an upright photo looks like: `photo` is `[H, W, 3]`, u8, RGB, not empty.
pub(crate) fn appearance(photo: &RgbImage) -> Appearance {
    // Ends at the first pixel that has a colour.
    let is_grey = photo.as_raw().as_chunks::<3>().0.iter().all(|&[r, g, b]| {
        let spread = r.max(g).max(b) - r.min(g).min(b);
        spread <= GREY_SPREAD
    });
    let sums = sums(photo.as_raw());
    let pixels = f64::from(photo.width()) * f64::from(photo.height());
    Appearance {
        phash: phash(&small_grey(photo)),
        mean: sums.map(|sum| (sum as f64 / pixels) as f32),
        is_grey,
    }
}

/// Pixels that are summed side by side: processors add that many bytes at a time.
const ABREAST: usize = 16;

/// The sum of each channel of pixels `[.., 3]`.
fn sums(pixels: &[u8]) -> [u64; 3] {
    let mut sums = [0u64; 3];
    // So many that 32 bits are enough for a lane.
    for part in pixels.chunks((3 * ABREAST) << 20) {
        let (blocks, rest) = part.as_chunks::<{ 3 * ABREAST }>();
        let mut lanes = [0u32; 3 * ABREAST];
        for block in blocks {
            lanes.iter_mut().zip(block).for_each(|(lane, byte)| *lane += u32::from(*byte));
        }
        let rest = rest.iter().map(|byte| u32::from(*byte));
        for (place, number) in lanes.into_iter().enumerate().chain(rest.enumerate()) {
            sums[place % 3] += u64::from(number);
        }
    }
    sums
}

/// `[32, 32]`, 0 to 255: antialiased bilinear, then luma by ITU-R 601-2 as Pillow's `convert("L")`.
fn small_grey(photo: &RgbImage) -> [[i64; SMALL]; SMALL] {
    let side = SMALL as u32;
    let all = Window { x: 0, y: 0, width: side, height: side };
    let small = Resizer::new().bilinear(photo, side, side, all);
    let mut grey = [[0; SMALL]; SMALL];
    for (x, y, pixel) in small.enumerate_pixels() {
        let [r, g, b] = pixel.0.map(i64::from);
        grey[y as usize][x as usize] = (19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16;
    }
    grey
}

/// The DCT hash of N. Krawetz, "Looks Like It" (2011), as `imagehash.phash` of Python has it, but for the filter that makes
/// the small picture: bit `8 u + v`, from the highest, is whether the coefficient at vertical frequency `u` and
/// horizontal `v`, `sum_yx grey[y][x] cos(π u (2y+1) / 64) cos(π v (2x+1) / 64)`, is above the median of the 64.
///
/// `None` where most coefficients are noise: photos of one colour, or of one gradient, would all be alike or not by chance.
fn phash(grey: &[[i64; SMALL]; SMALL]) -> Option<u64> {
    let mut cosines = [[0i64; SMALL]; LOW];
    for (frequency, row) in cosines.iter_mut().enumerate() {
        for (at, cosine) in row.iter_mut().enumerate() {
            let angle = std::f64::consts::PI * (frequency * (2 * at + 1)) as f64 / (2 * SMALL) as f64;
            *cosine = (angle.cos() * ONE).round() as i64;
        }
    }
    let across = grey.map(|row| cosines.map(|c| dot(&c, &row))); // [y, v]
    let mut coefficients = [0i64; LOW * LOW];
    for (at, coefficient) in coefficients.iter_mut().enumerate() {
        *coefficient = dot(&cosines[at / LOW], &across.map(|row| row[at % LOW]));
    }
    let mut sizes: Vec<i64> = coefficients[1..].iter().map(|c| c.abs()).collect();
    sizes.sort_unstable();
    if sizes[sizes.len() / 2] < NOISE {
        return None;
    }
    let mut sorted = coefficients;
    sorted.sort_unstable();
    // Twice the median, the mean of the two in the middle.
    let median = sorted[31] + sorted[32];
    Some(coefficients.iter().fold(0, |hash, c| hash << 1 | u64::from(2 * c > median)))
}

/// At most 32 products below 2^8 · 2^14, then of those sums and 2^14: far below 2^63.
fn dot(a: &[i64; SMALL], b: &[i64; SMALL]) -> i64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Unequal sides, no symmetry, colours; the script below makes the same.
    fn picture() -> RgbImage {
        RgbImage::from_fn(90, 61, |x, y| {
            let waves = 128.0
                + 60.0 * (0.11 * f64::from(x) + 0.3).sin()
                + 60.0 * (0.17 * f64::from(y) + 0.002 * f64::from(x * y)).cos();
            Rgb([waves as u8, (f64::from(x) * 2.5) as u8, (f64::from(y) * 4.0) as u8])
        })
    }

    #[test]
    fn sums_are_of_every_pixel_whatever_their_number() {
        for pixels in [0, 1, 15, 16, 17, 33, 100] {
            let bytes: Vec<u8> = (0..3 * pixels).map(|i| (i * 7 % 256) as u8).collect();
            let of =
                |channel: usize| bytes.iter().skip(channel).step_by(3).map(|b| u64::from(*b)).sum::<u64>();
            assert_eq!(sums(&bytes), [of(0), of(1), of(2)], "{pixels} pixels");
        }
    }

    /// Expected values by Pillow, SciPy and imagehash's formula:
    ///
    /// ```python
    /// import numpy as np; from PIL import Image; from scipy.fftpack import dct
    /// y, x = np.mgrid[:61, :90].astype(float)
    /// w = 128 + 60 * np.sin(0.11 * x + 0.3) + 60 * np.cos(0.17 * y + 0.002 * x * y)
    /// im = Image.fromarray(np.stack([w, x * 2.5, y * 4], 2).astype(np.uint8))
    /// def phash(im):
    ///     g = np.asarray(im.resize((32, 32), Image.BILINEAR).convert("L"), float)
    ///     c = dct(dct(g, axis=0), axis=1)[:8, :8]
    ///     return "%016x" % int("".join("01"[int(b)] for b in (c > np.median(c)).ravel()), 2)
    /// print(phash(im), phash(im.transpose(Image.FLIP_LEFT_RIGHT)), np.asarray(im).mean((0, 1)))
    /// ```
    #[test]
    fn hash_and_mean_are_those_of_pillow_and_scipy() {
        let seen = appearance(&picture());
        let mirrored = appearance(&image::imageops::flip_horizontal(&picture()));
        let hash = |a: &Appearance| a.phash.map(|hash| format!("{hash:016x}")).unwrap_or_default();
        assert_eq!([hash(&seen), hash(&mirrored)], HASHES);
        for (found, expected) in seen.mean.iter().zip(MEAN) {
            assert!((found - expected).abs() < 1e-3, "found {:?}, expected {MEAN:?}", seen.mean);
        }
        assert!(!seen.is_grey);
    }

    const HASHES: [&str; 2] = ["b07805fee09ab5aa", "e52c50aab4cae0fe"];
    const MEAN: [f32; 3] = [138.192_35, 111.0, 120.0];

    #[test]
    fn a_photo_of_one_colour_or_one_gradient_has_no_hash() {
        let pictures = [
            RgbImage::from_pixel(50, 40, Rgb([200, 30, 90])),
            RgbImage::from_pixel(1, 1, Rgb([0, 0, 0])),
            RgbImage::from_fn(64, 48, |x, _| Rgb([(3 * x) as u8; 3])),
            // Noise of one level.
            RgbImage::from_fn(640, 480, |x, y| Rgb([100 + ((x * 7919 + y * 104_729) % 7 / 6) as u8; 3])),
        ];
        for (at, picture) in pictures.iter().enumerate() {
            assert_eq!(appearance(picture).phash, None, "{at}");
        }
        assert_eq!(appearance(&pictures[0]).mean, [200.0, 30.0, 90.0]);
    }

    #[test]
    fn grey_allows_what_compression_leaves_and_no_colour() {
        let pixel = |other: [u8; 3]| {
            appearance(&RgbImage::from_fn(9, 5, |x, y| Rgb(if (x, y) == (8, 4) { other } else { [7; 3] })))
        };
        assert!(pixel([100, 108, 104]).is_grey);
        assert!(!pixel([100, 109, 104]).is_grey);
    }
}
