//! Which layers train, each by its rate.

use std::os::unix::fs::MetadataExt;

use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::backbones;
use pipeline_stage::Artifact;
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::{ARCH, Inputs, history, images, tensors};

/// Names of the tensors of `file` that are bit for bit the same in both, and of those that are not.
fn compare(before: &Artifact, after: &Artifact, file: &str) -> (Vec<String>, Vec<String>) {
    let (before, after) = (tensors(before, file), tensors(after, file));
    assert_eq!(before.len(), after.len());
    before.into_iter().map(|(name, tensor)| (tensor.equal(&after[&name]), name)).fold(
        Default::default(),
        |(mut same, mut other): (Vec<String>, Vec<String>), (is_same, name)| {
            if is_same {
                same.push(name)
            } else {
                other.push(name)
            };
            (same, other)
        },
    )
}

/// On maps of one pixel a bias that only feeds another batch norm moves nothing, so nothing moves it.
fn may_stay(name: &str) -> bool {
    name.ends_with(".bias")
}

#[test]
fn a_frozen_trunk_stays_the_same_file_and_the_head_trains() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    let made = inputs.train(&bench, &json!({"freeze": "trunk", "cycles": 2}));
    let inode = |artifact: &Artifact| fs_err::metadata(artifact.path("trunk.safetensors")).unwrap().ino();
    assert_eq!(inode(&inputs.model), inode(&made.artifact), "a hard link");
    let (same, _) = compare(&inputs.model, &made.artifact, "head.safetensors");
    assert!(same.iter().all(|name| may_stay(name)), "{same:?}");
    let history = history(&made);
    assert!(history.iter().all(|row| row.lr.len() == 1 && row.stage == "finetune"), "{history:?}");
    let record = ModelRecord::read(&made.artifact.path("model.json")).unwrap();
    assert_eq!(record.trunk, made.artifact.files["trunk.safetensors"]);
    assert_eq!(record.head, made.artifact.files["head.safetensors"]);
}

#[test]
fn a_frozen_first_group_stays_bit_for_bit_with_its_running_statistics() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    let made = inputs.train(&bench, &json!({"freeze": "first", "epochs": 1}));
    let (same, other) = compare(&inputs.model, &made.artifact, "trunk.safetensors");
    let backbone = backbones::find(ARCH).unwrap();
    for (names, group) in [(&same, 0), (&other, 1)] {
        let may_stay = |name: &str| group == 0 && may_stay(name);
        let astray: Vec<_> =
            names.iter().filter(|name| backbone.group_of(name) != group && !may_stay(name)).collect();
        assert!(astray.is_empty(), "of group {group}, but: {astray:?}");
        let statistics = names.iter().filter(|name| name.ends_with(".running_var")).count();
        assert!(statistics > 10, "{statistics} in group {group}");
    }
    assert!(history(&made).iter().all(|row| row.lr == [1e-3, 1e-2]));
}

#[test]
fn with_nothing_frozen_every_tensor_changes() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    let made = inputs.train(&bench, &json!({"epochs": 1}));
    for file in ["trunk.safetensors", "head.safetensors"] {
        let (same, _) = compare(&inputs.model, &made.artifact, file);
        assert!(same.iter().all(|name| may_stay(name)), "{file}: {same:?}");
    }
    assert!(history(&made).iter().all(|row| row.lr == [1e-4, 1e-3, 1e-2]));
    let record = ModelRecord::read(&made.artifact.path("model.json")).unwrap();
    assert_eq!(record.trunk, made.artifact.files["trunk.safetensors"]);
}

#[test]
fn each_layer_group_moves_by_its_own_rate() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    // Plain SGD, one step: a tensor moves by its rate times a gradient that does not depend on the rates.
    let moved = |lr: Value| {
        let params = json!({"lr": lr, "epochs": 1, "batch_size": 16, "momentum": 0.0});
        let made = inputs.train(&bench, &params);
        let change = |file: &str, name: &str| {
            let [before, after] = [&inputs.model, &made.artifact].map(|artifact| tensors(artifact, file));
            (&after[name] - &before[name]).abs().max().double_value(&[])
        };
        let names = ["_conv_stem.weight", "_conv_head.weight"].map(|name| change("trunk.safetensors", name));
        [names[0], names[1], change("head.safetensors", "linear2.weight")]
    };
    let (first, second) = (moved(json!([0.001, 0.001, 0.001])), moved(json!([0.001, 0.002, 0.004])));
    for (group, times) in [(0, 1.0), (1, 2.0), (2, 4.0)] {
        let ratio = second[group] / first[group];
        assert!((ratio / times - 1.0).abs() < 0.02, "group {group}: {ratio} times, expected {times}");
    }
}

#[test]
fn what_can_be_learned_is_learned_frozen_or_not() {
    let bench = StageBench::default();
    let more = images(&bench.dir().join("more"), 16, 8, 2);
    let inputs = Inputs { images: more, ..Inputs::plain(&bench) };
    for freeze in ["trunk", "none"] {
        let params =
            json!({"freeze": freeze, "epochs": 8, "batch_size": 8, "optimizer": "adamw", "lr": 1e-3});
        let made = inputs.train(&bench, &params);
        let losses: Vec<f64> = history(&made).iter().filter_map(|row| row.valid_loss).collect();
        assert!(losses[7] < 0.8 * losses[0], "{freeze}: valid losses {losses:?}");
        // A trunk of random weights would take longer to learn.
        assert!(freeze == "none" || made.summary.metrics["accuracy"] > 0.9, "{:?}", made.summary);
        assert!(made.summary.line.contains(" photos/s in f32, waiting "), "{}", made.summary.line);
    }
}

#[test]
fn bfloat16_trains_too_and_weights_stay_float32() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    // A rate that moves nothing to speak of: what differs is how the trunk computes.
    let train = |freeze: &str, dtype: &str, lr: f64| {
        inputs.train(&bench, &json!({"freeze": freeze, "epochs": 1, "dtype": dtype, "lr": lr}))
    };
    let losses = [train("trunk", "f32", 1e-30), train("trunk", "bf16", 1e-30)]
        .map(|made| made.summary.metrics["valid_loss"]);
    // 8 bits of each number.
    let off = (losses[1] / losses[0] - 1.0).abs();
    assert!(0.0 < off && off < 0.05, "{losses:?}");
    let bf16 = train("none", "bf16", 1e-3);
    let (same, _) = compare(&inputs.model, &bf16.artifact, "trunk.safetensors");
    assert!(same.iter().all(|name| may_stay(name)), "{same:?}");
    for tensor in tensors(&bf16.artifact, "trunk.safetensors").values() {
        assert_eq!(tensor.kind(), pipeline_nn::Kind::Float);
    }
    assert!(bf16.summary.line.contains(" photos/s in bf16, "), "{}", bf16.summary.line);
}
