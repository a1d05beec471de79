//! [`Flip`]: the photo mirrored.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, range};
use crate::canvas::Canvas;

/// Mirrors the photo, left to right.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// Probability, 0 to 1.
    #[serde(default = "half")]
    pub p: f64,
}

/// The lesson's.
fn half() -> f64 {
    0.5
}

impl Default for Flip {
    fn default() -> Self {
        Flip { p: half() }
    }
}

impl Parameters for Flip {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
    }
}

impl Transform for Flip {
    const NAME: &'static str = "flip";
    const SUMMARY: &'static str = "mirrors the photo, left to right";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number { name: "flip", neutral: 0.0, doc: "1 where the photo is mirrored, left to right" }]
    }

    fn draw(&self, _: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = 1.0;
    }

    fn words(&self, _: &[f32]) -> String {
        Self::NAME.to_owned()
    }

    fn place(&self, _: &[f32], canvas: &mut Canvas) {
        canvas.flip();
    }
}
