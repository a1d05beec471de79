//! [`Measures`]: how good the answers of a model are, each number with its interval.
//!
//! | to compute | file |
//! |---|---|
//! | photos drawn again, intervals, and how many draws time allows | `bootstrap.rs` |
//! | what needs counts of answers only, of photos as they are and drawn again: accuracy, F1, kappa, ECE | `tally.rs` |
//! | what needs photos in order of a probability: areas and curves | `ranking.rs` |
//! | the temperature that log-probabilities are best divided by | `temperature.rs` |
//! | bins of confidence | `calibration.rs` |

mod bootstrap;
mod calibration;
mod ranking;
mod tally;
mod temperature;

use serde::{Deserialize, Serialize};

use self::bootstrap::Bootstrap;
use self::ranking::Ranking;
use self::tally::{Outcome, Sample, Tally};
use self::temperature::Temperatures;
use crate::{Error, Result};

/// What is computed, in errors.
const MEASURE: &str = "measures";
/// How far above 1 a probability, or below 0 a loss, may be: float32 rounds sums of probabilities.
const SLACK: f32 = 1e-5;

/// A measure, and the interval that a bootstrap over photos gives it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the photos as they are.
    pub value: f64,
    /// In most cases around `value`. Resamples in which the measure has no value, as the recall of a class that was not
    /// drawn, do not count; `None` where no resample does, as where photos were not drawn again.
    pub interval: Option<Interval>,
}

/// Where a measure lies in most resamples: `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// A value without an interval.
    pub fn exact(value: f64) -> Estimate {
        Estimate { value, interval: None }
    }
}

/// What a model says of labelled photos.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// How many classes there are, C.
    pub classes: usize,
    /// `[N]`: the actual class of each photo.
    pub labels: Vec<u32>,
    /// `[N, C]`, row-major: probability of each class, 0 to 1.
    pub probs: Vec<f32>,
    /// `[N]`: negative log-likelihood of the label in nats, 0 or more. Beside `probs`, because a very small probability is 0
    /// in float32.
    pub losses: Vec<f32>,
}

/// How to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureOptions {
    /// How often the photos are drawn again with replacement, at most; 0: no intervals. 1,000 is usual. With very
    /// many photos it is less, down to 50: see [`Measures::resamples`].
    pub resamples: u32,
    /// Share of the resamples inside an interval, 0 to 1: 0.95.
    pub level: f64,
    /// Seed of the draws. Models that are measured with one seed on the same photos are measured on the same draws.
    pub seed: u64,
}

/// How good the answers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Labelled photos measured.
    pub photos: u64,
    /// Photos whose most likely class is not the label.
    pub errors: u64,
    /// Resamples behind each interval but those of areas: as asked, or fewer with more than 100,000 photos.
    pub resamples: u32,
    /// Resamples behind the intervals of `roc_auc` and `average_precision`: at most `resamples`, and fewer where photos x
    /// classes are more than 250,000.
    pub ranking_resamples: u32,
    /// Share of photos whose most likely class is the label, 0 to 1.
    pub accuracy: Estimate,
    /// Mean negative log-likelihood of the label in nats.
    pub log_loss: Estimate,
    /// Share of photos whose label is among the 2 most likely classes, of equally likely ones the first; `None` with
    /// 2 classes or fewer, where it is always so.
    pub top_2: Option<Estimate>,
    /// The same of the 5 most likely classes; `None` with 5 classes or fewer.
    pub top_5: Option<Estimate>,
    /// Mean F1 of the classes that are a label or an answer.
    pub macro_f1: Estimate,
    /// Cohen's kappa, -1 to 1: agreement beyond chance. `None` where chance alone agrees always.
    pub cohen_kappa: Option<Estimate>,
    /// Area under the ROC curve, 0 to 1: of the second of two classes, else the mean over the classes, each against the rest,
    /// that have photos and leave some to others. `None` where there is no such class.
    pub roc_auc: Option<Estimate>,
    /// Average precision (area under the precision-recall curve as scikit-learn sums it), as `roc_auc`.
    pub average_precision: Option<Estimate>,
    /// In order of class numbers.
    pub per_class: Vec<ClassMeasures>,
    /// Whether probabilities are what they say.
    pub calibration: Calibration,
}

/// How good the answers are about one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMeasures {
    /// Photos of this class.
    pub support: u64,
    /// Photos taken for this class.
    pub predicted: u64,
    /// Share of photos taken for it that are of it; `None` where there are none.
    pub precision: Option<Estimate>,
    /// Share of its photos that are taken for it; `None` where there are none.
    pub recall: Option<Estimate>,
    /// Harmonic mean of both; `None` where there are neither.
    pub f1: Option<Estimate>,
    /// Area under the ROC curve of this class against the rest, 0 to 1: how likely a photo of it has a higher probability of it
    /// than one of the rest has, equal ones counting half. `None` where there is no photo of it or no other.
    pub roc_auc: Option<Estimate>,
    /// Average precision of this class against the rest, 0 to 1; `None` likewise.
    pub average_precision: Option<Estimate>,
}

/// Whether probabilities are what they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error over the bins, 0 to 1 (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    pub ece: Estimate,
    /// By the confidence of the answer: 15 bins of equal width, those without photos left out.
    pub bins: Vec<Bin>,
    /// The temperature T for which the mean loss of softmax(ln p / T) is least on these very photos (above 1: the model is
    /// too sure), 0.01 to 100; `None` where none of these is best, as where every answer is right. In a resample where none
    /// is, the end that is nearest to best counts.
    pub temperature: Option<Estimate>,
    /// Resamples behind the interval of `temperature`: at most `resamples`, fewer where photos x classes are more than
    /// 10,000, and 0 above 200,000, where 50 would take long.
    pub temperature_resamples: u32,
    /// `log_loss` at that temperature: of photos that it was fitted on, so a little lower than on others.
    pub log_loss_at_temperature: Option<f64>,
    /// `ece` at that temperature, likewise.
    pub ece_at_temperature: Option<f64>,
    /// What `log_loss` is honestly with a temperature: that of each half of the photos, every other row, at the temperature
    /// that is best on the other half. `None` where a half has none.
    pub log_loss_cross_fitted: Option<Estimate>,
}

/// Answers of about one confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Confidence above this, 0 to 1 (the first bin: from 0).
    pub low: f64,
    /// Confidence up to this.
    pub high: f64,
    /// Answers in it.
    pub photos: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them that are right.
    pub accuracy: Estimate,
}

/// Curves over thresholds of one class's probability, the points of each thinned to at most 200 for drawing, both ends kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassCurves {
    /// (false positive rate, true positive rate), from (0, 0) to (1, 1).
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision), recall ascending, from (0, 1).
    pub precision_recall: Vec<(f64, f64)>,
}

impl Answers {
    /// Checks the lengths, the labels, that every probability is a number from 0 to 1 and every loss a finite one of 0 or more.
    /// No rows are fine.
    ///
    /// # Errors
    /// What is wrong, with its row.
    pub fn check(&self) -> Result<()> {
        check_probabilities(MEASURE, &self.labels, &self.probs, self.classes)?;
        let (found, expected) = (self.losses.len(), self.labels.len());
        if found != expected {
            return Err(Error::Length { measure: MEASURE, what: "losses", found, expected });
        }
        match self.losses.iter().position(|loss| !loss.is_finite() || *loss < -SLACK) {
            Some(row) => Err(Error::Loss { measure: MEASURE, row, found: self.losses[row] }),
            None => Ok(()),
        }
    }

    /// How good they are. A function of the answers and the options only.
    ///
    /// # Errors
    /// Those of [`Answers::check`]; no rows; a level that is not from 0 to 1.
    pub fn measure(&self, options: &MeasureOptions) -> Result<Measures> {
        self.check()?;
        let photos = self.labels.len();
        if photos == 0 {
            return Err(Error::NoRows { measure: MEASURE });
        }
        let bootstrap = Bootstrap::new(photos, self.classes, options)?;
        let temperatures = Temperatures::fit(self, &bootstrap);
        let sample = Sample::draw(&Outcome::all(self, &temperatures), self.classes, &bootstrap);
        let tally = &sample.tally;
        // Of all photos.
        let share = |measure: fn(&Tally) -> f64| bootstrap.of_share(photos as u64, sample.estimate(measure));
        let (area, areas) = ranking::areas(self, &bootstrap);
        let per_class = (0..self.classes).zip(areas).map(|(class, area)| {
            let (support, predicted) = (tally.support(class), tally.predicted(class));
            let precision = sample.estimate_where_defined(|tally| tally.precision(class));
            let recall = sample.estimate_where_defined(|tally| tally.recall(class));
            ClassMeasures {
                support,
                predicted,
                precision: precision.map(|precision| bootstrap.of_share(predicted, precision)),
                recall: recall.map(|recall| bootstrap.of_share(support, recall)),
                f1: sample.estimate_where_defined(|tally| tally.f1(class)),
                roc_auc: area.roc_auc,
                average_precision: area.average_precision,
            }
        });
        Ok(Measures {
            photos: photos as u64,
            errors: tally.errors(),
            resamples: bootstrap.resamples,
            ranking_resamples: bootstrap.ranking_resamples,
            accuracy: share(Tally::accuracy),
            log_loss: sample.estimate(Tally::log_loss),
            top_2: (self.classes > 2).then(|| share(Tally::top_2)),
            top_5: (self.classes > 5).then(|| share(Tally::top_5)),
            macro_f1: sample.estimate(Tally::macro_f1),
            cohen_kappa: sample.estimate_where_defined(Tally::cohen_kappa),
            roc_auc: area.roc_auc,
            average_precision: area.average_precision,
            per_class: per_class.collect(),
            calibration: calibration::calibration(&sample, &bootstrap, temperatures),
        })
    }

    /// For each class its curves; empty ones for a class of which all photos are, or none.
    ///
    /// # Errors
    /// Those of [`Answers::check`].
    pub fn curves(&self) -> Result<Vec<ClassCurves>> {
        self.check()?;
        let curves = |class| Ranking::of(self, class).map(|ranking| ranking.curves()).unwrap_or_default();
        Ok((0..self.classes).map(curves).collect())
    }

    /// The probabilities of each photo, `[classes]`.
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        // `chunks_exact` refuses 0; without classes there are no photos either.
        self.probs.chunks_exact(self.classes.max(1))
    }
}

/// Checks `labels`, `[N]`, and `probs`, `[N, classes]`.
///
/// # Errors
/// Lengths that do not fit, labels that are no class, probabilities that are not from 0 to 1.
pub(crate) fn check_probabilities(
    measure: &'static str,
    labels: &[u32],
    probs: &[f32],
    classes: usize,
) -> Result<()> {
    let (found, expected) = (probs.len(), labels.len() * classes);
    if found != expected {
        return Err(Error::Length { measure, what: "probabilities", found, expected });
    }
    if let Some(&found) = labels.iter().find(|label| **label as usize >= classes) {
        return Err(Error::Class { measure, found, classes });
    }
    match probs.iter().position(|p| !(0.0..=1.0 + SLACK).contains(p)) {
        Some(at) => {
            let (row, class) = (at / classes, at % classes);
            Err(Error::Probability { measure, row, class, found: probs[at] })
        }
        None => Ok(()),
    }
}
