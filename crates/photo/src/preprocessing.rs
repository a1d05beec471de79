//! [`Preprocessing`]: how a photo becomes the input of a network. Stored as JSON with every model and
//! every feature table; prediction uses the stored one.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::resizer::{Resizer, Window};

/// Size, resize rule, crop and normalisation, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
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
    /// The project's rule at `size` with a backbone's statistics.
    pub fn new(size: u32, mean: [f32; 3], std: [f32; 3]) -> Self {
        Preprocessing {
            size,
            resize: Resize::ShorterSide,
            filter: Filter::Bilinear,
            crop: Crop::Center,
            mean,
            std,
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
            // One multiplication and one addition per value.
            let scale = 1.0 / (255.0 * self.std[channel]);
            let shift = -self.mean[channel] / self.std[channel];
            for (o, pixel) in out.iter_mut().zip(pixels.chunks_exact(3)) {
                *o = f32::from(pixel[channel]).mul_add(scale, shift);
            }
        }
    }
}
