//! The training loss.

use tch::{Reduction, Tensor};

use crate::error::Error;

/// Negative log likelihood, the mean over the batch: `-1/N * sum_n log_probs[n, labels[n]]`. Lower is better.
///
/// `log_probs`: `[N, classes]`, log-probabilities as a [`Head`](crate::Head) gives them; `labels`: `[N]`,
/// int64 in `0..classes`. The result is a scalar that gradients flow through.
///
/// # Errors
/// [`Error::Torch`] when the shapes do not fit or a label is out of range.
pub fn nll(log_probs: &Tensor, labels: &Tensor) -> Result<Tensor, Error> {
    // PyTorch's default for the label that is left out of the mean; no label is negative here.
    const IGNORED: i64 = -100;
    log_probs
        .f_nll_loss(labels, None::<&Tensor>, Reduction::Mean, IGNORED)
        .map_err(Error::torch("compute the loss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_the_mean_of_minus_the_log_probability_of_each_label() {
        let log_probs = Tensor::from_slice(&[-0.5f32, -1.0, -2.0, -4.0, -8.0, -16.0]).reshape([2, 3]);
        let loss = nll(&log_probs, &Tensor::from_slice(&[2i64, 0])).unwrap();
        assert_eq!(loss.double_value(&[]), 3.0);
    }

    #[test]
    fn a_label_out_of_range_is_an_error() {
        let log_probs = Tensor::from_slice(&[-0.5f32, -1.0]).reshape([1, 2]);
        let error = nll(&log_probs, &Tensor::from_slice(&[2i64])).unwrap_err();
        assert_eq!(error.to_string(), "cannot compute the loss: Target 2 is out of bounds.");
    }
}
