//! [`BatchMix`]: photos of a batch mixed with each other, mixup and CutMix. For training a network on pixels.
//!
//! A batch is mixed whole: one draw says which of the two, how much, and with whom each row is mixed. Not here: the
//! loss, whose weights come from [`Mixing::label_weights`].

use pipeline_stage::params::{Parameters, Problem, check_part};
use pipeline_stage::random::{Random, shuffled};
use rand_distr::{Beta, Distribution};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::rectangle::Rectangle;
use crate::transform::{Draw, range};

/// How batches are mixed; where neither is given, not at all. One batch has one of the two or none, so the two
/// probabilities together are at most 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchMix {
    /// Each photo becomes a weighted mean of itself and another.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub mixup: Option<Mixup>,
    /// Each photo gets a rectangle of another.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub cutmix: Option<Cutmix>,
}

/// `x = lambda x + (1 - lambda) x[partner]` with lambda ~ Beta(alpha, alpha) (Zhang et al. 2018, "mixup: Beyond
/// Empirical Risk Minimization").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mixup {
    /// Probability for a batch, 0 to 1.
    #[serde(default = "half")]
    pub p: f64,
    /// Of the beta distribution, 0.01 to 100: near 0 a photo hardly changes, at 1 every share is as likely, above that
    /// halves are likelier.
    #[serde(default = "mixup_alpha")]
    pub alpha: f64,
}

/// A rectangle with the share 1 - lambda of the area comes from the partner, lambda ~ Beta(alpha, alpha) (Yun et al.
/// 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features"). It has the shape
/// of the photo, its centre is anywhere, and what hangs over the edge is cut; lambda is then that of the pixels left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutmix {
    /// Probability for a batch, 0 to 1.
    #[serde(default = "half")]
    pub p: f64,
    /// Of the beta distribution, 0.01 to 100: at 1 every share is as likely.
    #[serde(default = "cutmix_alpha")]
    pub alpha: f64,
}

/// CutMix's for CIFAR; and so that both fit together without more being said.
fn half() -> f64 {
    0.5
}

/// The upper end of what mixup's authors recommend for ImageNet, 0.1 to 0.4.
fn mixup_alpha() -> f64 {
    0.4
}

/// The paper's.
fn cutmix_alpha() -> f64 {
    1.0
}

impl Default for Mixup {
    fn default() -> Self {
        Mixup { p: half(), alpha: mixup_alpha() }
    }
}

impl Default for Cutmix {
    fn default() -> Self {
        Cutmix { p: half(), alpha: cutmix_alpha() }
    }
}

/// A name that stands alone, `mixup:`, means its defaults.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or_default()))
}

impl Parameters for BatchMix {
    fn check(&self, problems: &mut Vec<Problem>) {
        let mut check = |name: &str, p: f64, alpha: f64| {
            check_part(name, problems, |problems| {
                range::check_p(p, problems);
                range::check("alpha", alpha, 0.01, 100.0, "a parameter of the beta distribution", problems);
            });
        };
        if let Some(Mixup { p, alpha }) = self.mixup {
            check("mixup", p, alpha);
        }
        if let Some(Cutmix { p, alpha }) = self.cutmix {
            check("cutmix", p, alpha);
        }
        if let (true, Some(mixup), Some(cutmix)) = (problems.is_empty(), &self.mixup, &self.cutmix) {
            // Decimals that add up to 1 may add up to the next number above.
            if mixup.p + cutmix.p > 1.0 + f64::EPSILON {
                let message = format!(
                    "expected `mixup.p` and `cutmix.p` to add up to at most 1, found {} and {}",
                    mixup.p, cutmix.p
                );
                check_part("cutmix", problems, |problems| problems.push(Problem::new("p", message)));
            }
        }
    }
}

impl BatchMix {
    /// Draws how a batch `[N, C, H, W]` is mixed; `None` where it is not (and where an `alpha` is not above 0, which
    /// [`check`](Parameters::check) refuses).
    ///
    /// Partners are a random permutation, as in both papers' code, so a row may be its own partner. (torchvision takes
    /// the row before, which leans on the order of the batch.)
    pub fn draw(&self, random: &mut Random, shape_nchw: [usize; 4]) -> Option<Mixing> {
        let mut draw = Draw { random, aspect: 1.0 };
        let of_mixup = self.mixup.as_ref().map_or(0.0, |mixup| mixup.p);
        let chance = draw.unit();
        let [rows, _, height, width] = shape_nchw;
        let (own, corner, sides) = match (&self.mixup, &self.cutmix) {
            (Some(mixup), _) if chance < of_mixup => (beta(mixup.alpha, &mut draw)?, (0.0, 0.0), 1.0),
            (_, Some(cutmix)) if chance < of_mixup + cutmix.p => {
                let side = (1.0 - beta(cutmix.alpha, &mut draw)?).sqrt();
                (0.0, (draw.unit() - side / 2.0, draw.unit() - side / 2.0), side)
            }
            _ => return None,
        };
        let mixed = Rectangle::covering(corner, (sides, sides), width, height);
        let lambda = 1.0 - (1.0 - own) * mixed.area() as f64 / (height * width).max(1) as f64;
        Some(Mixing { shape_nchw, partners: shuffled(rows, draw.random), own: own as f32, mixed, lambda })
    }
}

/// Beta(alpha, alpha), 0 to 1; `None` where `alpha` is not above 0.
fn beta(alpha: f64, draw: &mut Draw<'_>) -> Option<f64> {
    Some(Beta::new(alpha, alpha).ok()?.sample(draw.random))
}

/// How one batch is mixed: in a rectangle, which for mixup is everything, each value becomes
/// `own x + (1 - own) x[partner]`; for CutMix `own` is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixing {
    shape_nchw: [usize; 4],
    /// For each row the one it is mixed with; a permutation.
    partners: Vec<usize>,
    own: f32,
    mixed: Rectangle,
    lambda: f64,
}

impl Mixing {
    /// The share that each row keeps of itself, 0 to 1.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// For each row its partner and lambda: `loss = lambda · nll(y) + (1 - lambda) · nll(y[partner])`.
    pub fn label_weights(&self) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        self.partners.iter().map(|partner| (*partner, self.lambda))
    }

    /// Mixes the pixels `[N, C, H, W]` in place, whatever their range. Takes memory for one row.
    ///
    /// # Panics
    /// When the batch does not have the shape that was drawn for.
    pub fn apply(&self, pixels_nchw: &mut [f32]) {
        let [rows, channels, height, width] = self.shape_nchw;
        let row = channels * height * width;
        assert_eq!(pixels_nchw.len(), rows * row, "the batch holds {:?} values", self.shape_nchw);
        // Each row is needed by one other, so along a cycle of the permutation every row is read just before it is
        // overwritten; only the first is still wanted at the end.
        let mut first = Vec::with_capacity(row);
        let mut is_done = vec![false; rows];
        for start in 0..rows {
            if is_done[start] || self.partners[start] == start {
                continue;
            }
            first.clear();
            first.extend_from_slice(&pixels_nchw[start * row..][..row]);
            let mut at = start;
            while self.partners[at] != start {
                let partner = self.partners[at];
                let (own, other) = two_rows(pixels_nchw, row, at, partner);
                self.mix_row(own, other);
                is_done[at] = true;
                at = partner;
            }
            self.mix_row(&mut pixels_nchw[at * row..][..row], &first);
            is_done[at] = true;
        }
    }

    /// Mixes one photo `[C, H, W]` with its partner.
    fn mix_row(&self, own_chw: &mut [f32], partner_chw: &[f32]) {
        let [_, channels, height, width] = self.shape_nchw;
        for channel in 0..channels {
            for y in self.mixed.rows.clone() {
                let line = (channel * height + y) * width;
                let (own, other) = (&mut own_chw[line..][..width], &partner_chw[line..][..width]);
                let columns = self.mixed.columns.clone();
                for (own, other) in own[columns.clone()].iter_mut().zip(&other[columns]) {
                    *own = self.own * *own + (1.0 - self.own) * other;
                }
            }
        }
    }
}

/// Row `own` to write and row `other`, another one, to read.
fn two_rows(pixels: &mut [f32], row: usize, own: usize, other: usize) -> (&mut [f32], &[f32]) {
    let (before, from) = pixels.split_at_mut(own.max(other) * row);
    if own < other {
        (&mut before[own * row..][..row], &from[..row])
    } else {
        (&mut from[..row], &before[other * row..][..row])
    }
}
