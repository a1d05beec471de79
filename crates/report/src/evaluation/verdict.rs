//! The verdict: how often the model is right, what test-time augmentation gains, whether models differ beyond chance.

use minijinja::{Value, context};
use pipeline_fit::McNemar;

use super::measures::{ACCURACY, CALIBRATION_ERROR, ERRORS, LOG_LOSS, Measure};
use super::number::{count, counted, percent, percent_interval};
use super::{Evaluation, Judged};
use crate::name::listed;

/// Classes without photos that are named.
const MAX_NAMED: usize = 5;

impl Judged {
    /// `finetune`, or `finetune (mean of 5 views)`.
    pub(super) fn name(&self) -> String {
        if self.mode.is_empty() { self.model.clone() } else { format!("{} ({})", self.model, self.mode) }
    }
}

impl Evaluation {
    /// What stands at the top of the page.
    pub(super) fn verdict(&self) -> Value {
        let judged = self.models.get(self.detail).filter(|judged| judged.measures.photos > 0);
        let is_of_detail = |pair: &&(usize, usize, McNemar)| [pair.0, pair.1].contains(&self.detail);
        let (own, others): (Vec<_>, Vec<_>) = self.comparisons.iter().partition(is_of_detail);
        let in_words = |pairs: Vec<&(usize, usize, McNemar)>| -> Vec<String> {
            pairs.into_iter().filter_map(|pair| self.comparison(pair)).collect()
        };
        context! {
            sentence => self.sentence(judged),
            figures => judged.map(figures).unwrap_or_default(),
            gain => judged.and_then(|judged| self.gain(judged)),
            comparisons => in_words(own),
            other_comparisons => in_words(others),
            cautions => judged.map(|judged| self.cautions(judged)).unwrap_or_default(),
            models => self.measured_models(),
            are_models_several => self.models.len() > 1,
            measures => self.measures_table(),
            has_intervals => self.has_intervals(),
        }
    }

    fn sentence(&self, judged: Option<&Judged>) -> String {
        let Some(judged) = judged else {
            let seen = counted(self.photos.len() as u64, "photo", "photos");
            return format!(
                "{seen} of {} looked at; without labels, nothing can be said of errors.",
                self.split
            );
        };
        let measures = &judged.measures;
        let interval = match percent_interval(&measures.accuracy) {
            none if none.is_empty() => none,
            some => format!(" ({some})"),
        };
        format!(
            "{} is right on {} of {} {} photos: {}{interval}.",
            judged.name(),
            count(measures.photos.saturating_sub(measures.errors)),
            count(measures.photos),
            self.split(),
            percent(measures.accuracy.value),
        )
    }

    /// For a model in a mode of several views: what that changes.
    fn gain(&self, several: &Judged) -> Option<String> {
        let is_plain = |other: &&Judged| other.model == several.model && other.mode.is_empty();
        let plain = self.models.iter().find(is_plain).filter(|_| !several.mode.is_empty())?;
        Some(gain(plain, several))
    }

    fn comparison(&self, (first, second, test): &(usize, usize, McNemar)) -> Option<String> {
        let [a, b] = [self.models.get(*first)?.name(), self.models.get(*second)?.name()];
        let (a_only, b_only) = (test.only_first, test.only_second);
        if a_only + b_only == 0 {
            return Some(format!("{a} and {b} are right on the same photos."));
        }
        let verdict = if test.is_beyond_chance() {
            format!("{a} and {b} differ beyond chance")
        } else {
            format!("Between {a} and {b} the difference may be chance")
        };
        let photos = counted(a_only, "photo", "photos");
        let counts = format!("{photos} only the first has right, {} only the second", count(b_only));
        Some(format!("{verdict}: {counts} ({}).", test.p_in_words()))
    }

    /// What to know before trusting the numbers.
    fn cautions(&self, judged: &Judged) -> Vec<String> {
        let classes = judged.measures.per_class.iter().enumerate();
        let absent: Vec<String> = classes
            .filter(|(_, class)| class.support == 0)
            .map(|(class, _)| self.class(class as u32))
            .collect();
        let absent = (!absent.is_empty()).then(|| {
            let (few, all) = (count(absent.len() as u64), count(judged.measures.per_class.len() as u64));
            let have = if absent.len() == 1 { "has" } else { "have" };
            let names = listed(absent.iter().map(String::as_str), MAX_NAMED);
            format!("{few} of {all} classes {have} no {} photo, so nothing is known of how well it is found: {names}.", self.split())
        });
        let certain = judged.measures.accuracy.interval.is_none().then(|| {
            "Photos were not drawn again (`resamples: 0`): no number has an interval that says how far chance may have moved it."
                .to_owned()
        });
        absent.into_iter().chain(certain).collect()
    }

    /// The split as a word before `photos`.
    pub(super) fn split(&self) -> &str {
        match &*self.split {
            "train" => "training",
            "valid" => "validation",
            other => other,
        }
    }
}

/// The few numbers that stand large below the sentence.
fn figures(judged: &Judged) -> Vec<Value> {
    let measures = &judged.measures;
    let figure = |measure: &Measure, name: &str, note: Option<String>| {
        let (number, interval) = measure.texts(measures)?;
        let is_bad = measure.name == ERRORS.name && measures.errors > 0;
        Some(context! { number, name, is_bad, note => note.unwrap_or(interval), what => measure.explained() })
    };
    let photos = format!("of {}", counted(measures.photos, "photo", "photos"));
    let errors = if measures.errors == 1 { "error" } else { "errors" };
    let figures = [
        figure(&ERRORS, errors, Some(photos)),
        figure(&ACCURACY, "right", None),
        figure(&LOG_LOSS, "log loss", None),
        figure(&CALIBRATION_ERROR, "calibration error", None),
    ];
    figures.into_iter().flatten().collect()
}

fn gain(plain: &Judged, several: &Judged) -> String {
    let (before, after) = (plain.measures.errors, several.measures.errors);
    let change = match before.abs_diff(after) {
        0 => "no change".to_owned(),
        n if after < before => format!("{} fewer", count(n)),
        n => format!("{} more", count(n)),
    };
    format!(
        "Test-time augmentation ({}): {} is wrong on {} instead of {}, {change}.",
        several.mode,
        several.model,
        counted(after, "photo", "photos"),
        count(before),
    )
}
