//! [`Pad`]: room around the photo.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, range};
use crate::canvas::Canvas;

/// Adds room around the photo, filled as the policy's `border` says, before the crop.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Width of the room on each side as a share of the network's size, 0 to 1; rounded to whole pixels.
    #[serde(default = "default_share")]
    pub share: f64,
}

fn default_p() -> f64 {
    1.0
}

/// 4 of 32 pixels, as is usual for CIFAR-10 (He et al. 2016).
fn default_share() -> f64 {
    0.125
}

impl Parameters for Pad {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("share", self.share, 0.0, 1.0, "a share of the size", problems);
    }
}

impl Transform for Pad {
    const NAME: &'static str = "pad";
    const SUMMARY: &'static str = "room around the photo, filled as `border` says";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number { name: "pad", neutral: 0.0, doc: "width of the room on each side, as a share of the size" }]
    }

    fn draw(&self, _: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = self.share as f32;
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        canvas.pad((f64::from(numbers[0]) * canvas.size()).round());
    }
}
