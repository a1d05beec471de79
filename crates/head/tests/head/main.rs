//! The `head` stage on small tables of made-up features.
//!
//! - `training`: what it learns, what it refuses, what it leaves.
//! - `recipe`: each parameter does what it says.
//! - `finder`: the learning-rate finder, alone and as part of a training.
//! - `resume`: a training that was stopped or killed ends as one that was not.
//! - `golden`: losses, which tell that a version has to be raised.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod finder;
mod golden;
mod recipe;
mod resume;
mod training;

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_head::HeadStage;
use pipeline_photo::Preprocessing;
use pipeline_stage::random::Stream;
use pipeline_stage::{AnyStage, Artifact, Digest, Failure};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, HistoryReader, HistoryRow, Split};
use pipeline_testkit::{Made, StageBench};
use rand_core::RngCore;
use serde_json::Value;

const DIM: usize = 6;

/// A trunk that nobody looks into.
fn backbone(dir: &Path) -> Artifact {
    let dir = dir.join("backbone");
    fs_err::create_dir_all(&dir).unwrap();
    fs_err::write(dir.join("trunk.safetensors"), b"trunk").unwrap();
    let files = [("trunk.safetensors".to_owned(), Digest::of(b"trunk"))].into();
    Artifact { stage: "backbone".to_owned(), dir, files, sources: BTreeMap::new() }
}

/// Two classes, as many photos of each, whose first feature differs by about `distance` standard deviations.
fn features(dir: &Path, train: usize, valid: usize, distance: f32, weights: &str) -> Artifact {
    labelled_features(dir, [train, valid], distance, weights, |_, i| (i % 2) as u32)
}

/// The same with a class for each split and photo of it.
fn labelled_features(
    dir: &Path,
    [train, valid]: [usize; 2],
    distance: f32,
    weights: &str,
    label_of: fn(Split, usize) -> u32,
) -> Artifact {
    let folder = dir.join("precompute").join("features");
    let meta = FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: weights.to_owned(),
        classes: vec!["cats".to_owned(), "dogs".to_owned()],
        preprocessing: serde_json::to_value(Preprocessing::new(64, [0.5; 3], [0.25; 3])).unwrap(),
        dim: DIM,
        dtype: "f32".to_owned(),
        pool: pipeline_table::features::USUAL_POOL.to_owned(),
        logits: 0,
    };
    let mut writer = FeaturesWriter::create(&folder, meta).unwrap();
    let mut random = Stream { seed: 1, purpose: "test", ..Stream::default() }.start();
    let mut uniform = || random.next_u32() as f32 / u32::MAX as f32 - 0.5;
    for (split, count) in [(Split::Train, train), (Split::Valid, valid)] {
        for i in 0..count {
            let label = label_of(split, i);
            let mut emb = [0f32; DIM];
            emb.iter_mut().for_each(|x| *x = uniform());
            emb[0] += label as f32 * distance * 0.29;
            let row = FeatureRow {
                id: format!("{split}/{i:04}.jpg"),
                split,
                label: Some(["cats", "dogs"][label as usize].to_owned()),
                label_id: Some(label),
                view: 0,
            };
            writer.write(&row, &emb).unwrap();
        }
    }
    writer.finish().unwrap();
    let dir = dir.join("precompute");
    Artifact { stage: "precompute".to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

fn matching() -> String {
    Digest::of(b"trunk").to_string()
}

/// What a stage is run on.
struct Inputs {
    features: Artifact,
    backbone: Artifact,
}

impl Inputs {
    /// The table `features` and the trunk that made it.
    fn new(bench: &StageBench, features: Artifact) -> Self {
        Inputs { features, backbone: backbone(bench.dir()) }
    }

    /// 50 training and 20 validation photos of two classes that overlap.
    fn small(bench: &StageBench) -> Self {
        Self::new(bench, features(bench.dir(), 50, 20, 2.0, &matching()))
    }

    fn run(&self, bench: &StageBench, stage: &dyn AnyStage, params: &Value) -> Result<Made, Failure> {
        let inputs = [("features", vec![&self.features]), ("backbone", vec![&self.backbone])];
        bench.run(stage, params, &inputs, &[])
    }

    fn train(&self, bench: &StageBench, params: &Value) -> Made {
        self.run(bench, &HeadStage, params).unwrap()
    }

    /// Message and hint.
    fn fail(&self, bench: &StageBench, params: &Value) -> (String, String) {
        match self.run(bench, &HeadStage, params).unwrap_err() {
            Failure::Failed { message, hint, .. } => (message, hint.unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    }
}

fn history(made: &Made) -> Vec<HistoryRow> {
    HistoryReader::open(&made.artifact.path("history.parquet")).unwrap().map(Result::unwrap).collect()
}

fn of_phase<'a>(history: &'a [HistoryRow], phase: &str) -> Vec<&'a HistoryRow> {
    history.iter().filter(|row| row.phase == phase).collect()
}

/// Features of 120 training and 60 validation photos, with two views each whose classes are so far apart.
fn views(dir: &Path, train: [f32; 2], valid: [f32; 2]) -> Artifact {
    let plain = features(&dir.join("plain"), 120, 60, 0.0, &matching());
    let reader = pipeline_table::FeaturesReader::open(&plain.path("features")).unwrap();
    let mut writer = FeaturesWriter::create(&dir.join("features"), reader.meta().clone()).unwrap();
    for batch in reader.batches(1000) {
        let batch = batch.unwrap();
        for (i, row) in batch.rows.iter().enumerate() {
            let distances = if row.split == Split::Train { train } else { valid };
            for (view, distance) in (0..).zip(distances) {
                let mut emb = batch.of(i).to_vec();
                emb[0] += row.label_id.unwrap() as f32 * distance * 0.29;
                writer.write(&FeatureRow { view, ..row.clone() }, &emb).unwrap();
            }
        }
    }
    writer.finish().unwrap();
    Artifact {
        stage: "precompute".to_owned(),
        dir: dir.to_owned(),
        files: BTreeMap::new(),
        sources: BTreeMap::new(),
    }
}
