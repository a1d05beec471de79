//! [`ColorJitter`]: brightness, contrast, saturation and hue.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Palette, Transform, range};
use crate::colour;
use crate::planes::Planes;

/// Changes brightness, contrast, saturation and hue, in this order (torchvision's `ColorJitter` shuffles it).
///
/// The defaults are mild, half of what timm's `--color-jitter` has for training from scratch: colours are part of
/// what tells classes apart, and few photos teach little about which to ignore.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColorJitter {
    /// Probability, 0 to 1.
    #[serde(default = "always")]
    pub p: f64,
    /// The factor of brightness is uniform in 1 - this (at least 0) to 1 + this; 0 to 2.
    #[serde(default = "fifth")]
    pub brightness: f64,
    /// The factor of contrast is uniform in 1 - this (at least 0) to 1 + this; 0 to 2.
    #[serde(default = "fifth")]
    pub contrast: f64,
    /// The factor of saturation is uniform in 1 - this (at least 0) to 1 + this; 0 to 2.
    #[serde(default = "fifth")]
    pub saturation: f64,
    /// The hue is turned by a share of the colour circle that is uniform in -this to this; 0 to 0.5.
    #[serde(default = "fiftieth")]
    pub hue: f64,
}

fn always() -> f64 {
    1.0
}

fn fifth() -> f64 {
    0.2
}

/// About 7 degrees: red stays red.
fn fiftieth() -> f64 {
    0.02
}

impl Parameters for ColorJitter {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("brightness", self.brightness, 0.0, 2.0, "a change of the factor", problems);
        range::check("contrast", self.contrast, 0.0, 2.0, "a change of the factor", problems);
        range::check("saturation", self.saturation, 0.0, 2.0, "a change of the factor", problems);
        range::check("hue", self.hue, 0.0, 0.5, "a share of the colour circle", problems);
    }
}

impl Transform for ColorJitter {
    const NAME: &'static str = "color_jitter";
    const SUMMARY: &'static str = "changes brightness, contrast, saturation and hue, in this order";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[
            Number { name: "jitter_brightness", neutral: 1.0, doc: "factor of brightness, 0 to 3" },
            Number { name: "jitter_contrast", neutral: 1.0, doc: "factor of contrast, 0 to 3" },
            Number { name: "saturation", neutral: 1.0, doc: "factor of saturation, 0 to 3; 0 is grey" },
            Number { name: "hue_turns", neutral: 0.0, doc: "turns of the colour circle, -0.5 to 0.5" },
        ]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        for (number, most) in numbers.iter_mut().zip([self.brightness, self.contrast, self.saturation]) {
            *number = draw.between((1.0 - most).max(0.0), 1.0 + most) as f32;
        }
        numbers[3] = draw.around_zero(self.hue) as f32;
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, _: &mut Palette) {
        colour::brightness(planes, numbers[0]);
        colour::contrast(planes, numbers[1]);
        colour::saturation(planes, numbers[2]);
        colour::hue(planes, numbers[3]);
    }
}
