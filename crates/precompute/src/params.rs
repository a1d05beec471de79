//! [`Params`]: what a user can set.

use std::collections::BTreeSet;

use pipeline_nn::Dtype;
use pipeline_photo::Decode;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_table::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `precompute`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Side of the square that the network sees, in pixels: shorter side to this size, then the centre. 32 to 1024.
    #[serde(default = "default_size")]
    #[schemars(range(min = 32, max = 1024))]
    pub size: u32,
    /// How large photos are decoded, here and wherever the models look at them. `scaled`: JPEGs at a half, a quarter or an
    /// eighth of their sides, as long as the shorter one is twice `size` or more; photos of 12 megapixels take half the time,
    /// and pixels differ a little from those of `full`.
    #[serde(default)]
    pub decode: Decode,
    /// Which splits to compute.
    #[serde(default = "default_splits")]
    pub splits: BTreeSet<Split>,
    /// Views per pass through the trunk, 1 to 1024. Lower it when memory runs out; the last digits of the features may change with it.
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 1, max = 1024))]
    pub batch_size: usize,
    /// Numeric format of the trunk: `bf16` is about twice as fast where the processor or the GPU has it, and its features lie
    /// less than 0.5 % (resnets) or 3 % (efficientnet_lite0) from those of `f32`; `auto` is `bf16` there, else `f32`.
    #[serde(default)]
    pub dtype: Dtype,
    /// What to do about photos that are gone, or have other content, since they were ingested: `fail`, or `skip` them, with
    /// a warning.
    #[serde(default)]
    pub on_missing: OnMissing,
}

/// The lesson's `sz`.
fn default_size() -> u32 {
    224
}

fn default_splits() -> BTreeSet<Split> {
    [Split::Train, Split::Valid].into()
}

/// The fastest of 2, 4, 8, 16, 32 and 64 with resnet18 on 256 photos and 2 cores: 2 to 32 lie within 5 %, 64
/// takes 9 % longer. Small also means little memory in each lane, and lanes that end together.
fn default_batch_size() -> usize {
    8
}

/// What to do about photos that are gone, or have other content, since they were ingested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Stop, and say how many they are.
    #[default]
    Fail,
    /// Leave them out of the table, and warn.
    Skip,
}

impl Parameters for Params {
    fn settle(&mut self) {
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if !(32..=1024).contains(&self.size) {
            problems.push(Problem::new("size", format!("expected 32 to 1024 pixels, found {}", self.size)));
        }
        if !(1..=1024).contains(&self.batch_size) {
            problems
                .push(Problem::new("batch_size", format!("expected 1 to 1024, found {}", self.batch_size)));
        }
        if self.splits.is_empty() {
            problems.push(Problem::new("splits", "expected at least one of train, valid, test"));
        }
    }
}
