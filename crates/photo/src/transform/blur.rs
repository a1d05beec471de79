//! [`Blur`]: the view out of focus.

use pipeline_stage::params::{Parameters, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Number, Palette, Transform, range};
use crate::gaussian::{MAX_SIGMA, gaussian_blur};
use crate::planes::Planes;

/// Blurs the view with a Gaussian bell: see [`gaussian_blur`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Probability, 0 to 1.
    #[serde(default = "half")]
    pub p: f64,
    /// Least and greatest standard deviation of the bell, in pixels of the view, 0 to 10; drawn evenly between.
    #[serde(default = "sigma")]
    pub sigma: [f64; 2],
}

/// SimCLR's, as `sigma` is (Chen et al. 2020, appendix A, at 224 pixels).
fn half() -> f64 {
    0.5
}

fn sigma() -> [f64; 2] {
    [0.1, 2.0]
}

impl Parameters for Blur {
    fn check(&self, problems: &mut Vec<Problem>) {
        range::check_p(self.p, problems);
        let most = f64::from(MAX_SIGMA);
        range::check_pair("sigma", self.sigma, 0.0, most, "standard deviations in pixels", problems);
    }
}

impl Transform for Blur {
    const NAME: &'static str = "blur";
    const SUMMARY: &'static str = "blurs the view, as a lens out of focus";

    fn p(&self) -> f64 {
        self.p
    }

    fn numbers(&self) -> &'static [Number] {
        &[Number {
            name: "blur_sigma",
            neutral: 0.0,
            doc: "standard deviation of the Gaussian blur, in pixels of the view, 0 to 10",
        }]
    }

    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        let [low, high] = self.sigma;
        numbers[0] = draw.between(low, high) as f32;
    }

    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        gaussian_blur(planes, numbers[0], &mut palette.scratch);
    }
}
