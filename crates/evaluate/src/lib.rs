//! The `evaluate` stage: how good the models are on photos they have not seen.
//!
//! In: models, and what they look at: a feature table, for models whose trunk made it, or the photos, for models with a
//! trunk of their own and for test-time augmentation; then also the training policy. Out: `predictions.parquet` (every
//! probability), `metrics.json`, confusion matrices as CSV, and `report.html` with what it shows; see `README.md`.
//!
//! Features and photos are two streams that ascend by id, so they are read side by side: memory holds a batch of each and
//! a few batches per lane, and the probabilities of all photos, 4 bytes each (up to `answers::MOST_KEPT`). Photos flow
//! through lanes, one per thread, as in precompute; models that share a trunk share its passes. Heads run on one thread, so
//! that no byte depends on how many there are.
//!
//! Reading order: this file; to the predictions: `exam`, `model`, `gallery`, `lane`, `feed`, `scores`, `candidate`, `answers`;
//! to what is said of them: `marks`, `metrics`, `warnings`, `verdict`; to the page: `page`, `ingested`, `insights`, `pictures`.

mod answers;
mod candidate;
mod error;
mod exam;
mod feed;
mod gallery;
mod ingested;
mod insights;
mod lane;
mod marks;
mod metrics;
mod model;
mod page;
mod pictures;
mod scores;
mod verdict;
mod warnings;

use std::collections::BTreeMap;

use pipeline_nn::Dtype;
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, TRUNK_FILE};
use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_photo::{MOST_RANDOM, Tta};
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Cost, Event, Failure, Hint, Input, Source, Stage, Summary};
use pipeline_table::Split;
use pipeline_table::classes::CLASSES_FILE;
use pipeline_table::images::IMAGES_FILE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use exam::Exam;
use ingested::FINDINGS_FILE;
pub use insights::{Folds, Labelled};
use marks::Marks;
pub use metrics::{
    Counts, FeatureTrunk, METRICS_FILE, Measured, Metrics, ModeMetrics, ModelMetrics, PairTest,
};
use page::CHARTS;
pub use page::REPORT_FILE;

/// The stage kind `evaluate`.
#[derive(Debug, Clone, Copy)]
pub struct Evaluate;

/// Parameters of `evaluate`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The split to measure on; `test` where it is labelled and, for features, precompute's `splits` has it.
    #[serde(default = "default_split")]
    pub split: Split,
    /// Test-time augmentation, the mean of several views' probabilities: a number of random views of the training policy besides the plain one, 0 to 64 (the lesson's is 4); or flip, five_crop, ten_crop.
    #[serde(default)]
    pub tta: Tta,
    /// Whether predictions.parquet holds the probabilities of each view too.
    #[serde(default)]
    pub view_probs: bool,
    /// How often photos are drawn again for the 95 % intervals of the measures, 0 to 10,000; 0: no intervals.
    #[serde(default = "default_resamples")]
    #[schemars(range(max = MOST_RESAMPLES))]
    pub resamples: u32,
    /// The model that report.html details; not set: the last of `models`.
    #[serde(default)]
    pub report_model: Option<String>,
    /// What trunks compute in where photos are looked at: f32, bf16, or auto (bf16 where this machine has instructions for it).
    #[serde(default)]
    pub dtype: Dtype,
    /// Likely wrong labels are looked for with so many folds, 2 to 20: heads trained on the features of all but one predict that one. 0 does not look.
    #[serde(default = "default_label_issues")]
    #[schemars(range(max = 20))]
    pub label_issues: u32,
}

/// cleanlab's number of folds.
fn default_label_issues() -> u32 {
    5
}

/// The lesson measures on valid.
fn default_split() -> Split {
    Split::Valid
}

/// Ends of intervals stay within a few per cent of their width.
fn default_resamples() -> u32 {
    1000
}

/// More move the ends of intervals less than another sample of photos would.
const MOST_RESAMPLES: u32 = 10_000;

impl Parameters for Params {
    fn settle(&mut self) {
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        match self.tta {
            Tta::Random(views) if views > MOST_RANDOM => {
                let message = format!("expected 0 to {MOST_RANDOM} views, found {views}");
                problems.push(Problem::new("tta", message));
            }
            _ => {}
        }
        if self.resamples > MOST_RESAMPLES {
            let message = format!("expected 0 to {MOST_RESAMPLES}, found {}", self.resamples);
            problems.push(Problem::new("resamples", message));
        }
        problems.extend(insights::check_folds(self.label_issues));
    }
}

impl Stage for Evaluate {
    const KIND: &'static str = "evaluate";
    const VERSION: u32 = 6;
    const SUMMARY: &'static str = "measures and a page of models on photos that were not trained on";
    const PRODUCES: &'static str = "report";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "features",
            accepts: "features",
            reads: &["features/"],
            many: false,
            optional: true,
            doc: "features of the photos to measure on, for models whose trunk made them",
        },
        Input {
            name: "images",
            accepts: "images",
            reads: &[IMAGES_FILE, CLASSES_FILE, FINDINGS_FILE],
            many: false,
            optional: true,
            doc: "the photo table of ingest, for models with a trunk of their own, for `tta`, and for pictures",
        },
        Input {
            name: "augment",
            accepts: "augmentation",
            reads: &[POLICY_FILE],
            many: false,
            optional: true,
            doc: "the training policy, for random views of `tta`",
        },
        Input {
            name: "models",
            accepts: "model",
            reads: &[MODEL_FILE, HEAD_FILE, TRUNK_FILE, CHARTS[0].0, CHARTS[1].0, CHARTS[2].0],
            many: true,
            optional: false,
            doc: "the models to measure, side by side",
        },
    ];
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn check_inputs(params: &Params, inputs: &BTreeMap<String, Vec<String>>) -> Vec<Problem> {
        let problem = |error: Error| {
            let message = error.to_string();
            let problem = match error {
                Error::TtaWithout { .. } => Problem::new("tta", message),
                Error::UnknownModel { .. } => Problem::new("report_model", message),
                _ => Problem::whole(message),
            };
            Problem { hint: error.hint(), ..problem }
        };
        let unknown = inputs.get("models").and_then(|models| exam::detail(params, models).err());
        let errors = [lacking(params, |input| inputs.contains_key(input)), unknown];
        errors.into_iter().flatten().map(problem).collect()
    }

    fn cost(_: &Params, input_bytes: u64) -> Cost {
        // The models and the features of all photos are held, and compared; each thread has views of photos in a trunk.
        Cost::any_threads(input_bytes.saturating_mul(2).saturating_add(500_000_000), 300_000_000)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        if let Some(error) = lacking(params, |input| cx.optional_input(input).is_some()) {
            return Err(error.into());
        }
        let exam = Exam::prepare(params, cx)?;
        let scored = exam.hold(params, cx)?;
        let marks = Marks::of(scored, params, cx)?;
        for warning in warnings::of(params, exam.table.is_some(), &marks) {
            cx.report.emit(Event::Warning(warning));
        }
        let metrics = Metrics::of(params.split, &exam, &marks);
        metrics::write(cx, &metrics, &marks.candidates)?;
        page::write(&exam, &marks, params, cx)?;
        Ok(verdict::summary(params, exam.detail_place(), &marks))
    }
}

/// What cannot be done with the inputs that there are.
fn lacking(params: &Params, has: impl Fn(&str) -> bool) -> Option<Error> {
    let missing: Vec<&str> = needs(params.tta).iter().copied().filter(|input| !has(input)).collect();
    match () {
        () if !has("features") && !has("images") => Some(Error::NothingToLookAt),
        () if !missing.is_empty() => Some(Error::TtaWithout { tta: params.tta, missing }),
        () => None,
    }
}

/// The inputs that test-time augmentation needs.
fn needs(tta: Tta) -> &'static [&'static str] {
    match tta {
        Tta::Random(0) => &[],
        Tta::Random(_) => &["images", "augment"],
        Tta::Fixed(_) => &["images"],
    }
}
