//! Models whose trunk made the feature table, on small heads and features, one of them computed by hand.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_evaluate::{Evaluate, FeatureTrunk};
use pipeline_fit::Interval;
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Head, Kind, Sizes, Tensor, weights};
use pipeline_photo::Preprocessing;
use pipeline_stage::{AnyStage, Artifact, Digest};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, PredictionRow, Split};
use pipeline_testkit::StageBench;
use serde_json::json;

use crate::fixtures::{classes, metrics, predictions, warnings};

const DIM: usize = 4;

fn preprocessing() -> Preprocessing {
    Preprocessing::new(64, [0.5; 3], [0.25; 3])
}

/// A head of this seed; its weights are random, its predictions whatever they are.
fn model(dir: &Path, stage: &str, seed: u64, classes: Vec<String>, trunk: &[u8]) -> Artifact {
    let sizes = Sizes { features: DIM, hidden: 512, classes: classes.len() };
    let head = Head::new(sizes, seed, Device::Cpu).unwrap();
    model_of(dir, stage, &head.named_tensors(), classes, trunk)
}

/// A model with these tensors as its head.
fn model_of(
    dir: &Path,
    stage: &str,
    head: &BTreeMap<String, Tensor>,
    classes: Vec<String>,
    trunk: &[u8],
) -> Artifact {
    let dir = dir.join(stage);
    fs_err::create_dir_all(&dir).unwrap();
    weights::write_safetensors(&dir.join("head.safetensors"), head, &BTreeMap::new()).unwrap();
    let digest = Digest::of(&fs_err::read(dir.join("head.safetensors")).unwrap());
    ModelRecord::new("resnet18".to_owned(), classes, preprocessing(), DIM, Digest::of(trunk), digest)
        .write(&dir.join("model.json"))
        .unwrap();
    Artifact { stage: stage.to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

fn meta() -> FeaturesMeta {
    FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: Digest::of(b"trunk").to_string(),
        classes: classes(),
        preprocessing: serde_json::to_value(preprocessing()).unwrap(),
        dim: DIM,
        dtype: "f32".to_owned(),
        pool: pipeline_table::features::USUAL_POOL.to_owned(),
        logits: 0,
    }
}

/// `valid` photos that are labelled in turn, after one of train, and one view that is not the plain one.
fn features(dir: &Path, valid: usize, labelled: bool) -> Artifact {
    let mut writer = FeaturesWriter::create(&dir.join("precompute/features"), meta()).unwrap();
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

    let predictions = predictions(&made);
    assert_eq!(predictions.len(), 2 * 23, "one row per plain valid photo and model");
    let metrics = metrics(&made);
    for model in ["head", "tall"] {
        let own: Vec<&PredictionRow> = predictions.iter().filter(|p| p.model == model).collect();
        let m = &metrics.models[model].plain;
        let (accuracy, log_loss) = (m.measured.accuracy(), m.measured.log_loss());
        assert_eq!(m.measured.photos(), 23);
        let right = own.iter().filter(|p| p.predicted_id == p.label_id.unwrap()).count();
        assert_eq!(accuracy.value, right as f64 / 23.0);
        let Interval { low, high } = accuracy.interval.unwrap();
        assert!(low < accuracy.value && accuracy.value < high, "{accuracy:?}");
        assert_eq!(m.measured.errors() as usize, 23 - right);
        let loss: f64 = own.iter().map(|p| -f64::from(p.probs[p.label_id.unwrap() as usize]).ln()).sum();
        assert!((log_loss.value - loss / 23.0).abs() < 1e-5, "{log_loss:?} {}", loss / 23.0);
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
        assert!(made.summary.text.as_ref().unwrap().contains(&format!("\n{model}  ")));
    }
    let [comparison] = &metrics.comparisons[..] else { panic!("{:?}", metrics.comparisons) };
    let right = |model: &str| -> Vec<bool> {
        let own = predictions.iter().filter(|p| p.model == model);
        own.map(|p| Some(p.predicted_id) == p.label_id).collect()
    };
    let [tall, head] = ["tall", "head"].map(right);
    let only = |first: &[bool], second: &[bool]| {
        first.iter().zip(second).filter(|(first, second)| **first && !**second).count() as u64
    };
    assert_eq!((comparison.first.as_str(), comparison.second.as_str()), ("tall", "head"));
    let test = comparison.test;
    assert_eq!((test.only_first, test.only_second), (only(&tall, &head), only(&head, &tall)));
}

/// A head that passes the first two features on as logits of cats and dogs; emus have 0. Both batch norms do
/// nothing: mean 0, variance 1 less the epsilon.
fn identity_head() -> BTreeMap<String, Tensor> {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    let mut tensors = BTreeMap::new();
    for (name, width) in [("bn1", DIM as i64), ("bn2", 512)] {
        tensors.insert(format!("{name}.weight"), zeros(&[width]) + 1.0);
        tensors.insert(format!("{name}.bias"), zeros(&[width]));
        tensors.insert(format!("{name}.running_mean"), zeros(&[width]));
        tensors.insert(format!("{name}.running_var"), zeros(&[width]) + (1.0 - 1e-5));
    }
    for (name, outputs, inputs) in [("linear1", 512, DIM as i64), ("linear2", 3, 512)] {
        let weight = zeros(&[outputs, inputs]);
        for place in [0, 1] {
            let _ = weight.get(place).get(place).fill_(1.0);
        }
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), zeros(&[outputs]));
    }
    tensors
}

#[test]
fn probabilities_predictions_and_losses_are_those_computed_by_hand() {
    let bench = StageBench::default();
    // Logits (x, y, 0) of softmax 1/sum (e^x, e^y, 1).
    let (two, six) = (2f32.ln(), 6f32.ln());
    let rows = [
        ("valid/a.jpg", 0, [two, 0.0]), // (1/2, 1/4, 1/4): right, loss ln 2
        ("valid/b.jpg", 0, [0.0, two]), // (1/4, 1/2, 1/4): dogs for cats, loss ln 4
        ("valid/c.jpg", 2, [six, 0.0]), // (6/8, 1/8, 1/8): cats for emus, loss ln 8
    ];
    let mut writer = FeaturesWriter::create(&bench.dir().join("precompute/features"), meta()).unwrap();
    for (id, label, [x, y]) in rows {
        let label_name = Some(classes()[label as usize].clone());
        let row = FeatureRow {
            id: id.to_owned(),
            split: Split::Valid,
            label: label_name,
            label_id: Some(label),
            view: 0,
        };
        writer.write(&row, &[x, y, 9.0, 9.0]).unwrap();
    }
    writer.finish().unwrap();
    let features = Artifact {
        stage: "precompute".to_owned(),
        dir: bench.dir().join("precompute"),
        files: BTreeMap::new(),
        sources: BTreeMap::new(),
    };
    let model = model_of(bench.dir(), "head", &identity_head(), classes(), b"trunk");
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();

    let predictions = predictions(&made);
    let expected = [
        ("cats", [0.5, 0.25, 0.25], 2f32.ln()),
        ("dogs", [0.25, 0.5, 0.25], 4f32.ln()),
        ("cats", [0.75, 0.125, 0.125], 8f32.ln()),
    ];
    for (row, (predicted, probs, loss)) in predictions.iter().zip(expected) {
        assert_eq!(row.predicted, predicted, "{}", row.id);
        let off = row.probs.iter().zip(probs).map(|(a, b): (&f32, f32)| (a - b).abs()).fold(0f32, f32::max);
        assert!(
            off < 1e-5 && (row.loss.unwrap() - loss).abs() < 1e-5,
            "{}: {:?} {:?}",
            row.id,
            row.probs,
            row.loss
        );
        assert_eq!(row.confidence, row.probs[row.predicted_id as usize]);
    }
    assert_eq!(predictions.len(), 3);
    let metrics = metrics(&made);
    let head = &metrics.models["head"].plain;
    let measures = head.measured.whole().unwrap();
    assert_eq!((measures.photos, measures.errors, measures.accuracy.value), (3, 2, 1.0 / 3.0));
    // (ln 2 + ln 4 + ln 8) / 3 = ln 4.
    assert!((measures.log_loss.value - 4f64.ln()).abs() < 1e-5, "{}", measures.log_loss.value);
    assert_eq!(head.confusion, [[1, 1, 0], [0, 0, 0], [1, 0, 0]]);
    // No photo is of dogs.
    let recalls = measures.per_class.iter().map(|class| class.recall.map(|recall| recall.value));
    assert_eq!(recalls.collect::<Vec<_>>(), [Some(0.5), None, Some(0.0)]);
    assert_eq!(metrics.classes_without_photos, ["dogs"]);
    let absent = "1 of 3 classes has no labelled valid photo, so that nothing is measured of: `dogs`";
    assert_eq!(warnings(&bench), [absent]);
    // Of each photo but the last the label is among the two likeliest.
    assert_eq!((measures.top_2.unwrap().value, measures.top_5), (2.0 / 3.0, None));
    assert!(measures.per_class[1].roc_auc.is_none());
    let text = made.summary.text.unwrap();
    let expected = [
        "3 valid photos  accuracy     95 % interval  errors  log loss     ECE",
        "head              0.3333  ",
    ];
    let mut lines = text.lines();
    for start in expected {
        let line = lines.next().unwrap();
        assert!(line.starts_with(start), "{text}");
    }
    assert!(text.contains("\n\nhead\n        predicted\nactual  cats  dogs  emus  total   right"), "{text}");
    assert!(!text.contains("McNemar"), "one model is compared with none: {text}");
}

#[test]
fn a_head_that_says_nan_is_named_with_the_photo() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 3, true);
    let mut head = identity_head();
    let _ = head.get_mut("linear2.bias").unwrap().fill_(f64::NAN);
    let model = model_of(bench.dir(), "head", &head, classes(), b"trunk");
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let message = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap_err().to_string();
    let expected = "model `head` answers photo `valid/0000.jpg` with NaN, expected log-probabilities";
    assert_eq!(message, expected);
}

#[test]
fn a_model_to_detail_that_is_none_of_the_models_is_refused() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 3, true);
    let models = [("tall", 1), ("head", 2)].map(|(n, seed)| model(bench.dir(), n, seed, classes(), b"trunk"));
    let inputs = [("features", vec![&features]), ("models", vec![&models[0], &models[1]])];
    let run = |name| bench.run(&Evaluate, &json!({ "report_model": name }), &inputs, &[]);
    let message = run("hat").unwrap_err().to_string();
    assert_eq!(message, "cannot detail the model `hat`: the models are tall, head");
    for (name, other) in [("tall", "head"), ("head", "tall")] {
        let text = run(name).unwrap().summary.text.unwrap();
        let details = |name| text.contains(&format!("\n\n{name}\n        predicted"));
        assert!(details(name) && !details(other), "{text}");
    }
}

/// 3 models and 2 modes, with few classes and with many: here the modes are more models.
#[test]
fn the_verdict_has_at_most_20_lines_and_the_best_two_are_compared() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 23, true);
    let names = ["a", "b", "c", "d", "e", "f"];
    let models: Vec<Artifact> =
        (1..).zip(names).map(|(seed, name)| model(bench.dir(), name, seed, classes(), b"trunk")).collect();
    let inputs = [("features", vec![&features]), ("models", models.iter().collect())];
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();
    let text = made.summary.text.unwrap();
    assert!(text.lines().count() <= 20, "{text}");
    assert!(
        text.contains("on which the best two differ, ") && text.contains("(McNemar's test, p = "),
        "{text}"
    );
    assert!(made.summary.line.ends_with(" and 2 more"), "{}", made.summary.line);
}

#[test]
fn intervals_are_there_where_photos_are_drawn_again_and_0_gives_none() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 23, true);
    let model = model(bench.dir(), "head", 7, classes(), b"trunk");
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let accuracy = |resamples| {
        let made = bench.run(&Evaluate, &json!({ "resamples": resamples }), &inputs, &[]).unwrap();
        let text = made.summary.text.clone().unwrap();
        (metrics(&made).models["head"].plain.measured.accuracy(), text.lines().nth(1).unwrap().to_owned())
    };
    let ((none, row_without), (some, row_with)) = (accuracy(0), accuracy(200));
    assert!(none.interval.is_none() && !row_without.contains(" to "), "{none:?} {row_without}");
    let Interval { low, high } = some.interval.unwrap();
    assert!(some.value == none.value && low < some.value && some.value < high, "{some:?}");
    assert!(row_with.contains(&format!("{low:.4} to {high:.4}")), "{row_with}");
    let problems = Evaluate.resolve(&json!({"resamples": 10_001})).unwrap_err();
    assert_eq!(problems[0].message, "expected 0 to 10000, found 10001");
}

#[test]
fn a_model_trained_on_photos_of_another_size_is_refused() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 3, true);
    let model = model(bench.dir(), "head", 1, classes(), b"trunk");
    let path = model.path("model.json");
    let mut record = ModelRecord::read(&path).unwrap();
    record.preprocessing.size = 128;
    record.write(&path).unwrap();
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let message = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap_err().to_string();
    assert!(message.starts_with("model `head` takes photos prepared as {\"size\":128,"), "{message}");
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
    assert_eq!(run(two), "model `two` knows the classes cats, dogs, but the photos have cats, dogs, emus");
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
    assert_eq!(
        run(&unlabelled, "valid"),
        "cannot measure on valid: none of the 3 valid photos in the input `features` has a label"
    );
    assert_eq!(
        run(&labelled, "test"),
        "cannot measure on test: there are no test photos in the input `features`"
    );
}

/// Raise `Evaluate::VERSION` when this fails: a loss within 0.1 % of that of version 4, and the same counts.
#[test]
fn version_4_measures_this_in_a_table() {
    let bench = StageBench::default();
    let features = features(bench.dir(), 23, true);
    let model = model(bench.dir(), "head", 7, classes(), b"trunk");
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();
    let metrics = metrics(&made);
    let head = &metrics.models["head"].plain;
    let log_loss = head.measured.log_loss().value;
    assert!((log_loss / 1.440_971 - 1.0).abs() < 1e-3, "{log_loss}");
    assert_eq!(head.confusion, [[4, 4, 0], [4, 3, 1], [3, 4, 0]]);
    let trunk = FeatureTrunk {
        arch: "resnet18".to_owned(),
        trunk: Digest::of(b"trunk").to_string(),
        is_of_detailed_model: true,
    };
    assert_eq!((metrics.format, metrics.features, metrics.classes_without_photos), (3, Some(trunk), vec![]));
    let csv = fs_err::read_to_string(made.artifact.path("confusion/head.csv")).unwrap();
    assert_eq!(csv, "actual \\ predicted,cats,dogs,emus\ncats,4,4,0\ndogs,4,3,1\nemus,3,4,0\n");
}
