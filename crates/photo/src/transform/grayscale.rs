//! [`Grayscale`]: the photo without its colours.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Palette, Transform, range};
use crate::colour;
use crate::planes::Planes;

/// Takes the colours away; what remains is brightness (ITU-R BT.601).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grayscale {
    /// Probability, 0 to 1.
    #[serde(default = "tenth")]
    pub p: f64,
}

/// That of torchvision's `RandomGrayscale`.
fn tenth() -> f64 {
    0.1
}

impl Parameters for Grayscale {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
    }
}

impl Transform for Grayscale {
    const NAME: &'static str = "grayscale";
    const SUMMARY: &'static str = "takes the colours away";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number { name: "grayscale", neutral: 0.0, doc: "1 where the colours are taken away" }]
    }

    fn draw(&self, _: &mut Draw<'_>, numbers: &mut [f32]) {
        numbers[0] = 1.0;
    }

    fn words(&self, _: &[f32]) -> String {
        Self::NAME.to_owned()
    }

    fn paint(&self, _: &[f32], planes: &mut Planes, _: &mut Palette) {
        colour::grayscale(planes);
    }
}
