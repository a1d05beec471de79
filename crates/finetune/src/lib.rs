//! The `finetune` stage: a model trained further on photos, augmented anew in each epoch.
//!
//! In: the photo table of `ingest`, the policy of `augment`, and a model. Out: a whole model (`model.json`,
//! `head.safetensors`, `trunk.safetensors`) and the history of its training; see `README.md`. With `freeze: trunk` it is the
//! lesson's "last layer with augmentation", without it the whole network with a rate for each layer group.

mod error;
mod net;
mod photos;

use std::collections::BTreeMap;

use pipeline_fit::{HasRecipe, Length, Rates, Recipe, Searched};
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::{Dtype, device, libtorch, weights};
use pipeline_photo::Augmentation;
use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Digest, Failure, Input, Source, Stage, Summary};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_train::{Learner, find, fit, outputs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
pub use net::Freeze;
use net::Net;
use photos::{Photos, Settings};

/// The stage kind `finetune`.
#[derive(Debug, Clone, Copy)]
pub struct Finetune;

/// The stage kind `finetune_lr_find`: the learning-rate finder of `finetune`. Its parameters are those of `finetune`, of
/// which it looks at some.
#[derive(Debug, Clone, Copy)]
pub struct FinetuneLrFind;

/// Parameters of `finetune`. Where nothing is said, the lesson's: 3 cycles of 1, 2 and 4 epochs at rates of 1e-4, 1e-3 and
/// 1e-2; with a frozen trunk 3 cycles of an epoch at 1e-2.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Which layers stay as they are: `none`, `first` (the first layer group), or `trunk` (all but the head).
    #[serde(default)]
    pub freeze: Freeze,
    /// Progressive resizing: the side of the training photos' square by epoch, in pixels, 32 to 1024 each; the last one
    /// stays, and is then the model's own. Empty: the model's size throughout.
    #[serde(default)]
    pub sizes: Vec<u32>,
    /// Number format of the trunk: `f32`, `bf16` (about twice as fast where the processor or GPU has it; weights stay
    /// float32), or `auto`: `bf16` where it is fast.
    #[serde(default)]
    pub dtype: Dtype,
    /// How to train.
    #[serde(flatten)]
    pub recipe: Recipe,
}

impl Parameters for Params {
    fn settle(&mut self) {
        let (rates, cycle_mult) = match self.freeze {
            Freeze::None => (Rates::PerGroup(vec![1e-4, 1e-3, 1e-2]), 2),
            Freeze::First => (Rates::PerGroup(vec![1e-3, 1e-2]), 2),
            Freeze::Trunk => (Rates::One(1e-2), 1),
        };
        self.recipe.settle(rates, Length::Cycles { cycles: 3, cycle_len: 1, cycle_mult });
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        let groups = ["first part of the trunk", "rest of the trunk", "head"];
        let trained = self.freeze.trained();
        self.recipe.check(trained, &groups[groups.len() - trained..].join(", "), problems);
        if self.sizes.len() as u64 > u64::from(self.recipe.epochs()) {
            let (sizes, epochs) = (self.sizes.len(), self.recipe.epochs());
            let message = format!("found {sizes} sizes for {epochs} epochs, expected at most one for each");
            problems.push(Problem::new("sizes", message));
        }
        for (at, size) in self.sizes.iter().enumerate().filter(|(_, size)| !(32..=1024).contains(*size)) {
            let message = format!("expected 32 to 1024 pixels, found {size}");
            problems.push(Problem::new(&at.to_string(), message).under("sizes"));
        }
    }
}

impl HasRecipe for Params {
    fn recipe_mut(&mut self) -> &mut Recipe {
        &mut self.recipe
    }
}

const INPUTS: &[Input] = &[
    Input {
        name: "images",
        accepts: "images",
        reads: &[IMAGES_FILE, CLASSES_FILE],
        many: false,
        optional: false,
        doc: "the photo table of ingest",
    },
    Input {
        name: "augment",
        accepts: "augmentation",
        reads: &[POLICY_FILE],
        many: false,
        optional: true,
        doc: "how training photos are augmented; not at all where it is left out",
    },
    Input {
        name: "model",
        accepts: "model",
        reads: &[MODEL_FILE, HEAD_FILE, TRUNK_FILE],
        many: false,
        optional: false,
        doc: "the model to train further",
    },
];

impl Stage for Finetune {
    const KIND: &'static str = "finetune";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "a model trained further on augmented photos, whole or with a frozen trunk";
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
        let Job { mut record, net, photos } = Job::open(params, cx)?;
        let trained = fit(&params.recipe, &net, &photos, cx)?;
        // A new view of each photo in each epoch.
        let epochs = trained.published.as_ref().map_or(0, |row| row.epoch);
        record.views = if photos.is_augmented() { epochs } else { 1 };

        let trunk = cx.out.join(TRUNK_FILE);
        if params.freeze == Freeze::Trunk {
            outputs::link_or_copy(&cx.input("model").path(TRUNK_FILE), &trunk)?;
        } else {
            weights::write_safetensors(&trunk, net.trunk.named_tensors(), &BTreeMap::new())?;
        }
        weights::write_safetensors(&cx.out.join(HEAD_FILE), &net.head.named_tensors(), &BTreeMap::new())?;
        let digest = |file: &str| {
            let file = fs_err::File::open(cx.out.join(file)).map_err(Error::Io)?;
            Digest::of_reader(file).map_err(Error::Io)
        };
        ModelRecord { trunk: digest(TRUNK_FILE)?, head: digest(HEAD_FILE)?, ..record }
            .write(&cx.out.join(MODEL_FILE))?;
        let groups: Vec<String> = net.groups().into_iter().map(|group| group.name).collect();
        outputs::write_history(&cx.out, &trained, &groups)?;

        let mut summary = outputs::summary(&trained);
        summary.line.push_str(&format!(
            ", {:.0} photos/s in {}, waiting {:.1} %",
            trained.photos_per_second,
            params.dtype.as_str(),
            100.0 * trained.waiting
        ));
        Ok(summary)
    }
}

impl Stage for FinetuneLrFind {
    const KIND: &'static str = "finetune_lr_find";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str =
        "losses of `finetune` at growing learning rates, and which rate they suggest";
    const PRODUCES: &'static str = "lr_curve";
    const INPUTS: &'static [Input] = INPUTS;
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Searched<Params>;

    fn sources(_: &Searched<Params>) -> Vec<Source> {
        vec![]
    }

    fn run(Searched(params): &Searched<Params>, cx: &Context<'_>) -> Result<Summary, Failure> {
        let Job { net, photos, .. } = Job::open(params, cx)?;
        outputs::write_curve(&cx.out, &find(&params.recipe, &net, &photos, cx)?)
    }
}

/// What is trained, and on what.
struct Job {
    /// The record of the model that training makes; the digests are still those of the model it starts from.
    record: ModelRecord,
    net: Net,
    photos: Photos,
}

impl Job {
    fn open(params: &Params, cx: &Context<'_>) -> Result<Self, Failure> {
        let (images, model) = (cx.input("images"), cx.input("model"));
        let mut record = ModelRecord::read(&model.path(MODEL_FILE))?;
        let classes = classes::read(&images.path(CLASSES_FILE))?;
        if record.classes != classes {
            return Err(Error::OtherClasses { found: record.classes, expected: classes }.into());
        }
        libtorch::load()?;
        let device = device::pick();
        device::set_threads(cx.threads);
        let (trunk, head) = (record.load_trunk(&model.dir, device)?, record.load_head(&model.dir, device)?);
        if head.sizes().classes != classes.len() {
            return Err(Error::OtherOutputs { found: head.sizes().classes, expected: classes.len() }.into());
        }
        let augment = cx.optional_input("augment");
        let augmentation = augment.map(|augment| Augmentation::read(&augment.dir)).transpose()?;
        if let Some(size) = params.sizes.last() {
            record.preprocessing.size = *size;
        }
        let settings = Settings {
            folder: images.source(PHOTOS)?.to_owned(),
            preprocessing: record.preprocessing,
            sizes: params.sizes.clone(),
            augmentation,
            classes: classes.len(),
            batch_size: params.recipe.batch_size,
            seed: seed_after(cx.seed, &record),
            threads: cx.threads,
            device,
        };
        let photos = Photos::open(&images.path(IMAGES_FILE), settings)?;
        let net = Net::new(trunk.with_dtype(params.dtype), head, params.freeze)?;
        Ok(Job { record, net, photos })
    }
}

/// A seed for training `model` further: with the same one, the training after would show each photo in the views that the
/// one before did, in the same order, with the same dropout.
fn seed_after(seed: u64, model: &ModelRecord) -> u64 {
    let digest = Digest::of(format!("{seed} {} {}", model.trunk, model.head).as_bytes());
    // 16 of its hexadecimal digits.
    u64::from_str_radix(&digest.to_string()[..16], 16).unwrap_or(seed)
}
