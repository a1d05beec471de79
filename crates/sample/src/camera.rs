//! What a camera does to a scene: exposure, tint, falling light, blur and noise.

use image::RgbImage;

use crate::dice::Dice;

/// Settings of one shot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shot {
    /// Factor on brightness; below 0.5 is a dark picture.
    exposure: f32,
    /// Factor around middle grey.
    contrast: f32,
    /// 0 grey, 1 as drawn.
    saturation: f32,
    /// Added to red and taken from blue, in levels of 255.
    warmth: f32,
    /// How much darker the corners are, 0 to 1.
    vignette: f32,
    /// Standard deviation of the blur, in pixels; 0 for none.
    blur: f32,
    /// Standard deviation of the noise, in levels of 255.
    noise: f32,
}

impl Shot {
    /// Mostly decent pictures; some dark, overexposed, grey, shaken or noisy.
    pub(crate) fn random(dice: &mut Dice<'_>) -> Shot {
        let exposure = match dice.whole(0, 19) {
            0..=1 => dice.between(0.25, 0.5),
            2 => dice.between(1.3, 1.6),
            _ => dice.between(0.75, 1.15),
        };
        Shot {
            exposure,
            contrast: dice.between(0.75, 1.15),
            saturation: if dice.chance(0.06) { 0.0 } else { dice.between(0.7, 1.15) },
            warmth: dice.between(-18.0, 22.0),
            vignette: dice.between(0.0, 0.45),
            blur: if dice.chance(0.35) { dice.between(0.5, 2.2) } else { 0.0 },
            noise: if dice.chance(0.5) { dice.between(2.0, 14.0) } else { 0.0 },
        }
    }

    /// Takes the picture.
    pub(crate) fn take(&self, scene: RgbImage, dice: &mut Dice<'_>) -> RgbImage {
        let mut picture = if self.blur > 0.0 { image::imageops::fast_blur(&scene, self.blur) } else { scene };
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (dx, dy) = (2.0 * x as f32 / width - 1.0, 2.0 * y as f32 / height - 1.0);
            let light = self.exposure * (1.0 - 0.5 * self.vignette * (dx * dx + dy * dy));
            let [r, g, b] = pixel.0.map(f32::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            let noise = if self.noise > 0.0 { self.noise * dice.bell() } else { 0.0 };
            let finish = |value: f32, warmth: f32| {
                let value = grey + (value - grey) * self.saturation;
                let value = ((value - 127.5) * self.contrast + 127.5) * light;
                (value + warmth * self.saturation + noise).round().clamp(0.0, 255.0) as u8
            };
            pixel.0 = [finish(r, self.warmth), finish(g, 0.0), finish(b, -self.warmth)];
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    const PLAIN: Shot = Shot {
        exposure: 1.0,
        contrast: 1.0,
        saturation: 1.0,
        warmth: 0.0,
        vignette: 0.0,
        blur: 0.0,
        noise: 0.0,
    };

    fn taken(shot: Shot) -> [u8; 3] {
        let scene = RgbImage::from_pixel(7, 5, image::Rgb([200, 100, 50]));
        let mut random = Stream { purpose: "test", ..Stream::default() }.start();
        shot.take(scene, &mut Dice(&mut random)).get_pixel(3, 2).0
    }

    #[test]
    fn a_plain_shot_shows_the_scene_as_it_is() {
        assert_eq!(taken(PLAIN), [200, 100, 50]);
    }

    #[test]
    fn exposure_darkens_warmth_reddens_and_no_saturation_is_grey() {
        assert_eq!(taken(Shot { exposure: 0.5, ..PLAIN }), [100, 50, 25]);
        assert_eq!(taken(Shot { warmth: 10.0, ..PLAIN }), [210, 100, 40]);
        // 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
        assert_eq!(taken(Shot { saturation: 0.0, ..PLAIN }), [124; 3]);
    }
}
