//! [`Resizer`]: antialiased bilinear resampling of a region, with buffers that are used again.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions};
use image::RgbImage;

/// Resamples pictures one after another. Make one per thread and keep it: it holds the buffers.
#[derive(Debug, Default)]
pub struct Resizer {
    inner: fast_image_resize::Resizer,
}

/// A rectangle of the target picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Resizer {
    /// A resizer without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Resizes `photo` to `width` x `height` and returns the `window` of the result. Little more than the
    /// window is computed, so a strip of 1 x 5,000 pixels costs no more than a square.
    ///
    /// Antialiased bilinear as Pillow's `Image.BILINEAR`: a triangle filter of radius 1, widened by the
    /// scale when shrinking; 8-bit results. The window is the same to a level as when all is resized and cropped
    /// then.
    ///
    /// # Panics
    /// When the window is empty or not inside `width` x `height`, or the photo is empty.
    pub fn bilinear(&mut self, photo: &RgbImage, width: u32, height: u32, window: Window) -> RgbImage {
        assert!(
            window.x + window.width <= width && window.y + window.height <= height,
            "{window:?} is not inside {width} x {height}"
        );
        let (x, columns) = reach(window.x, window.width, photo.width(), width);
        let (y, rows) = reach(window.y, window.height, photo.height(), height);
        let (left, across) = stretch(x, columns, photo.width(), width);
        let (top, down) = stretch(y, rows, photo.height(), height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, across, down);
        let mut resized = RgbImage::new(columns, rows);
        // Typed: the untyped call compiles the convolution of every sample type, for minutes.
        let source = TypedImageRef::<U8x3>::from_buffer(photo.width(), photo.height(), photo.as_raw());
        let target = TypedImage::<U8x3>::from_buffer(columns, rows, &mut resized);
        match (source, target) {
            (Ok(source), Ok(mut target)) => self
                .inner
                .resize_typed(&source, &mut target, &options)
                .unwrap_or_else(|e| panic!("both pictures are RGB8 and the region is inside: {e}")),
            (Err(e), _) | (_, Err(e)) => panic!("a picture's buffer has its size: {e}"),
        }
        if (columns, rows) == (window.width, window.height) {
            return resized;
        }
        image::imageops::crop_imm(&resized, window.x - x, window.y - y, window.width, window.height)
            .to_image()
    }
}

/// The target columns (or rows) to compute so that those from `start` are as if all were: first and count.
/// The filter of a target pixel reaches one source or target pixel to each side, whichever is larger.
fn reach(start: u32, count: u32, source: u32, target: u32) -> (u32, u32) {
    let margin = target.div_ceil(source.max(1)) + 1;
    let first = start.saturating_sub(margin);
    let end = (start + count).saturating_add(margin).min(target);
    (first, end - first)
}

/// Where `count` target columns (or rows) from `first` lie in the source, in its pixels: first and length.
fn stretch(first: u32, count: u32, source: u32, target: u32) -> (f64, f64) {
    let scale = f64::from(source) / f64::from(target);
    let start = f64::from(first) * scale;
    // Rounding must not lead outside.
    (start, (f64::from(count) * scale).min(f64::from(source) - start))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A picture in which every pixel differs from its neighbours.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let h = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
            Rgb([(h >> 24) as u8, (h >> 16) as u8, (x * 3 + y) as u8])
        })
    }

    #[test]
    fn a_window_is_what_cropping_the_whole_gives() {
        for (width, height, to_width, to_height) in
            [(97, 61, 50, 31), (31, 47, 200, 303), (500, 9, 373, 9), (64, 64, 64, 64), (3, 400, 30, 4000)]
        {
            let photo = picture(width, height);
            let all = Window { x: 0, y: 0, width: to_width, height: to_height };
            let whole = Resizer::new().bilinear(&photo, to_width, to_height, all);
            let window =
                Window { x: to_width / 3, y: to_height / 2, width: to_width / 3, height: to_height / 4 };
            let part = Resizer::new().bilinear(&photo, to_width, to_height, window);
            for (x, y, pixel) in part.enumerate_pixels() {
                let expected = whole.get_pixel(window.x + x, window.y + y);
                let off = (0..3).map(|c| pixel[c].abs_diff(expected[c])).max();
                assert!(
                    off <= Some(1),
                    "{width}x{height} to {to_width}x{to_height} at {x},{y}: {pixel:?} {expected:?}"
                );
            }
        }
    }

    #[test]
    fn the_same_size_leaves_every_pixel_as_it_is() {
        let photo = picture(13, 7);
        let all = Window { x: 0, y: 0, width: 13, height: 7 };
        assert_eq!(Resizer::new().bilinear(&photo, 13, 7, all), photo);
    }

    #[test]
    fn halving_averages_with_the_triangle_filter() {
        // Pillow 13: Image.fromarray(uint8 [[0, 80, 160, 240]]).resize((2, 1), Image.BILINEAR) is [57, 183]
        // per channel: weights 3/8 3/8 1/8 of 0 80 160 over 7/8, and mirrored.
        let photo = RgbImage::from_fn(4, 1, |x, _| Rgb([80 * x as u8; 3]));
        let half = Resizer::new().bilinear(&photo, 2, 1, Window { x: 0, y: 0, width: 2, height: 1 });
        assert_eq!(half.as_raw(), &[57, 57, 57, 183, 183, 183]);
    }
}
