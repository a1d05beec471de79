//! The head, its gradients and SGD against PyTorch.

use std::collections::BTreeMap;

use pipeline_nn::{
    Device, Dtype, Group, Head, Kind, LossOptions, Optimizer, Rule, Sizes, Tensor, Weights, nll,
};

use crate::{assert_close, formula, read_fixture};

const SIZES: Sizes = Sizes { features: 14, hidden: 9, classes: 3 };
const ROWS: i64 = 5;

fn head() -> Head {
    formula_head(SIZES)
}

/// A head with weights of the formula.
pub(crate) fn formula_head(sizes: Sizes) -> Head {
    let fresh = Head::new(sizes, 0, Device::Cpu).unwrap();
    let shapes = fresh.named_tensors().into_iter().map(|(name, t)| (name, t.size())).collect();
    Head::load(&formula::weights(shapes), Device::Cpu).unwrap()
}

fn features() -> Tensor {
    formula::tensor("features", &[ROWS, SIZES.features as i64])
}

/// 0 where the formula's u is below `share`, else `1 / (1 - share)`.
pub(crate) fn mask(name: &str, width: usize, share: f64) -> Tensor {
    let u = (formula::tensor(name, &[ROWS, width as i64]).to_kind(Kind::Double) + 1.0) / 2.0;
    (u.ge(share).to_kind(Kind::Double) / (1.0 - share)).to_kind(Kind::Float)
}

fn log_probs(head: &Head) -> Tensor {
    let masks = (mask("mask1", SIZES.features, 0.25), mask("mask2", SIZES.hidden, 0.5));
    head.forward_train_masked(&features(), &masks.0, &masks.1).unwrap()
}

fn loss(head: &Head) -> Tensor {
    let labels = Tensor::from_slice(&[2i64, 0, 1, 1, 0]);
    nll(&log_probs(head), &labels, &LossOptions::default()).unwrap()
}

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

/// bfloat16 rounds to 8 bits: a relative error of at most 2^-9 for each factor, and most of it averages out.
#[test]
fn in_bfloat16_gradients_are_pytorchs_within_its_precision_and_answers_stay_float32() {
    crate::one_thread();
    let (exact, rounded) = (head(), head().with_dtype(Dtype::Bf16));
    let answers = |head: &Head| Vec::<Vec<f32>>::try_from(head.forward_eval(&features()).unwrap()).unwrap();
    assert_eq!(answers(&exact), answers(&rounded));
    loss(&exact).backward();
    loss(&rounded).backward();
    for ((name, exact), (_, rounded)) in exact.named_parameters().into_iter().zip(rounded.named_parameters())
    {
        let norm = |t: &Tensor| t.norm().double_value(&[]);
        assert_eq!(rounded.grad().kind(), Kind::Float, "{name}");
        let error = norm(&(rounded.grad() - exact.grad()));
        assert!(error <= 0.03 * norm(&exact.grad()) + 1e-6, "{name}: {error}");
        assert!(name != "linear1.weight" || error > 0.0, "nothing was rounded");
    }
}

#[test]
fn three_steps_of_training_end_where_pytorch_does() {
    crate::one_thread();
    let expected = read_fixture("head.safetensors");
    for (run, weight_decay) in [("plain", 0.0), ("decay", 0.01)] {
        let head = head();
        let group = Group { parameters: head.named_parameters(), weight_decay };
        let mut sgd = Optimizer::new(Rule::sgd(0.9), vec![group]).unwrap();
        for step in 1..=3 {
            let loss = loss(&head);
            sgd.zero_grad().unwrap();
            loss.backward();
            if (run, step) == ("plain", 1) {
                assert_close("loss", &loss.detach(), expected.get("train.loss").unwrap(), 1e-4);
                for (name, parameter) in head.named_parameters() {
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

#[test]
fn ten_steps_down_a_cosine_end_where_pytorch_does() {
    crate::one_thread();
    let expected = read_fixture("training.safetensors");
    let head = head();
    let group = Group { parameters: head.named_parameters(), weight_decay: 0.0 };
    let mut sgd = Optimizer::new(Rule::sgd(0.9), vec![group]).unwrap();
    let rates: Vec<f32> = expected.get("cosine.rates").unwrap().try_into().unwrap();
    assert_eq!(rates.len(), 10);
    for rate in rates {
        sgd.zero_grad().unwrap();
        loss(&head).backward();
        sgd.step(&[f64::from(rate)]).unwrap();
    }
    assert_state("cosine", &head.named_tensors(), &expected);
}

#[test]
fn three_steps_of_adamw_with_two_groups_end_where_pytorch_does() {
    crate::one_thread();
    let head = head();
    let (mut first, mut second) = (head.named_parameters(), vec![]);
    second.extend(first.drain(4..));
    let groups =
        vec![Group { parameters: first, weight_decay: 0.5 }, Group { parameters: second, weight_decay: 0.0 }];
    let mut adamw = Optimizer::new(Rule::adamw(0.9), groups).unwrap();
    for _ in 0..3 {
        adamw.zero_grad().unwrap();
        loss(&head).backward();
        adamw.step(&[0.02, 0.005]).unwrap();
    }
    assert_state("adamw", &head.named_tensors(), &read_fixture("training.safetensors"));
}

#[test]
fn clipped_gradients_are_pytorchs_and_a_high_limit_changes_nothing() {
    crate::one_thread();
    let expected = read_fixture("training.safetensors");
    let head = head();
    let group = Group { parameters: head.named_parameters(), weight_decay: 0.0 };
    let mut sgd = Optimizer::new(Rule::sgd(0.9), vec![group]).unwrap();
    loss(&head).backward();
    let before = head.parameters()[2].grad().copy();
    let norm = sgd.clip_gradients(100.0).unwrap();
    assert_close("norm", &Tensor::from(norm as f32), expected.get("clip.norm").unwrap(), 1e-5);
    assert!(head.parameters()[2].grad() == before);
    assert_eq!(sgd.clip_gradients(0.5).unwrap(), norm);
    for (name, parameter) in head.named_parameters() {
        let key = format!("clip.{name}");
        assert_close(&key, &parameter.grad(), expected.get(&key).unwrap(), 1e-4);
    }
}
