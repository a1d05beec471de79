//! The committed fixtures against a live PyTorch, where one is named: part of the nightly tests.

use pipeline_testkit::check_fixtures;

#[test]
fn a_live_pytorch_agrees_with_the_fixtures() {
    check_fixtures(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nn/make_fixtures.py"));
}
