//! [`Temperatures`]: the number that log-probabilities are best divided by (Guo et al. 2017, "On Calibration of Modern Neural
//! Networks"), on all photos, on photos drawn again, and on each half for the other.

use super::bootstrap::Bootstrap;
use super::calibration::{BINS, BinSum, bin_of};
use super::{Answers, Estimate};
use crate::argmax;

/// The temperatures searched. Beyond them all answers are as good as certain, or as good as none.
const TEMPERATURES: [f64; 2] = [0.01, 100.0];
/// What probabilities of 0 are taken for: the least that float32 holds in full, since libraries round below it.
const LEAST_PROBABILITY: f32 = f32::MIN_POSITIVE;

/// The best temperatures.
pub(super) struct Temperatures {
    /// On all photos; `None` where it is at an end of [`TEMPERATURES`].
    pub(super) best: Option<Estimate>,
    /// Mean loss and expected calibration error at the best.
    pub(super) at_best: Option<(f64, f64)>,
    /// `[N]`: the loss of each photo at the temperature that is best on the half that it is not in; `None` where a half has
    /// none inside of [`TEMPERATURES`].
    pub(super) cross_fitted_losses: Option<Vec<f64>>,
}

impl Temperatures {
    pub(super) fn fit(answers: &Answers, bootstrap: &Bootstrap) -> Temperatures {
        let inside = |temperature: f64| Some(temperature).filter(|t| !TEMPERATURES.contains(t));
        let value = inside(best(answers, 1.0, |_| 1.0));
        let estimate = value.map(|value| {
            let redrawn = |resample| {
                let counts = bootstrap.counts::<1>(resample);
                best(answers, 1.0 / value, |row| f64::from(counts[row][0]))
            };
            bootstrap.estimate(value, (0..bootstrap.temperature_resamples).map(redrawn).collect())
        });
        // Rows are in order of their names, so every other one makes halves that are alike.
        let of_other_half =
            [1, 0].map(|other| inside(best(answers, 1.0, |row| if row % 2 == other { 1.0 } else { 0.0 })));
        let cross_fitted_losses = match of_other_half {
            [Some(even), Some(odd)] => {
                let mut losses = Vec::with_capacity(answers.labels.len());
                each_photo(answers, |_| 1.0, |photo| losses.push(photo.loss([even, odd][photo.row % 2])));
                Some(losses)
            }
            _ => None,
        };
        let at_best = value.map(|temperature| at(answers, temperature));
        Temperatures { best: estimate, at_best, cross_fitted_losses }
    }
}

/// The temperature of least loss of the photos, each of which counts `times` its row; an end of [`TEMPERATURES`] where it
/// is best. The search begins at the inverse temperature `start`.
///
/// The loss is convex in b = 1 / T, so its least value is where its slope is 0: Newton's method, kept between two points
/// where the slope has unlike signs.
fn best(answers: &Answers, start: f64, times: impl Fn(usize) -> f64) -> f64 {
    let [mut high, mut low] = TEMPERATURES.map(|temperature| 1.0 / temperature);
    if derivatives(answers, low, &times).0 >= 0.0 {
        return TEMPERATURES[1];
    }
    if derivatives(answers, high, &times).0 <= 0.0 {
        return TEMPERATURES[0];
    }
    let mut b = start;
    for _ in 0..100 {
        let (slope, curvature) = derivatives(answers, b, &times);
        *(if slope < 0.0 { &mut low } else { &mut high }) = b;
        let newton = b - slope / curvature;
        let next = if (low..=high).contains(&newton) { newton } else { (low * high).sqrt() };
        let change = (next - b).abs();
        b = next;
        if change <= 1e-10 * b {
            break;
        }
    }
    1.0 / b
}

/// First and second derivative by b of the summed loss of softmax(b · ln p): sums over the photos of E - l and of V, where
/// l is the label's log-probability, and E and V are mean and variance of a class's under softmax(b · ln p).
fn derivatives(answers: &Answers, b: f64, times: impl Fn(usize) -> f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    each_photo(answers, times, |photo| {
        let (mut weights, mut first, mut second) = (0.0, 0.0, 0.0);
        let most = photo.highest();
        for log in photo.logs {
            let (weight, above) = ((b * (log - most)).exp(), log - photo.own);
            weights += weight;
            first += weight * above;
            second += weight * above * above;
        }
        let mean = first / weights;
        slope += photo.times * mean;
        curvature += photo.times * (second / weights - mean * mean);
    });
    (slope, curvature)
}

/// Mean loss and expected calibration error of softmax(ln p / T).
fn at(answers: &Answers, temperature: f64) -> (f64, f64) {
    let (mut loss, mut bins) = (0.0, [BinSum::default(); BINS]);
    let mut predicted = answers.rows().map(argmax);
    each_photo(
        answers,
        |_| 1.0,
        |photo| {
            loss += photo.loss(temperature);
            // The most likely class of ln p is the most likely at any temperature.
            let confidence = 1.0 / photo.weights(temperature);
            let is_right = predicted.next() == Some(answers.labels[photo.row]);
            bins[bin_of(confidence)].add(confidence, is_right, 1.0);
        },
    );
    let photos = answers.labels.len() as f64;
    (loss / photos, bins.iter().map(BinSum::gap).sum::<f64>() / photos)
}

/// The log-probabilities of one photo.
struct Photo<'a> {
    row: usize,
    /// How often it counts.
    times: f64,
    /// `[classes]`.
    logs: &'a [f64],
    /// That of the label.
    own: f64,
}

impl Photo<'_> {
    fn highest(&self) -> f64 {
        self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Sum over classes of exp((ln p - the highest ln p) / T).
    fn weights(&self, temperature: f64) -> f64 {
        let most = self.highest();
        self.logs.iter().map(|log| ((log - most) / temperature).exp()).sum()
    }

    /// -ln softmax(ln p / T) of the label.
    fn loss(&self, temperature: f64) -> f64 {
        self.weights(temperature).ln() - (self.own - self.highest()) / temperature
    }
}

/// Calls back with each photo that counts.
fn each_photo(answers: &Answers, times: impl Fn(usize) -> f64, mut call: impl FnMut(Photo<'_>)) {
    let mut logs = vec![0.0; answers.classes];
    let rows = answers.rows().zip(&answers.labels).zip(&answers.losses).enumerate();
    for (row, ((probs, &label), &loss)) in rows {
        let times = times(row);
        if times == 0.0 {
            continue;
        }
        for (log, p) in logs.iter_mut().zip(probs) {
            *log = f64::from(p.max(LEAST_PROBABILITY)).ln();
        }
        // The loss says more than a probability that float32 rounds to 0 or 1. Between, the probability is exact enough, and
        // classes that are equally likely stay so.
        let own = probs[label as usize];
        if !(LEAST_PROBABILITY..=0.5).contains(&own) {
            logs[label as usize] = -f64::from(loss);
        }
        call(Photo { row, times, logs: &logs, own: logs[label as usize] });
    }
}
