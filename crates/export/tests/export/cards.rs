//! The card of a model folder, and folders that no stage has made.

use pipeline_export::{
    CARD_FILE, Evaluation, Format, ModelFolder, Precision, Provenance, Training, TrainingData, export,
};
use pipeline_fit::{ClassMeasures, Estimate, Interval};
use pipeline_nn::artifact::{BackboneRecord, HEAD_FILE, MODEL_FILE};
use pipeline_nn::{Pool, backbones};
use serde_json::json;

use crate::model;

fn card(folder: &ModelFolder, provenance: &Provenance, to: &std::path::Path) -> String {
    export(folder, provenance, Format::Folder, Precision::F32, to, false).unwrap();
    fs_err::read_to_string(to.join(CARD_FILE)).unwrap()
}

fn class(recall: f64, support: u64) -> ClassMeasures {
    let recall = Some(Estimate::exact(recall));
    ClassMeasures {
        support,
        predicted: support,
        precision: recall,
        recall,
        f1: recall,
        roc_auc: None,
        average_precision: None,
    }
}

#[test]
fn a_card_says_what_is_known_and_names_stay_words() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "resnet18", Pool::MaxAvg, 64);
    let photos = json!({
        "photos": {"train": {"cats": 2000, "<img src=x onerror=alert(1)>": 7}, "test": {"unlabelled": 200}},
        "verdicts": {"ok": 2207, "bad": 3}, "format": 1,
    });
    let interval = Some(Interval { low: 0.97, high: 0.99 });
    let provenance = Provenance {
        backbone: Some(BackboneRecord::new(backbones::find("resnet18").unwrap(), "f37072fd", true)),
        training: Some(Training {
            kind: "head".to_owned(),
            seed: Some(42),
            params: [("lr".to_owned(), json!(0.01)), ("ema".to_owned(), json!(null))].into(),
        }),
        data: Some(serde_json::from_value::<TrainingData>(photos).unwrap()),
        evaluation: Some(Evaluation {
            split: "valid".to_owned(),
            photos: 1000,
            errors: 17,
            measures: vec![("accuracy (higher is better)", Estimate { value: 0.983, interval })],
            per_class: vec![class(0.99, 500), class(0.75, 400), class(0.9, 100)],
        }),
    };
    let card = card(&folder, &provenance, &dir.path().join("out"));
    for part in [
        "# resnet18, 3 classes\n",
        "| 0 | cats | 2,000 |\n",
        "| 1 | a \"quoted\" \\| dög\\\\u\\{a\\}\\# heading | 0 |\n",
        "| 2 | &lt;img src=x onerror=alert\\(1\\)&gt; | 7 |\n",
        "| trunk | resnet18, 11,176,512 parameters |\n",
        "| pooling | maximum, then average, over all places: 1,024 features |\n",
        "Linear 1,024 to 24, ReLU, BatchNorm, dropout 0.5, Linear 24 to 3, softmax; 26,771 parameters |\n",
        "| source | torchvision, IMAGENET1K\\_V1 |\n",
        "| licence | BSD-3-Clause |\n",
        "the shorter side has 64 pixels",
        "4. divide by 255, subtract 0.485, 0.456, 0.406 and divide by 0.229, 0.224, 0.225 (red, green, blue)\n",
        "Trained by a stage of kind head, seed 42: lr 0\\.01.\n",
        "| test | 200, 200 of them without label |\n| train | 2,007 |\n\n3 more files were set aside as unusable.",
        "On 1,000 labelled photos of valid, each seen once and unchanged; 17 wrong.",
        "| accuracy (higher is better) | 0.9830 | 0.9700 to 0.9900 |\n",
        "finds least often is a \"quoted\" \\| dög\\\\u\\{a\\}\\# heading: 75.0 % of 400 photos",
        "- 2 classes had fewer than 50 photos to train on, a \"quoted\"",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
    assert!(
        !card.contains("<img") && !card.contains("Not known") && !card.contains("licence of the"),
        "{card}"
    );
}

#[test]
fn a_card_says_what_is_not_known_and_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "efficientnet_lite0", Pool::Avg, 64);
    let card = card(&folder, &Provenance::default(), &dir.path().join("out"));
    for part in [
        "| index | class |\n|---|---|\n| 0 | cats |\n",
        "Not known: the artifact of the stage `backbone` was not found beside the model.",
        "How it was trained is not known",
        "The photos that it was trained on are not known",
        "Not known: no evaluation of this model was found beside it. Run its config up to `evaluate`, or name the folder of an \
         evaluation with `--report`.",
        "- How good it is was not measured here",
        "- The licence of the pretrained weights is not known",
        "| pooling | average over all places: 1,280 features |\n",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
}

#[test]
fn folders_that_hold_no_model_or_parts_of_two_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("model");
    let refused = || {
        let error = ModelFolder::open(&at).map(drop).unwrap_err().to_string();
        error.replace(&dir.path().display().to_string(), "DIR")
    };
    assert_eq!(refused(), "found no model in `DIR/model`: it has no model.json");
    drop(model::random(&at, "resnet18", Pool::MaxAvg, 64));
    let record: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(at.join(MODEL_FILE)).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut other = record.clone();
        change(&mut other);
        fs_err::write(at.join(MODEL_FILE), other.to_string()).unwrap();
        refused()
    };
    let found = with(&|record| record["classes"] = json!(["cats"]));
    assert_eq!(
        found,
        "cannot load the model of `DIR/model/model.json`: found 1 names in `classes`, expected 3"
    );
    let found = with(&|record| record["feature_dim"] = json!(u64::MAX));
    assert!(found.ends_with("found 18446744073709551615 numbers in `feature_dim`, expected 1024"), "{found}");
    let found = with(&|record| record["preprocessing"]["size"] = json!(4_000_000_000u32));
    assert!(found.ends_with("`size` is 4000000000, expected 32 to 1024"), "{found}");
    let found = with(&|record| record["pool"] = json!("avg"));
    assert!(found.ends_with("found 1024 numbers in `feature_dim`, expected 512"), "{found}");
    let found = with(&|record| record["arch"] = json!("resnet50"));
    assert!(found.contains("these look like resnet18 weights"), "{found}");
    let found = with(&|record| record["head"] = record["trunk"].clone());
    assert!(
        found.starts_with("`DIR/model/head.safetensors` is not the file that model.json names"),
        "{found}"
    );
    // A record as large as a photo collection is not read at all.
    fs_err::File::create(at.join(MODEL_FILE)).unwrap().set_len(1 << 40).unwrap();
    assert!(refused().ends_with("it has 1099511627776 bytes, at most 16777216 are read"));
    fs_err::write(at.join(MODEL_FILE), record.to_string()).unwrap();
    fs_err::remove_file(at.join(HEAD_FILE)).unwrap();
    assert!(refused().contains("head.safetensors"));
}
