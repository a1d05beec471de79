//! The `head` stage: the lesson's head, trained on precomputed features.
//!
//! In: the feature table of `precompute` and the trunk of `backbone`. Out: a whole model
//! (`model.json`, `head.safetensors`, `trunk.safetensors`) and the history of its training; see `README.md`.

mod error;
mod examples;

use std::collections::BTreeMap;

use pipeline_fit::{HasRecipe, Length, Rates, Recipe, Searched};
use pipeline_nn::artifact::{BACKBONE_FILE, HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::{Dtype, Head, Pool, Sizes, device, libtorch, weights};
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Digest, Failure, Input, Source, Stage, Summary};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesReader, Split};
use pipeline_train::{find, fit, outputs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use examples::{Examples, FeatureData};

/// The stage kind `head`.
#[derive(Debug, Clone, Copy)]
pub struct HeadStage;

/// The stage kind `head_lr_find`: the learning-rate finder of `head`. Its parameters are those of `head`, of which it looks
/// at some.
#[derive(Debug, Clone, Copy)]
pub struct HeadLrFind;

/// Parameters of `head`: how to train. Where nothing is said, the lesson's `fit(0.01, 2)`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Number format of the products of the wide layer while training: `f32`, `bf16` (an epoch takes two thirds of the time
    /// where the processor or GPU has it; weights stay float32), or `auto`: `bf16` where it is fast.
    #[serde(default)]
    pub dtype: Dtype,
    /// How to train.
    #[serde(flatten)]
    pub recipe: Recipe,
}

impl Parameters for Params {
    fn settle(&mut self) {
        self.recipe.settle(Rates::One(0.01), Length::Epochs(2));
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        self.recipe.check(1, "head", problems);
    }
}

impl HasRecipe for Params {
    fn recipe_mut(&mut self) -> &mut Recipe {
        &mut self.recipe
    }
}

const INPUTS: &[Input] = &[
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

impl Stage for HeadStage {
    const KIND: &'static str = "head";
    const VERSION: u32 = 3;
    const SUMMARY: &'static str = "the lesson's head, trained on precomputed features";
    const PRODUCES: &'static str = "model";
    const INPUTS: &'static [Input] = INPUTS;
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    const RECORDS: &'static [&'static str] = outputs::RECORDS;
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let Job { meta, pool, trunk, head, data } = Job::open(params, cx)?;
        let trained = fit(&params.recipe, &head, &data, cx)?;

        weights::write_safetensors(&cx.out.join(HEAD_FILE), &head.named_tensors(), &BTreeMap::new())?;
        outputs::link_or_copy(&cx.input("backbone").path(TRUNK_FILE), &cx.out.join(TRUNK_FILE))?;
        let head_digest = Digest::of(&fs_err::read(cx.out.join(HEAD_FILE)).map_err(Error::Io)?);
        let preprocessing = serde_json::from_value(meta.preprocessing).map_err(Error::Preprocessing)?;
        let mut record =
            ModelRecord::new(meta.arch, meta.classes, preprocessing, meta.dim, trunk, head_digest);
        record.views = data.train.views();
        record.pool = pool;
        record.write(&cx.out.join(MODEL_FILE))?;
        outputs::write_history(&cx.out, &trained, &["head".to_owned()])?;

        let mut summary = outputs::summary(&trained);
        summary.line.push_str(&format!(", trained on {}", data.train.views_in_words()));
        Ok(summary)
    }
}

impl Stage for HeadLrFind {
    const KIND: &'static str = "head_lr_find";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "losses of `head` at growing learning rates, and which rate they suggest";
    const PRODUCES: &'static str = "lr_curve";
    const INPUTS: &'static [Input] = INPUTS;
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Searched<Params>;

    fn sources(_: &Searched<Params>) -> Vec<Source> {
        vec![]
    }

    fn run(Searched(params): &Searched<Params>, cx: &Context<'_>) -> Result<Summary, Failure> {
        let Job { head, data, .. } = Job::open(params, cx)?;
        outputs::write_curve(&cx.out, &find(&params.recipe, &head, &data, cx)?)
    }
}

/// What is trained, and on what.
struct Job {
    meta: FeaturesMeta,
    /// How the features were pooled.
    pool: Pool,
    /// Digest of the trunk that made the features.
    trunk: Digest,
    head: Head,
    data: FeatureData,
}

impl Job {
    fn open(params: &Params, cx: &Context<'_>) -> Result<Self, Failure> {
        let trunk = *cx.input("backbone").files.get(TRUNK_FILE).ok_or(Error::NoTrunk)?;
        let reader = FeaturesReader::open(&cx.input("features").path("features"))?;
        let meta = reader.meta().clone();
        if meta.weights != trunk.to_string() {
            return Err(Error::OtherTrunk { features: meta.weights, backbone: trunk }.into());
        }
        let pool = serde_json::from_value(meta.pool.as_str().into());
        let pool = pool.map_err(|_| Error::UnknownPool { found: meta.pool.clone() })?;
        libtorch::load()?;
        let device = device::pick();
        device::set_threads(cx.threads);
        let is_measured = |row: &FeatureRow| row.split == Split::Valid && row.view == 0;
        let data = FeatureData {
            train: Examples::new(
                reader.load(|row| row.split == Split::Train)?,
                meta.dim,
                meta.classes.len(),
                device,
            )?,
            valid: Examples::new(reader.load(is_measured)?, meta.dim, meta.classes.len(), device)?,
            classes: meta.classes.len(),
            seed: cx.seed,
        };
        let sizes = Sizes { features: meta.dim, hidden: Sizes::HIDDEN, classes: data.classes };
        let head = Head::new(sizes, cx.seed, device)?.with_dtype(params.dtype);
        Ok(Job { head, pool, trunk, meta, data })
    }
}
