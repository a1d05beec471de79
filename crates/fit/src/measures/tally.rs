//! [`Tally`]: the counts and sums over photos that measures of answers are made of; [`Sample`]: those of the photos as they
//! are and of each resample.

use super::bootstrap::Bootstrap;
use super::calibration::{BINS, BinSum, bin_of};
use super::temperature::Temperatures;
use super::{Answers, Estimate};
use crate::argmax;

/// What counts of one photo's answer.
pub(super) struct Outcome {
    label: u32,
    predicted: u32,
    /// Probability of `predicted`.
    confidence: f64,
    /// Place of `confidence` among the bins.
    bin: usize,
    loss: f64,
    /// The loss at the temperature that is best on the other half of the photos.
    cross_fitted_loss: f64,
    /// Classes that are likelier than the label.
    likelier: usize,
}

impl Outcome {
    /// Every photo, in order of rows.
    pub(super) fn all(answers: &Answers, temperatures: &Temperatures) -> Vec<Outcome> {
        let cross_fitted = temperatures.cross_fitted_losses.as_deref().unwrap_or_default();
        let outcome = |(row, ((probs, &label), &loss)): (usize, ((&[f32], &u32), &f32))| {
            let predicted = argmax(probs);
            let confidence = f64::from(probs[predicted as usize]);
            let (before, from) = probs.split_at(label as usize);
            let own = from[0];
            let likelier =
                before.iter().filter(|p| **p >= own).count() + from.iter().filter(|p| **p > own).count();
            Outcome {
                label,
                predicted,
                confidence,
                bin: bin_of(confidence),
                loss: f64::from(loss),
                cross_fitted_loss: cross_fitted.get(row).copied().unwrap_or_default(),
                likelier,
            }
        };
        answers.rows().zip(&answers.labels).zip(&answers.losses).enumerate().map(outcome).collect()
    }
}

/// Counts of one class.
#[derive(Debug, Clone, Copy, Default)]
struct ClassCount {
    support: u32,
    predicted: u32,
    right: u32,
}

/// Counts and sums over photos, each as often as it was drawn.
pub(super) struct Tally {
    photos: f64,
    loss: f64,
    cross_fitted_loss: f64,
    in_top_2: f64,
    in_top_5: f64,
    classes: Vec<ClassCount>,
    bins: [BinSum; BINS],
}

impl Tally {
    /// Of at least one photo. `drawn`: `[photos]`, how often each counts.
    fn of(outcomes: &[Outcome], classes: usize, drawn: &[[u16; 1]]) -> Tally {
        let mut tally = Tally {
            photos: 0.0,
            loss: 0.0,
            cross_fitted_loss: 0.0,
            in_top_2: 0.0,
            in_top_5: 0.0,
            classes: vec![ClassCount::default(); classes],
            bins: [BinSum::default(); BINS],
        };
        for (answer, &[drawn]) in outcomes.iter().zip(drawn).filter(|(_, drawn)| drawn[0] > 0) {
            let (count, times) = (u32::from(drawn), f64::from(drawn));
            let right = answer.label == answer.predicted;
            tally.photos += times;
            tally.loss += times * answer.loss;
            tally.cross_fitted_loss += times * answer.cross_fitted_loss;
            tally.in_top_2 += if answer.likelier < 2 { times } else { 0.0 };
            tally.in_top_5 += if answer.likelier < 5 { times } else { 0.0 };
            tally.classes[answer.label as usize].support += count;
            tally.classes[answer.predicted as usize].predicted += count;
            tally.classes[answer.label as usize].right += if right { count } else { 0 };
            tally.bins[answer.bin].add(answer.confidence, right, times);
        }
        tally
    }

    pub(super) fn support(&self, class: usize) -> u64 {
        self.classes[class].support.into()
    }

    pub(super) fn predicted(&self, class: usize) -> u64 {
        self.classes[class].predicted.into()
    }

    pub(super) fn errors(&self) -> u64 {
        self.photos as u64 - self.right()
    }

    fn right(&self) -> u64 {
        self.classes.iter().map(|class| u64::from(class.right)).sum()
    }

    pub(super) fn accuracy(&self) -> f64 {
        self.right() as f64 / self.photos
    }

    pub(super) fn log_loss(&self) -> f64 {
        self.loss / self.photos
    }

    pub(super) fn log_loss_cross_fitted(&self) -> f64 {
        self.cross_fitted_loss / self.photos
    }

    pub(super) fn top_2(&self) -> f64 {
        self.in_top_2 / self.photos
    }

    pub(super) fn top_5(&self) -> f64 {
        self.in_top_5 / self.photos
    }

    /// right / predicted.
    pub(super) fn precision(&self, class: usize) -> Option<f64> {
        share(self.classes[class].right, self.predicted(class))
    }

    /// right / support.
    pub(super) fn recall(&self, class: usize) -> Option<f64> {
        share(self.classes[class].right, self.support(class))
    }

    /// 2 · right / (support + predicted), the harmonic mean of precision and recall.
    pub(super) fn f1(&self, class: usize) -> Option<f64> {
        Some(2.0 * share(self.classes[class].right, self.support(class) + self.predicted(class))?)
    }

    pub(super) fn macro_f1(&self) -> f64 {
        let (mut sum, mut classes) = (0.0, 0.0);
        for f1 in (0..self.classes.len()).filter_map(|class| self.f1(class)) {
            sum += f1;
            classes += 1.0;
        }
        sum / classes
    }

    /// (observed - expected) / (1 - expected), expected = sum over classes of support · predicted / photos² (Cohen 1960).
    pub(super) fn cohen_kappa(&self) -> Option<f64> {
        let by_chance = |class: &ClassCount| f64::from(class.support) * f64::from(class.predicted);
        let expected = self.classes.iter().map(by_chance).sum::<f64>() / self.photos.powi(2);
        (expected < 1.0).then(|| (self.accuracy() - expected) / (1.0 - expected))
    }

    /// Sum over bins of photos / all photos · |confidence - accuracy|.
    pub(super) fn ece(&self) -> f64 {
        self.bins.iter().map(BinSum::gap).sum::<f64>() / self.photos
    }

    pub(super) fn bins(&self) -> &[BinSum; BINS] {
        &self.bins
    }
}

fn share(of: u32, all: u64) -> Option<f64> {
    (all > 0).then(|| f64::from(of) / all as f64)
}

/// The tallies that estimates are made of.
pub(super) struct Sample<'a> {
    bootstrap: &'a Bootstrap,
    /// Of the photos as they are.
    pub(super) tally: Tally,
    /// Of each resample.
    redrawn: Vec<Tally>,
}

impl<'a> Sample<'a> {
    /// Of at least one photo.
    pub(super) fn draw(outcomes: &[Outcome], classes: usize, bootstrap: &'a Bootstrap) -> Sample<'a> {
        let redrawn = (0..bootstrap.resamples)
            .map(|resample| Tally::of(outcomes, classes, &bootstrap.counts(resample)))
            .collect();
        Sample { bootstrap, tally: Tally::of(outcomes, classes, &vec![[1]; outcomes.len()]), redrawn }
    }

    /// A measure that has a value whatever photos are drawn.
    pub(super) fn estimate(&self, measure: impl Fn(&Tally) -> f64) -> Estimate {
        self.bootstrap.estimate(measure(&self.tally), self.redrawn.iter().map(measure).collect())
    }

    /// A measure that may have none.
    pub(super) fn estimate_where_defined(&self, measure: impl Fn(&Tally) -> Option<f64>) -> Option<Estimate> {
        let value = measure(&self.tally)?;
        Some(self.bootstrap.estimate(value, self.redrawn.iter().filter_map(measure).collect()))
    }
}
