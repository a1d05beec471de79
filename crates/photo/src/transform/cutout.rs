//! [`Cutout`]: a square taken out of the view.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Fill, Number, Palette, Transform, range};
use crate::planes::Planes;

/// Takes a square out of the view. Its centre is anywhere in the view, so that it may hang over the edge, which the
/// authors found to matter (DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with
/// Cutout").
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// Probability, 0 to 1.
    #[serde(default = "always")]
    pub p: f64,
    /// Side of the square as a share of the view's, 0 to 1.
    #[serde(default = "side")]
    pub side: f64,
    /// What stands in its place.
    #[serde(default)]
    pub fill: Fill,
}

/// The paper's.
fn always() -> f64 {
    1.0
}

/// The paper's 8 of 32 pixels for CIFAR-100; for CIFAR-10 it takes 16.
fn side() -> f64 {
    0.25
}

impl Parameters for Cutout {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("side", self.side, 0.0, 1.0, "a share of the view's side", problems);
    }
}

impl Transform for Cutout {
    const NAME: &'static str = "cutout";
    const SUMMARY: &'static str = "takes a square out of the view, which may hang over its edge";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[
            Number {
                name: "cutout_x",
                neutral: 0.0,
                doc: "centre of the cut square along x, 0 to 1 of the side",
            },
            Number {
                name: "cutout_y",
                neutral: 0.0,
                doc: "centre of the cut square along y, 0 to 1 of the side",
            },
            Number { name: "cutout_side", neutral: 0.0, doc: "side of the cut square, 0 to 1 of the view's" },
        ]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers.copy_from_slice(&[draw.unit() as f32, draw.unit() as f32, self.side as f32]);
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        let [x, y, side] = [0, 1, 2].map(|i| f64::from(numbers[i]));
        self.fill.paint((x - side / 2.0, y - side / 2.0), (side, side), planes, palette);
    }
}
