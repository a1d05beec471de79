//! What is refused, with the message and the way out.

use pipeline_evaluate::Evaluate;
use pipeline_nn::artifact::ModelRecord;
use pipeline_stage::{Artifact, Failure};
use pipeline_table::classes;
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::fixtures::{augmentation, features, images, model, policy};

fn refusal(bench: &StageBench, params: &Value, inputs: &[(&str, Vec<&Artifact>)]) -> (String, String) {
    match bench.run(&Evaluate, params, inputs, &[]).unwrap_err() {
        Failure::Failed { message, hint, .. } => (message, hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn neither_features_nor_photos_and_test_views_without_photos_or_policy() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 3), model(bench.dir(), "head", 1, 1, 36));
    let (message, hint) = refusal(&bench, &json!({}), &[("models", vec![&model])]);
    assert_eq!(
        message,
        "there is nothing to measure on: evaluate has neither the input `features` nor `images`"
    );
    assert!(hint.starts_with("in the pipeline file, give evaluate the `features`"), "{hint}");

    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let (message, hint) = refusal(&bench, &json!({"tta": 4}), &inputs);
    assert_eq!(message, "`tta: 4` needs photos and the training policy, but evaluate has no input `augment`");
    assert_eq!(hint, "in the pipeline file, give evaluate `augment`, or set `tta: 0`");

    let features = features(bench.dir(), &model, &images, None);
    let inputs = [("features", vec![&features]), ("models", vec![&model])];
    let (message, _) = refusal(&bench, &json!({"tta": "flip"}), &inputs);
    assert_eq!(message, "`tta: flip` needs photos, but evaluate has no input `images`");
}

#[test]
fn a_policy_that_cannot_be_read_names_the_place_in_it() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 3), model(bench.dir(), "head", 1, 1, 36));
    let augment = augmentation(bench.dir(), policy());
    let path = augment.path("policy.json");
    let text = fs_err::read_to_string(&path).unwrap().replace("\"flip\"", "\"flop\"");
    fs_err::write(&path, text).unwrap();
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("models", vec![&model])];
    let (message, _) = refusal(&bench, &json!({"tta": 1}), &inputs);
    let start = "cannot read the augmentation policy of the input `augment`: `steps.3.flop`: unknown transform `flop`";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn photos_of_the_table_that_are_not_those_of_images_are_named() {
    let bench = StageBench::default();
    let (few, many) = (images(&bench.dir().join("few"), 4), images(&bench.dir().join("many"), 6));
    let [head, finetune] = [("head", 1), ("finetune", 2)].map(|(n, seed)| model(bench.dir(), n, seed, 1, 36));
    let told = |of_table: &Artifact, images: &Artifact| {
        let features = features(&images.dir.join("table"), &head, of_table, None);
        let inputs =
            [("features", vec![&features]), ("images", vec![images]), ("models", vec![&head, &finetune])];
        refusal(&bench, &json!({}), &inputs)
    };
    let (message, hint) = told(&few, &many);
    assert_eq!(message, "the valid photo `valid/004.png` is in the input `images` and not in `features`");
    let way = "in the pipeline file, give evaluate the images that the features were made of, and put valid into the `splits` of precompute";
    assert_eq!(hint, way);
    let (message, _) = told(&many, &few);
    assert_eq!(message, "the valid photo `valid/004.png` is in the input `features` and not in `images`");
}

#[test]
fn a_model_of_other_classes_and_photos_without_labels() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 3), model(bench.dir(), "head", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let (message, hint) = refusal(&bench, &json!({"split": "test"}), &inputs);
    assert_eq!(message, "cannot measure on test: there are no test photos in the input `images`");
    let way = "add photos to test/, in a folder for each class, or measure on valid: set `split: valid`";
    assert_eq!(hint, way);
    classes::write(&images.path("classes.json"), &["cats".to_owned(), "dogs".to_owned()]).unwrap();
    let (message, _) = refusal(&bench, &json!({}), &inputs);
    assert_eq!(message, "model `head` knows the classes cats, dogs, emus, but the photos have cats, dogs");
}

#[test]
fn a_model_folder_whose_trunk_changed_on_the_disk() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 3), model(bench.dir(), "head", 1, 1, 36));
    let path = model.path("trunk.safetensors");
    let mut bytes = fs_err::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let (message, _) = refusal(&bench, &json!({}), &inputs);
    let expected = ModelRecord::read(&model.path("model.json")).unwrap().trunk;
    let start = "trunk.safetensors` is not the file that model.json names: expected the digest";
    assert!(message.contains(&format!("{start} {expected}, found ")), "{message}");
}

#[test]
fn a_photo_that_changed_since_it_was_ingested_is_named() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 5), model(bench.dir(), "head", 1, 1, 36));
    fs_err::write(images.sources["photos"].join("valid/004.png"), b"another").unwrap();
    let (message, hint) = refusal(&bench, &json!({}), &[("images", vec![&images]), ("models", vec![&model])]);
    assert_eq!(message, "photo `valid/004.png` changed since it was ingested");
    assert_eq!(hint, "run again: ingest will look at the folder anew");
}

#[test]
fn a_cancelled_run_stops() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 5), model(bench.dir(), "head", 1, 1, 36));
    let features = features(bench.dir(), &model, &images, None);
    bench.cancel.cancel();
    for (input, artifact) in [("images", &images), ("features", &features)] {
        let inputs = [(input, vec![artifact]), ("models", vec![&model])];
        let failure = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap_err();
        assert!(matches!(failure, Failure::Cancelled), "{failure}");
    }
}
