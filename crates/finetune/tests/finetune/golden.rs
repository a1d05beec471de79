//! Losses, which tell that a version has to be raised.

use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::{Inputs, history};

/// (train loss, valid loss) of each epoch, with augmented and mixed photos, in float32. No batch of 2: mixed halves of
/// each other are one photo, whose batch norm has nothing to go by.
fn losses(params: Value) -> Vec<(f64, f64)> {
    let bench = StageBench::default();
    let inputs = Inputs::augmented(&bench, json!({"mixup": {"p": 0.5}}));
    let made = inputs.train(&bench, &params);
    history(&made).iter().filter_map(|row| Some((row.train_loss, row.valid_loss?))).collect()
}

/// Within 1 %: 1 to 4 threads, which add up in other orders, differ by less than 0.1 %.
fn expect(found: &[(f64, f64)], expected: &[(f64, f64)]) {
    let is_near = |(found, expected): (&(f64, f64), &(f64, f64))| {
        (found.0 / expected.0 - 1.0).abs().max((found.1 / expected.1 - 1.0).abs()) < 0.01
    };
    let all_near = found.iter().zip(expected).all(is_near);
    assert!(found.len() == expected.len() && all_near, "found {found:.6?}, expected {expected:?}");
}

/// Raise `Finetune::VERSION` when this fails.
#[test]
fn version_1_trains_a_head_on_a_frozen_trunk_to_these_losses() {
    let params = json!({"freeze": "trunk", "cycles": 2, "batch_size": 5});
    expect(&losses(params), &[(1.494010, 1.021091), (1.307493, 0.443832)]);
}

/// Raise `Finetune::VERSION` when this fails. Rates are low: a trunk of random weights, trained on batches of 5, makes
/// much of the last bits.
#[test]
fn version_1_trains_a_whole_network_to_these_losses() {
    let params = json!({"cycles": 2, "batch_size": 5, "sizes": [64], "lr": [1e-6, 1e-5, 1e-3]});
    expect(&losses(params), &[(1.717070, 3.610662), (1.536670, 3.698168)]);
}
