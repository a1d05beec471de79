//! The `evaluate` stage: how good the models are on photos they have not seen.
//!
//! In: models, and what they look at: a feature table, for models whose trunk made it, or the photos, for models with a
//! trunk of their own and for test-time augmentation; then also the training policy. Out: `predictions.parquet` (every
//! probability), `metrics.json`, and confusion matrices as CSV; see `README.md`.
//!
//! Features and photos are two streams that ascend by id, so they are read side by side: memory holds a batch of each and
//! a few batches per lane, whatever the number of photos. Photos flow through lanes, one per thread, as in precompute;
//! models that share a trunk share its passes. Heads run here, on one thread, so that no byte depends on how many there are.
//!
//! Reading order: this file, `model`, `gallery`, `lane`, `feed`, `scores`, `tally`, `metrics`.

mod error;
mod feed;
mod gallery;
mod lane;
mod metrics;
mod model;
mod scores;
mod tally;

use std::num::NonZeroUsize;

use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, TRUNK_FILE};
use pipeline_nn::{Dtype, device};
use pipeline_photo::Augmentation;
use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Failure, Hint, Input, Source, Stage, Summary};
use pipeline_table::classes::CLASSES_FILE;
use pipeline_table::images::IMAGES_FILE;
use pipeline_table::{Mode, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use feed::{Beside, Feed};
use gallery::Gallery;
use lane::{Augmented, Eye};
pub use metrics::{METRICS_FILE, Metrics, ModelMetrics};
use model::{Model, Table};
use scores::Scores;

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
    /// Test-time augmentation: so many random views of the training policy besides the plain one, 0 to 64; the mean of their probabilities counts. The lesson's is 4.
    #[serde(default)]
    pub tta: u32,
    /// What trunks compute in where photos are looked at: f32, bf16, or auto (bf16 where this machine has instructions for it).
    #[serde(default)]
    pub dtype: Dtype,
}

/// The lesson measures on valid.
fn default_split() -> Split {
    Split::Valid
}

/// More say the same in more time.
const MOST_TTA: u32 = 64;

impl Parameters for Params {
    fn settle(&mut self) {
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if self.tta > MOST_TTA {
            let message = format!("expected 0 to {MOST_TTA} views, found {}", self.tta);
            problems.push(Problem::new("tta", message));
        }
    }
}

/// File name of the predictions.
pub const PREDICTIONS_FILE: &str = "predictions.parquet";

impl Stage for Evaluate {
    const KIND: &'static str = "evaluate";
    const VERSION: u32 = 2;
    const SUMMARY: &'static str = "accuracy, loss and confusion matrix on photos that were not trained on";
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
            reads: &[IMAGES_FILE, CLASSES_FILE],
            many: false,
            optional: true,
            doc: "the photo table of ingest, for models with a trunk of their own and for `tta`",
        },
        Input {
            name: "augment",
            accepts: "augmentation",
            reads: &[POLICY_FILE],
            many: false,
            optional: true,
            doc: "the training policy, for `tta`",
        },
        Input {
            name: "models",
            accepts: "model",
            reads: &[MODEL_FILE, HEAD_FILE, TRUNK_FILE],
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

    fn check_inputs(params: &Params, given: &[&str]) -> Vec<Problem> {
        let problem = |error: Error| {
            let message = error.to_string();
            let problem = match error {
                Error::TtaWithout { .. } => Problem::new("tta", message),
                _ => Problem::whole(message),
            };
            Problem { hint: error.hint(), ..problem }
        };
        lacking(params, |input| given.contains(&input)).map(problem).into_iter().collect()
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        if let Some(error) = lacking(params, |input| cx.optional_input(input).is_some()) {
            return Err(error.into());
        }
        let table = cx.optional_input("features").map(Table::open).transpose()?;
        let gallery =
            cx.optional_input("images").map(|images| Gallery::open(images, params.split)).transpose()?;
        let augmented = match (params.tta, cx.optional_input("augment")) {
            (views @ 1.., Some(augment)) => {
                Some(Augmented { views, policy: Augmentation::read(&augment.dir)?.policy, seed: cx.seed })
            }
            _ => None,
        };
        let device = device::pick();
        // One thread for the heads: with several, the last bits would depend on how many.
        device::set_threads(NonZeroUsize::MIN);
        let mut models = Vec::new();
        for artifact in cx.inputs("models") {
            let classes = gallery.as_ref().map(|gallery| gallery.classes.as_slice());
            models.push(Model::load(artifact, table.as_ref(), classes, device)?);
        }

        let modes: &[Mode] = if augmented.is_some() { &Mode::ALL } else { &[Mode::Plain] };
        // Loading has checked that all models have the classes of what is measured on.
        let classes = models.first().map(|model| model.record.classes.clone()).unwrap_or_default();
        let mut scores = Scores::create(&cx.out.join(PREDICTIONS_FILE), &models, &classes, modes)?;
        let needs_photos = augmented.is_some() || models.iter().any(|model| !model.is_in_table);
        match (&gallery, &table) {
            (Some(gallery), table) if needs_photos => {
                let (eyes, eye_of) = eyes(&models, augmented.is_some(), params.dtype, device)?;
                let table = table.as_ref().filter(|_| models.iter().any(|model| model.is_in_table));
                let mut feed =
                    table.map(|table| Beside::new(Feed::new(table, params.split, &models, cx.cancel, None)));
                gallery.show(&eyes, augmented.as_ref(), cx, |photo, features| {
                    let mut views = match &mut feed {
                        Some(feed) => feed.of(&photo.id)?,
                        None => vec![vec![]; models.len()],
                    };
                    for ((model, eye), views) in models.iter().zip(&eye_of).zip(&mut views) {
                        if let Some(eye) = *eye {
                            let dim = eyes[eye].trunk.backbone().feature_dim();
                            views.extend(model.log_probs(features[eye], dim)?);
                        }
                    }
                    scores.add(&photo.into(), &views)
                })?;
                feed.map_or(Ok(()), Beside::end)?;
            }
            (_, Some(table)) => {
                let rows = Some(table.reader.len() as u64);
                let progress = Some(cx.progress("rows of features read", rows, "rows"));
                for plain in Feed::new(table, params.split, &models, cx.cancel, progress) {
                    let plain = plain?;
                    scores.add(&plain.photo, &plain.log_probs)?;
                }
            }
            (_, None) => return Err(Error::NothingToLookAt.into()),
        }
        let tallies = scores.finish()?;
        if tallies.iter().all(|tally| tally.confusion.total() == 0) {
            return Err(Error::NothingToMeasure { split: params.split, input: "features" }.into());
        }
        metrics::write(cx, &Metrics::of(params.split, &tallies), &tallies)?;
        Ok(metrics::summary(params.split, &tallies, 1 + params.tta))
    }
}

/// What cannot be done with the inputs that there are.
fn lacking(params: &Params, has: impl Fn(&str) -> bool) -> Option<Error> {
    let missing: Vec<&str> = ["images", "augment"].into_iter().filter(|input| !has(input)).collect();
    match () {
        () if !has("features") && !has("images") => Some(Error::NothingToLookAt),
        () if params.tta > 0 && !missing.is_empty() => Some(Error::TtaWithout { tta: params.tta, missing }),
        () => None,
    }
}

/// The trunks that look at photos, one for all models that share it and the preprocessing, and the number of each model's;
/// `None` where features alone are enough.
fn eyes(
    models: &[Model],
    is_augmented: bool,
    dtype: Dtype,
    device: pipeline_nn::Device,
) -> Result<(Vec<Eye>, Vec<Option<usize>>), Failure> {
    let mut eyes: Vec<Eye> = Vec::new();
    let mut owners: Vec<&Model> = Vec::new();
    let mut eye_of = Vec::new();
    for model in models {
        if model.is_in_table && !is_augmented {
            eye_of.push(None);
            continue;
        }
        let record = &model.record;
        let is_shared = |owner: &&Model| {
            (owner.record.trunk, owner.record.preprocessing) == (record.trunk, record.preprocessing)
        };
        let eye = owners.iter().position(is_shared).unwrap_or(owners.len());
        if eye == owners.len() {
            let trunk = record.load_trunk(&model.dir, device)?.with_dtype(dtype);
            let first_view = usize::from(model.is_in_table);
            eyes.push(Eye { trunk, preprocessing: record.preprocessing, first_view });
            owners.push(model);
        }
        eye_of.push(Some(eye));
    }
    Ok((eyes, eye_of))
}
