//! What cannot be trained, with the way out.

use pipeline_finetune::Finetune;
use pipeline_stage::AnyStage;
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::{Inputs, augmentation, images, model};

/// Place, message and hint of each problem.
fn problems(params: Value) -> Vec<(String, String, String)> {
    let problems = Finetune.resolve(&params).unwrap_err();
    let told = |p: pipeline_stage::Problem| (p.path.join("."), p.message, p.hint.unwrap_or_default());
    problems.into_iter().map(told).collect()
}

#[test]
fn a_wrong_number_of_rates_is_a_problem_of_lr_that_names_the_layer_groups() {
    let told = |place: &str, message: &str, hint: &str| {
        vec![(place.to_owned(), message.to_owned(), hint.to_owned())]
    };
    assert_eq!(
        problems(json!({"lr": [1e-3, 1e-2]})),
        told(
            "lr",
            "2 rates for 3 layer groups",
            "give 1 rate for all, or 3: first part of the trunk, rest of the trunk, head"
        )
    );
    assert_eq!(
        problems(json!({"freeze": "first", "lr": [1e-4, 1e-3, 1e-2]})),
        told("lr", "3 rates for 2 layer groups", "give 1 rate for all, or 2: rest of the trunk, head")
    );
    assert_eq!(
        problems(json!({"freeze": "trunk", "weight_decay": [0.1, 0.2]})),
        told("weight_decay", "2 numbers for 1 layer group", "give 1 number, for head")
    );
}

#[test]
fn a_size_out_of_range_is_a_problem_of_its_place() {
    let told = problems(json!({"sizes": [32, 31, 1024, 1025]}));
    let expected = [("sizes.1", 31), ("sizes.3", 1025)].map(|(place, size)| {
        (place.to_owned(), format!("expected 32 to 1024 pixels, found {size}"), String::new())
    });
    assert_eq!(told, expected);
}

#[test]
fn a_model_of_other_classes_is_refused_with_both_lists() {
    let bench = StageBench::default();
    let inputs = Inputs { model: model(bench.dir(), 3), ..Inputs::plain(&bench) };
    // `plain` made a model of two classes in the same place.
    let inputs = Inputs { images: images(&bench.dir().join("three"), 6, 3, 3), ..inputs };
    let (message, hint) = inputs.fail(&bench, &json!({}));
    assert_eq!(message, "the model knows the classes cats, dogs, but the photos have cats, dogs, eels");
    assert_eq!(hint, "in the pipeline file, give finetune the photos that the model was trained on");
}

#[test]
fn too_few_photos_are_refused_with_the_way_out() {
    let bench = StageBench::default();
    let inputs = |train, classes| Inputs {
        images: images(&bench.dir().join(format!("{train}")), train, 3, classes),
        model: model(bench.dir(), classes),
        augment: None,
    };
    let (message, hint) = inputs(1, 2).fail(&bench, &json!({}));
    assert_eq!(message, "expected at least 2 photos to train on, found 1");
    assert!(hint.starts_with("put more photos into train/"), "{hint}");
    let (message, hint) = inputs(2, 3).fail(&bench, &json!({}));
    assert_eq!(
        message,
        "expected at least one photo to train on for each class, found 2 photos for 3 classes"
    );
    assert!(hint.starts_with("put more photos into train/"), "{hint}");
}

#[test]
fn a_rate_that_is_too_high_stops_with_step_rates_and_the_way_out() {
    let bench = StageBench::default();
    let (message, hint) = Inputs::plain(&bench).fail(&bench, &json!({"lr": 1e30, "epochs": 9}));
    assert!(message.starts_with("the loss became "), "{message}");
    assert!(message.contains(" in epoch 1, step "), "{message}");
    assert!(message.ends_with(", at learning rate [1e30, 1e30, 1e30]"), "{message}");
    assert!(hint.starts_with("try a lower rate: the lesson's is 0.01, or `clip: 1.0`"), "{hint}");
}

#[test]
fn a_photo_that_changed_and_a_policy_that_cannot_be_read_are_named() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    let augment = augmentation(bench.dir(), json!({}));
    fs_err::write(augment.path("policy.json"), r#"{"format": 2}"#).unwrap();
    let inputs = Inputs { augment: Some(augment), ..inputs };
    let (message, hint) = inputs.fail(&bench, &json!({}));
    let expected = "cannot read the augmentation policy of the input `augment`: `format`: expected the form 1 of the record, found 2";
    assert_eq!(
        (message.as_str(), hint.as_str()),
        (expected, "make the artifact again with `--force augment`")
    );

    fs_err::write(inputs.images.sources["photos"].join("train/003.png"), b"another").unwrap();
    let inputs = Inputs { augment: None, ..inputs };
    let (message, _) = inputs.fail(&bench, &json!({"freeze": "trunk"}));
    assert_eq!(message, "photo `train/003.png` changed since it was ingested");
}

#[test]
fn without_valid_photos_it_trains_and_says_so() {
    let bench = StageBench::default();
    let inputs = Inputs { images: images(bench.dir(), 6, 0, 2), ..Inputs::plain(&bench) };
    let inputs = Inputs { images: images(&bench.dir().join("none"), 6, 0, 2), ..inputs };
    let made = inputs.train(&bench, &json!({"freeze": "trunk", "epochs": 1}));
    assert_eq!(made.summary.notes, ["there are no labelled valid photos, so the accuracy is not known"]);
}
