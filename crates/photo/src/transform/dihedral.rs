//! [`Dihedral`]: one of the eight symmetries of a square.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, range};
use crate::canvas::Canvas;

/// Mirrors the photo and turns it by quarters: one of the eight symmetries of a square, each as likely. For pictures
/// taken from above, which have no upright.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dihedral {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
}

/// The lesson's: the symmetry that changes nothing is among the eight.
fn default_p() -> f64 {
    1.0
}

impl Default for Dihedral {
    fn default() -> Self {
        Dihedral { p: default_p() }
    }
}

impl Parameters for Dihedral {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
    }
}

impl Transform for Dihedral {
    const NAME: &'static str = "dihedral";
    const SUMMARY: &'static str = "one of the eight symmetries of a square";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number {
            name: "dihedral",
            neutral: 0.0,
            doc: "quarter turns counter-clockwise, 0 to 3; 4 to 7 the same after mirroring left to right",
        }]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = draw.below(8) as f32;
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        let symmetry = numbers[0] as u8;
        if symmetry & 4 != 0 {
            canvas.flip();
        }
        for _ in 0..symmetry & 3 {
            // Exchanging x and y of the mirrored photo turns it counter-clockwise.
            canvas.flip();
            canvas.transpose();
        }
    }
}
