//! When a sample is as its distribution says.
//!
//! Streams are fixed, so a test that passes once passes always; the bounds say how surprising a pass or failure is.

/// A mean is off by more standard errors with a probability of 1e-5: the standard normal's quantile at 1 - 0.5e-5,
/// `statistics.NormalDist().inv_cdf(1 - 0.5e-5)` in Python.
const MOST_ERRORS: f64 = 4.4172;

/// The mean of `sample` is `expected`, as near as its own scatter allows.
#[track_caller]
pub(crate) fn assert_mean(sample: &[f64], expected: f64) {
    let count = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / count;
    let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let most = MOST_ERRORS * (variance / count).sqrt();
    assert!((mean - expected).abs() <= most, "mean {mean}, expected {expected} ± {most}");
}

/// The cells are as likely: chi-squared is below its critical value at 0.001 for `counts.len() - 1` degrees of freedom,
/// from the table of the NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.4.
#[track_caller]
pub(crate) fn assert_even(counts: &[usize]) {
    let critical = match counts.len() - 1 {
        23 => 49.728,
        99 => 148.230,
        other => panic!("look up the critical value for {other} degrees of freedom"),
    };
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    let chi_squared: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(chi_squared < critical, "chi-squared {chi_squared}, critical {critical}: {counts:?}");
}
