//! The `head` stage: the lesson's head, trained on precomputed features.
//!
//! In: the feature table of `precompute` and the trunk of `backbone`. Out: a whole model
//! (`model.json`, `head.safetensors`, `trunk.safetensors`) and `history.parquet`; see `README.md`.

mod error;
mod train;

use std::collections::BTreeMap;

use pipeline_nn::artifact::{BACKBONE_FILE, HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::{device, weights};
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Artifact, Context, Digest, Failure, Input, Source, Stage, Summary};
use pipeline_table::{FeatureRow, FeaturesReader, HistoryWriter, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use train::{Examples, train};

/// The stage kind `head`.
#[derive(Debug, Clone, Copy)]
pub struct HeadStage;

/// Parameters of `head`. The defaults are the lesson's `fit(0.01, 2)`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Learning rate, above 0; constant over the epochs.
    #[serde(default = "default_lr")]
    pub lr: f64,
    /// Passes over the training photos, 1 to 10000. Each shows one view of each photo, drawn anew.
    #[serde(default = "default_epochs")]
    pub epochs: u32,
    /// Photos per step, from 2 (batch norm needs more than one).
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Momentum of SGD, from 0 to below 1.
    #[serde(default = "default_momentum")]
    pub momentum: f64,
    /// L2 penalty added to the gradient, from 0.
    #[serde(default)]
    pub weight_decay: f64,
}

fn default_lr() -> f64 {
    0.01
}

fn default_epochs() -> u32 {
    2
}

fn default_batch_size() -> usize {
    64
}

fn default_momentum() -> f64 {
    0.9
}

impl Parameters for Params {
    fn check(&self, problems: &mut Vec<Problem>) {
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            problems.push(Problem::new("lr", format!("expected a rate above 0, found {}", self.lr)));
        }
        if !(1..=10_000).contains(&self.epochs) {
            problems.push(Problem::new("epochs", format!("expected 1 to 10000, found {}", self.epochs)));
        }
        if self.batch_size < 2 {
            let message = format!("expected at least 2 photos per step, found {}", self.batch_size);
            problems.push(Problem::new("batch_size", message));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            let message = format!("expected 0 to below 1, found {}", self.momentum);
            problems.push(Problem::new("momentum", message));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let message = format!("expected a number from 0, found {}", self.weight_decay);
            problems.push(Problem::new("weight_decay", message));
        }
    }
}

/// File name of the training history.
pub const HISTORY_FILE: &str = "history.parquet";

impl Stage for HeadStage {
    const KIND: &'static str = "head";
    const VERSION: u32 = 2;
    const SUMMARY: &'static str = "the lesson's head, trained on precomputed features";
    const PRODUCES: &'static str = "model";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "features",
            accepts: "features",
            reads: &["features/"],
            many: false,
            optional: false,
            doc: "features of the train and valid photos",
        },
        Input {
            name: "backbone",
            accepts: "backbone",
            reads: &[TRUNK_FILE, BACKBONE_FILE],
            many: false,
            optional: false,
            doc: "the trunk that made the features; it becomes part of the model",
        },
    ];
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    const RECORDS: &'static [&'static str] = &[HISTORY_FILE];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let backbone = cx.input("backbone");
        let trunk_digest = *backbone.files.get(TRUNK_FILE).ok_or(Error::NoTrunk)?;
        let reader = FeaturesReader::open(&cx.input("features").path("features"))?;
        let meta = reader.meta().clone();
        if meta.weights != trunk_digest.to_string() {
            return Err(Error::OtherTrunk { features: meta.weights, backbone: trunk_digest }.into());
        }

        let device = device::pick();
        device::set_threads(cx.threads);
        let classes = meta.classes.len();
        let train_set = Examples::new(reader.load(|row| row.split == Split::Train)?, meta.dim, device)?;
        let is_measured = |row: &FeatureRow| row.split == Split::Valid && row.view == 0;
        let valid_set = Examples::new(reader.load(is_measured)?, meta.dim, device)?;
        if train_set.len() < 2 {
            return Err(Error::TooFewPhotos { found: train_set.len() }.into());
        }

        let trained = train(params, cx, &train_set, &valid_set, meta.dim, classes, device)?;

        weights::write_safetensors(&cx.out.join(HEAD_FILE), &trained.head.named_tensors(), &BTreeMap::new())?;
        link_trunk(backbone, cx)?;
        let head_digest = Digest::of(&fs_err::read(cx.out.join(HEAD_FILE)).map_err(Error::Io)?);
        let preprocessing = serde_json::from_value(meta.preprocessing).map_err(Error::Preprocessing)?;
        let mut record =
            ModelRecord::new(meta.arch, meta.classes, preprocessing, meta.dim, trunk_digest, head_digest);
        record.views = train_set.views();
        record.write(&cx.out.join(MODEL_FILE))?;
        let mut history = HistoryWriter::create(&cx.out.join(HISTORY_FILE))?;
        for row in &trained.history {
            history.write(row)?;
        }
        history.finish()?;

        Ok(summary(&trained, &train_set, &valid_set))
    }
}

/// Makes the trunk part of the model without a second copy on disk.
fn link_trunk(backbone: &Artifact, cx: &Context<'_>) -> Result<(), Error> {
    let (from, to) = (backbone.path(TRUNK_FILE), cx.out.join(TRUNK_FILE));
    if fs_err::hard_link(&from, &to).is_err() {
        // Another file system, or one without links.
        fs_err::copy(&from, &to).map_err(Error::Io)?;
    }
    Ok(())
}

fn summary(trained: &train::Trained, train_set: &Examples, valid_set: &Examples) -> Summary {
    let mut summary = Summary::default();
    let Some(last) = trained.history.last() else { return summary };
    let measured = match (last.valid_loss, last.accuracy) {
        (Some(loss), Some(accuracy)) => {
            summary.metrics.insert("valid_loss".to_owned(), loss);
            summary.metrics.insert("accuracy".to_owned(), accuracy);
            format!("valid loss {loss:.4}, accuracy {accuracy:.4}")
        }
        _ => format!("train loss {:.4}", last.train_loss),
    };
    summary.line = format!("{measured}, trained on {}", train_set.views_in_words());
    if valid_set.len() == 0 {
        summary.notes.push("there are no labelled valid photos, so the accuracy is not known".to_owned());
    }
    summary
}
