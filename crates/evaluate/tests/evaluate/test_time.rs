//! Test-time augmentation.

use pipeline_evaluate::Evaluate;
use pipeline_nn::Device;
use pipeline_nn::artifact::Model;
use pipeline_photo::{Augmenter, Planes, Policy, TestViews, test_time};
use pipeline_stage::{AnyStage, Artifact};
use pipeline_table::{ImageRow, Mode, PredictionRow};
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

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
    let (rows, metrics) = (predictions(&made), metrics(&made));
    let model = &metrics.models["finetune"];
    let (plain, tta) = (&model.plain.measured, &model.tta.as_ref().unwrap().measured);
    for (mode, measured) in [(Mode::Plain, plain), (Mode::Tta, tta)] {
        let labelled = rows.iter().filter(|row| row.mode == mode && row.label_id.is_some());
        let labelled: Vec<&PredictionRow> = labelled.collect();
        let right = labelled.iter().filter(|row| row.label_id == Some(row.predicted_id)).count();
        assert_eq!((measured.photos(), measured.accuracy().value), (7, right as f64 / 7.0));
        let loss = labelled.iter().map(|row| f64::from(row.loss.unwrap())).sum::<f64>() / 7.0;
        assert!((measured.log_loss().value - loss).abs() < 1e-6, "{:?} {loss}", measured.log_loss());
    }
    assert_ne!(plain.log_loss(), tta.log_loss());
    let compared = &metrics.comparisons[0];
    assert_eq!((compared.first.as_str(), compared.second.as_str()), ("finetune", "finetune.tta"));
    let matrices: Vec<&String> =
        made.artifact.files.keys().filter(|file| file.starts_with("confusion/")).collect();
    let expected = ["csv", "png", "shares.png", "tta.csv", "tta.png", "tta.shares.png"];
    assert_eq!(
        matrices,
        expected.map(|ending| format!("confusion/finetune.{ending}")).iter().collect::<Vec<_>>()
    );
    let summary = &made.summary;
    let line = format!("accuracy finetune {:.4} (tta {:.4})", plain.accuracy().value, tta.accuracy().value);
    assert_eq!(summary.line, line);
    let names: Vec<&String> = summary.metrics.keys().collect();
    let expected =
        ["finetune.accuracy", "finetune.log_loss", "finetune.tta.accuracy", "finetune.tta.log_loss"];
    assert_eq!(names, expected);
    assert_eq!(summary.metrics["finetune.tta.log_loss"], tta.log_loss().value);
    let text = summary.text.as_ref().unwrap();
    assert!(text.starts_with("7 valid photos ") && text.contains("\nfinetune (mean of 2 views)  "), "{text}");
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
    let mut run = |tta: Value, augment: &Artifact, seed| {
        bench.seed = seed;
        let inputs = [("images", vec![&images]), ("augment", vec![augment]), ("models", vec![&model])];
        predictions(&bench.run(&Evaluate, &json!({ "tta": tta }), &inputs, &[]).unwrap())
    };
    for fixed in [json!(0), json!("flip"), json!("ten_crop")] {
        let plain = run(fixed.clone(), &augment, 1);
        assert_eq!(plain, run(fixed.clone(), &augment, 2), "{fixed}");
        assert_eq!(plain, run(fixed.clone(), &other, 1), "{fixed}");
    }
    let drawn = run(json!(2), &augment, 1);
    assert_eq!(drawn, run(json!(2), &augment, 1));
    assert_ne!(drawn, run(json!(2), &augment, 2));
    assert_ne!(drawn, run(json!(2), &other, 1));
}

/// Of each usable photo of valid: probabilities of the plain view, of its mirror image, and of these views.
fn of_fixed(model: &Artifact, images: &Artifact, views: &TestViews) -> Vec<Vec<Vec<f32>>> {
    let model = Model::load(&model.dir, Device::Cpu).unwrap();
    let preprocessing = model.record.preprocessing;
    let probs = |x| -> Vec<f32> { model.log_probs(&x).unwrap().exp().view(-1).try_into().unwrap() };
    let of = |row: &ImageRow| {
        let photo = photo(images, row);
        let (policy, numbers) = views.of(&policy(), 0, "", (photo.width(), photo.height()));
        let mut augmenter = Augmenter::new(policy);
        let plain = plain_view(&preprocessing, &photo); // [1, 3, S, S]
        let mut all = vec![probs(plain.copy()), probs(plain.flip([3]))];
        for numbers in numbers {
            let mut planes = Planes::default();
            augmenter.photo(&photo).make(&numbers, preprocessing.size, &mut planes);
            preprocessing.normalise_planes(&mut planes);
            all.push(probs(batch_of_one(&planes)));
        }
        all
    };
    valid(images).iter().map(of).collect()
}

#[test]
fn flip_averages_the_plain_view_and_its_mirror_image_and_crops_only_themselves() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 5), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let cases = [
        ("flip", TestViews::Flip, 0..2),
        ("five_crop", TestViews::FiveCrop, 2..7),
        ("ten_crop", TestViews::TenCrop, 2..12),
    ];
    let mut moved = 0f32;
    for (tta, views, averaged) in cases {
        let params = json!({"tta": tta, "dtype": "f32", "view_probs": true});
        let rows = predictions(&bench.run(&Evaluate, &params, &inputs, &[]).unwrap());
        let by_hand = of_fixed(&model, &images, &views);
        assert_eq!(rows.len(), 2 * by_hand.len());
        for (rows, by_hand) in rows.chunks_exact(2).zip(by_hand) {
            let [plain, row] = rows else { panic!("{rows:?}") };
            assert!(off(&plain.probs, &by_hand[0]) < 1e-4 && plain.view_probs.is_none(), "{plain:?}");
            let (found, expected) = (row.view_probs.as_ref().unwrap(), &by_hand[averaged.clone()]);
            assert_eq!(found.len(), expected.len(), "{tta}");
            // The mirror image may be a row higher than that of the plain view, and is made by another resizer.
            let tolerance = if tta == "flip" { 1e-2 } else { 1e-4 };
            for (view, expected) in found.iter().zip(expected) {
                assert!(off(view, expected) < tolerance, "{tta} {}: {view:?}, expected {expected:?}", row.id);
            }
            assert!(off(&row.probs, &mean(found)) < 1e-6, "{tta}: {row:?}");
            moved = moved.max(off(&by_hand[0], &by_hand[1]));
        }
    }
    assert!(moved > 0.02, "the mirror image is told apart: {moved}");
}

#[test]
fn probabilities_of_views_are_in_the_table_where_asked_for() {
    let mut bench = StageBench::default();
    bench.seed = SEED;
    let (images, augment) = (images(bench.dir(), 5), augmentation(bench.dir(), policy()));
    let model = model(bench.dir(), "finetune", 1, 1, 36);
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("models", vec![&model])];
    let run = |view_probs| {
        let params = json!({"tta": 2, "dtype": "f32", "view_probs": view_probs});
        predictions(&bench.run(&Evaluate, &params, &inputs, &[]).unwrap())
    };
    assert!(run(false).iter().all(|row| row.view_probs.is_none()));
    for (row, expected) in rows_of(&run(true), "finetune", Mode::Tta).iter().zip(by_hand(&model, &images, 2))
    {
        let views = row.view_probs.as_ref().unwrap();
        assert_eq!(views.len(), 3);
        for (view, expected) in views.iter().zip(&expected) {
            assert!(off(view, expected) < 1e-4, "{view:?}, expected {expected:?}");
        }
    }
}

#[test]
fn other_forms_of_tta_are_refused_with_those_that_there_are() {
    let cases = [
        (json!(65), "expected 0 to 64 views, found 65"),
        (json!(-1), "a whole number from 0 to 64 or one of flip, five_crop, ten_crop, found the number -1"),
        (json!("five"), "or one of flip, five_crop, ten_crop, found the text `five`"),
    ];
    for (tta, message) in cases {
        let problems = Evaluate.resolve(&json!({ "tta": tta })).unwrap_err();
        assert!(problems[0].message.ends_with(message) && problems[0].path == ["tta"], "{problems:?}");
    }
    for tta in [json!(64), json!("flip"), json!("five_crop"), json!("ten_crop")] {
        assert_eq!(Evaluate.resolve(&json!({ "tta": tta })).unwrap()["tta"], tta);
    }
}

/// Raise `Evaluate::VERSION` when this fails: probabilities within 0.1 % of those that version 3 wrote.
#[test]
fn version_3_says_this_of_photos() {
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
