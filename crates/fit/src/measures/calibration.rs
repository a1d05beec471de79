//! Whether probabilities are what they say: bins of confidence and their expected calibration error (Guo et al. 2017, "On
//! Calibration of Modern Neural Networks").

use super::bootstrap::Bootstrap;
use super::tally::Sample;
use super::temperature::Temperatures;
use super::{Bin, Calibration};

/// Bins of equal width (Guo et al.).
pub(super) const BINS: usize = 15;

/// Sums over the photos of a bin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BinSum {
    photos: f64,
    confidence: f64,
    right: f64,
}

impl BinSum {
    /// Counts an answer this many `times`.
    pub(super) fn add(&mut self, confidence: f64, right: bool, times: f64) {
        self.photos += times;
        self.confidence += times * confidence;
        self.right += if right { times } else { 0.0 };
    }

    /// Share of the answers that are right; `None` without any.
    fn accuracy(&self) -> Option<f64> {
        (self.photos > 0.0).then(|| self.right / self.photos)
    }

    /// Photos · |confidence - accuracy|.
    pub(super) fn gap(&self) -> f64 {
        (self.confidence - self.right).abs()
    }
}

/// The bin of a confidence, 0 to 1: those above bin / 15, up to (bin + 1) / 15.
pub(super) fn bin_of(confidence: f64) -> usize {
    let bin = (confidence * BINS as f64).ceil() as usize;
    bin.clamp(1, BINS) - 1
}

/// The calibration of the photos of `sample`.
pub(super) fn calibration(
    sample: &Sample<'_>,
    bootstrap: &Bootstrap,
    temperatures: Temperatures,
) -> Calibration {
    let at_best = temperatures.at_best;
    Calibration {
        ece: sample.estimate(|tally| tally.ece()),
        bins: (0..BINS).filter_map(|number| bin(number, sample, bootstrap)).collect(),
        temperature: temperatures.best,
        temperature_resamples: bootstrap.temperature_resamples,
        log_loss_at_temperature: at_best.map(|(log_loss, _)| log_loss),
        ece_at_temperature: at_best.map(|(_, ece)| ece),
        log_loss_cross_fitted: temperatures
            .cross_fitted_losses
            .is_some()
            .then(|| sample.estimate(|tally| tally.log_loss_cross_fitted())),
    }
}

/// `None` without photos.
fn bin(number: usize, sample: &Sample<'_>, bootstrap: &Bootstrap) -> Option<Bin> {
    let sum = &sample.tally.bins()[number];
    let accuracy = sample.estimate_where_defined(|tally| tally.bins()[number].accuracy())?;
    let edge = |bin: usize| bin as f64 / BINS as f64;
    Some(Bin {
        low: edge(number),
        high: edge(number + 1),
        photos: sum.photos as u64,
        confidence: sum.confidence / sum.photos,
        accuracy: bootstrap.of_share(sum.photos as u64, accuracy),
    })
}
