//! One step of a whole network, resnet18 with a small head, against PyTorch: all of it trained, and parts frozen.

use std::collections::BTreeMap;

use pipeline_nn::backbones::find;
use pipeline_nn::{Device, Group, LossOptions, Mode, Optimizer, Pool, Rule, Sizes, Tensor, nll};

use crate::head::{formula_head, mask};
use crate::{assert_close, formula, read_fixture};

const SIZES: Sizes = Sizes { features: 1024, hidden: 9, classes: 3 };
const ROWS: i64 = 5;
/// Numbers of a tensor that the fixture keeps, beside its norm and its largest magnitude.
const SAMPLE: i64 = 16;
/// Learning rates of the early and the late layers of the trunk and of the head.
const RATES: [f64; 3] = [1e-4, 1e-3, 1e-2];

#[test]
fn a_step_of_the_whole_network_is_pytorchs_with_every_part_that_may_be_frozen() {
    crate::one_thread();
    let expected = read_fixture("fine_tuning.safetensors");
    let backbone = find("resnet18").unwrap();
    let weights = formula::weights(backbone.tensors().unwrap());
    for (run, modes) in [
        ("all", [Mode::Train, Mode::Train]),
        ("early_frozen", [Mode::Eval, Mode::Train]),
        ("trunk_frozen", [Mode::Eval, Mode::Eval]),
    ] {
        let (trunk, head) = (backbone.load(&weights, Device::Cpu).unwrap(), formula_head(SIZES));
        let mut groups = [vec![], vec![], vec![]];
        for (name, tensor) in trunk.named_tensors().iter().filter(|(name, _)| !name.contains("running_")) {
            let late = usize::from(name.starts_with("layer3") || name.starts_with("layer4"));
            let tensor = tensor.shallow_clone().set_requires_grad(modes[late] == Mode::Train);
            groups[late].push((name.clone(), tensor));
        }
        groups[2] = head.named_parameters().into_iter().map(|(n, t)| (format!("head.{n}"), t)).collect();
        let groups = groups.map(|parameters| Group { parameters, weight_decay: 0.0 });
        let mut sgd = Optimizer::new(Rule::sgd(0.9), groups.into()).unwrap();

        let map = trunk.forward(&formula::tensor("input", &[ROWS, 3, 64, 97]), modes).unwrap();
        let masks = (mask("mask1", SIZES.features, 0.25), mask("mask2", SIZES.hidden, 0.5));
        let log_probs =
            head.forward_train_masked(&Pool::MaxAvg.of(&map).unwrap(), &masks.0, &masks.1).unwrap();
        let labels = Tensor::from_slice(&[2i64, 0, 1, 1, 0]);
        let loss = nll(&log_probs, &labels, &LossOptions::default()).unwrap();
        loss.backward();
        assert_close(run, &loss.detach(), expected.get(&format!("{run}.loss")).unwrap(), 1e-4);
        sgd.step(&RATES).unwrap();

        let gradients = |tensors: &BTreeMap<String, Tensor>| -> BTreeMap<String, Tensor> {
            let gradients = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.grad()));
            gradients.filter(|(_, gradient)| gradient.defined()).collect()
        };
        let of_head = gradients(&head.named_parameters().into_iter().collect());
        // Weights that move by rates of 1e-4 of a gradient show it only to a finer look.
        for (part, tensors, tolerance) in [
            ("trunk.gradients", &gradients(trunk.named_tensors()), 1e-4),
            ("head.gradients", &of_head, 1e-4),
            ("trunk.state", trunk.named_tensors(), 1e-5),
            ("head.state", &head.named_tensors(), 1e-5),
        ] {
            let what = format!("{run}.{part}");
            match expected.get(&what) {
                Some(expected) => assert_rows(&what, tensors, expected, tolerance),
                None => assert_eq!(tensors.len(), 0, "{what}"),
            }
        }
    }
}

/// Each tensor against its row: norm, largest magnitude, then numbers of it. Errors are shares of the first two.
#[track_caller]
fn assert_rows(what: &str, found: &BTreeMap<String, Tensor>, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.len() as i64, expected.size()[0], "{what}");
    for (row, (name, tensor)) in found.iter().enumerate() {
        let flat = tensor.detach().flatten(0, -1);
        let places: Vec<i64> = (0..SAMPLE).map(|i| i * 7919 % flat.numel() as i64).collect();
        let numbers = flat.index_select(0, &Tensor::from_slice(&places));
        let expected = expected.get(row as i64);
        let (norm, largest) = (expected.double_value(&[0]), expected.double_value(&[1]));
        let error = (numbers - expected.slice(0, 2, None, 1)).abs().max().double_value(&[]) / largest;
        assert!(error < tolerance, "{what} {name}: relative error {error:.2e}, tolerance {tolerance:.0e}");
        let error = (flat.norm().double_value(&[]) / norm - 1.0).abs();
        assert!(error < tolerance, "{what} {name}: norm off by {error:.2e}, tolerance {tolerance:.0e}");
    }
}
