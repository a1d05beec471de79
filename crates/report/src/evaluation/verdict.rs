//! The verdict: how often the model is right, what test-time augmentation gains, whether models differ beyond chance.

use minijinja::{Value, context};
use pipeline_fit::{Estimate, McNemar};

use super::number::{NONE, count, counted, fixed, interval, percent, percent_interval};
use super::{Evaluation, Judged};

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
            models => self.models_table(),
            has_top_5 => self.models.iter().any(|judged| judged.measures.top_5.is_some()),
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
            self.split,
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

    fn models_table(&self) -> Vec<Value> {
        let columns = [
            self.column(true, |judged| Some(judged.measures.accuracy), percent, percent_interval),
            self.column(false, |judged| exactly(judged.measures.errors), |n| fixed(n, 0), |_| String::new()),
            self.column(false, |judged| Some(judged.measures.log_loss), |x| fixed(x, 4), interval),
            self.column(false, |judged| Some(judged.measures.calibration.ece), percent, percent_interval),
            self.column(true, |judged| judged.measures.roc_auc, |x| fixed(x, 4), interval),
            self.column(true, |judged| judged.measures.top_5, percent, percent_interval),
        ];
        let row = |(at, judged): (usize, &Judged)| {
            let cells: Vec<Value> = columns.iter().map(|column| column[at].clone()).collect();
            context! { model => &judged.model, mode => &judged.mode, is_detail => at == self.detail, cells }
        };
        self.models.iter().enumerate().map(row).collect()
    }

    /// The cells of a measure; the best are marked, those that read the same alike.
    fn column(
        &self,
        is_higher_better: bool,
        of: fn(&Judged) -> Option<Estimate>,
        text: fn(f64) -> String,
        interval: fn(&Estimate) -> String,
    ) -> Vec<Value> {
        let value = |judged: &Judged| of(judged).filter(|_| judged.measures.photos > 0);
        let values = self.models.iter().filter_map(value).map(|e| e.value).filter(|v| v.is_finite());
        let best = values.reduce(if is_higher_better { f64::max } else { f64::min }).map(text);
        let cell = |judged: &Judged| {
            let shown = value(judged).map(|estimate| text(estimate.value));
            let is_best = self.models.len() > 1 && shown.is_some() && shown == best;
            let interval = value(judged).map(|estimate| interval(&estimate)).unwrap_or_default();
            context! { text => shown.unwrap_or_else(|| NONE.to_owned()), interval, is_best }
        };
        self.models.iter().map(cell).collect()
    }
}

/// The few numbers that stand large below the sentence.
fn figures(judged: &Judged) -> Vec<Value> {
    let measures = &judged.measures;
    let figure = |number: String, name: &str, note: String| context! { number, name, note };
    let errors = if measures.errors == 1 { "error" } else { "errors" };
    vec![
        figure(count(measures.errors), errors, format!("of {}", counted(measures.photos, "photo", "photos"))),
        figure(percent(measures.accuracy.value), "right", percent_interval(&measures.accuracy)),
        figure(fixed(measures.log_loss.value, 4), "log loss", interval(&measures.log_loss)),
        figure(
            percent(measures.calibration.ece.value),
            "calibration error",
            percent_interval(&measures.calibration.ece),
        ),
    ]
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

fn exactly(number: u64) -> Option<Estimate> {
    Some(Estimate::exact(number as f64))
}
