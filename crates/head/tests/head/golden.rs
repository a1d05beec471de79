//! Losses, which tell that a version has to be raised.

use pipeline_testkit::{Made, StageBench};
use serde_json::json;

use crate::{Inputs, history, of_phase, views};

/// Raise `HeadStage::VERSION` when this fails: losses within 0.1 % of those that version 3 had in float32.
#[test]
fn version_3_trains_to_these_losses() {
    let bench = StageBench::default();
    let made = Inputs::small(&bench).train(&bench, &json!({"epochs": 3, "batch_size": 16, "dtype": "f32"}));
    expect_losses(&made, &[(1.332097, 0.549369), (2.547261, 0.394887), (2.347839, 0.805627)]);
}

/// Raise `HeadStage::VERSION` when this fails: losses within 0.1 % of those that version 3 had with two views.
#[test]
fn version_3_draws_views_that_train_to_these_losses() {
    let bench = StageBench::default();
    let inputs = Inputs::new(&bench, views(bench.dir(), [1.0, 3.0], [1.0, 3.0]));
    let made = inputs.train(&bench, &json!({"epochs": 3, "batch_size": 16, "dtype": "f32"}));
    expect_losses(&made, &[(1.142761, 0.640801), (1.070923, 0.741410), (1.217056, 0.831379)]);
}

/// (train loss, valid loss) at the end of each epoch.
fn expect_losses(made: &Made, expected: &[(f64, f64)]) {
    let history = history(made);
    let epochs = of_phase(&history, "valid").into_iter();
    let found: Vec<(f64, f64)> = epochs.map(|row| (row.train_loss, row.valid_loss.unwrap())).collect();
    let is_near = |(found, expected): (&(f64, f64), &(f64, f64))| {
        (found.0 / expected.0 - 1.0).abs().max((found.1 / expected.1 - 1.0).abs()) < 1e-3
    };
    let all_near = found.iter().zip(expected).all(is_near);
    assert!(found.len() == expected.len() && all_near, "found {found:.6?}, expected {expected:?}");
}
