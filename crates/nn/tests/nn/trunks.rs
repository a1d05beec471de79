//! Every trunk, with weights of the formula, against torchvision; and weights that do not fit.

use std::collections::BTreeMap;

use pipeline_nn::backbones::{BACKBONES, find};
use pipeline_nn::{Backbone, Device, Dtype, Kind, Mode, Pool, Tensor, Trunk, Weights, no_grad};
use pipeline_stage::Hint;

use crate::{assert_close, formula, one_thread, read_fixture};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Every fifth number of the flattened map is in the fixtures.
const KEEP: i64 = 5;

fn formula_weights(backbone: &Backbone) -> Weights {
    formula::weights(backbone.tensors().unwrap())
}

fn input() -> Tensor {
    formula::tensor("input", &[2, 3, 64, 97]) * 10.0
}

#[test]
fn every_trunk_computes_what_pytorch_does_in_each_mode_of_its_groups() {
    crate::one_thread();
    let modes = [
        ("eval", [Mode::Eval, Mode::Eval]),
        ("train", [Mode::Train, Mode::Train]),
        ("early_frozen", [Mode::Eval, Mode::Train]),
    ];
    for backbone in BACKBONES {
        let expected = read_fixture(&format!("{}.safetensors", backbone.arch));
        let weights = formula_weights(backbone);
        for (mode, modes) in modes {
            let what = format!("{} {mode}", backbone.arch);
            // Training moves running statistics, so each mode starts afresh.
            let trunk = backbone.load(&weights, Device::Cpu).unwrap();
            let map = no_grad(|| trunk.forward(&input(), modes)).unwrap();
            assert_eq!(map.size(), [2, backbone.channels as i64, 2, 4], "{what}");
            let kept = map.flatten(0, -1).slice(0, None, None, KEEP);
            assert_close(&what, &kept, expected.get(&format!("{mode}.output")).unwrap(), 1e-4);
            let prefix = format!("{mode}.");
            for name in expected.names().filter(|n| n.starts_with(&prefix) && n.contains("running_")) {
                let found = &trunk.named_tensors()[name.strip_prefix(&prefix).unwrap()];
                assert_close(&format!("{what} {name}"), found, expected.get(name).unwrap(), 1e-4);
            }
        }
    }
}

#[test]
fn eval_mode_leaves_the_trunk_as_it_was_and_a_shared_one_computes_the_same() {
    crate::one_thread();
    let backbone = find("resnet18").unwrap();
    let trunk = backbone.load(&formula_weights(backbone), Device::Cpu).unwrap();
    let eval = [Mode::Eval; 2];
    let x = input();
    let first = no_grad(|| trunk.forward(&x, eval)).unwrap();
    assert!(!first.requires_grad());
    let shared = trunk.share().unwrap();
    let elsewhere = std::thread::spawn(move || {
        crate::one_thread();
        no_grad(|| shared.forward(&input(), eval)).unwrap()
    });
    let other = elsewhere.join().unwrap();
    assert_close("another thread", &other, &first, 1e-6);
    for (name, tensor) in trunk.named_tensors() {
        assert_eq!(tensor, &formula::tensor(name, &tensor.size()), "{name}");
    }
}

#[test]
fn the_classifier_and_counters_are_left_out() {
    crate::one_thread();
    let backbone = find("resnet18").unwrap();
    let mut shapes = backbone.tensors().unwrap();
    for name in ["fc.weight", "fc.bias", "bn1.num_batches_tracked"] {
        shapes.push((name.to_owned(), vec![2]));
    }
    let trunk = backbone.load(&formula::weights(shapes), Device::Cpu).unwrap();
    assert!(trunk.named_tensors().keys().all(|name| !name.starts_with("fc") && !name.ends_with("tracked")));
    assert_eq!(trunk.named_tensors().len(), 100);
}

#[test]
fn features_and_logits_are_those_of_pytorch_with_the_average_alone_and_behind_the_maximum() {
    crate::one_thread();
    let expected = read_fixture("classifiers.safetensors");
    for arch in ["resnet18", "efficientnet_lite0"] {
        let backbone = find(arch).unwrap();
        let (channels, name) = match arch {
            "resnet18" => (512, "fc"),
            _ => (1280, "_fc"),
        };
        let mut shapes = backbone.tensors().unwrap();
        shapes.push((format!("{name}.weight"), vec![1000, channels]));
        shapes.push((format!("{name}.bias"), vec![1000]));
        let weights = formula::weights(shapes);
        let classifier = backbone.classifier(&weights, Device::Cpu).unwrap().unwrap();
        assert_eq!(classifier.logits(), 1000);
        // A square is what a folded trunk takes: the fixture's input is not one, so the averages go the other way.
        let map = backbone.load(&weights, Device::Cpu).unwrap().forward(&input(), [Mode::Eval; 2]).unwrap();
        let averages = Pool::Avg.of(&map).unwrap(); // [2, C]
        let logits = classifier.share().forward(&averages).unwrap(); // [2, 1000]
        let kept = |tensor: &Tensor| tensor.flatten(0, -1).slice(0, None, None, KEEP);
        assert_close(arch, &kept(&logits), expected.get(&format!("{arch}.logits")).unwrap(), 1e-4);
        if let Some(expected) = expected.get(&format!("{arch}.averages")) {
            assert_close(arch, &kept(&averages), expected, 1e-4);
        }
    }
}

#[test]
fn a_folded_trunk_puts_logits_behind_features_of_either_pooling() {
    crate::one_thread();
    let backbone = find("resnet18").unwrap();
    let mut shapes = backbone.tensors().unwrap();
    shapes.push(("fc.weight".to_owned(), vec![7, 512]));
    shapes.push(("fc.bias".to_owned(), vec![7]));
    let weights = formula::weights(shapes);
    let pixels: Vec<f32> = formula::tensor("square", &[2, 3, 64, 64]).flatten(0, -1).try_into().unwrap();
    let numbers = |pool: Pool, has_logits: bool| {
        let trunk = backbone.load(&weights, Device::Cpu).unwrap().with_pool(pool);
        // As threads have it.
        let folded = trunk.share().unwrap().folded(Dtype::F32).unwrap();
        assert_eq!(folded.feature_dim(), pool.width(512));
        let folded = match has_logits {
            true => folded.with_classifier(backbone.classifier(&weights, Device::Cpu).unwrap().unwrap()),
            false => folded,
        };
        folded.share().unwrap().features(&pixels, 64).unwrap()
    };
    let (both, averages) = (numbers(Pool::MaxAvg, false), numbers(Pool::Avg, false));
    let (both_and, averages_and) = (numbers(Pool::MaxAvg, true), numbers(Pool::Avg, true));
    assert_eq!([both.len(), averages.len(), both_and.len(), averages_and.len()], [2048, 1024, 2062, 1038]);
    let weight: Vec<f32> = weights.get("fc.weight").unwrap().flatten(0, -1).try_into().unwrap();
    let bias: Vec<f32> = weights.get("fc.bias").unwrap().try_into().unwrap();
    for view in 0..2 {
        let row = |all: &[f32], width: usize| all[view * width..(view + 1) * width].to_vec();
        let average = row(&averages, 512);
        assert_eq!(row(&both, 1024)[512..], average);
        assert_eq!(row(&both_and, 1031)[..1024], row(&both, 1024));
        assert_eq!(row(&averages_and, 519)[..512], average);
        let logits = row(&averages_and, 519)[512..].to_vec();
        assert_eq!(row(&both_and, 1031)[1024..], logits);
        for (place, logit) in logits.iter().enumerate() {
            let products = average.iter().zip(&weight[place * 512..]).map(|(x, w)| f64::from(x * w));
            let expected = products.sum::<f64>() + f64::from(bias[place]);
            assert!((f64::from(*logit) - expected).abs() < 1e-4, "{logit}, expected {expected}");
        }
    }
}

#[test]
fn weights_without_a_classifier_that_fits_have_none() {
    crate::one_thread();
    let backbone = find("resnet18").unwrap();
    let found = |parts: &[(&str, &[i64])]| {
        let shapes = parts.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
        backbone.classifier(&formula::weights(shapes), Device::Cpu).unwrap().map(|c| c.logits())
    };
    assert_eq!(found(&[("fc.weight", &[3, 512]), ("fc.bias", &[3])]), Some(3));
    assert_eq!(found(&[]), None);
    assert_eq!(found(&[("fc.weight", &[3, 512])]), None);
    assert_eq!(found(&[("_fc.weight", &[3, 512]), ("_fc.bias", &[3])]), None);
    assert_eq!(found(&[("fc.weight", &[3, 1024]), ("fc.bias", &[3])]), None);
    assert_eq!(found(&[("fc.weight", &[3, 512]), ("fc.bias", &[4])]), None);
    assert_eq!(found(&[("fc.weight", &[0, 512]), ("fc.bias", &[0])]), None);
}

#[test]
fn weights_of_another_architecture_are_recognised_both_ways() {
    crate::one_thread();
    // resnet34 holds every tensor of resnet18, and resnet101 every one of resnet50.
    for (wanted, given) in [
        ("resnet18", "resnet34"),
        ("resnet34", "resnet18"),
        ("resnet50", "resnet101"),
        ("resnet18", "efficientnet_lite0"),
    ] {
        let weights = zeros(given);
        let error = find(wanted).unwrap().load(&weights, Device::Cpu).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot build {wanted} from `w.pth`: these look like {given} weights")
        );
        assert_eq!(error.hint().unwrap(), format!("set `arch` to `{given}`, or give weights of {wanted}"));
    }
}

#[test]
fn a_missing_or_misshapen_tensor_is_named() {
    crate::one_thread();
    let load = |change: fn(&mut BTreeMap<String, Tensor>)| {
        let mut tensors = zero_tensors("resnet18");
        change(&mut tensors);
        let backbone = find("resnet18").unwrap();
        backbone.load(&Weights::new("w.pth", tensors), Device::Cpu).unwrap_err().to_string()
    };
    let missing = load(|t| {
        t.remove("layer2.1.bn1.bias");
        t.remove("layer3.0.conv1.weight");
    });
    assert_eq!(
        missing,
        "cannot build resnet18 from `w.pth`: tensor `layer2.1.bn1.bias` is missing, and 1 other"
    );
    let misshapen = load(|t| {
        t.insert("conv1.weight".to_owned(), Tensor::zeros([64, 1, 7, 7], FLOAT));
    });
    assert_eq!(
        misshapen,
        "cannot build resnet18 from `w.pth`: tensor `conv1.weight` has shape [64, 1, 7, 7], expected [64, 3, 7, 7]"
    );
}

#[test]
fn a_batch_of_another_shape_is_an_error() {
    crate::one_thread();
    let trunk = find("resnet18").unwrap().load(&zeros("resnet18"), Device::Cpu).unwrap();
    for shape in [&[2, 1, 64, 97][..], &[3, 64, 97], &[0, 3, 64, 97]] {
        let error = trunk.forward(&Tensor::zeros(shape, FLOAT), [Mode::Eval; 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot run resnet18 on a batch of shape {shape:?}, expected [N, 3, H, W]")
        );
    }
}

/// Zeros in the shapes of `arch`, as views of one number.
fn zero_tensors(arch: &str) -> BTreeMap<String, Tensor> {
    let zeros = |shape: Vec<i64>| Tensor::zeros(vec![1; shape.len()], FLOAT).expand(shape, false);
    find(arch).unwrap().tensors().unwrap().into_iter().map(|(name, shape)| (name, zeros(shape))).collect()
}

fn zeros(arch: &str) -> Weights {
    Weights::new("w.pth", zero_tensors(arch))
}

/// The layer group of a tensor's name is the one whose mode decides over it.
#[test]
fn training_mode_of_a_group_moves_the_running_statistics_of_its_tensors_alone() {
    one_thread();
    for backbone in BACKBONES {
        for (group, modes) in [[Mode::Train, Mode::Eval], [Mode::Eval, Mode::Train]].into_iter().enumerate() {
            let trunk = backbone.load(&formula_weights(backbone), Device::Cpu).unwrap();
            let before: Vec<Tensor> = trunk.named_tensors().values().map(Tensor::copy).collect();
            let _ = no_grad(|| trunk.forward(&formula::tensor("input", &[2, 3, 64, 33]), modes)).unwrap();
            for ((name, tensor), before) in trunk.named_tensors().iter().zip(before) {
                let is_its = name.contains("running_") && backbone.group_of(name) == group;
                assert_eq!(!tensor.equal(&before), is_its, "{} {name} in {modes:?}", backbone.arch);
            }
            let parameters = [0, 1].map(|group| trunk.parameters(group).len());
            let wanted = trunk.named_tensors().keys().filter(|name| !name.contains("running_")).count();
            assert_eq!(parameters.iter().sum::<usize>(), wanted, "{}", backbone.arch);
        }
    }
}

/// bfloat16 has 8 bits of precision: a map's error stays within a few of its steps, and weights get float32 gradients.
#[test]
fn a_trunk_in_bfloat16_is_near_the_one_in_float32_and_its_gradients_are_float32() {
    one_thread();
    for arch in ["resnet18", "efficientnet_lite0"] {
        let backbone = find(arch).unwrap();
        let load = || backbone.load(&formula_weights(backbone), Device::Cpu).unwrap();
        let x = formula::tensor("input", &[3, 3, 64, 97]);
        let map = |trunk: &Trunk| trunk.forward(&x, [Mode::Eval; 2]).unwrap();
        let (plain, half) = (load(), load().with_dtype(Dtype::Bf16));
        half.set_trained(0, true).unwrap();
        let (expected, found) = (map(&plain), map(&half));
        assert_eq!(found.kind(), Kind::Float);
        let error = (&found - &expected).norm().double_value(&[]) / expected.norm().double_value(&[]);
        assert!(error > 0.0 && error < 0.02, "{arch}: {error}");
        found.sum(Kind::Float).backward();
        for (name, parameter) in half.parameters(0) {
            let gradient = parameter.grad();
            assert!(gradient.defined() && gradient.kind() == Kind::Float, "{arch} {name}");
        }
        assert!(
            half.parameters(1).iter().all(|(_, p)| !p.grad().defined()),
            "{arch}: the second group is frozen"
        );
    }
}
