//! [`Perspective`]: the photo as seen from aside.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, decimal, range};
use crate::canvas::{Canvas, Map};

/// Moves each corner of the photo inwards, in x and in y on its own, and all else with them (as torchvision's
/// `RandomPerspective`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Most that a corner moves, as a share of half the side, 0 to 0.5. (Beyond that the horizon may come into view.)
    #[serde(default = "default_distortion")]
    pub distortion: f64,
}

fn default_p() -> f64 {
    0.5
}

/// fastai's `max_warp`.
fn default_distortion() -> f64 {
    0.2
}

impl Parameters for Perspective {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("distortion", self.distortion, 0.0, 0.5, "a share of half the side", problems);
    }
}

impl Transform for Perspective {
    const NAME: &'static str = "perspective";
    const SUMMARY: &'static str = "the photo as seen from aside";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        const fn corner(name: &'static str) -> Number {
            Number {
                name,
                neutral: 0.0,
                doc: "how far the corner moves inwards, as a share of half the side",
            }
        }
        const {
            &[
                corner("top_left_x"),
                corner("top_left_y"),
                corner("top_right_x"),
                corner("top_right_y"),
                corner("bottom_right_x"),
                corner("bottom_right_y"),
                corner("bottom_left_x"),
                corner("bottom_left_y"),
            ]
        }
    }

    fn words(&self, numbers: &[f32]) -> String {
        let most = numbers.iter().copied().fold(0.0, f32::max);
        format!("corners moved by up to {}", decimal(most, 2))
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        for number in numbers {
            *number = (draw.unit() * self.distortion) as f32;
        }
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        let (width, height) = canvas.sides();
        // Corners of the canvas about its centre, clockwise from the upper left: where each point of the photo goes.
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)];
        let mut moved = [(0.0, 0.0); 4];
        for (((x, y), inwards), to) in corners.into_iter().zip(numbers.chunks_exact(2)).zip(&mut moved) {
            let (dx, dy) = (f64::from(inwards[0]) / 2.0, f64::from(inwards[1]) / 2.0);
            *to = ((x - dx * f64::signum(x)) * width, (y - dy * f64::signum(y)) * height);
        }
        let unit_square = Map::affine([width, 0.0, -width / 2.0], [0.0, height, -height / 2.0]);
        if let Some(back) = Map::unit_square_to(moved).inverse() {
            canvas.about_centre(&unit_square.after(&back));
        }
    }
}
