//! The `finetune` stage on small pictures and a made-up model.
//!
//! - `freeze`: which layers train, each by its rate.
//! - `views`: what training sees of a photo: augmentation, mixing, sizes.
//! - `refusals`: what cannot be trained, with the way out.
//! - `resume`: a training that was stopped or killed ends as one that was not.
//! - `golden`: losses, which tell that a version has to be raised.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod freeze;
mod golden;
mod refusals;
mod resume;
mod views;

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use pipeline_finetune::Finetune;
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Head, Pool, Sizes, Tensor, backbones, weights};
use pipeline_photo::{Augmentation, Policy, Preprocessing, policy};
use pipeline_stage::{Artifact, Digest, Failure};
use pipeline_table::{HistoryReader, HistoryRow, ImageRow, ImagesWriter, Split, Verdict, classes};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

/// The smallest architecture.
const ARCH: &str = "efficientnet_lite0";
const CLASSES: [&str; 3] = ["cats", "dogs", "eels"];

/// So many photos of unequal sides, of the classes in turn, each class with a tint of its own.
fn images(dir: &Path, train: usize, valid: usize, classes: usize) -> Artifact {
    let photos = dir.join("photos");
    let artifact = dir.join("ingest");
    fs_err::create_dir_all(&artifact).unwrap();
    let mut writer = ImagesWriter::create(&artifact.join("images.parquet")).unwrap();
    for (split, count) in [(Split::Train, train), (Split::Valid, valid)] {
        for i in 0..count {
            let label = i % classes;
            let id = format!("{split}/{i:03}.png");
            let (width, height) = (40 + i as u32 % 5, 37 + i as u32 % 3);
            let picture = RgbImage::from_fn(width, height, |x, y| {
                let mut pixel = [(7 * x) as u8, (5 * y) as u8, (x * y + 3 * i as u32) as u8];
                pixel[label] = pixel[label].saturating_add(120);
                Rgb(pixel)
            });
            let path = photos.join(&id);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            picture.save(&path).unwrap();
            let bytes = fs_err::read(&path).unwrap();
            let row = ImageRow {
                id,
                split,
                label: Some(CLASSES[label].to_owned()),
                label_id: Some(label as u32),
                width: Some(width),
                height: Some(height),
                format: Some("png".to_owned()),
                orientation: Some(1),
                bytes: bytes.len() as u64,
                digest: Digest::of(&bytes).to_string(),
                appearance: None,
                verdict: Verdict::Ok,
                reason: None,
            };
            writer.write(&row).unwrap();
        }
    }
    writer.finish().unwrap();
    classes::write(&artifact.join("classes.json"), &names(classes)).unwrap();
    let sources = [("photos".to_owned(), photos)].into();
    Artifact { stage: "ingest".to_owned(), dir: artifact, files: BTreeMap::new(), sources }
}

fn names(classes: usize) -> Vec<String> {
    CLASSES[..classes].iter().map(|&class| class.to_owned()).collect()
}

/// Random weights, with a narrow head so that checkpoints are small.
fn model(dir: &Path, classes: usize) -> Artifact {
    let dir = dir.join("model");
    fs_err::create_dir_all(&dir).unwrap();
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    let sizes = Sizes { features: Pool::MaxAvg.width(backbone.channels), hidden: 16, classes };
    let head = Head::new(sizes, 1, Device::Cpu).unwrap();
    let write = |file: &str, tensors: &BTreeMap<String, Tensor>| {
        weights::write_safetensors(&dir.join(file), tensors, &BTreeMap::new()).unwrap();
        Digest::of(&fs_err::read(dir.join(file)).unwrap())
    };
    let trunk = write("trunk.safetensors", trunk.named_tensors());
    let head = write("head.safetensors", &head.named_tensors());
    let preprocessing = Preprocessing::new(36, backbone.mean, backbone.std);
    ModelRecord::new(ARCH.to_owned(), names(classes), preprocessing, sizes.features, trunk, head)
        .write(&dir.join("model.json"))
        .unwrap();
    Artifact { stage: "head".to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

/// Photos are turned, lit and mirrored; batches are mixed as `mix` says.
fn augmentation(dir: &Path, mix: Value) -> Artifact {
    let dir = dir.join("augment");
    fs_err::create_dir_all(&dir).unwrap();
    let steps = policy::steps_from_json(&json!(["rotate", "lighting", "flip"])).unwrap();
    let policy = Policy { border: Default::default(), steps };
    let record = Augmentation { policy, mix: serde_json::from_value(mix).unwrap() }.to_json();
    fs_err::write(dir.join("policy.json"), record.to_string()).unwrap();
    Artifact { stage: "augment".to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

/// What the stage is run on.
struct Inputs {
    images: Artifact,
    model: Artifact,
    augment: Option<Artifact>,
}

impl Inputs {
    /// 10 photos of two classes to train on, 4 to measure on, plain views.
    fn plain(bench: &StageBench) -> Self {
        Inputs { images: images(bench.dir(), 10, 4, 2), model: model(bench.dir(), 2), augment: None }
    }

    fn augmented(bench: &StageBench, mix: Value) -> Self {
        Inputs { augment: Some(augmentation(bench.dir(), mix)), ..Self::plain(bench) }
    }

    /// Runs the stage with batches of 4 photos of 32 pixels a side, in float32, where `params` do not say otherwise.
    fn run(&self, bench: &StageBench, params: &Value) -> Result<Made, Failure> {
        let mut all = json!({"batch_size": 4, "sizes": [32], "dtype": "f32"});
        all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        let mut inputs = vec![("images", vec![&self.images]), ("model", vec![&self.model])];
        inputs.extend(self.augment.as_ref().map(|augment| ("augment", vec![augment])));
        bench.run(&Finetune, &all, &inputs, &[])
    }

    fn train(&self, bench: &StageBench, params: &Value) -> Made {
        self.run(bench, params).unwrap()
    }

    /// Message and hint.
    fn fail(&self, bench: &StageBench, params: &Value) -> (String, String) {
        match self.run(bench, params).unwrap_err() {
            Failure::Failed { message, hint, .. } => (message, hint.unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    }
}

fn history(made: &Made) -> Vec<HistoryRow> {
    HistoryReader::open(&made.artifact.path("history.parquet")).unwrap().map(Result::unwrap).collect()
}

/// Averaged train losses of the steps.
fn train_losses(made: &Made) -> Vec<f64> {
    history(made).iter().filter(|row| row.phase == "train").map(|row| row.train_loss).collect()
}

/// The tensors of an artifact's file.
fn tensors(artifact: &Artifact, file: &str) -> BTreeMap<String, Tensor> {
    let weights = weights::read(&artifact.path(file)).unwrap();
    weights.names().map(|name| (name.to_owned(), weights.get(name).unwrap().shallow_clone())).collect()
}
