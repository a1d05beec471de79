//! The `head` stage on small tables of made-up features.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_head::HeadStage;
use pipeline_nn::artifact::ModelRecord;
use pipeline_photo::Preprocessing;
use pipeline_stage::random::Stream;
use pipeline_stage::{Artifact, Digest, Event, Failure};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, HistoryReader, Split};
use pipeline_testkit::StageBench;
use rand_core::RngCore;
use serde_json::json;

const DIM: usize = 6;

/// A trunk that nobody looks into.
fn backbone(dir: &Path) -> Artifact {
    let dir = dir.join("backbone");
    fs_err::create_dir_all(&dir).unwrap();
    fs_err::write(dir.join("trunk.safetensors"), b"trunk").unwrap();
    let files = [("trunk.safetensors".to_owned(), Digest::of(b"trunk"))].into();
    Artifact { stage: "backbone".to_owned(), dir, files, sources: BTreeMap::new() }
}

/// Two classes whose first feature differs by about `distance` standard deviations.
fn features(dir: &Path, train: usize, valid: usize, distance: f32, weights: &str) -> Artifact {
    let folder = dir.join("precompute").join("features");
    let meta = FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: weights.to_owned(),
        classes: vec!["cats".to_owned(), "dogs".to_owned()],
        preprocessing: serde_json::to_value(Preprocessing::new(64, [0.5; 3], [0.25; 3])).unwrap(),
        dim: DIM,
        dtype: "float32".to_owned(),
    };
    let mut writer = FeaturesWriter::create(&folder, meta).unwrap();
    let mut random = Stream { seed: 1, purpose: "test", ..Stream::default() }.start();
    let mut uniform = || random.next_u32() as f32 / u32::MAX as f32 - 0.5;
    for (split, count) in [(Split::Train, train), (Split::Valid, valid)] {
        for i in 0..count {
            let label = (i % 2) as u32;
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

fn message(failure: Failure) -> String {
    failure.to_string()
}

#[test]
fn a_head_learns_what_can_be_learned_and_its_model_is_whole() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 301, 100, 4.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let made = bench.run(&HeadStage, &json!({"epochs": 6, "batch_size": 30}), &inputs, &[]).unwrap();

    assert!(made.summary.metrics["accuracy"] > 0.9, "{:?}", made.summary);
    assert!(made.summary.line.ends_with(", trained on plain views"), "{}", made.summary.line);
    let record = ModelRecord::read(&made.artifact.path("model.json")).unwrap();
    assert_eq!(record.classes, ["cats", "dogs"]);
    assert_eq!((record.feature_dim, record.preprocessing.size), (DIM, 64));
    assert_eq!(record.trunk, made.artifact.files["trunk.safetensors"]);
    assert_eq!(record.head, made.artifact.files["head.safetensors"]);

    let history: Vec<_> =
        HistoryReader::open(&made.artifact.path("history.parquet")).unwrap().map(Result::unwrap).collect();
    assert_eq!(history.len(), 6);
    // 301 rows in batches of 30: ten steps, since the last row joins the tenth batch.
    assert_eq!(history.iter().map(|row| row.step).collect::<Vec<_>>(), [10, 20, 30, 40, 50, 60]);
    assert!(history.iter().all(|row| row.lr == [0.01]));
    assert!(history[5].valid_loss < history[0].valid_loss);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let mut bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 50, 20, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let head = |bench: &StageBench| bench.run(&HeadStage, &json!({}), &inputs, &[]).unwrap().artifact.files["head.safetensors"];
    let first = head(&bench);
    assert_eq!(first, head(&bench));
    bench.seed = 43;
    assert_ne!(first, head(&bench));
}

#[test]
fn further_views_teach_and_are_not_measured_on() {
    let bench = StageBench::default();
    let backbone = backbone(bench.dir());
    // The plain view tells nothing; the other one tells the class.
    let telling = views(&bench.dir().join("telling"), [0.0, 6.0], [0.0, 6.0]);
    // The same in training, but the views that are measured on tell the class too.
    let measured = views(&bench.dir().join("measured"), [0.0, 6.0], [6.0, 0.0]);
    let run = |features: &Artifact| {
        let inputs = [("features", vec![features]), ("backbone", vec![&backbone])];
        bench.run(&HeadStage, &json!({"epochs": 12, "batch_size": 30}), &inputs, &[]).unwrap()
    };
    let (telling, measured) = (run(&telling), run(&measured));
    assert!(
        telling.summary.line.ends_with(", trained on the plain view and an augmented one of each photo"),
        "{}",
        telling.summary.line
    );
    assert_eq!(ModelRecord::read(&telling.artifact.path("model.json")).unwrap().views, 2);
    let accuracy = |made: &pipeline_testkit::Made| made.summary.metrics["accuracy"];
    assert!(accuracy(&telling) < 0.7, "chance on plain views: {}", accuracy(&telling));
    assert!(accuracy(&measured) > 0.8, "learned from view 1: {}", accuracy(&measured));
    // Each photo once an epoch, whatever its views: 120 photos in batches of 30.
    let history = HistoryReader::open(&telling.artifact.path("history.parquet")).unwrap().map(Result::unwrap);
    assert_eq!(history.map(|row| row.step).take(2).collect::<Vec<_>>(), [4, 8]);
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

#[test]
fn a_rate_that_is_too_high_stops_with_the_step_and_the_way_out() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 50, 20, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let failure = bench.run(&HeadStage, &json!({"lr": 1e30, "epochs": 50}), &inputs, &[]).unwrap_err();
    let Failure::Failed { message, hint } = failure else { panic!("{failure}") };
    assert!(message.starts_with("the loss became "), "{message}");
    assert!(message.ends_with("at learning rate 1e30"), "{message}");
    assert!(hint.unwrap().starts_with("try a lower rate"));
}

#[test]
fn a_last_step_that_diverges_is_seen_in_the_valid_loss() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 50, 20, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    // One step, whose own loss is that of the untouched weights.
    let params = json!({"lr": 1e30, "epochs": 1, "batch_size": 50});
    let text = message(bench.run(&HeadStage, &params, &inputs, &[]).unwrap_err());
    assert!(text.starts_with("the loss became ") && text.contains(" in epoch 1, step 1, "), "{text}");
    // Nor is it published where there is nothing to measure on.
    let features = self::features(&bench.dir().join("train_only"), 50, 0, 2.0, &matching());
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let text = message(bench.run(&HeadStage, &params, &inputs, &[]).unwrap_err());
    assert_eq!(text, "the loss became NaN in epoch 1, step 1, at learning rate 1e30");
}

#[test]
fn features_of_another_trunk_and_too_few_photos_are_refused() {
    let bench = StageBench::default();
    let backbone = backbone(bench.dir());
    let other = features(&bench.dir().join("other"), 10, 4, 1.0, &Digest::of(b"x").to_string());
    let few = features(&bench.dir().join("few"), 1, 4, 1.0, &matching());
    let run = |features: &Artifact| {
        let inputs = [("features", vec![features]), ("backbone", vec![&backbone])];
        message(bench.run(&HeadStage, &json!({}), &inputs, &[]).unwrap_err())
    };
    assert!(run(&other).starts_with("the features were made by the trunk "));
    assert_eq!(run(&few), "expected at least 2 photos to train on, found 1");
}

#[test]
fn without_valid_photos_the_summary_says_so() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 20, 0, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let made = bench.run(&HeadStage, &json!({}), &inputs, &[]).unwrap();
    assert!(made.summary.line.starts_with("train loss "), "{}", made.summary.line);
    assert_eq!(made.summary.notes, ["there are no labelled valid photos, so the accuracy is not known"]);
}

#[test]
fn training_stops_when_cancelled_and_reports_every_epoch_when_not() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 20, 10, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    bench.run(&HeadStage, &json!({"epochs": 3}), &inputs, &[]).unwrap();
    let notes =
        bench.events().iter().filter(|e| matches!(e, Event::Note(t) if t.starts_with("epoch "))).count();
    assert_eq!(notes, 3);
    bench.cancel.cancel();
    let failure = bench.run(&HeadStage, &json!({}), &inputs, &[]).unwrap_err();
    assert!(matches!(failure, Failure::Cancelled));
}

/// Raise `HeadStage::VERSION` when this fails: losses within 0.1 % of those that version 2 had with two views.
#[test]
fn version_2_draws_views_that_train_to_these_losses() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), views(bench.dir(), [1.0, 3.0], [1.0, 3.0]));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let made = bench.run(&HeadStage, &json!({"epochs": 3, "batch_size": 16}), &inputs, &[]).unwrap();
    let history = HistoryReader::open(&made.artifact.path("history.parquet")).unwrap().map(Result::unwrap);
    let found: Vec<(f64, f64)> = history.map(|row| (row.train_loss, row.valid_loss.unwrap())).collect();
    expect_losses(&found, &[(1.049990, 0.600406), (0.963909, 0.834453), (1.196092, 0.731039)]);
}

fn expect_losses(found: &[(f64, f64)], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = ((found.0 / expected.0) - 1.0).abs().max(((found.1 / expected.1) - 1.0).abs());
        assert!(off < 1e-3, "(train loss, valid loss): found {found:?}, expected {expected:?}");
    }
}

/// Raise `HeadStage::VERSION` when this fails: losses within 0.1 % of those that version 2 had.
#[test]
fn version_2_trains_to_these_losses() {
    let bench = StageBench::default();
    let (backbone, features) = (backbone(bench.dir()), features(bench.dir(), 50, 20, 2.0, &matching()));
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let made = bench.run(&HeadStage, &json!({"epochs": 3, "batch_size": 16}), &inputs, &[]).unwrap();
    let history = HistoryReader::open(&made.artifact.path("history.parquet")).unwrap().map(Result::unwrap);
    let found: Vec<(f64, f64)> = history.map(|row| (row.train_loss, row.valid_loss.unwrap())).collect();
    expect_losses(&found, &[(1.585081, 0.594198), (2.757408, 0.557872), (2.442421, 0.700005)]);
}
