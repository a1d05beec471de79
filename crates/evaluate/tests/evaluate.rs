//! The `evaluate` stage on hand-made heads and features whose metrics can be computed by hand.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_evaluate::{Evaluate, Metrics};
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Head, Sizes, weights};
use pipeline_photo::Preprocessing;
use pipeline_stage::{Artifact, Digest};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, PredictionRow, PredictionsReader, Split};
use pipeline_testkit::StageBench;
use serde_json::json;

const DIM: usize = 4;

fn classes() -> Vec<String> {
    ["cats", "dogs", "emus"].map(str::to_owned).to_vec()
}

fn preprocessing() -> Preprocessing {
    Preprocessing::new(64, [0.5; 3], [0.25; 3])
}

/// A head of this seed; its weights are random, its predictions whatever they are.
fn model(dir: &Path, stage: &str, seed: u64, classes: Vec<String>, trunk: &[u8]) -> Artifact {
    let dir = dir.join(stage);
    fs_err::create_dir_all(&dir).unwrap();
    let sizes = Sizes { features: DIM, hidden: 512, classes: classes.len() };
    let head = Head::new(sizes, seed, Device::Cpu).unwrap();
    weights::write_safetensors(&dir.join("head.safetensors"), &head.named_tensors(), &BTreeMap::new())
        .unwrap();
    let digest = Digest::of(&fs_err::read(dir.join("head.safetensors")).unwrap());
    ModelRecord::new("resnet18".to_owned(), classes, preprocessing(), DIM, Digest::of(trunk), digest)
        .write(&dir.join("model.json"))
        .unwrap();
    Artifact { stage: stage.to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

/// `valid` photos that are labelled in turn, after one of train, and one view that is not the plain one.
fn features(dir: &Path, valid: usize, labelled: bool) -> Artifact {
    let meta = FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: Digest::of(b"trunk").to_string(),
        classes: classes(),
        preprocessing: serde_json::to_value(preprocessing()).unwrap(),
        dim: DIM,
        dtype: "float32".to_owned(),
    };
    let mut writer = FeaturesWriter::create(&dir.join("precompute/features"), meta).unwrap();
    let mut write = |id: String, split, label: u32, view, x: f32| {
        let label_id = labelled.then_some(label);
        let row =
            FeatureRow { id, split, label: label_id.map(|l| classes()[l as usize].clone()), label_id, view };
        writer.write(&row, &[x, -x, x * x, 1.0 - x]).unwrap();
    };
    write("train/a.jpg".to_owned(), Split::Train, 0, 0, 0.5);
    for i in 0..valid {
        write(format!("valid/{i:04}.jpg"), Split::Valid, (i % 3) as u32, 0, i as f32 / 7.0 - 1.0);
    }
    write(format!("valid/{:04}.jpg", valid - 1), Split::Valid, ((valid - 1) % 3) as u32, 1, 9.0);
    writer.finish().unwrap();
    let dir = dir.join("precompute");
    Artifact { stage: "precompute".to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

#[test]
fn metrics_are_those_of_the_predictions_for_every_model_side_by_side() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 23, true);
    let models = [("tall", 1), ("head", 2)].map(|(n, seed)| model(bench.dir(), n, seed, classes(), b"trunk"));
    let inputs = [("features", vec![&features]), ("models", vec![&models[0], &models[1]])];
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();

    let predictions: Vec<PredictionRow> = PredictionsReader::open(&made.artifact.path("predictions.parquet"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(predictions.len(), 2 * 23, "one row per plain valid photo and model");
    let metrics: Metrics =
        serde_json::from_str(&fs_err::read_to_string(made.artifact.path("metrics.json")).unwrap()).unwrap();
    for model in ["head", "tall"] {
        let own: Vec<&PredictionRow> = predictions.iter().filter(|p| p.model == model).collect();
        let m = &metrics.models[model];
        assert_eq!(m.photos, 23);
        let right = own.iter().filter(|p| p.predicted_id == p.label_id.unwrap()).count();
        assert_eq!(m.accuracy, right as f64 / 23.0);
        assert_eq!(m.errors as usize, 23 - right);
        let loss: f64 = own.iter().map(|p| -f64::from(p.probs[p.label_id.unwrap() as usize]).ln()).sum();
        assert!((m.log_loss - loss / 23.0).abs() < 1e-5, "{} {}", m.log_loss, loss / 23.0);
        for (actual, row) in m.confusion.iter().enumerate() {
            for (predicted, count) in row.iter().enumerate() {
                let pairs = own
                    .iter()
                    .filter(|p| p.label_id == Some(actual as u32) && p.predicted_id == predicted as u32);
                assert_eq!(pairs.count() as u64, *count, "{actual} {predicted}");
            }
        }
        for p in own {
            assert!((p.probs.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert_eq!(p.confidence, p.probs[p.predicted_id as usize]);
        }
        assert!(made.artifact.files.contains_key(&format!("confusion/{model}.csv")));
        assert!(
            made.summary.text.as_ref().unwrap().contains(&format!("{model} on 23 valid photos: accuracy "))
        );
    }
}

#[test]
fn a_model_of_another_trunk_or_other_classes_is_refused() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 3, true);
    let run = |model: Artifact| {
        let inputs = [("features", vec![&features]), ("models", vec![&model])];
        bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap_err().to_string()
    };
    let other = model(bench.dir(), "other", 1, classes(), b"another trunk");
    assert!(run(other).starts_with("model `other` has the trunk "));
    let two = model(bench.dir(), "two", 1, classes()[..2].to_vec(), b"trunk");
    assert_eq!(run(two), "model `two` knows the classes cats, dogs, but the features have cats, dogs, emus");
}

#[test]
fn a_split_without_labelled_photos_is_refused() {
    let bench = StageBench::default();
    let model = model(bench.dir(), "head", 1, classes(), b"trunk");
    let unlabelled = features(&bench.dir().join("unlabelled"), 3, false);
    let labelled = features(&bench.dir().join("labelled"), 3, true);
    let run = |features: &Artifact, split: &str| {
        let inputs = [("features", vec![features]), ("models", vec![&model])];
        bench.run(&Evaluate, &json!({ "split": split }), &inputs, &[]).unwrap_err().to_string()
    };
    assert_eq!(run(&unlabelled, "valid"), "there are no labelled valid photos in the features to measure on");
    assert_eq!(run(&labelled, "test"), "there are no labelled test photos in the features to measure on");
}

/// Raise `Evaluate::VERSION` when this fails: a loss within 0.1 % of that of version 1, and the same counts.
#[test]
fn version_1_measures_this() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 23, true);
    let model = model(bench.dir(), "head", 7, classes(), b"trunk");
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();
    let metrics: Metrics =
        serde_json::from_str(&fs_err::read_to_string(made.artifact.path("metrics.json")).unwrap()).unwrap();
    let head = &metrics.models["head"];
    assert!((head.log_loss / 1.440_971 - 1.0).abs() < 1e-3, "{}", head.log_loss);
    assert_eq!(head.confusion, [[4, 4, 0], [4, 3, 1], [3, 4, 0]]);
    let csv = fs_err::read_to_string(made.artifact.path("confusion/head.csv")).unwrap();
    assert_eq!(csv, "actual \\ predicted,cats,dogs,emus\ncats,4,4,0\ndogs,4,3,1\nemus,3,4,0\n");
}
