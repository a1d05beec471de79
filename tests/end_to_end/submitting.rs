//! What models say of unlabelled photos, as a file for Kaggle.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_table::{Mode, PredictionRow, PredictionsReader};
use pipeline_testkit::Project;
use serde_json::Value;

use crate::drawn_project;

const STAGES: &str = "\
stages:
  ingest:     { kind: ingest }
  augment:    { kind: augment,    inputs: { images: ingest } }
  backbone:   { kind: backbone }
  precompute: { kind: precompute, inputs: { images: ingest, augment: augment, backbone: backbone } }
  first:      { kind: head,       inputs: { features: precompute, backbone: backbone } }
  second:     { kind: head,       inputs: { features: precompute, backbone: backbone } }
  evaluate:   { kind: evaluate,   inputs: { images: ingest, augment: augment, features: precompute, models: [first, second] } }
  submit:     { kind: submit,     inputs: { images: ingest, augment: augment, models: [first, second], evaluation: evaluate } }
";

const CONFIG: &str = "\
pipeline: pipelines/submission.yaml
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 64, dtype: f32 }
first: { batch_size: 8, epochs: 4 }
second: { batch_size: 4, epochs: 2, lr: 0.001 }
submit: { dtype: f32 }
";

fn project() -> Project {
    let project = drawn_project(["6", "4", "3"], CONFIG);
    project.write("pipelines/submission.yaml", STAGES);
    project
}

/// The numbers of each row by id, and the header.
fn submission(project: &Project) -> (String, Vec<(String, Vec<f64>)>) {
    let text = project.read("out/c/submit/submission.csv");
    let mut lines = text.lines();
    let header = lines.next().unwrap().to_owned();
    let row = |line: &str| {
        let mut cells = line.split(',');
        let id = cells.next().unwrap().to_owned();
        (id, cells.map(|cell| cell.parse().unwrap()).collect())
    };
    (header, lines.map(row).collect())
}

fn record(project: &Project) -> Value {
    serde_json::from_str(&project.read("out/c/submit/submission.json")).unwrap()
}

/// Of each photo that evaluate has seen its label and the mean of what both models say in plain mode.
fn evaluated(project: &Project) -> BTreeMap<String, (u32, Vec<f64>)> {
    let mut photos: BTreeMap<String, (u32, Vec<f64>)> = BTreeMap::new();
    let path = project.path("out/c/evaluate/predictions.parquet");
    let rows = PredictionsReader::open(&path).unwrap().map(Result::unwrap);
    for row in rows.filter(|row: &PredictionRow| row.mode == Mode::Plain) {
        let (_, mean) = photos.entry(row.id.clone()).or_insert_with(|| (row.label_id.unwrap(), vec![0.0; 2]));
        mean.iter_mut().zip(&row.probs).for_each(|(sum, prob)| *sum += f64::from(*prob) / 2.0);
    }
    photos
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-6, "{what}: {found} is not {expected}");
}

#[test]
fn a_submission_has_the_models_mean_that_evaluate_has_clipped_as_numpy_does() {
    let project = project();
    project.succeed(&["run", "configs/c.yaml", "--set", "submit.split=valid", "--set", "submit.clip=0.3"]);
    let expected: BTreeMap<String, f64> = evaluated(&project)
        .into_iter()
        .map(|(id, (_, probs))| (stem(&id), probs[1].clamp(0.3, 0.7)))
        .collect();
    let (header, rows) = submission(&project);
    assert_eq!((header.as_str(), rows.len()), ("id,label", 8));
    for (id, numbers) in &rows {
        assert_near(numbers[0], expected[id], id);
    }
    assert!(
        rows.iter().any(|(_, numbers)| numbers[0] != 0.3 && numbers[0] != 0.7),
        "some is not clipped: {rows:?}"
    );

    // Of the other class it is one less that.
    let other =
        ["--set", "submit.split=valid", "--set", "submit.clip=0.3", "--set", "submit.positive_class=cats"];
    project.succeed(&[["run", "configs/c.yaml"].as_slice(), &other].concat());
    for (id, numbers) in submission(&project).1 {
        assert_near(numbers[0], 1.0 - expected[&id], &id);
    }
}

/// `cat.3` of `valid/cats/cat.3.jpg`.
fn stem(id: &str) -> String {
    Path::new(id).file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn what_clipping_is_worth_is_the_log_loss_of_the_labelled_photos_with_and_without_it() {
    let project = project();
    let ran = project.succeed(&["run", "configs/c.yaml", "--set", "submit.clip=0.2"]);
    let mut expected = [0.0, 0.0];
    let (mut sure, mut wrong) = (0, 0);
    let photos = evaluated(&project);
    for (label, probs) in photos.values() {
        let right = probs[*label as usize];
        expected[0] -= right.ln() / photos.len() as f64;
        expected[1] -= right.clamp(0.2, 0.8).ln() / photos.len() as f64;
        sure += u64::from(probs[0].max(probs[1]) > 0.8);
        wrong += u64::from(probs[0].max(probs[1]) > 0.8 && right < 0.5);
    }
    let record = record(&project);
    let worth = &record["worth"];
    assert_near(worth["log_loss"].as_f64().unwrap(), expected[0], "log loss");
    assert_near(worth["clipped_log_loss"].as_f64().unwrap(), expected[1], "clipped");
    assert_eq!((worth["photos"].as_u64(), worth["sure"].as_u64()), (Some(8), Some(sure)), "{worth}");
    assert_eq!((worth["sure_and_wrong"].as_u64(), &worth["mode"]), (Some(wrong), &"plain".into()), "{worth}");
    // By hand: -ln 0.8 and -ln 0.2.
    let costs = "With `clip: 0.2` a sure answer costs 0.2231 where it is right, instead of nearly 0, and 1.61 where it is wrong";
    assert!(ran.stderr.contains(costs) || ran.stdout.contains(costs), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn photos_of_the_unlabelled_folder_have_rows_even_where_they_were_set_aside() {
    let project = project();
    let before = fs_err::read_dir(project.path("photos")).unwrap().map(|entry| entry.unwrap().file_name());
    let test = before.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("test")).unwrap();
    project.write(&format!("photos/{test}/7000.jpg"), "no photo at all");
    let ran = project.succeed(&["run", "configs/c.yaml", "--threads", "1"]);
    let (_, rows) = submission(&project);
    assert_eq!(rows.len(), 3 + 1, "{rows:?}");
    let bad = rows.iter().find(|(id, _)| id == "7000").unwrap();
    // Six of each class in train.
    assert_eq!(bad.1, [0.5]);
    assert!(rows.iter().all(|(_, numbers)| (0.02..=0.98).contains(&numbers[0])), "{rows:?}");
    let warning =
        format!("set aside has as probabilities the shares of the classes in train: {test}/7000.jpg");
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    assert_eq!(record(&project)["set_aside"], serde_json::json!([format!("{test}/7000.jpg")]));

    // Any number of threads gives the same bytes.
    let alone = project.read("out/c/submit/submission.csv");
    project.succeed(&["run", "configs/c.yaml", "--threads", "3", "--only", "submit", "--force", "submit"]);
    assert_eq!(project.read("out/c/submit/submission.csv"), alone);
}

#[test]
fn what_cannot_be_submitted_is_told_before_anything_runs() {
    let project = project();
    let without = STAGES.replace(
        "images: ingest, augment: augment, models: [first, second], evaluation",
        "images: ingest, models: [first], evaluation",
    );
    project.write("pipelines/submission.yaml", without);
    let message = project.fail(2, &["run", "configs/c.yaml", "--set", "submit.tta=4"]);
    assert!(
        message.contains("`tta: 4` needs the training policy, but submit has no input `augment`"),
        "{message}"
    );
    let message = project.fail(2, &["run", "configs/c.yaml", "--set", "submit.clip=0.7"]);
    assert!(message.contains("expected 0 to 0.5, found 0.7"), "{message}");
    let message = project.fail(2, &["run", "configs/c.yaml", "--set", "submit.id_column=label"]);
    assert!(message.contains("expected another name than that of label_column"), "{message}");
    let message = project.fail(1, &["run", "configs/c.yaml", "--set", "submit.positive_class=dog"]);
    assert!(
        message.contains("cannot submit probabilities of the class `dog`: the classes are cats, dogs"),
        "{message}"
    );
    assert!(message.contains("did you mean `dogs`?"), "{message}");
}
