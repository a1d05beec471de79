//! The loss of a classifier that answers with log-probabilities: the negative log likelihood of the
//! actual class, per row and as a mean. Natural logarithm, 0 upwards, lower is better.

use crate::{Error, Result};

const MEASURE: &str = "negative log likelihood";

/// The loss of each row, `[N]`: `-log_probs[row, actual[row]]`.
///
/// `log_probs` is `[N, classes]` row-major, natural logarithms, at most 0; `actual` is `[N]`.
///
/// # Errors
/// A number of log-probabilities other than N x `classes`, or a class that does not exist.
pub fn negative_log_likelihood(log_probs: &[f32], classes: usize, actual: &[u32]) -> Result<Vec<f32>> {
    let expected = actual.len() * classes;
    if log_probs.len() != expected {
        let found = log_probs.len();
        return Err(Error::Length { measure: MEASURE, what: "log-probabilities", found, expected });
    }
    let of_row = |(row, &class): (usize, &u32)| {
        if class as usize >= classes {
            return Err(Error::Class { measure: MEASURE, found: class, classes });
        }
        Ok(-log_probs[row * classes + class as usize])
    };
    actual.iter().enumerate().map(of_row).collect()
}

/// The mean of [`negative_log_likelihood`] over the rows, summed in float64.
///
/// # Errors
/// As there, and no rows.
pub fn mean_negative_log_likelihood(log_probs: &[f32], classes: usize, actual: &[u32]) -> Result<f64> {
    let losses = negative_log_likelihood(log_probs, classes, actual)?;
    if losses.is_empty() {
        return Err(Error::NoRows { measure: MEASURE });
    }
    Ok(losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn: `log_loss([2, 0], [[.2, .3, .5], [.7, .2, .1]])` = 0.5249110622493754.
    #[test]
    fn the_mean_loss_is_that_of_scikit_learn() {
        let log_probs = [0.2_f32, 0.3, 0.5, 0.7, 0.2, 0.1].map(f32::ln);
        let loss = mean_negative_log_likelihood(&log_probs, 3, &[2, 0]).unwrap();
        assert!((loss - 0.524_911_062_249_375_4).abs() < 1e-7, "{loss}");
    }

    #[test]
    fn shapes_and_classes_are_checked() {
        let rows = negative_log_likelihood(&[-1.0; 5], 3, &[0, 1]);
        let what = "log-probabilities";
        assert_eq!(rows, Err(Error::Length { measure: MEASURE, what, found: 5, expected: 6 }));
        let class = negative_log_likelihood(&[-1.0; 6], 3, &[0, 3]);
        assert_eq!(class, Err(Error::Class { measure: MEASURE, found: 3, classes: 3 }));
        assert_eq!(mean_negative_log_likelihood(&[], 3, &[]), Err(Error::NoRows { measure: MEASURE }));
    }
}
