//! The committed fixtures against live scikit-learn, SciPy, statsmodels and cleanlab, where they are: part of the nightly
//! tests.

use pipeline_testkit::check_fixtures;

#[test]
fn live_scikit_learn_statsmodels_and_cleanlab_agree_with_the_fixtures() {
    check_fixtures(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fit/make_fixtures.py"));
}
