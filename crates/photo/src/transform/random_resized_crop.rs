//! [`RandomResizedCrop`]: a part of the photo, stretched to the whole view.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Transform, decimal, range};
use crate::canvas::Canvas;

/// Takes a part of the photo of random area and ratio and stretches it to the view (Szegedy et al. 2015; as
/// torchvision's `RandomResizedCrop`, up to ten tries and then the largest centred part with a ratio that is allowed).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Probability, 0 to 1.
    #[serde(default = "default_p")]
    pub p: f64,
    /// Least and largest share of the area, 0.01 to 1.
    #[serde(default = "default_area")]
    pub area: [f64; 2],
    /// Least and largest width divided by height, 0.2 to 5; its logarithm is uniform.
    #[serde(default = "default_ratio")]
    pub ratio: [f64; 2],
}

fn default_p() -> f64 {
    1.0
}

/// torchvision's.
const TRIES: usize = 10;

/// torchvision's.
fn default_area() -> [f64; 2] {
    [0.08, 1.0]
}

/// torchvision's.
fn default_ratio() -> [f64; 2] {
    [3.0 / 4.0, 4.0 / 3.0]
}

impl Parameters for RandomResizedCrop {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check_pair("area", self.area, 0.01, 1.0, "shares of the area", problems);
        range::check_pair("ratio", self.ratio, 0.2, 5.0, "ratios of width to height", problems);
    }
}

impl Transform for RandomResizedCrop {
    const NAME: &'static str = "random_resized_crop";
    const SUMMARY: &'static str = "a part of the photo, stretched to the whole view";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[
            Number { name: "part_x", neutral: 0.0, doc: "left edge of the part, as a share of the width" },
            Number { name: "part_y", neutral: 0.0, doc: "upper edge of the part, as a share of the height" },
            Number { name: "part_width", neutral: 0.0, doc: "share of the width; 0 where no part was taken" },
            Number {
                name: "part_height",
                neutral: 0.0,
                doc: "share of the height; 0 where no part was taken",
            },
        ]
    }

    fn words(&self, numbers: &[f32]) -> String {
        format!("part of {} × {}", decimal(numbers[2], 2), decimal(numbers[3], 2))
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        let [low, high] = self.ratio;
        // Of a canvas of `aspect` x 1.
        let aspect = draw.aspect;
        for _ in 0..TRIES {
            let area = aspect * draw.between(self.area[0], self.area[1]);
            let ratio = draw.log_between(low, high);
            let (width, height) = ((area * ratio).sqrt() / aspect, (area / ratio).sqrt());
            if width <= 1.0 && height <= 1.0 {
                let (x, y) = (draw.unit() * (1.0 - width), draw.unit() * (1.0 - height));
                numbers.copy_from_slice(&[x, y, width, height].map(|value| value as f32));
                return;
            }
        }
        let ratio = aspect.clamp(low, high);
        let (width, height) = ((ratio / aspect).min(1.0), (aspect / ratio).min(1.0));
        let part = [(1.0 - width) / 2.0, (1.0 - height) / 2.0, width, height];
        numbers.copy_from_slice(&part.map(|value| value as f32));
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        let [x, y, width, height] = [numbers[0], numbers[1], numbers[2], numbers[3]].map(f64::from);
        let (wide, high) = canvas.sides();
        canvas.stretch(x * wide, y * high, width * wide, height * high);
    }
}
