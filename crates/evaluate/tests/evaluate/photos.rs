//! Models whose trunk looks at the photos.

use pipeline_evaluate::{Evaluate, FeatureTrunk};
use pipeline_nn::artifact::ModelRecord;
use pipeline_stage::{AnyStage, Artifact};
use pipeline_table::PredictionRow;
use pipeline_testkit::StageBench;
use serde_json::json;

use crate::fixtures::{features, images, metrics, model, off, plain_log_probs, predictions, warnings};

/// Of one model.
fn rows_of(predictions: &[PredictionRow], model: &str) -> Vec<PredictionRow> {
    predictions.iter().filter(|row| row.model == model).cloned().collect()
}

#[test]
fn a_model_says_the_same_of_photos_and_of_their_features() {
    let bench = StageBench::default();
    let (images, head) = (images(bench.dir(), 8), model(bench.dir(), "head", 1, 1, 36));
    let features = features(bench.dir(), &head, &images, None);
    let run = |input: &str, artifact: &Artifact| {
        let inputs = [(input, vec![artifact]), ("models", vec![&head])];
        bench.run(&Evaluate, &json!({"dtype": "f32"}), &inputs, &[]).unwrap()
    };
    let [of_photos, of_features] =
        [run("images", &images), run("features", &features)].map(|made| predictions(&made));
    let ids: Vec<&str> = of_photos.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, [0, 1, 3, 4, 5, 6, 7].map(|i| format!("valid/{i:03}.png")), "number 2 is bad");
    let by_hand = plain_log_probs(&head, &images);
    for ((a, b), log_probs) in of_photos.iter().zip(&of_features).zip(by_hand) {
        let expected: Vec<f32> = log_probs.iter().map(|lp| lp.exp()).collect();
        assert!(off(&a.probs, &expected) < 1e-4, "{}: {:?}, expected {expected:?}", a.id, a.probs);
        assert!(off(&a.probs, &b.probs) < 1e-4, "{}: {:?}, of features {:?}", a.id, a.probs, b.probs);
        assert_eq!((&a.id, &a.label, a.label_id, a.split), (&b.id, &b.label, b.label_id, b.split));
    }
    let spread = of_photos.iter().map(|row| off(&row.probs, &of_photos[0].probs)).fold(0f32, f32::max);
    assert!(spread > 0.01, "the photos are told apart: {spread}");
}

#[test]
fn bad_photos_have_no_row_and_unlabelled_ones_do_not_count() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 8), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"dtype": "f32"}), &inputs, &[]).unwrap();
    let rows = predictions(&made);
    assert_eq!(rows.len(), 7);
    let unlabelled: Vec<&PredictionRow> = rows.iter().filter(|row| row.loss.is_none()).collect();
    assert_eq!((unlabelled.len(), unlabelled[0].id.as_str()), (1, "valid/003.png"));
    let model = &metrics(&made).models["finetune"];
    assert_eq!(model.plain.measured.photos(), 6);
    let loss: f64 = rows.iter().filter_map(|row| row.loss).map(f64::from).sum();
    let log_loss = model.plain.measured.log_loss().value;
    assert!((log_loss - loss / 6.0).abs() < 1e-6, "{log_loss} {}", loss / 6.0);
    assert_eq!(model.plain.confusion.iter().flatten().sum::<u64>(), 6);
    assert!(model.tta.is_none());
}

#[test]
fn a_model_is_fed_by_the_table_where_it_fits_and_by_the_photos_where_not() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 8);
    let head = model(bench.dir(), "head", 1, 1, 36);
    let finetune = model(bench.dir(), "finetune", 2, 2, 36);
    let small = model(bench.dir(), "small", 1, 3, 33);
    // Features that no photo has show where predictions come from.
    let made_up = |i: usize| (0..2560).map(|d| ((d + 7 * i) as f32).sin()).collect();
    let features = features(bench.dir(), &head, &images, Some(made_up));
    let run = |inputs: &[(&str, Vec<&Artifact>)]| {
        predictions(&bench.run(&Evaluate, &json!({"dtype": "f32"}), inputs, &[]).unwrap())
    };
    let models = vec![&head, &finetune, &small];
    let together = run(&[("features", vec![&features]), ("images", vec![&images]), ("models", models)]);
    let order: Vec<(&str, &str)> =
        together[..4].iter().map(|row| (&row.id[6..9], row.model.as_str())).collect();
    assert_eq!(order, [("000", "head"), ("000", "finetune"), ("000", "small"), ("001", "head")]);
    assert_eq!(together.len(), 3 * 7);

    let of_table = run(&[("features", vec![&features]), ("models", vec![&head])]);
    assert_eq!(rows_of(&together, "head"), of_table);
    for other in [&finetune, &small] {
        let rows = rows_of(&together, &other.stage);
        for (row, log_probs) in rows.iter().zip(plain_log_probs(other, &images)) {
            let expected: Vec<f32> = log_probs.iter().map(|lp| lp.exp()).collect();
            assert!(off(&row.probs, &expected) < 1e-4, "{row:?}, expected {expected:?}");
        }
    }
}

#[test]
fn models_that_share_a_trunk_load_it_once_unless_they_see_photos_of_another_size() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 5);
    let models = [("head", 1, 36), ("last_layer", 2, 36), ("small", 3, 33)];
    let models = models.map(|(stage, head, size)| model(bench.dir(), stage, 7, head, size));
    let expected = models.each_ref().map(|model| plain_log_probs(model, &images));
    // Nobody asks for this one, as that of `head` is the same.
    fs_err::remove_file(models[1].path("trunk.safetensors")).unwrap();
    let inputs = [("images", vec![&images]), ("models", models.iter().collect())];
    let made = bench.run(&Evaluate, &json!({"dtype": "f32"}), &inputs, &[]).unwrap();
    for (model, expected) in models.iter().zip(expected) {
        let rows = rows_of(&predictions(&made), &model.stage);
        assert_eq!(rows.len(), 4);
        for (row, log_probs) in rows.iter().zip(expected) {
            let expected: Vec<f32> = log_probs.iter().map(|lp| lp.exp()).collect();
            assert!(off(&row.probs, &expected) < 1e-4, "{row:?}, expected {expected:?}");
        }
    }
}

#[test]
fn without_features_it_is_said_that_labels_are_not_checked_and_how_they_would_be() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 8), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"label_issues": 0}), &inputs, &[]).unwrap();
    assert!(warnings(&bench).is_empty() && metrics(&made).features.is_none());
    bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();
    let [warning] = &warnings(&bench)[..] else { panic!("{:?}", warnings(&bench)) };
    let expected = "labels were not checked, nor near duplicates and outliers looked for: evaluate has no input `features`; \
                    give it one in the pipeline file, or set `label_issues: 0`";
    assert_eq!(warning, expected);
}

#[test]
fn features_of_a_trunk_that_the_detailed_model_has_trained_further_are_said_to_be_of_another() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 8);
    let [head, finetune] = [("head", 1), ("finetune", 2)].map(|(n, seed)| model(bench.dir(), n, seed, 1, 36));
    let features = features(bench.dir(), &head, &images, None);
    let run = |detailed: &str| {
        let inputs =
            [("features", vec![&features]), ("images", vec![&images]), ("models", vec![&head, &finetune])];
        let made = bench.run(&Evaluate, &json!({ "report_model": detailed }), &inputs, &[]).unwrap();
        let page = fs_err::read_to_string(made.artifact.path("report.html")).unwrap();
        (metrics(&made).features.unwrap(), page)
    };
    let trunk = ModelRecord::read(&head.path("model.json")).unwrap().trunk.to_string();
    let by =
        format!("is by the features of efficientnet_lite0 as pretrained ({}…), not of finetune", &trunk[..8]);
    for (detailed, is_own) in [("head", true), ("finetune", false)] {
        let (found, page) = run(detailed);
        let expected = FeatureTrunk {
            arch: "efficientnet_lite0".to_owned(),
            trunk: trunk.clone(),
            is_of_detailed_model: is_own,
        };
        assert_eq!(found, expected);
        assert_eq!(page.contains(&by), !is_own, "{detailed}: {by}");
    }
}

/// More photos than a batch, and a short one at the end.
#[test]
fn results_have_the_same_bytes_for_any_number_of_threads() {
    let mut bench = StageBench::default();
    let images = images(bench.dir(), 21);
    let models = [("head", 1), ("finetune", 2)].map(|(stage, seed)| model(bench.dir(), stage, seed, 1, 36));
    let features = features(bench.dir(), &models[0], &images, None);
    let inputs =
        [("features", vec![&features]), ("images", vec![&images]), ("models", vec![&models[0], &models[1]])];
    let mut files = vec![];
    for threads in [1, 2, 3] {
        bench.threads = threads;
        files.push(bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap().artifact.files);
    }
    assert_eq!(files[0], files[1]);
    assert_eq!(files[0], files[2]);
}

#[test]
fn bfloat16_is_near_float32_and_auto_is_settled_to_one_of_them() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 6), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let run = |dtype| predictions(&bench.run(&Evaluate, &json!({ "dtype": dtype }), &inputs, &[]).unwrap());
    let worst = run("f32").iter().zip(run("bf16")).map(|(a, b)| off(&a.probs, &b.probs)).fold(0f32, f32::max);
    assert!(worst > 0.0 && worst < 0.1, "{worst}");
    let settled = Evaluate.resolve(&json!({})).unwrap();
    assert!(settled["dtype"] == "f32" || settled["dtype"] == "bf16", "{settled}");
}
