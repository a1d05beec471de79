//! [`RandomErasing`]: a rectangle of any shape taken out of the view.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Fill, Number, Palette, Transform, decimal, range};
use crate::planes::Planes;

/// Takes a rectangle of random area, shape and place out of the view (Zhong et al. 2017, "Random Erasing Data
/// Augmentation"). It always lies inside.
///
/// Area and shape are drawn up to ten times, until the rectangle fits, as in torchvision's `RandomErasing`; after that
/// nothing is erased and all numbers are 0. Numbers are shares, so one draw holds for any size of the view.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomErasing {
    /// Probability, 0 to 1.
    #[serde(default = "half")]
    pub p: f64,
    /// Least and greatest area as shares of the view's, 0 to 1; drawn evenly between.
    #[serde(default = "area")]
    pub area: [f64; 2],
    /// Least and greatest width / height, 0.01 to 100; its logarithm is drawn evenly between.
    #[serde(default = "ratio")]
    pub ratio: [f64; 2],
    /// What stands in its place.
    #[serde(default)]
    pub fill: Fill,
}

/// torchvision's, as `area` and `ratio` are.
fn half() -> f64 {
    0.5
}

fn area() -> [f64; 2] {
    [0.02, 0.33]
}

/// The paper's 0.3 and 1 / 0.3, so that lying and standing rectangles are as likely; torchvision ends at 3.3.
fn ratio() -> [f64; 2] {
    [0.3, 3.3333]
}

/// How often a rectangle is drawn before nothing is erased, as torchvision does.
const TRIES: usize = 10;

/// Width and height as shares of a square view's side, or `None` where it would not fit:
/// `width = sqrt(area · ratio)`, `height = sqrt(area / ratio)`.
fn sides(area: f64, ratio: f64) -> Option<(f64, f64)> {
    let (width, height) = ((area * ratio).sqrt(), (area / ratio).sqrt());
    (width < 1.0 && height < 1.0).then_some((width, height))
}

impl Parameters for RandomErasing {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check_pair("area", self.area, 0.0, 1.0, "shares of the view's area", problems);
        range::check_pair("ratio", self.ratio, 0.01, 100.0, "ratios of width to height", problems);
    }
}

impl Transform for RandomErasing {
    const NAME: &'static str = "random_erasing";
    const SUMMARY: &'static str = "takes a rectangle of random area, shape and place out of the view";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[
            Number {
                name: "erase_x",
                neutral: 0.0,
                doc: "left edge of the erased rectangle, 0 to 1 of the side",
            },
            Number {
                name: "erase_y",
                neutral: 0.0,
                doc: "upper edge of the erased rectangle, 0 to 1 of the side",
            },
            Number {
                name: "erase_width",
                neutral: 0.0,
                doc: "width of the erased rectangle, 0 to 1 of the side",
            },
            Number {
                name: "erase_height",
                neutral: 0.0,
                doc: "height of the erased rectangle, 0 to 1 of the side",
            },
        ]
    }

    fn words(&self, numbers: &[f32]) -> String {
        format!("erased {} × {}", decimal(numbers[2], 2), decimal(numbers[3], 2))
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        let ([least, most], [narrow, wide]) = (self.area, self.ratio);
        let fitting =
            (0..TRIES).find_map(|_| sides(draw.between(least, most), draw.log_between(narrow, wide)));
        let (width, height) = fitting.unwrap_or_default();
        let (x, y) = match fitting {
            Some(_) => (draw.between(0.0, 1.0 - width), draw.between(0.0, 1.0 - height)),
            None => (0.0, 0.0),
        };
        numbers.copy_from_slice(&[x, y, width, height].map(|share| share as f32));
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        let share = |i: usize| f64::from(numbers[i]);
        self.fill.paint((share(0), share(1)), (share(2), share(3)), planes, palette);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_and_height_and_what_does_not_fit_are_as_torchvisions() {
        // Made by tests/photo/blur/make_fixtures.py, for a view of 224 pixels.
        let mut refused = 0;
        for line in include_str!("../../tests/photo/blur/erasing.csv").lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let found = sides(cells[0].parse().unwrap(), cells[1].parse().unwrap());
            let pixels = found.map(|(width, height)| ((width * 224.0).round(), (height * 224.0).round()));
            let expected = (cells[2] != "-").then(|| (cells[2].parse().unwrap(), cells[3].parse().unwrap()));
            assert_eq!(pixels, expected, "{line}");
            refused += usize::from(found.is_none());
        }
        assert!(refused >= 3, "{refused} refused");
    }
}
