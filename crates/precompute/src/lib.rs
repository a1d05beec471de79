//! The `precompute` stage: every photo once through the trunk, its pooled features into Parquet.
//!
//! In: the photo table of `ingest`, the trunk of `backbone`, and the table of views of `augment`. Out:
//! `features/part-*.parquet`, a row per view of a photo with concat(max, avg) of the last feature map; see `README.md`.
//!
//! Views flow through lanes, one per thread: a lane decodes photos, makes a batch of views and runs the trunk on it,
//! so that decoding overlaps with the trunk of the other lanes. Batches have one fixed size (the last is padded) and one
//! libtorch thread each, so the table's bytes do not depend on the number of threads. Their features go to disk in shards
//! and from there, when all are done, into the table: what a killed run has finished, the next does not do again. Memory
//! holds a few batches per lane and two shards, whatever the number of photos.

mod error;
mod lane;
mod shards;
mod shots;

use std::collections::{BTreeMap, BTreeSet};

use pipeline_nn::artifact::{BACKBONE_FILE, BackboneRecord, TRUNK_FILE};
use pipeline_nn::{Dtype, backbones, device, weights};
use pipeline_photo::{Loader, Preprocessing};
use pipeline_stage::lanes;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Event, Failure, Input, Source, Stage, Summary, words};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, Split, VIEWS_FILE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use lane::Lane;
use shards::{Batch, Shards};
use shots::{Shot, Views};

/// The stage kind `precompute`.
#[derive(Debug, Clone, Copy)]
pub struct Precompute;

/// Folder of the part files inside the artifact.
pub const FEATURES_FOLDER: &str = "features";

/// Batches that may wait before each lane, and behind it.
const WAITING: usize = 2;

/// Parameters of `precompute`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Side of the square that the network sees, in pixels: shorter side to this size, then the centre. 32 to 1024.
    #[serde(default = "default_size")]
    pub size: u32,
    /// Which splits to compute.
    #[serde(default = "default_splits")]
    pub splits: BTreeSet<Split>,
    /// Views per pass through the trunk, 1 to 1024. Lower it when memory runs out; the last digits of the features may change with it.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Numeric format of the trunk: `bf16` is about twice as fast where the processor or the GPU has it, and its features lie
    /// within 0.5 % of those of `f32`; `auto` is `bf16` there, else `f32`.
    #[serde(default)]
    pub dtype: Dtype,
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

impl Stage for Precompute {
    const KIND: &'static str = "precompute";
    const VERSION: u32 = 3;
    const SUMMARY: &'static str = "pooled trunk features of every photo, as Parquet";
    const PRODUCES: &'static str = "features";
    const INPUTS: &'static [Input] = &[
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
            reads: &[VIEWS_FILE],
            many: false,
            optional: true,
            doc: "which views of each photo to compute; the plain one where it is left out",
        },
        Input {
            name: "backbone",
            accepts: "backbone",
            reads: &[TRUNK_FILE, BACKBONE_FILE],
            many: false,
            optional: false,
            doc: "the network that looks at the photos",
        },
    ];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let images = cx.input("images");
        let backbone = cx.input("backbone");
        let table = images.path(IMAGES_FILE);
        let photos = images.source(PHOTOS)?;

        let record = BackboneRecord::read(&backbone.path(BACKBONE_FILE))?;
        let network = backbones::find(&record.arch)?;
        let preprocessing = Preprocessing::new(params.size, record.mean, record.std);
        let dim = 2 * record.channels;
        let meta = FeaturesMeta {
            arch: record.arch.clone(),
            weights: backbone.files.get(TRUNK_FILE).map(ToString::to_string).unwrap_or_default(),
            classes: classes::read(&images.path(CLASSES_FILE))?,
            preprocessing: as_written(&preprocessing).map_err(Error::Preprocessing)?,
            dim,
            dtype: params.dtype.as_str().to_owned(),
        };

        let views = cx.optional_input("augment").map(|augment| augment.path(VIEWS_FILE));
        let views = Views::open(views.as_deref())?;
        let counts = Counts::of(views.shots(&table, &params.splits)?)?;
        if counts.views == 0 {
            let splits = params.splits.iter().map(|split| split.as_str().to_owned()).collect();
            return Err(Error::NoPhotos { splits }.into());
        }
        let unit = counts.unit();
        let trunk = network.load(&weights::read(&backbone.path(TRUNK_FILE))?, device::pick())?;
        let trunk = trunk.folded(params.dtype)?;
        // A batch is padded to its full size; more than there are views would be computed for nothing.
        let batch_size = params.batch_size.min(usize::try_from(counts.views).unwrap_or(usize::MAX));
        let shards = Shards::new(&cx.partial, counts.views, dim, batch_size);
        let is_done: Vec<bool> = (0..shards.count()).map(|shard| shards.is_done(shard)).collect();
        let wanted = |shard: u64| !is_done[shard as usize];
        let to_do: u64 = (0..shards.count()).filter(|s| wanted(*s)).map(|shard| shards.views_in(shard)).sum();
        let progress = cx.progress("photos through the trunk", Some(to_do), unit);
        if to_do < counts.views {
            let done = words::count(counts.views - to_do);
            let line = format!("goes on after {done} of {} {unit}", words::count(counts.views));
            cx.report.emit(Event::Note(line));
        }
        let started = std::time::Instant::now();

        let mut lanes = Vec::new();
        for _ in 0..cx.threads.get() {
            let loader = Loader::new(photos.to_owned(), preprocessing, views.policy.clone());
            let cancel = cx.cancel.clone();
            lanes.push(Lane::new(trunk.share()?, loader, params.size, batch_size, cancel));
        }
        let batches = shards.batches(views.shots(&table, &params.splits)?, wanted);
        let look = |lane: &mut Lane, batch: Batch<Vec<Shot>>| {
            Ok(Batch { shard: batch.shard, of: lane.run(&batch.of)? })
        };
        let mut of_shard: Vec<f32> = Vec::new(); // [views so far, D]
        lanes::in_order(lanes, WAITING, batches, look, |batch: Batch<Vec<f32>>| {
            of_shard.extend(&batch.of);
            if (of_shard.len() / dim) as u64 == shards.views_in(batch.shard) {
                shards.write(batch.shard, &of_shard).map_err(Error::Shard)?;
                of_shard.clear();
            }
            progress.add((batch.of.len() / dim) as u64)?;
            Ok(())
        })?;
        let rate = to_do as f64 / started.elapsed().as_secs_f64().max(1e-9);

        let mut writer = FeaturesWriter::create(&cx.out.join(FEATURES_FOLDER), meta)?;
        let mut shots = views.shots(&table, &params.splits)?;
        for shard in 0..shards.count() {
            cx.cancel.check()?;
            let features = shards.read(shard).map_err(Error::Shard)?;
            for (features, shot) in features.chunks_exact(dim).zip(&mut shots) {
                writer.write(&feature_row(&shot?), features)?;
            }
        }
        writer.finish()?;

        let dtype = params.dtype.as_str();
        let line = format!("{}, {dtype}, {rate:.0} {unit}/s", counts.words(dim));
        let empty = params.splits.iter().filter(|split| !counts.photos.contains_key(split));
        let notes = empty.map(|split| format!("{split} has no usable photo, so there are no features of it"));
        let notes = notes.collect();
        Ok(Summary {
            line,
            notes,
            metrics: [("views_per_second".to_owned(), rate)].into(),
            ..Summary::default()
        })
    }
}

/// How much there is to compute.
#[derive(Default)]
struct Counts {
    /// Photos of each split; splits without any are left out.
    photos: BTreeMap<Split, u64>,
    /// Views of all of them.
    views: u64,
}

impl Counts {
    fn of(shots: impl Iterator<Item = Result<Shot, Failure>>) -> Result<Self, Failure> {
        let mut counts = Counts::default();
        for shot in shots {
            let shot = shot?;
            counts.views += 1;
            *counts.photos.entry(shot.row.split).or_default() += u64::from(shot.view == 0);
        }
        Ok(counts)
    }

    fn all_photos(&self) -> u64 {
        self.photos.values().sum()
    }

    /// What is counted: photos, where each has one view.
    fn unit(&self) -> &'static str {
        if self.views == self.all_photos() { "photos" } else { "views" }
    }

    /// `25,000 × 1,024`, or with several views `25,000 photos, 100,000 views × 1,024`.
    fn words(&self, dim: usize) -> String {
        let (views, dim) = (words::count(self.views), words::count(dim as u64));
        match self.unit() {
            "photos" => format!("{views} × {dim}"),
            _ => format!("{} photos, {views} views × {dim}", words::count(self.all_photos())),
        }
    }
}

/// The preprocessing with its numbers as `model.json` has them: straight to a value, 0.498 in float32 would
/// become 0.49803921580314636.
fn as_written(preprocessing: &Preprocessing) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(&serde_json::to_string(preprocessing)?)
}

fn feature_row(shot: &Shot) -> FeatureRow {
    let row = &shot.row;
    FeatureRow {
        id: row.id.clone(),
        split: row.split,
        label: row.label.clone(),
        label_id: row.label_id,
        view: shot.view,
    }
}
