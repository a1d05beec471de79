//! [`Scale`]: the photo larger or smaller before the crop.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, range};
use crate::canvas::Canvas;

/// Scales the photo: its shorter side becomes `floor(factor * size)`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Probability, 0 to 1; otherwise the factor is 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Least factor, 0.1 to 10. Below 1 the border comes into view.
    #[serde(default = "default_min")]
    pub min: f64,
    /// Largest factor, `min` to 10.
    #[serde(default = "default_max")]
    pub max: f64,
}

/// The lesson's.
fn default_p() -> f64 {
    0.75
}

fn default_min() -> f64 {
    1.0
}

/// The lesson's `max_zoom`.
fn default_max() -> f64 {
    1.1
}

impl Default for Scale {
    fn default() -> Self {
        Scale { p: default_p(), min: default_min(), max: default_max() }
    }
}

impl Parameters for Scale {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("min", self.min, 0.1, 10.0, "a factor", problems);
        range::check("max", self.max, 0.1, 10.0, "a factor", problems);
        if problems.is_empty() && self.max < self.min {
            let message = format!("expected at least `min`, {}, found {}", self.min, self.max);
            problems.push(Problem::new("max", message).hint("set both `min` and `max`"));
        }
    }
}

impl Transform for Scale {
    const NAME: &'static str = "scale";
    const SUMMARY: &'static str = "scales the photo before the crop";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number { name: "scale", neutral: 1.0, doc: "factor of the shorter side, of the network's size" }]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = draw.between(self.min, self.max) as f32;
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        canvas.scale(f64::from(numbers[0]));
    }
}
