//! The `precompute` stage: every photo once through the trunk, its pooled features into Parquet.
//!
//! In: the photo table of `ingest` and the trunk of `backbone`. Out: `features/part-*.parquet`, a row per
//! photo with concat(max, avg) of the last feature map; see `README.md`.
//!
//! Photos flow through lanes, one per thread: a lane decodes, resizes and normalises a batch and runs the
//! trunk on it, so that decoding overlaps with the trunk of the other lanes. Batches have one fixed size
//! (the last is padded) and one libtorch thread each, so the table's bytes do not depend on the number of
//! threads. Memory holds a few batches per lane, whatever the number of photos.

mod error;
mod lane;
mod lanes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipeline_nn::artifact::{BACKBONE_FILE, BackboneRecord, TRUNK_FILE};
use pipeline_nn::{backbones, device, weights};
use pipeline_photo::Preprocessing;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Failure, Input, Source, Stage, Summary, words};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, ImageRow, ImagesReader, Split, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use lane::{Batch, Lane};

/// The stage kind `precompute`.
#[derive(Debug, Clone, Copy)]
pub struct Precompute;

/// Folder of the part files inside the artifact.
pub const FEATURES_FOLDER: &str = "features";

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
    /// Photos per pass through the trunk, 1 to 1024. Lower it when memory runs out; the last digits of the features may change with it.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
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

impl Params {
    fn takes(&self, row: &ImageRow) -> bool {
        row.verdict != Verdict::Bad && self.splits.contains(&row.split)
    }
}

impl Stage for Precompute {
    const KIND: &'static str = "precompute";
    const VERSION: u32 = 2;
    const SUMMARY: &'static str = "pooled trunk features of every photo, as Parquet";
    const PRODUCES: &'static str = "features";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "images",
            accepts: "images",
            reads: &["images.parquet", CLASSES_FILE],
            many: false,
            optional: false,
            doc: "the photo table of ingest",
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
        let table = images.path("images.parquet");
        let photos = images.sources.get("photos").ok_or(Error::NoPhotoFolder)?;

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
            dtype: "float32".to_owned(),
        };

        let counts = count(params, &table)?;
        let total: u64 = counts.values().sum();
        if total == 0 {
            let splits = params.splits.iter().map(|split| split.as_str().to_owned()).collect();
            return Err(Error::NoPhotos { splits }.into());
        }
        let progress = cx.progress("photos through the trunk", Some(total), "photos");
        let started = std::time::Instant::now();

        let device = device::pick();
        let trunk = network.load(&weights::read(&backbone.path(TRUNK_FILE))?, device)?;
        // A batch is padded to its full size; more than there are photos would be computed for nothing.
        let batch_size = params.batch_size.min(usize::try_from(total).unwrap_or(usize::MAX));
        let mut lanes = Vec::new();
        for _ in 0..cx.threads.get() {
            let trunk = trunk.share()?;
            lanes.push(Lane::new(
                trunk,
                preprocessing,
                photos.clone(),
                batch_size,
                device,
                cx.cancel.clone(),
            ));
        }
        let mut writer = FeaturesWriter::create(&cx.out.join(FEATURES_FOLDER), meta)?;
        lanes::in_order(lanes, batches(params, batch_size, &table)?, Lane::run, |batch: Batch| {
            for (row, features) in batch.rows.iter().zip(batch.features.chunks_exact(dim)) {
                writer.write(&feature_row(row), features)?;
            }
            progress.add(batch.rows.len() as u64)?;
            Ok(())
        })?;
        writer.finish()?;

        let rate = total as f64 / started.elapsed().as_secs_f64().max(1e-9);
        let line =
            format!("{} × {}, float32, {rate:.0} photos/s", words::count(total), words::count(dim as u64));
        let empty = params.splits.iter().filter(|split| !counts.contains_key(split));
        let notes = empty.map(|split| format!("{split} has no usable photo, so there are no features of it"));
        let notes = notes.collect();
        Ok(Summary {
            line,
            notes,
            metrics: [("photos_per_second".to_owned(), rate)].into(),
            ..Summary::default()
        })
    }
}

/// How many photos of each split will be computed; splits without any are left out.
fn count(params: &Params, table: &Path) -> Result<BTreeMap<Split, u64>, Failure> {
    let mut counts = BTreeMap::new();
    for row in ImagesReader::open(table)? {
        let row = row?;
        if params.takes(&row) {
            *counts.entry(row.split).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The preprocessing with its numbers as `model.json` has them: straight to a value, 0.498 in float32 would
/// become 0.49803921580314636.
fn as_written(preprocessing: &Preprocessing) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(&serde_json::to_string(preprocessing)?)
}

/// The photos to compute, in order of the table, `batch_size` at a time.
fn batches(
    params: &Params,
    batch_size: usize,
    table: &Path,
) -> Result<impl Iterator<Item = Result<Vec<ImageRow>, Failure>> + Send + use<>, Failure> {
    let params = params.clone();
    let mut rows = ImagesReader::open(table)?;
    Ok(std::iter::from_fn(move || {
        let wanted = rows.by_ref().filter(|row| row.as_ref().map_or(true, |r| params.takes(r)));
        match wanted.take(batch_size).collect::<Result<Vec<_>, _>>() {
            Ok(batch) if batch.is_empty() => None,
            Ok(batch) => Some(Ok(batch)),
            Err(error) => Some(Err(error.into())),
        }
    }))
}

fn feature_row(row: &ImageRow) -> FeatureRow {
    FeatureRow {
        id: row.id.clone(),
        split: row.split,
        label: row.label.clone(),
        label_id: row.label_id,
        view: 0,
    }
}
