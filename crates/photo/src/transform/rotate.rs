//! [`Rotate`]: the photo turned about its centre.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, range};
use crate::canvas::Canvas;

/// Turns the photo about its centre.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Most degrees in either direction, 0 to 180.
    #[serde(default = "default_max_deg")]
    pub max_deg: f64,
}

/// The lesson's.
fn default_p() -> f64 {
    0.75
}

/// The lesson's.
fn default_max_deg() -> f64 {
    10.0
}

impl Default for Rotate {
    fn default() -> Self {
        Rotate { p: default_p(), max_deg: default_max_deg() }
    }
}

impl Parameters for Rotate {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("max_deg", self.max_deg, 0.0, 180.0, "degrees", problems);
    }
}

impl Transform for Rotate {
    const NAME: &'static str = "rotate";
    const SUMMARY: &'static str = "turns the photo about its centre";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number { name: "angle_deg", neutral: 0.0, doc: "degrees about the centre, counter-clockwise" }]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = draw.around_zero(self.max_deg) as f32;
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        canvas.rotate(f64::from(numbers[0]));
    }
}
