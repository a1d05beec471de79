//! The table of classes.

use minijinja::{Value, context};
use pipeline_fit::Estimate;

use super::Evaluation;
use super::measures::{AVERAGE_PRECISION, F1, PRECISION, RECALL, ROC_AUC};
use super::number::{NONE, count, fixed, interval, percent, percent_interval};

impl Evaluation {
    /// A row per class.
    pub(super) fn per_class_rows(&self) -> Vec<Value> {
        let Some(judged) = self.models.get(self.detail) else { return Vec::new() };
        let row = |(class, measures): (usize, &pipeline_fit::ClassMeasures)| {
            context! {
                name => self.class(class as u32),
                support => count(measures.support),
                support_value => measures.support,
                cells => vec![
                    share(measures.precision),
                    share(measures.recall),
                    share(measures.f1),
                    area(measures.roc_auc),
                    area(measures.average_precision),
                ],
            }
        };
        judged.measures.per_class.iter().enumerate().map(row).collect()
    }

    /// The columns of [`Evaluation::per_class_rows`] after class and photos.
    pub(super) fn per_class_columns(&self) -> Vec<Value> {
        let columns = [
            ("Precision", PRECISION),
            ("Recall", RECALL),
            ("F1", F1),
            ("Area under ROC", ROC_AUC),
            ("Average precision", AVERAGE_PRECISION),
        ];
        columns.into_iter().map(|(name, what)| context! { name, what }).collect()
    }
}

fn share(estimate: Option<Estimate>) -> Value {
    cell(estimate, percent, percent_interval)
}

fn area(estimate: Option<Estimate>) -> Value {
    cell(estimate, |x| fixed(x, 4), interval)
}

/// A number with its interval, and the number to sort by.
fn cell(estimate: Option<Estimate>, text: fn(f64) -> String, interval: fn(&Estimate) -> String) -> Value {
    let Some(estimate) = estimate.filter(|estimate| estimate.value.is_finite()) else {
        return context! { text => NONE, interval => "", value => "" };
    };
    context! {
        text => text(estimate.value),
        interval => interval(&estimate),
        value => format!("{:.6}", estimate.value),
    }
}
