//! The training loss: negative log likelihood, and what recipes add to it.

use tch::{Kind, Reduction, TchError, Tensor};

use crate::error::Error;

/// PyTorch's default for the label that is left out of the mean; no label is negative here.
const IGNORED: i64 = -100;

/// What [`nll`] adds to the plain loss. The default adds nothing, as the lesson.
#[derive(Debug, Default)]
pub struct LossOptions {
    /// Share of the target, 0 to 1, that is spread evenly over all classes (Szegedy et al. 2016, "Rethinking the
    /// Inception Architecture for Computer Vision").
    pub label_smoothing: f64,
    /// `[classes]`, float32, each 0 or more and on the device of the log-probabilities: how much a photo of each class
    /// counts.
    pub class_weights: Option<Tensor>,
}

/// Negative log likelihood, the mean over the batch. Lower is better. With labels y, weights w (1 where none are given)
/// and smoothing s, as PyTorch's `CrossEntropyLoss(weight=w, label_smoothing=s)` on the logits:
///
/// ```text
/// loss = -sum_n [ (1 - s) * w[y_n] * log_probs[n, y_n] + s / classes * sum_c w[c] * log_probs[n, c] ] / sum_n w[y_n]
/// ```
///
/// `log_probs`: `[N, classes]`, log-probabilities as a [`Head`](crate::Head) gives them; `labels`: `[N]`,
/// int64 in `0..classes`. The result is a scalar that gradients flow through.
///
/// # Errors
/// [`Error::Torch`] when the shapes do not fit or a label is out of range.
pub fn nll(log_probs: &Tensor, labels: &Tensor, options: &LossOptions) -> Result<Tensor, Error> {
    smoothed(log_probs, labels, options).map_err(Error::torch("compute the loss"))
}

/// The loss of photos that were mixed, row n with another of label `partner_labels[n]`:
/// `lambda * nll(labels) + (1 - lambda) * nll(partner_labels)`.
///
/// `lambda`, 0 to 1, is the share that each photo kept of itself.
///
/// # Errors
/// As [`nll`].
pub fn nll_mixed(
    log_probs: &Tensor,
    labels: &Tensor,
    partner_labels: &Tensor,
    lambda: f64,
    options: &LossOptions,
) -> Result<Tensor, Error> {
    let (own, partners) = (nll(log_probs, labels, options)?, nll(log_probs, partner_labels, options)?);
    let mixed = || own.f_mul_scalar(lambda)?.f_add(&partners.f_mul_scalar(1.0 - lambda)?);
    mixed().map_err(Error::torch("compute the loss"))
}

/// `-log_probs[n, labels[n]]`, `[N]`: how wrong each photo is. No options, no mean.
///
/// # Errors
/// As [`nll`].
pub fn loss_per_row(log_probs: &Tensor, labels: &Tensor) -> Result<Tensor, Error> {
    let loss = log_probs.f_nll_loss(labels, None::<&Tensor>, Reduction::None, IGNORED);
    loss.map_err(Error::torch("compute the loss"))
}

fn smoothed(log_probs: &Tensor, labels: &Tensor, options: &LossOptions) -> Result<Tensor, TchError> {
    let LossOptions { label_smoothing, class_weights } = options;
    let hard = log_probs.f_nll_loss(labels, class_weights.as_ref(), Reduction::Mean, IGNORED)?;
    if *label_smoothing == 0.0 {
        return Ok(hard);
    }
    let classes = [1i64].as_slice();
    // The mean over the classes, each row weighted as in `hard`: divided by the weights of the labels, not of the classes.
    let even = match class_weights {
        None => log_probs.f_mean(Kind::Float)?,
        Some(weights) => {
            let rows = log_probs.f_mul(weights)?.f_mean_dim(classes, false, Kind::Float)?; // [N]
            rows.f_sum(Kind::Float)?.f_div(&weights.f_index_select(0, labels)?.f_sum(Kind::Float)?)?
        }
    };
    hard.f_mul_scalar(1.0 - label_smoothing)?.f_sub(&even.f_mul_scalar(*label_smoothing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_probs() -> Tensor {
        Tensor::from_slice(&[-0.5f32, -1.0, -2.0, -4.0, -8.0, -16.0]).reshape([2, 3])
    }

    #[test]
    fn the_loss_is_the_mean_of_minus_the_log_probability_of_each_label() {
        let labels = Tensor::from_slice(&[2i64, 0]);
        let loss = nll(&log_probs(), &labels, &LossOptions::default()).unwrap();
        assert_eq!(loss.double_value(&[]), 3.0);
        let rows: Vec<f32> = loss_per_row(&log_probs(), &labels).unwrap().try_into().unwrap();
        assert_eq!(rows, [2.0, 4.0]);
    }

    #[test]
    fn smoothing_and_class_weights_are_as_the_formula_says() {
        let labels = Tensor::from_slice(&[2i64, 0]);
        let weights = Tensor::from_slice(&[1f32, 2.0, 3.0]);
        let options = LossOptions { label_smoothing: 0.25, class_weights: Some(weights) };
        // hard = 3 * 2 + 1 * 4 = 10; even = 1/3 (0.5 + 2 + 6) + 1/3 (4 + 16 + 48) = 25.5; weights of the labels 3 + 1.
        let expected = (0.75 * 10.0 + 0.25 * 25.5) / 4.0;
        let loss = nll(&log_probs(), &labels, &options).unwrap().double_value(&[]);
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }

    #[test]
    fn a_mixed_photo_has_the_loss_of_both_labels_by_their_shares() {
        let (own, partners) = (Tensor::from_slice(&[2i64, 0]), Tensor::from_slice(&[0i64, 2]));
        // nll of the labels 3, of the partners (0.5 + 16) / 2 = 8.25.
        let loss = nll_mixed(&log_probs(), &own, &partners, 0.75, &LossOptions::default()).unwrap();
        assert_eq!(loss.double_value(&[]), 0.75 * 3.0 + 0.25 * 8.25);
    }

    #[test]
    fn a_label_out_of_range_is_an_error() {
        let log_probs = Tensor::from_slice(&[-0.5f32, -1.0]).reshape([1, 2]);
        let error = nll(&log_probs, &Tensor::from_slice(&[2i64]), &LossOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "cannot compute the loss: Target 2 is out of bounds.");
    }
}
