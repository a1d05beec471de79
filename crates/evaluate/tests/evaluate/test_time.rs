//! Test-time augmentation.

use pipeline_evaluate::Evaluate;
use pipeline_nn::Device;
use pipeline_nn::artifact::Model;
use pipeline_photo::{Augmenter, Planes, Policy, test_time};
use pipeline_stage::{AnyStage, Artifact};
use pipeline_table::{ImageRow, Mode, PredictionRow};
use pipeline_testkit::StageBench;
use serde_json::json;

use crate::fixtures::{
    augmentation, batch_of_one, features, images, metrics, model, off, photo, plain_view, policy,
    predictions, valid,
};

const SEED: u64 = 42;

/// Of each usable photo of valid: probabilities of the plain view, then of `views` augmented ones, by hand.
fn by_hand(model: &Artifact, images: &Artifact, views: u32) -> Vec<Vec<Vec<f32>>> {
    let model = Model::load(&model.dir, Device::Cpu).unwrap();
    let preprocessing = model.record.preprocessing;
    let probs = |x| -> Vec<f32> { model.log_probs(&x).unwrap().exp().view(-1).try_into().unwrap() };
    let mut augmenter = Augmenter::new(policy());
    let mut of = |row: &ImageRow| {
        let photo = photo(images, row);
        let mut all = vec![probs(plain_view(&preprocessing, &photo))];
        for view in 1..=views {
            let mut random = test_time::stream(SEED, &row.id, view).start();
            let numbers = policy().draw(&mut random, photo.width(), photo.height());
            let mut planes = Planes::default();
            augmenter.photo(&photo).make(&numbers, preprocessing.size, &mut planes);
            preprocessing.normalise_planes(&mut planes);
            all.push(probs(batch_of_one(&planes)));
        }
        all
    };
    valid(images).iter().map(&mut of).collect()
}

/// The mean over views of each class.
fn mean(views: &[Vec<f32>]) -> Vec<f32> {
    (0..3).map(|class| views.iter().map(|view| view[class]).sum::<f32>() / views.len() as f32).collect()
}

fn rows_of<'a>(rows: &'a [PredictionRow], model: &str, mode: Mode) -> Vec<&'a PredictionRow> {
    rows.iter().filter(|row| row.model == model && row.mode == mode).collect()
}

#[test]
fn the_prediction_is_the_mean_of_the_probabilities_of_the_plain_view_and_the_random_ones() {
    let mut bench = StageBench::default();
    bench.seed = SEED;
    let (images, augment) = (images(bench.dir(), 6), augmentation(bench.dir(), policy()));
    let model = model(bench.dir(), "finetune", 1, 1, 36);
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"tta": 3, "dtype": "f32"}), &inputs, &[]).unwrap();
    let rows = predictions(&made);
    let modes: Vec<Mode> = rows.iter().map(|row| row.mode).collect();
    assert_eq!(modes, [Mode::Plain, Mode::Tta].repeat(5));

    let mut moved = 0f32;
    for (rows, views) in rows.chunks_exact(2).zip(by_hand(&model, &images, 3)) {
        let [plain, tta] = rows else { panic!("{rows:?}") };
        let expected = mean(&views);
        assert!(off(&plain.probs, &views[0]) < 1e-4, "{plain:?}, expected {:?}", views[0]);
        assert!(off(&tta.probs, &expected) < 1e-4, "{tta:?}, expected {expected:?}");
        if let Some(label) = tta.label_id {
            let loss = -expected[label as usize].ln();
            assert!((tta.loss.unwrap() - loss).abs() < 1e-3 * loss.max(1.0), "{tta:?}, expected {loss}");
        }
        let most = (0..3).max_by(|a, b| tta.probs[*a].total_cmp(&tta.probs[*b])).unwrap();
        assert_eq!((tta.predicted_id as usize, tta.confidence), (most, tta.probs[most]));
        moved = moved.max(off(&views[0], &expected));
    }
    assert!(moved > 1e-3, "the views are told apart: {moved}");
}

/// A table of made-up features shows that its plain view is the one that counts, and the photos' is not.
#[test]
fn plain_views_in_the_table_are_averaged_with_random_views_of_the_photos() {
    let mut bench = StageBench::default();
    bench.seed = SEED;
    let (images, augment) = (images(bench.dir(), 6), augmentation(bench.dir(), policy()));
    let [head, finetune] =
        [("head", 1), ("finetune", 2)].map(|(stage, seed)| model(bench.dir(), stage, seed, seed, 36));
    let made_up = |i: usize| (0..2560).map(|d| ((d + 7 * i) as f32).sin()).collect();
    let features = features(bench.dir(), &head, &images, Some(made_up));
    let inputs = [
        ("features", vec![&features]),
        ("images", vec![&images]),
        ("augment", vec![&augment]),
        ("models", vec![&head, &finetune]),
    ];
    let made = bench.run(&Evaluate, &json!({"tta": 2, "dtype": "f32"}), &inputs, &[]).unwrap();
    let rows = predictions(&made);
    assert_eq!(rows.len(), 5 * 2 * 2);
    for model in [&head, &finetune] {
        let (plain, tta) =
            (rows_of(&rows, &model.stage, Mode::Plain), rows_of(&rows, &model.stage, Mode::Tta));
        for ((plain, tta), mut views) in plain.iter().zip(&tta).zip(by_hand(model, &images, 2)) {
            if model.stage == "head" {
                views[0] = plain.probs.clone();
            }
            let expected = mean(&views);
            assert!(off(&tta.probs, &expected) < 1e-4, "{tta:?}, expected {expected:?}");
        }
    }
    let without = [("features", vec![&features]), ("models", vec![&head])];
    let of_table = predictions(&bench.run(&Evaluate, &json!({}), &without, &[]).unwrap());
    assert_eq!(rows_of(&rows, "head", Mode::Plain), of_table.iter().collect::<Vec<_>>());
}

#[test]
fn metrics_matrices_and_the_summary_have_both_modes() {
    let bench = StageBench::default();
    let (images, augment) = (images(bench.dir(), 9), augmentation(bench.dir(), policy()));
    let model = model(bench.dir(), "finetune", 1, 1, 36);
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"tta": 1}), &inputs, &[]).unwrap();
    let (rows, plain) = (predictions(&made), metrics(&made).models.remove("finetune").unwrap());
    let tta = plain.tta.clone().unwrap();
    for (mode, metrics) in [(Mode::Plain, &plain), (Mode::Tta, &*tta)] {
        let labelled = rows.iter().filter(|row| row.mode == mode && row.label_id.is_some());
        let labelled: Vec<&PredictionRow> = labelled.collect();
        let right = labelled.iter().filter(|row| row.label_id == Some(row.predicted_id)).count();
        assert_eq!((metrics.photos, metrics.accuracy), (7, right as f64 / 7.0));
        let loss = labelled.iter().map(|row| f64::from(row.loss.unwrap())).sum::<f64>() / 7.0;
        assert!((metrics.log_loss - loss).abs() < 1e-6, "{} {loss}", metrics.log_loss);
    }
    assert!(plain.log_loss != tta.log_loss && tta.tta.is_none());
    let csvs: Vec<&String> = made.artifact.files.keys().filter(|file| file.ends_with(".csv")).collect();
    assert_eq!(csvs, ["confusion/finetune.csv", "confusion/finetune.tta.csv"]);
    let summary = &made.summary;
    let line = format!("accuracy finetune {:.4} (tta {:.4})", plain.accuracy, tta.accuracy);
    assert_eq!(summary.line, line);
    let names: Vec<&String> = summary.metrics.keys().collect();
    let expected =
        ["finetune.accuracy", "finetune.log_loss", "finetune.tta.accuracy", "finetune.tta.log_loss"];
    assert_eq!(names, expected);
    assert_eq!(summary.metrics["finetune.tta.log_loss"], tta.log_loss);
    let text = summary.text.as_ref().unwrap();
    assert!(text.contains("\n\nfinetune, mean of 2 views, on 7 valid photos: accuracy "), "{text}");
}

/// 18 views of a photo are more than go through a trunk at once.
#[test]
fn results_have_the_same_bytes_for_any_number_of_threads() {
    let mut bench = StageBench::default();
    let (images, augment) = (images(bench.dir(), 6), augmentation(bench.dir(), policy()));
    let models = [("head", 1), ("finetune", 2)].map(|(stage, seed)| model(bench.dir(), stage, seed, 1, 33));
    let features = features(bench.dir(), &models[0], &images, None);
    let inputs = [
        ("features", vec![&features]),
        ("images", vec![&images]),
        ("augment", vec![&augment]),
        ("models", vec![&models[0], &models[1]]),
    ];
    let mut files = vec![];
    for threads in [1, 3] {
        bench.threads = threads;
        files.push(bench.run(&Evaluate, &json!({"tta": 17}), &inputs, &[]).unwrap().artifact.files);
    }
    assert_eq!(files[0], files[1]);
}

#[test]
fn the_seed_draws_the_views_and_neither_it_nor_the_policy_matters_without_them() {
    let mut bench = StageBench::default();
    let (images, augment) = (images(bench.dir(), 5), augmentation(bench.dir(), policy()));
    let none = Policy { border: Default::default(), steps: vec![] };
    let other = augmentation(&bench.dir().join("other"), none);
    let model = model(bench.dir(), "finetune", 1, 1, 36);
    let mut run = |tta: u32, augment: &Artifact, seed| {
        bench.seed = seed;
        let inputs = [("images", vec![&images]), ("augment", vec![augment]), ("models", vec![&model])];
        bench.run(&Evaluate, &json!({ "tta": tta }), &inputs, &[]).unwrap().artifact.files
    };
    let plain = run(0, &augment, 1);
    assert_eq!(plain, run(0, &augment, 2));
    assert_eq!(plain, run(0, &other, 1));
    let drawn = run(2, &augment, 1);
    assert_eq!(drawn, run(2, &augment, 1));
    assert_ne!(drawn, run(2, &augment, 2));
    assert_ne!(drawn, run(2, &other, 1));
}

#[test]
fn more_than_64_views_are_refused() {
    let problems = Evaluate.resolve(&json!({"tta": 65})).unwrap_err();
    assert_eq!(problems[0].message, "expected 0 to 64 views, found 65");
    assert!(Evaluate.resolve(&json!({"tta": 64})).is_ok());
}

/// Raise `Evaluate::VERSION` when this fails: probabilities within 0.1 % of those that version 2 wrote.
#[test]
fn version_2_says_this_of_photos() {
    let mut bench = StageBench::default();
    bench.seed = SEED;
    let (images, augment) = (images(bench.dir(), 5), augmentation(bench.dir(), policy()));
    let model = model(bench.dir(), "finetune", 1, 1, 36);
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"tta": 2, "dtype": "f32"}), &inputs, &[]).unwrap();
    let found: Vec<[f32; 3]> =
        predictions(&made).into_iter().map(|row| row.probs.try_into().unwrap()).collect();
    let off = found.iter().flatten().zip(GOLDEN.iter().flatten()).map(|(a, b)| (a / b - 1.0).abs());
    assert!(off.fold(0f32, f32::max) < 1e-3 && found.len() == GOLDEN.len(), "{found:?}");
}

/// Plain and augmented, of photos 0, 1, 3 and 4.
const GOLDEN: [[f32; 3]; 8] = [
    [0.508558, 0.38135362, 0.110088415],
    [0.5601086, 0.33784574, 0.102045625],
    [0.47537994, 0.4175571, 0.10706295],
    [0.4906567, 0.3980518, 0.11129147],
    [0.52475476, 0.3492987, 0.12594657],
    [0.51937914, 0.33914348, 0.14147736],
    [0.58408874, 0.27787673, 0.13803451],
    [0.56074876, 0.32620406, 0.11304718],
];
