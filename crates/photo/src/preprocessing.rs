//! [`Preprocessing`]: how a photo becomes the input of a network. Stored as JSON with every model and
//! every feature table; prediction uses the stored one.

use std::ops::RangeInclusive;

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::{Photo, decode, decode_small};
use crate::limits::Limits;
use crate::planes::Planes;
use crate::rejected::Rejected;
use crate::resizer::{Resizer, Window};

/// Size, resize rule, crop and normalisation, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// How large photos are decoded. Not written where it is the default.
    #[serde(default, skip_serializing_if = "Decode::is_full")]
    pub decode: Decode,
    /// Side of the square that the network is given, in pixels; at least 1.
    pub size: u32,
    /// Which side becomes `size`.
    pub resize: Resize,
    /// How pixels are resampled.
    pub filter: Filter,
    /// Which part is kept.
    pub crop: Crop,
    /// Mean per channel (R, G, B) of values in 0 to 1, subtracted.
    pub mean: [f32; 3],
    /// Standard deviation per channel, above 0, divided by.
    pub std: [f32; 3],
}

/// How large photos are decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// As they are.
    #[default]
    Full,
    /// JPEGs at a half, a quarter or an eighth of their sides, where the shorter one is still twice `size` or more.
    Scaled,
}

impl Decode {
    fn is_full(&self) -> bool {
        *self == Decode::Full
    }
}

/// Which side becomes [`Preprocessing::size`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The shorter one; the other keeps the ratio, rounded down.
    #[default]
    ShorterSide,
}

/// How pixels are resampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Antialiased bilinear, as Pillow's `Image.BILINEAR`.
    #[default]
    Bilinear,
}

/// Which part of the resized photo is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// The middle; where it cannot be exact, it starts half a pixel later.
    #[default]
    Center,
}

impl Preprocessing {
    /// Sides of the square in pixels that any stage makes, and that a stranger's file is held to.
    pub const SIZES: RangeInclusive<u32> = 32..=1024;

    /// What in it no photo can be prepared by, and what was expected: it may come from a stranger.
    pub fn problem(&self) -> Option<String> {
        let Preprocessing { size, mean, std, .. } = self;
        if !Self::SIZES.contains(size) {
            let (least, most) = (Self::SIZES.start(), Self::SIZES.end());
            return Some(format!("`size` is {size}, expected {least} to {most}"));
        }
        if !mean.iter().all(|mean| mean.is_finite()) {
            return Some(format!("`mean` is {mean:?}, expected numbers"));
        }
        let is_divisor = |std: &f32| std.is_finite() && *std > 0.0;
        (!std.iter().all(is_divisor)).then(|| format!("`std` is {std:?}, expected numbers above 0"))
    }

    /// The project's rule at `size` with a backbone's statistics.
    pub fn new(size: u32, mean: [f32; 3], std: [f32; 3]) -> Self {
        Preprocessing {
            decode: Decode::Full,
            size,
            resize: Resize::ShorterSide,
            filter: Filter::Bilinear,
            crop: Crop::Center,
            mean,
            std,
        }
    }

    /// The photo in a file's bytes, as large as [`decode`](Preprocessing::decode) says.
    ///
    /// # Errors
    /// As [`decode`](crate::decode()).
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Photo, Rejected> {
        match self.decode {
            Decode::Full => decode(bytes, limits),
            // At twice the size, the resize that follows leaves nothing of how the blocks were scaled.
            Decode::Scaled => decode_small(bytes, limits, self.size.saturating_mul(2)),
        }
    }

    /// Width and height after the resize and before the crop: the shorter side is `size`, the other
    /// `max(floor(side * size / short), size)` with the exact quotient.
    pub fn resized(&self, width: u32, height: u32) -> (u32, u32) {
        let short = u64::from(width.min(height)).max(1);
        let scale = |side: u32| {
            let scaled = u64::from(side) * u64::from(self.size) / short;
            u32::try_from(scaled).unwrap_or(u32::MAX).max(self.size)
        };
        (scale(width), scale(height))
    }

    /// Resizes and crops: `[H, W, 3]` to `[size, size, 3]`, u8, RGB.
    pub fn crop(&self, photo: &RgbImage, resizer: &mut Resizer) -> RgbImage {
        let (width, height) = self.resized(photo.width(), photo.height());
        let start = |side: u32| (side - self.size).div_ceil(2);
        let window = Window { x: start(width), y: start(height), width: self.size, height: self.size };
        resizer.bilinear(photo, width, height, window)
    }

    /// Normalises and puts channels first: `[size, size, 3]` u8 to `[3, size, size]` f32,
    /// `out = (value / 255 - mean) / std`. Takes any width and height.
    ///
    /// # Panics
    /// When `out` does not hold exactly 3 values for each pixel.
    pub fn normalise_chw(&self, cropped_hwc: &RgbImage, out_chw: &mut [f32]) {
        let pixels = cropped_hwc.as_raw();
        assert_eq!(out_chw.len(), pixels.len(), "the output holds 3 x height x width values");
        let plane = pixels.len() / 3;
        for (channel, out) in out_chw.chunks_exact_mut(plane.max(1)).enumerate() {
            let (scale, shift) = self.scale_and_shift(channel, 255.0);
            for (o, pixel) in out.iter_mut().zip(pixels.chunks_exact(3)) {
                *o = f32::from(pixel[channel]) * scale + shift;
            }
        }
    }

    /// Normalises a view in place: `(value - mean) / std` for values of 0 to 1.
    pub fn normalise_planes(&self, view: &mut Planes) {
        for (channel, values) in view.channels_mut().into_iter().enumerate() {
            let (scale, shift) = self.scale_and_shift(channel, 1.0);
            values.iter_mut().for_each(|value| *value = *value * scale + shift);
        }
    }

    /// `(value / full - mean) / std` as one multiplication and one addition.
    fn scale_and_shift(&self, channel: usize, full: f32) -> (f32, f32) {
        (1.0 / (full * self.std[channel]), -self.mean[channel] / self.std[channel])
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn rule(size: u32) -> Preprocessing {
        Preprocessing::new(size, [0.5, 0.25, 0.0], [0.5, 0.25, 2.0])
    }

    #[test]
    fn what_no_photo_can_be_prepared_by_is_told_with_what_was_expected() {
        let with = |size, mean, std| Preprocessing::new(size, [mean; 3], [0.5, std, 0.5]).problem();
        assert_eq!(with(224, 0.5, 0.5), None);
        assert_eq!(with(31, 0.5, 0.5).unwrap(), "`size` is 31, expected 32 to 1024");
        assert_eq!(with(u32::MAX, 0.5, 0.5).unwrap(), "`size` is 4294967295, expected 32 to 1024");
        assert_eq!(with(99, f32::NAN, 0.5).unwrap(), "`mean` is [NaN, NaN, NaN], expected numbers");
        assert_eq!(with(99, 0.5, 0.0).unwrap(), "`std` is [0.5, 0.0, 0.5], expected numbers above 0");
    }

    #[test]
    fn the_shorter_side_becomes_size_and_the_other_is_rounded_down() {
        // By hand: 195 * 224 / 33 = 1323.6..., 199 * 224 / 75 = 594.3..., 312 / 1 * 224.
        for ((width, height), resized) in [
            ((195, 33), (1323, 224)),
            ((75, 199), (224, 594)),
            ((224, 224), (224, 224)),
            ((1, 5000), (224, 1_120_000)),
            ((28, 49), (224, 392)),
        ] {
            assert_eq!(rule(224).resized(width, height), resized, "{width} x {height}");
        }
    }

    #[test]
    fn an_odd_rest_of_the_crop_is_split_half_a_pixel_later() {
        // 5 x 2 is not resized for size 2; ceil((5 - 2) / 2) = 2: columns 2 and 3 stay.
        let photo = RgbImage::from_fn(5, 2, |x, y| Rgb([x as u8, y as u8, 7]));
        let cropped = rule(2).crop(&photo, &mut Resizer::new());
        assert_eq!(cropped.as_raw(), &[2, 0, 7, 3, 0, 7, 2, 1, 7, 3, 1, 7]);
    }

    #[test]
    fn a_strip_is_cropped_without_its_whole_resized_form() {
        // Resized it would be 224 x 14,680,064 pixels, 9.9 GB.
        let photo = RgbImage::from_fn(1, 65_536, |_, y| Rgb([(y >> 8) as u8, 9, 0]));
        let cropped = rule(224).crop(&photo, &mut Resizer::new());
        assert_eq!(cropped.dimensions(), (224, 224));
        // The middle row of the photo is 32,768: its upper byte is 128, that of the row above 127.
        assert!(cropped.pixels().all(|p| (127..=128).contains(&p[0]) && p[1] == 9));
    }

    #[test]
    fn normalising_puts_channels_first_and_rows_before_columns() {
        // 3 x 2 pixels, none alike. With mean and std above: r = v / 127.5 - 1, g = v / 63.75 - 1, b = v / 510.
        let hwc = RgbImage::from_fn(3, 2, |x, y| Rgb([51 * (y * 3 + x) as u8, 51 * x as u8, 102 * y as u8]));
        let mut chw = [0.0; 18];
        rule(2).normalise_chw(&hwc, &mut chw);
        let expected = [
            [-1.0, -0.6, -0.2, 0.2, 0.6, 1.0],
            [-1.0, -0.2, 0.6, -1.0, -0.2, 0.6],
            [0.0, 0.0, 0.0, 0.2, 0.2, 0.2],
        ];
        for (found, expected) in chw.iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-6, "{chw:?}");
        }
    }

    #[test]
    fn a_view_is_normalised_as_the_plain_one() {
        let hwc = RgbImage::from_fn(3, 2, |x, y| Rgb([51 * (y * 3 + x) as u8, 51 * x as u8, 102 * y as u8]));
        let (mut chw, mut view) = ([0.0; 18], Planes::of(&hwc));
        rule(2).normalise_chw(&hwc, &mut chw);
        rule(2).normalise_planes(&mut view);
        for (found, expected) in view.pixels_chw.iter().zip(chw) {
            assert!((found - expected).abs() < 1e-6, "{:?}", view.pixels_chw);
        }
    }

    #[test]
    fn the_stored_form_has_words_and_refuses_what_it_does_not_know() {
        let json = serde_json::json!({
            "size": 224, "resize": "shorter_side", "filter": "bilinear", "crop": "center",
            "mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 2.0],
        });
        assert_eq!(serde_json::to_value(rule(224)).unwrap(), json);
        assert_eq!(serde_json::from_value::<Preprocessing>(json.clone()).unwrap(), rule(224));
        let mut scaled = json.clone();
        scaled["decode"] = "scaled".into();
        assert_eq!(
            serde_json::to_value(Preprocessing { decode: Decode::Scaled, ..rule(224) }).unwrap(),
            scaled
        );
        for (key, value) in [("filter", "lanczos"), ("pad", "reflect")] {
            let mut other = json.clone();
            other[key] = value.into();
            assert!(serde_json::from_value::<Preprocessing>(other).is_err(), "{key}");
        }
    }
}
