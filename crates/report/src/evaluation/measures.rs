//! The table of measures: a row for each, in plain words, with the numbers of every model side by side.

use minijinja::{Value, context};
use pipeline_fit::{Estimate, Measures};

use super::number::{NONE, fixed, interval, percent, percent_interval};
use super::{Evaluation, Judged};

/// A measure as it is shown.
pub(super) struct Measure {
    pub(super) name: &'static str,
    /// What it says, for people who have not met it.
    pub(super) what: &'static str,
    /// `None` where it is neither good nor bad.
    is_higher_better: Option<bool>,
    of: fn(&Measures) -> Option<Estimate>,
    text: fn(f64) -> String,
    interval: fn(&Estimate) -> String,
}

pub(super) const ACCURACY: Measure = Measure {
    name: "Right (accuracy)",
    what: "The share of photos whose answer is the label.",
    is_higher_better: Some(true),
    of: |measures| Some(measures.accuracy),
    text: percent,
    interval: percent_interval,
};
pub(super) const ERRORS: Measure = Measure {
    name: "Errors",
    what: "Photos whose answer is not the label.",
    is_higher_better: Some(false),
    of: |measures| Some(Estimate::exact(measures.errors as f64)),
    text: |number| fixed(number, 0),
    interval: |_| String::new(),
};
pub(super) const LOG_LOSS: Measure = Measure {
    name: "Log loss",
    what: "How little probability the labels get; to be sure and wrong costs most. 0 where all are certain and right.",
    is_higher_better: Some(false),
    of: |measures| Some(measures.log_loss),
    text: |x| fixed(x, 4),
    interval,
};
pub(super) const CALIBRATION_ERROR: Measure = Measure {
    name: "Calibration error",
    what: "How far confidence is off, on average: 0 where answers that are 90 % sure are right 9 times in 10.",
    is_higher_better: Some(false),
    of: |measures| Some(measures.calibration.ece),
    text: percent,
    interval: percent_interval,
};
pub(super) const PRECISION: &str =
    "Of the photos taken for the class, the share that is of it. Higher is better.";
pub(super) const RECALL: &str = "Of the photos of the class, the share that is found. Higher is better.";
pub(super) const F1: &str =
    "Precision and recall in one number, their harmonic mean: high only where both are. Higher is better.";
pub(super) const ROC_AUC: &str = "How often a photo of the class has a higher probability of it than one of the others: 1 \
                                  always, 0.5 by chance. Higher is better.";
pub(super) const AVERAGE_PRECISION: &str = "All photos in order of their probability of the class: 1 where its own come first. \
                                            Higher is better.";

/// In the order of the table.
const MEASURES: [Measure; 12] = [
    ACCURACY,
    ERRORS,
    Measure {
        name: "Right in 2 (top-2 accuracy)",
        what: "The share of photos whose label is among the two likeliest classes.",
        of: |measures| measures.top_2,
        ..ACCURACY
    },
    Measure {
        name: "Right in 5 (top-5 accuracy)",
        what: "The share of photos whose label is among the five likeliest classes.",
        of: |measures| measures.top_5,
        ..ACCURACY
    },
    Measure {
        name: "Macro F1",
        what: "How well a class is found, and without others among it: the mean of all classes, small ones counting as much \
               as large ones.",
        of: |measures| Some(measures.macro_f1),
        ..ACCURACY
    },
    Measure {
        name: "Cohen’s kappa",
        what: "How much of what guessing leaves wrong is right: 1 all of it, 0 no better than guessing.",
        is_higher_better: Some(true),
        of: |measures| measures.cohen_kappa,
        ..LOG_LOSS
    },
    LOG_LOSS,
    Measure {
        name: "Area under ROC",
        what: "How often a photo of a class has a higher probability of it than one of the others: 1 always, 0.5 by chance.",
        is_higher_better: Some(true),
        of: |measures| measures.roc_auc,
        ..LOG_LOSS
    },
    Measure {
        name: "Average precision",
        what: "With all photos in order of their probability of a class: 1 where its own come first, near its share of the \
               photos by chance.",
        is_higher_better: Some(true),
        of: |measures| measures.average_precision,
        ..LOG_LOSS
    },
    CALIBRATION_ERROR,
    Measure {
        name: "Temperature",
        what: "What log-probabilities are best divided by: above 1 the model is too sure, below 1 not sure enough. Fitted on \
               these very photos.",
        is_higher_better: None,
        of: |measures| measures.calibration.temperature,
        text: |x| fixed(x, 2),
        interval: |estimate| {
            estimate.interval.map(|i| format!("{:.2} to {:.2}", i.low, i.high)).unwrap_or_default()
        },
    },
    Measure {
        name: "Log loss with a temperature",
        what: "What a temperature is worth on photos that it was not fitted on: each half of the photos at the temperature of \
               the other half.",
        of: |measures| measures.calibration.log_loss_cross_fitted,
        ..LOG_LOSS
    },
];

impl Measure {
    /// What it says and which direction is better.
    pub(super) fn explained(&self) -> String {
        let direction = match self.is_higher_better {
            Some(true) => " Higher is better.",
            Some(false) => " Lower is better.",
            None => "",
        };
        format!("{}{direction}", self.what)
    }

    /// The number of one model and its interval, as texts; `None` without a number.
    pub(super) fn texts(&self, measures: &Measures) -> Option<(String, String)> {
        let estimate = (self.of)(measures).filter(|estimate| estimate.value.is_finite())?;
        Some(((self.text)(estimate.value), (self.interval)(&estimate)))
    }

    /// The number that reads as the best of all models, where there are several.
    fn best(&self, models: &[&Judged]) -> Option<String> {
        let values = models.iter().filter_map(|judged| (self.of)(&judged.measures)).map(|e| e.value);
        let values = values.filter(|value| value.is_finite());
        let best = values.reduce(if self.is_higher_better? { f64::max } else { f64::min })?;
        (models.len() > 1).then(|| (self.text)(best))
    }
}

impl Evaluation {
    /// A row for each measure that any model has, with a cell for each model in each mode; the best of a row are marked, those
    /// that read the same alike.
    pub(super) fn measures_table(&self) -> Vec<Value> {
        let measured: Vec<&Judged> = self.models.iter().filter(|judged| judged.measures.photos > 0).collect();
        let row = |measure: &Measure| {
            let best = measure.best(&measured);
            let texts = |judged: &Judged| {
                Some(&judged.measures).filter(|measures| measures.photos > 0).and_then(|m| measure.texts(m))
            };
            let cells: Vec<_> = self.detail_first().map(|(at, judged)| (at, texts(judged))).collect();
            let cell = |(at, texts): &(usize, Option<(String, String)>)| {
                let (text, interval) = texts.clone().unwrap_or_else(|| (NONE.to_owned(), String::new()));
                let is_best = best.as_ref() == Some(&text);
                context! { text, interval, is_best, is_detail => *at == self.detail }
            };
            let is_known = cells.iter().any(|(_, texts)| texts.is_some());
            is_known.then(|| {
                context! {
                    name => measure.name,
                    what => measure.explained(),
                    cells => cells.iter().map(cell).collect::<Vec<_>>(),
                }
            })
        };
        MEASURES.iter().filter_map(row).collect()
    }

    /// The columns of [`Evaluation::measures_table`].
    pub(super) fn measured_models(&self) -> Vec<Value> {
        let head = |(at, judged): (usize, &Judged)| {
            context! { model => &judged.model, mode => &judged.mode, is_detail => at == self.detail }
        };
        self.detail_first().map(head).collect()
    }

    /// All models, the one in detail first: on a phone, the first column is the only one in sight.
    fn detail_first(&self) -> impl Iterator<Item = (usize, &Judged)> {
        let (detail, others): (Vec<_>, Vec<_>) =
            self.models.iter().enumerate().partition(|(at, _)| *at == self.detail);
        detail.into_iter().chain(others)
    }

    /// Whether any number has an interval.
    pub(super) fn has_intervals(&self) -> bool {
        self.models.iter().any(|judged| judged.measures.accuracy.interval.is_some())
    }
}
