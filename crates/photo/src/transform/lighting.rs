//! [`Lighting`]: the lesson's brightness and contrast.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Palette, Transform, range};
use crate::planes::Planes;

/// Brightness and contrast: `(x - mean) * contrast + mean + brightness`, clipped to 0 to 1.
///
/// `mean` is that of all values of the photo. (The lesson takes it after the rotation, which adds mirrored corners: at
/// its contrasts, 0.952 to 1.05, the difference is at most a twentieth of that between the two means.)
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lighting {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Most that is added to or taken from values of 0 to 1; 0 to 1.
    #[serde(default = "default_strength")]
    pub brightness: f64,
    /// How far contrast goes from 1, 0 to 0.9: c uniform in ± this, the factor is 1 + c above 0 and 1 / (1 - c) below.
    #[serde(default = "default_strength")]
    pub contrast: f64,
}

fn default_p() -> f64 {
    1.0
}

/// The lesson's, for both.
fn default_strength() -> f64 {
    0.05
}

impl Default for Lighting {
    fn default() -> Self {
        Lighting { p: default_p(), brightness: default_strength(), contrast: default_strength() }
    }
}

impl Parameters for Lighting {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("brightness", self.brightness, 0.0, 1.0, "a share of full brightness", problems);
        range::check("contrast", self.contrast, 0.0, 0.9, "a strength", problems);
    }
}

impl Transform for Lighting {
    const NAME: &'static str = "lighting";
    const SUMMARY: &'static str = "the lesson's brightness and contrast";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[
            Number { name: "brightness", neutral: 0.0, doc: "added to values of 0 to 1" },
            Number { name: "contrast", neutral: 1.0, doc: "factor of the distance to the photo's mean" },
        ]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = draw.around_zero(self.brightness) as f32;
        let c = draw.around_zero(self.contrast);
        numbers[1] = (if c < 0.0 { -1.0 / (c - 1.0) } else { c + 1.0 }) as f32;
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        let (brightness, contrast) = (numbers[0], numbers[1]);
        let mean = palette.photo_mean.iter().sum::<f32>() / 3.0;
        let shift = mean - mean * contrast + brightness;
        for value in &mut planes.pixels_chw {
            *value = (*value * contrast + shift).clamp(0.0, 1.0);
        }
    }
}
