//! [`Params`]: what a user can set.

use std::collections::BTreeSet;

use pipeline_nn::{Dtype, Pool};
use pipeline_photo::{Decode, Preprocessing};
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
    /// and pixels differ a little from those of `full`. Of an augmented view that shows less than half of a photo's width,
    /// pixels are made larger again.
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
    /// What is kept of each view: the features, pooled as `max_avg` (maximum and average of each channel, as in the lesson) or
    /// as `avg` (the average alone), and, where `logits` is listed, what the pretrained classifier says of it, too.
    #[serde(default = "default_layers")]
    #[schemars(extend("default" = ["max_avg"]))]
    pub layers: BTreeSet<Layer>,
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

fn default_layers() -> BTreeSet<Layer> {
    [Layer::MaxAvg].into()
}

/// What is kept of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Maximum, then average of each channel of the last map: 2·C numbers.
    MaxAvg,
    /// The average of each channel alone: C numbers.
    Avg,
    /// The logits of the classifier that the weights came with, of ImageNet's 1,000 classes as a rule.
    Logits,
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

impl Params {
    /// How the features are pooled.
    pub fn pool(&self) -> Pool {
        if self.layers.contains(&Layer::Avg) { Pool::Avg } else { Pool::MaxAvg }
    }

    /// Whether logits are kept.
    pub fn has_logits(&self) -> bool {
        self.layers.contains(&Layer::Logits)
    }
}

impl Parameters for Params {
    fn settle(&mut self) {
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if !Preprocessing::SIZES.contains(&self.size) {
            problems.push(Problem::new("size", format!("expected 32 to 1024 pixels, found {}", self.size)));
        }
        if !(1..=1024).contains(&self.batch_size) {
            problems
                .push(Problem::new("batch_size", format!("expected 1 to 1024, found {}", self.batch_size)));
        }
        let pools = [Layer::MaxAvg, Layer::Avg].into_iter().filter(|pool| self.layers.contains(pool)).count();
        if pools != 1 {
            let found = if pools == 0 { "neither" } else { "both" };
            let message = format!("expected one of max_avg and avg, found {found}");
            problems.push(Problem::new("layers", message).hint(
                "the column emb has one kind of features, as in `[max_avg]` or `[avg, logits]`; for both, use two stages",
            ));
        }
        if self.splits.is_empty() {
            problems.push(Problem::new("splits", "expected at least one of train, valid, test"));
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_stage::AnyStage;
    use serde_json::json;

    use crate::Precompute;

    #[test]
    fn layers_are_in_the_key_in_one_order() {
        let layers = |given: serde_json::Value| {
            let given = if given.is_null() { json!({}) } else { json!({"layers": given}) };
            Precompute.resolve(&given).unwrap()["layers"].clone()
        };
        assert_eq!(layers(json!(null)), json!(["max_avg"]));
        assert_eq!(layers(json!(["avg"])), json!(["avg"]));
        assert_eq!(layers(json!(["logits", "max_avg"])), json!(["max_avg", "logits"]));
        assert_eq!(Precompute.schema()["properties"]["layers"]["default"], json!(["max_avg"]));
    }

    #[test]
    fn features_are_pooled_in_one_way() {
        let problem = |layers: &[&str]| {
            let problems = Precompute.resolve(&json!({"layers": layers})).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            (problems[0].path.clone(), problems[0].message.clone(), problems[0].hint.clone().unwrap())
        };
        for (layers, found) in
            [(vec!["logits"], "neither"), (vec![], "neither"), (vec!["avg", "max_avg"], "both")]
        {
            let (path, message, hint) = problem(&layers);
            assert_eq!(path, ["layers"]);
            assert_eq!(message, format!("expected one of max_avg and avg, found {found}"));
            assert!(hint.starts_with("the column emb has one kind of features"), "{hint}");
        }
    }
}
