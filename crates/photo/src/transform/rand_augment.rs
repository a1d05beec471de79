//! [`RandAugment`]: a few operations at one strength.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::automatic::{self, Strength};
use super::{Draw, Number, Palette, Transform, range};
use crate::canvas::Canvas;
use crate::planes::Planes;

/// Applies some operations out of fourteen, all at one strength: RandAugment (Cubuk et al. 2019,
/// <https://arxiv.org/abs/1909.13719>) with torchvision's operations. Geometric ones come first, whatever the order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// Probability, 0 to 1.
    #[serde(default = "always")]
    pub p: f64,
    /// How many operations, 1 to 4; the same may come again.
    #[serde(default = "two")]
    pub ops: u32,
    /// Their strength, 0 to 30.
    #[serde(default = "nine")]
    pub magnitude: u32,
}

fn always() -> f64 {
    1.0
}

/// torchvision's, as is [`nine`].
fn two() -> u32 {
    2
}

fn nine() -> u32 {
    9
}

const STRENGTH: Strength =
    Strength { shear: 0.3, translate: 150.0 / 331.0, rotate_deg: 30.0, factor: 0.9, posterize_bits: 4.0 };

static NUMBERS: [[Number; 2]; 4] = [
    automatic::numbers("rand_op_1", "rand_magnitude_1"),
    automatic::numbers("rand_op_2", "rand_magnitude_2"),
    automatic::numbers("rand_op_3", "rand_magnitude_3"),
    automatic::numbers("rand_op_4", "rand_magnitude_4"),
];

impl Default for RandAugment {
    fn default() -> Self {
        RandAugment { p: always(), ops: two(), magnitude: nine() }
    }
}

impl Parameters for RandAugment {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        range::check("ops", self.ops.into(), 1.0, 4.0, "a number of operations", problems);
        range::check(
            "magnitude",
            self.magnitude.into(),
            0.0,
            automatic::STRONGEST.into(),
            "a strength",
            problems,
        );
    }
}

impl Transform for RandAugment {
    const NAME: &'static str = "rand_augment";
    const SUMMARY: &'static str =
        "applies some operations out of fourteen, all at one strength (RandAugment)";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        NUMBERS[..self.ops.min(4) as usize].as_flattened()
    }

    fn words(&self, numbers: &[f32]) -> String {
        automatic::words(numbers)
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        for pair in numbers.chunks_exact_mut(2) {
            pair.copy_from_slice(&automatic::draw(draw, self.magnitude, &STRENGTH));
        }
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        automatic::place(numbers, canvas);
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        automatic::paint(numbers, planes, &mut palette.scratch);
    }
}
