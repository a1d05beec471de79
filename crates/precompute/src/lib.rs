//! The `precompute` stage: every photo once through the trunk, its pooled features into Parquet.
//!
//! In: the photo table of `ingest`, the trunk of `backbone`, and the table of views of `augment`. Out:
//! `features/part-*.parquet`, a row per view of a photo with the pooled last feature map, and, where asked for, what the
//! pretrained classifier says; see `README.md`.
//!
//! Views flow through lanes, one per thread: a lane decodes photos, makes a batch of views and runs the trunk on it,
//! so that decoding overlaps with the trunk of the other lanes. Batches have one fixed size (the last is padded) and one
//! libtorch thread each, so the table's bytes do not depend on the number of threads. Their features go to disk in chunks
//! and from there, when all are done, into the table: what a killed run or a worker (`--shard`) has finished, the next does
//! not do again. Memory holds a few batches per lane and two chunks, whatever the number of photos.

mod chunks;
mod counts;
mod error;
mod gather;
mod lane;
mod missing;
mod params;
mod shots;
mod spent;
mod summary;

use pipeline_nn::artifact::{BACKBONE_FILE, BackboneRecord, CLASSIFIER_FILE, TRUNK_FILE};
use pipeline_nn::{Backbone, Classifier, backbones, device, libtorch, weights};
use pipeline_photo::{Loader, Preprocessing};
use pipeline_stage::lanes;
use pipeline_stage::{Artifact, Context, Cost, Event, Failure, Input, Source, Stage, Summary, words};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{FeaturesMeta, VIEWS_FILE};

use chunks::{Batch, Chunks};
use counts::Counts;
pub use error::Error;
use lane::{Lane, Looked};
pub use missing::Missing;
pub use params::{Layer, OnMissing, Params};
use shots::{Shot, Views};
use spent::Spent;
use summary::Pace;

/// The stage kind `precompute`.
#[derive(Debug, Clone, Copy)]
pub struct Precompute;

/// Folder of the part files inside the artifact.
pub const FEATURES_FOLDER: &str = "features";

/// Batches that may wait before each lane, and behind it.
const WAITING: usize = 2;

impl Stage for Precompute {
    const KIND: &'static str = "precompute";
    const VERSION: u32 = 4;
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
            reads: &[TRUNK_FILE, BACKBONE_FILE, CLASSIFIER_FILE],
            many: false,
            optional: false,
            doc: "the network that looks at the photos",
        },
    ];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &[];
    const SHARED: bool = true;
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn reads(params: &Params, _: &str, path: &str) -> bool {
        path != CLASSIFIER_FILE || params.has_logits()
    }

    fn cost(params: &Params, _: u64) -> Cost {
        // The widest maps of a resnet have 64 channels at half the size, of float32, and some are there at a time; a
        // decoded photo of 24 megapixels is 72 MB.
        let view_bytes = 4 * u64::from(params.size).pow(2) * 64;
        let batch_bytes = view_bytes * params.batch_size as u64;
        Cost::any_threads(500_000_000, 150_000_000 + batch_bytes)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let images = cx.input("images");
        let backbone = cx.input("backbone");
        let table = images.path(IMAGES_FILE);
        let photos = images.source(PHOTOS)?;

        let record = BackboneRecord::read(&backbone.path(BACKBONE_FILE))?;
        let network = backbones::find(&record.arch)?;
        let preprocessing = Preprocessing {
            decode: params.decode,
            ..Preprocessing::new(params.size, record.mean, record.std)
        };
        let classifier = params.has_logits().then(|| classifier(network, backbone)).transpose()?;
        let pool = params.pool();
        let meta = FeaturesMeta {
            arch: record.arch.clone(),
            weights: backbone.files.get(TRUNK_FILE).map(ToString::to_string).unwrap_or_default(),
            classes: classes::read(&images.path(CLASSES_FILE))?,
            preprocessing: as_written(&preprocessing).map_err(Error::Preprocessing)?,
            dim: pool.width(record.channels),
            dtype: params.dtype.as_str().to_owned(),
            pool: pool.as_str().to_owned(),
            logits: classifier.as_ref().map_or(0, Classifier::logits),
        };
        let width = meta.width();

        let views = cx.optional_input("augment").map(|augment| augment.path(VIEWS_FILE));
        let views = Views::open(views.as_deref())?;
        let counts = Counts::of(views.shots(&table, &params.splits)?, photos)?;
        if params.on_missing == OnMissing::Fail && counts.missing.count > 0 {
            let of = counts.all_photos();
            return Err(Error::Missing { photos: counts.missing, of }.into());
        }
        if counts.views == 0 {
            let splits = params.splits.iter().map(|split| split.as_str().to_owned()).collect();
            return Err(Error::NoPhotos { splits }.into());
        }
        let unit = counts.unit();
        libtorch::load()?;
        let trunk = weights::read(&backbone.path(TRUNK_FILE))?;
        let mut trunk = network.load(&trunk, device::pick())?.with_pool(pool).folded(params.dtype)?;
        if let Some(classifier) = classifier {
            trunk = trunk.with_classifier(classifier);
        }
        // A batch is padded to its full size; more than there are views would be computed for nothing.
        let batch_size = params.batch_size.min(usize::try_from(counts.views).unwrap_or(usize::MAX));
        let chunks = Chunks::new(&cx.partial, counts.views, width, batch_size);
        let is_own = |chunk: u64| cx.shard.is_none_or(|part| part.has(chunk));
        let is_open = |chunk: u64| is_own(chunk) && !chunks.is_done(chunk);
        let is_open: Vec<bool> = (0..chunks.count()).map(is_open).collect();
        let wanted = |chunk: u64| is_open[chunk as usize];
        let views_in = |is_in: &dyn Fn(u64) -> bool| -> u64 {
            (0..chunks.count()).filter(|chunk| is_in(*chunk)).map(|chunk| chunks.views_in(chunk)).sum()
        };
        let (own, to_do) = (views_in(&is_own), views_in(&wanted));
        let progress = cx.progress("photos through the trunk", Some(to_do), unit);
        if to_do < own {
            let line = format!("goes on after {} of {} {unit}", words::count(own - to_do), words::count(own));
            cx.report.emit(Event::Note(line));
        }
        let started = std::time::Instant::now();

        let mut lanes = Vec::new();
        for _ in 0..cx.threads.get() {
            let loader = Loader::new(photos.to_owned(), preprocessing, views.policy.clone());
            let cancel = cx.cancel.clone();
            lanes.push(Lane::new(trunk.share()?, loader, params, batch_size, cancel)?);
        }
        let batches = chunks.batches(views.shots(&table, &params.splits)?, wanted);
        let look = |lane: &mut Lane, batch: Batch<Vec<Shot>>| {
            Ok(Batch { chunk: batch.chunk, of: lane.run(&batch.of)? })
        };
        let mut of_chunk: Vec<f32> = Vec::new(); // [views so far, D + L]
        let mut spent = Spent::default();
        lanes::in_order(lanes, WAITING, batches, look, |batch: Batch<Looked>| {
            of_chunk.extend(&batch.of.features);
            spent += batch.of.spent;
            if (of_chunk.len() / width) as u64 == chunks.views_in(batch.chunk) {
                chunks.write(batch.chunk, &of_chunk).map_err(Error::Chunk)?;
                of_chunk.clear();
            }
            progress.add((batch.of.features.len() / width) as u64)?;
            Ok(())
        })?;
        let pace = Pace { views: to_do, unit, seconds: started.elapsed().as_secs_f64(), spent };
        if let Some(part) = cx.shard {
            return Ok(summary::of_worker(part, &chunks, &pace));
        }

        let made = gather::gather(&chunks, views.shots(&table, &params.splits)?, meta, cx)?;
        if made.missing.count == counts.all_photos() {
            return Err(Error::Missing { photos: made.missing, of: counts.all_photos() }.into());
        }
        if made.missing.count > 0 {
            cx.report.emit(Event::Warning(made.missing.left_out()));
        }
        Ok(summary::of_table(params, &counts, &made, &pace))
    }
}

/// The classifier that the weights of the artifact `backbone` came with.
fn classifier(network: &Backbone, backbone: &Artifact) -> Result<Classifier, Failure> {
    let none = || Error::NoClassifier { arch: network.arch.to_owned() };
    if !backbone.files.contains_key(CLASSIFIER_FILE) {
        return Err(none().into());
    }
    libtorch::load()?;
    let weights = weights::read(&backbone.path(CLASSIFIER_FILE))?;
    Ok(network.classifier(&weights, device::pick())?.ok_or_else(none)?)
}

/// The preprocessing with its numbers as `model.json` has them: straight to a value, 0.498 in float32 would
/// become 0.49803921580314636.
fn as_written(preprocessing: &Preprocessing) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(&serde_json::to_string(preprocessing)?)
}
