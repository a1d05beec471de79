//! [`Planes`]: the pixels of a view while it is made.

use crate::RgbImage;

/// Pixels `[3, H, W]`, f32, 0 to 1, R, G, B.
///
/// Channels first, since every operation on colours runs over a whole plane, and networks want them so.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Planes {
    /// W, in pixels.
    pub width: usize,
    /// H, in pixels.
    pub height: usize,
    /// Row-major, 3·H·W values.
    pub pixels_chw: Vec<f32>,
}

impl Planes {
    /// Black pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Planes { width, height, pixels_chw: vec![0.0; 3 * width * height] }
    }

    /// The pixels of a picture, `[H, W, 3]` u8.
    pub fn of(picture: &RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut planes = Planes::new(width, height);
        for (i, pixel) in picture.pixels().enumerate() {
            for channel in 0..3 {
                planes.pixels_chw[channel * width * height + i] = f32::from(pixel[channel]) / 255.0;
            }
        }
        planes
    }

    /// Changes the size; the pixels mean nothing afterwards.
    pub fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.pixels_chw.resize(3 * width * height, 0.0);
    }

    /// The planes of R, G and B, each `[H, W]`.
    pub fn channels_mut(&mut self) -> [&mut [f32]; 3] {
        let plane = self.width * self.height;
        let (red, rest) = self.pixels_chw.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        [red, green, blue]
    }

    /// The nearest 8-bit picture, `[H, W, 3]`.
    pub fn to_image(&self) -> RgbImage {
        let plane = self.width * self.height;
        let mut picture = RgbImage::new(self.width as u32, self.height as u32);
        for (i, pixel) in picture.pixels_mut().enumerate() {
            for channel in 0..3 {
                pixel[channel] = level(self.pixels_chw[channel * plane + i]);
            }
        }
        picture
    }
}

/// The nearest of the 256 levels of a value, halves up; values outside 0 to 1 are clipped.
pub(crate) fn level(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_picture_comes_back_and_channels_come_first() {
        let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([(10 * y + x) as u8, 100 + x as u8, 255 - y as u8]));
        let mut planes = Planes::of(&picture);
        assert_eq!(planes.to_image(), picture);
        assert_eq!((planes.width, planes.height), (3, 2));
        let red: Vec<f32> = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0].map(|v: f32| v / 255.0).to_vec();
        assert_eq!(planes.channels_mut()[0], red);
        assert_eq!(planes.channels_mut()[2], [1.0, 1.0, 1.0, 254.0 / 255.0, 254.0 / 255.0, 254.0 / 255.0]);
    }

    #[test]
    fn values_outside_are_clipped_and_halves_round_up() {
        let planes = Planes { width: 1, height: 1, pixels_chw: vec![-0.1, 1.2, 0.5] };
        assert_eq!(planes.to_image().as_raw(), &[0, 255, 128]);
    }
}
