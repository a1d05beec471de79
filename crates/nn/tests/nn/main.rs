//! The networks and the readers of weights against PyTorch.
//!
//! `make_fixtures.py` beside this file made everything in `fixtures/`. A test that needs more than is in the
//! repository prints that it is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say what they skip"
)]

mod checkpoints;
mod fine_tuning;
mod formula;
mod grad_cam;
mod head;
mod live;
mod losses;
mod pretrained;
mod similarity;
mod trunks;

use std::path::PathBuf;

use pipeline_nn::{Tensor, Weights, weights};

/// Tests run side by side already; threads of libtorch would only wait for each other.
fn one_thread() {
    pipeline_nn::device::set_threads(std::num::NonZeroUsize::MIN);
}

/// A file that `make_fixtures.py` made.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/nn/fixtures").join(name)
}

fn read_fixture(name: &str) -> Weights {
    weights::read(&fixture(name)).unwrap()
}

/// Largest difference, as a share of the largest expected magnitude.
#[track_caller]
fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.size(), expected.size(), "{what}");
    if expected.numel() == 0 {
        return;
    }
    let error = (found - expected).abs().max().double_value(&[]) / expected.abs().max().double_value(&[]);
    assert!(error < tolerance, "{what}: relative error {error:.2e}, tolerance {tolerance:.0e}");
}
