//! Measures of answers against scikit-learn, SciPy, statsmodels and cleanlab, and the rules that they keep.
//!
//! `make_fixtures.py` beside this file made `fixtures.json`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod fixtures;
mod live;
mod measures;

use pipeline_fit::MeasureOptions;

/// Intervals as they are usually asked for.
const OPTIONS: MeasureOptions = MeasureOptions { resamples: 1000, level: 0.95, seed: 42 };
