//! [`TrivialAugment`]: one operation at any strength.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::automatic::{self, STRONGEST, Strength};
use super::{Draw, Number, Palette, Transform, range};
use crate::canvas::Canvas;
use crate::planes::Planes;

/// Applies one operation out of fourteen, at a strength that is drawn too: TrivialAugment Wide (Müller & Hutter 2021,
/// <https://arxiv.org/abs/2103.10158>) with torchvision's operations. There is nothing to tune.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrivialAugment {
    /// Probability, 0 to 1.
    #[serde(default = "always")]
    pub p: f64,
}

fn always() -> f64 {
    1.0
}

/// The paper moves by up to 32 px, of views whose side is 224.
const STRENGTH: Strength =
    Strength { shear: 0.99, translate: 32.0 / 224.0, rotate_deg: 135.0, factor: 0.99, posterize_bits: 6.0 };

static NUMBERS: [Number; 2] = automatic::numbers("trivial_op", "trivial_magnitude");

impl Default for TrivialAugment {
    fn default() -> Self {
        TrivialAugment { p: always() }
    }
}

impl Parameters for TrivialAugment {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
    }
}

impl Transform for TrivialAugment {
    const NAME: &'static str = "trivial_augment";
    const SUMMARY: &'static str =
        "applies one operation out of fourteen, at a strength that is drawn too (TrivialAugment Wide)";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &NUMBERS
    }

    fn words(&self, numbers: &[f32]) -> String {
        automatic::words(numbers)
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        let level = draw.below(STRONGEST as usize + 1) as u32;
        numbers.copy_from_slice(&automatic::draw(draw, level, &STRENGTH));
    }

    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        automatic::place(numbers, canvas);
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        automatic::paint(numbers, planes, &mut palette.scratch);
    }
}
