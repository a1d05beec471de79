//! What it learns, what it refuses, what it leaves.

use pipeline_head::HeadStage;
use pipeline_nn::artifact::ModelRecord;
use pipeline_stage::{Digest, Event, Failure};
use pipeline_table::HistoryRow;
use pipeline_testkit::{Made, StageBench};
use serde_json::json;

use crate::{Inputs, features, history, matching, of_phase, views};

#[test]
fn a_head_learns_what_can_be_learned_and_its_model_is_whole() {
    let bench = StageBench::default();
    let inputs = Inputs::new(&bench, features(bench.dir(), 301, 100, 4.0, &matching()));
    let made = inputs.train(&bench, &json!({"epochs": 6, "batch_size": 30}));

    assert!(made.summary.metrics["accuracy"] > 0.9, "{:?}", made.summary);
    assert!(made.summary.line.ends_with(", trained on plain views"), "{}", made.summary.line);
    let record = ModelRecord::read(&made.artifact.path("model.json")).unwrap();
    assert_eq!(record.classes, ["cats", "dogs"]);
    assert_eq!((record.feature_dim, record.preprocessing.size), (crate::DIM, 64));
    assert_eq!(record.trunk, made.artifact.files["trunk.safetensors"]);
    assert_eq!(record.head, made.artifact.files["head.safetensors"]);

    let history = history(&made);
    let (steps, epochs) = (of_phase(&history, "train"), of_phase(&history, "valid"));
    // 301 rows in batches of 30: ten steps, since the last row joins the tenth batch.
    assert_eq!(steps.iter().map(|row| row.step).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    assert_eq!(epochs.iter().map(|row| row.step).collect::<Vec<_>>(), [10, 20, 30, 40, 50, 60]);
    assert!(steps.iter().all(|row| row.valid_loss.is_none() && row.accuracy.is_none()));
    assert!(history.iter().all(|row| row.lr == [0.01] && row.stage == "head"));
    assert!(epochs[5].valid_loss < epochs[0].valid_loss);
    assert_eq!(epochs[5].accuracy, Some(made.summary.metrics["accuracy"]));
}

#[test]
fn the_history_is_there_as_table_lines_pictures_and_for_tensorboard() {
    let bench = StageBench::default();
    let made = Inputs::small(&bench).train(&bench, &json!({"epochs": 2, "batch_size": 16}));
    let path = |file: &str| made.artifact.path(file);
    let lines = fs_err::read_to_string(path("history.jsonl")).unwrap();
    let lines: Vec<HistoryRow> =
        lines.lines().map(|line| HistoryRow::from_json_line(line).unwrap()).collect();
    assert_eq!(lines, history(&made));
    // Four steps an epoch: 16, 16, 16 and 2 photos.
    assert_eq!(lines.len(), 2 * (4 + 1));
    for chart in ["lr.png", "loss.png"] {
        assert!(fs_err::read(path(chart)).unwrap().starts_with(b"\x89PNG\r\n"), "{chart}");
    }
    let events = fs_err::read(path("tensorboard/events.out.tfevents.0.pipeline")).unwrap();
    for (tag, times) in [("loss/train", 8), ("lr/group 1", 8), ("loss/valid", 2), ("accuracy/valid", 2)] {
        let found = events.windows(tag.len()).filter(|bytes| *bytes == tag.as_bytes()).count();
        assert_eq!(found, times, "{tag}");
    }
    let files: Vec<&str> = made.artifact.files.keys().map(String::as_str).collect();
    let expected = [
        "head.safetensors",
        "history.jsonl",
        "history.parquet",
        "loss.png",
        "lr.png",
        "model.json",
        "tensorboard/events.out.tfevents.0.pipeline",
        "trunk.safetensors",
    ];
    assert_eq!(files, expected);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let mut bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    let head = |bench: &StageBench| inputs.train(bench, &json!({})).artifact.files["head.safetensors"];
    let first = head(&bench);
    assert_eq!(first, head(&bench));
    bench.seed = 43;
    assert_ne!(first, head(&bench));
}

#[test]
fn further_views_teach_and_are_not_measured_on() {
    let bench = StageBench::default();
    // The plain view tells nothing; the other one tells the class.
    let telling = views(&bench.dir().join("telling"), [0.0, 6.0], [0.0, 6.0]);
    // The same in training, but the views that are measured on tell the class too.
    let measured = views(&bench.dir().join("measured"), [0.0, 6.0], [6.0, 0.0]);
    let run =
        |features| Inputs::new(&bench, features).train(&bench, &json!({"epochs": 12, "batch_size": 30}));
    let (telling, measured) = (run(telling), run(measured));
    assert!(
        telling.summary.line.ends_with(", trained on the plain view and an augmented one of each photo"),
        "{}",
        telling.summary.line
    );
    assert_eq!(ModelRecord::read(&telling.artifact.path("model.json")).unwrap().views, 2);
    let accuracy = |made: &Made| made.summary.metrics["accuracy"];
    assert!(accuracy(&telling) < 0.7, "chance on plain views: {}", accuracy(&telling));
    assert!(accuracy(&measured) > 0.8, "learned from view 1: {}", accuracy(&measured));
    // Each photo once an epoch, whatever its views: 120 photos in batches of 30.
    let history = history(&telling);
    let ends: Vec<u64> = of_phase(&history, "valid").iter().map(|row| row.step).collect();
    assert_eq!(ends[..2], [4, 8]);
}

#[test]
fn a_rate_that_is_too_high_stops_with_the_step_and_the_way_out() {
    let bench = StageBench::default();
    let (message, hint) = Inputs::small(&bench).fail(&bench, &json!({"lr": 1e30, "epochs": 50}));
    assert!(message.starts_with("the loss became "), "{message}");
    assert!(message.ends_with("at learning rate 1e30"), "{message}");
    assert!(hint.starts_with("try a lower rate: the lesson's is 0.01, or `clip: 1.0`"), "{hint}");
}

#[test]
fn a_last_step_that_diverges_is_seen_in_the_valid_loss() {
    let bench = StageBench::default();
    // One step, whose own loss is that of the untouched weights.
    let params = json!({"lr": 1e30, "epochs": 1, "batch_size": 50});
    let (text, _) = Inputs::small(&bench).fail(&bench, &params);
    assert!(text.starts_with("the loss became ") && text.contains(" in epoch 1, step 1, "), "{text}");
    // Nor is it published where there is nothing to measure on.
    let features = features(&bench.dir().join("train_only"), 50, 0, 2.0, &matching());
    let (text, _) = Inputs::new(&bench, features).fail(&bench, &params);
    assert_eq!(text, "the loss became NaN in epoch 1, step 1, at learning rate 1e30");
}

#[test]
fn features_of_another_trunk_and_too_few_photos_are_refused_with_the_way_out() {
    let bench = StageBench::default();
    let run = |name: &str, train, trunk: &str| {
        let features = features(&bench.dir().join(name), train, 4, 1.0, trunk);
        Inputs::new(&bench, features).fail(&bench, &json!({}))
    };
    let (message, _) = run("other", 10, &Digest::of(b"x").to_string());
    assert!(message.starts_with("the features were made by the trunk "), "{message}");
    let more = "put more photos into train/ (a head trains on features: `splits` of precompute has `train`)";
    for (name, photos) in [("one", 1), ("none", 0)] {
        let (message, hint) = run(name, photos, &matching());
        assert_eq!(message, format!("expected at least 2 photos to train on, found {photos}"));
        assert_eq!(hint, more);
    }
}

#[test]
fn without_valid_photos_the_summary_says_so() {
    let bench = StageBench::default();
    let made = Inputs::new(&bench, features(bench.dir(), 20, 0, 2.0, &matching())).train(&bench, &json!({}));
    assert!(made.summary.line.starts_with("train loss "), "{}", made.summary.line);
    assert_eq!(made.summary.notes, ["there are no labelled valid photos, so the accuracy is not known"]);
    assert!(history(&made).iter().all(|row| row.valid_loss.is_none() && row.train_loss.is_finite()));
}

#[test]
fn training_stops_when_cancelled_and_tells_every_epoch_as_the_lesson_when_not() {
    let bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    let made = inputs.train(&bench, &json!({"epochs": 3}));
    let notes: Vec<String> = bench
        .events()
        .into_iter()
        .filter_map(|e| if let Event::Note(t) = e { Some(t) } else { None })
        .collect();
    assert_eq!(notes[0], "epoch  train loss  valid loss  accuracy      time");
    let history = history(&made);
    let lines = of_phase(&history, "valid").into_iter().map(|row| {
        let (loss, accuracy) = (row.valid_loss.unwrap(), row.accuracy.unwrap());
        format!("{:>5}  {:>10.4}  {loss:>10.4}  {accuracy:>8.4}  ", row.epoch, row.train_loss)
    });
    for (note, line) in notes[1..].iter().zip(lines) {
        assert!(note.starts_with(&line), "{note}, expected {line}");
    }
    assert_eq!(notes.len(), 4, "{notes:?}");
    bench.cancel.cancel();
    let failure = inputs.run(&bench, &HeadStage, &json!({})).unwrap_err();
    assert!(matches!(failure, Failure::Cancelled));
}

#[test]
fn whoever_watches_sees_the_rows_of_the_history() {
    let bench = StageBench::default();
    let made = Inputs::small(&bench).train(&bench, &json!({"epochs": 2, "batch_size": 16}));
    let rows = history(&made)
        .into_iter()
        .map(|row| (row.phase, row.step as f64, row.train_loss, row.valid_loss, row.accuracy));
    let measured = bench.events().into_iter().filter_map(|event| match event {
        Event::Measured(m) => {
            let value = |name: &str| m.values.get(name).copied();
            Some((
                m.phase.clone(),
                value("step")?,
                value("train_loss")?,
                value("valid_loss"),
                value("accuracy"),
            ))
        }
        _ => None,
    });
    assert_eq!(measured.collect::<Vec<_>>(), rows.collect::<Vec<_>>());
}
