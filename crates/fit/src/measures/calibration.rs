//! Whether probabilities are what they say: bins of confidence, their expected calibration error, and the temperature (Guo et
//! al. 2017, "On Calibration of Modern Neural Networks").

use super::tally::Tally;
use super::{Answers, Bin, Calibration, Estimate};
use crate::accuracy::argmax;

/// Bins of equal width (Guo et al.).
pub(super) const BINS: usize = 15;
/// The temperatures searched. Beyond them all answers are as good as certain, or as good as none.
const TEMPERATURES: [f64; 2] = [0.01, 100.0];
/// What probabilities of 0 are taken for: the least that float32 holds in full, since libraries round below it.
const LEAST_PROBABILITY: f32 = f32::MIN_POSITIVE;

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

/// The calibration of at least one answer, whose `tally` has the bins.
pub(super) fn calibration(answers: &Answers, tally: &Tally, ece: Estimate) -> Calibration {
    let temperature = temperature(answers);
    let at_temperature = temperature.map(|temperature| at(answers, temperature));
    Calibration {
        ece,
        bins: bins(tally.bins()),
        temperature,
        log_loss_at_temperature: at_temperature.map(|(log_loss, _)| log_loss),
        ece_at_temperature: at_temperature.map(|(_, ece)| ece),
    }
}

fn bins(sums: &[BinSum; BINS]) -> Vec<Bin> {
    let edge = |bin: usize| bin as f64 / BINS as f64;
    let bin = |(bin, sum): (usize, &BinSum)| Bin {
        low: edge(bin),
        high: edge(bin + 1),
        photos: sum.photos as u64,
        confidence: sum.confidence / sum.photos,
        accuracy: sum.right / sum.photos,
    };
    sums.iter().enumerate().filter(|(_, sum)| sum.photos > 0.0).map(bin).collect()
}

/// The temperature of least loss; `None` where it is at an end of [`TEMPERATURES`].
///
/// The loss is convex in b = 1 / T, so its least value is where its slope is 0: Newton's method, kept between two points
/// where the slope has unlike signs.
fn temperature(answers: &Answers) -> Option<f64> {
    let [mut high, mut low] = TEMPERATURES.map(|temperature| 1.0 / temperature);
    if derivatives(answers, low).0 >= 0.0 || derivatives(answers, high).0 <= 0.0 {
        return None;
    }
    let mut b: f64 = 1.0;
    for _ in 0..100 {
        let (slope, curvature) = derivatives(answers, b);
        *(if slope < 0.0 { &mut low } else { &mut high }) = b;
        let newton = b - slope / curvature;
        let next = if (low..=high).contains(&newton) { newton } else { (low * high).sqrt() };
        let change = (next - b).abs();
        b = next;
        if change <= 1e-10 * b {
            break;
        }
    }
    Some(1.0 / b)
}

/// First and second derivative by b of the summed loss of softmax(b · ln p): sums over the photos of E - l and of V, where
/// l is the label's log-probability, and E and V are mean and variance of a class's under softmax(b · ln p).
fn derivatives(answers: &Answers, b: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    each_photo(answers, |logs, label| {
        let own = logs[label as usize];
        let (mut weights, mut first, mut second) = (0.0, 0.0, 0.0);
        let most = highest(logs);
        for log in logs {
            let (weight, above) = ((b * (log - most)).exp(), log - own);
            weights += weight;
            first += weight * above;
            second += weight * above * above;
        }
        let mean = first / weights;
        slope += mean;
        curvature += second / weights - mean * mean;
    });
    (slope, curvature)
}

/// Mean loss and expected calibration error of softmax(ln p / T).
fn at(answers: &Answers, temperature: f64) -> (f64, f64) {
    let (mut loss, mut bins) = (0.0, [BinSum::default(); BINS]);
    let mut predicted = answers.rows().map(argmax);
    each_photo(answers, |logs, label| {
        let most = highest(logs);
        let weights: f64 = logs.iter().map(|log| ((log - most) / temperature).exp()).sum();
        loss += weights.ln() - (logs[label as usize] - most) / temperature;
        // The most likely class of ln p is the most likely at any temperature.
        bins[bin_of(1.0 / weights)].add(1.0 / weights, predicted.next() == Some(label), 1.0);
    });
    let photos = answers.labels.len() as f64;
    (loss / photos, bins.iter().map(BinSum::gap).sum::<f64>() / photos)
}

/// Calls back with the log-probabilities, `[classes]`, and the label of each photo.
fn each_photo(answers: &Answers, mut call: impl FnMut(&[f64], u32)) {
    let mut logs = vec![0.0; answers.classes];
    for ((probs, &label), &loss) in answers.rows().zip(&answers.labels).zip(&answers.losses) {
        for (log, p) in logs.iter_mut().zip(probs) {
            *log = f64::from(p.max(LEAST_PROBABILITY)).ln();
        }
        // The loss says more than a probability that float32 rounds to 0 or 1. Between, the probability is exact enough, and
        // classes that are equally likely stay so.
        let own = probs[label as usize];
        if !(LEAST_PROBABILITY..=0.5).contains(&own) {
            logs[label as usize] = -f64::from(loss);
        }
        call(&logs, label);
    }
}

fn highest(logs: &[f64]) -> f64 {
    logs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
