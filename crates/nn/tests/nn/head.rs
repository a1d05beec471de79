//! The head, its gradients and SGD against PyTorch.

use std::collections::BTreeMap;

use pipeline_nn::{Device, Head, Kind, Sgd, SgdConfig, Sizes, Tensor, Weights, nll};

use crate::{assert_close, formula, read_fixture};

const SIZES: Sizes = Sizes { features: 14, hidden: 9, classes: 3 };
const ROWS: i64 = 5;

fn head() -> Head {
    let fresh = Head::new(SIZES, 0, Device::Cpu).unwrap();
    let shapes = fresh.named_tensors().into_iter().map(|(name, t)| (name, t.size())).collect();
    Head::load(&formula::weights(shapes), Device::Cpu).unwrap()
}

fn features() -> Tensor {
    formula::tensor("features", &[ROWS, SIZES.features as i64])
}

/// 0 where the formula's u is below `share`, else `1 / (1 - share)`.
fn mask(name: &str, width: usize, share: f64) -> Tensor {
    let u = (formula::tensor(name, &[ROWS, width as i64]).to_kind(Kind::Double) + 1.0) / 2.0;
    (u.ge(share).to_kind(Kind::Double) / (1.0 - share)).to_kind(Kind::Float)
}

fn log_probs(head: &Head) -> Tensor {
    let masks = (mask("mask1", SIZES.features, 0.25), mask("mask2", SIZES.hidden, 0.5));
    head.forward_train_masked(&features(), &masks.0, &masks.1).unwrap()
}

/// The parameters' names in the order of `Head::parameters`.
const PARAMETERS: [&str; 8] = [
    "bn1.weight",
    "bn1.bias",
    "linear1.weight",
    "linear1.bias",
    "bn2.weight",
    "bn2.bias",
    "linear2.weight",
    "linear2.bias",
];

#[track_caller]
fn assert_state(what: &str, found: &BTreeMap<String, Tensor>, expected: &Weights) {
    assert_eq!(found.len(), 12);
    for (name, tensor) in found {
        let key = format!("{what}.{name}");
        assert_close(&key, tensor, expected.get(&key).unwrap(), 1e-4);
    }
}

#[test]
fn the_head_computes_what_pytorch_does() {
    crate::one_thread();
    let expected = read_fixture("head.safetensors");
    let head = head();
    let eval = head.forward_eval(&features()).unwrap();
    assert_close("eval", &eval, expected.get("eval.log_probs").unwrap(), 1e-4);
    let train = log_probs(&head);
    assert_close("train", &train.detach(), expected.get("train.log_probs").unwrap(), 1e-4);
}

#[test]
fn three_steps_of_training_end_where_pytorch_does() {
    crate::one_thread();
    let expected = read_fixture("head.safetensors");
    let labels = Tensor::from_slice(&[2i64, 0, 1, 1, 0]);
    for (run, weight_decay) in [("plain", 0.0), ("decay", 0.01)] {
        let head = head();
        let mut sgd = Sgd::new(vec![head.parameters()], SgdConfig { momentum: 0.9, weight_decay });
        for step in 1..=3 {
            let loss = nll(&log_probs(&head), &labels).unwrap();
            sgd.zero_grad();
            loss.backward();
            if (run, step) == ("plain", 1) {
                assert_close("loss", &loss.detach(), expected.get("train.loss").unwrap(), 1e-4);
                for (name, parameter) in PARAMETERS.iter().zip(head.parameters()) {
                    let name = format!("gradient.{name}");
                    assert_close(&name, &parameter.grad(), expected.get(&name).unwrap(), 1e-4);
                }
            }
            sgd.step(&[0.1]).unwrap();
            if (run, step) == ("plain", 1) || step == 3 {
                assert_state(&format!("{run}{step}"), &head.named_tensors(), &expected);
            }
        }
    }
}
