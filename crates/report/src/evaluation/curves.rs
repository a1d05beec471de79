//! Charts of the answers: ROC, precision-recall, reliability; and what the calibration says in words.

use minijinja::{Value, context};
use pipeline_fit::{Calibration, ClassMeasures, Estimate};

use super::Evaluation;
use super::album::source;
use super::number::{fixed, interval, percent, percent_interval};
use crate::chart::{Axis, Chart, Line, Look, Scale};
use crate::error::Error;
use crate::name::shortened;

/// Curves on a chart; more cannot be told apart.
const MAX_CURVES: usize = 8;
/// Letters of a class name in a legend.
const MAX_NAME: usize = 11;
/// In pixels: small enough that texts can be read on a phone.
const SIZE: [u32; 2] = [600, 540];

/// Points of a class's curve, and its area.
type Curve<'a> = (&'a [(f64, f64)], Option<Estimate>);

impl Evaluation {
    /// Charts of the model in detail, each with a title and a sentence.
    pub(super) fn charts(&self) -> Result<Vec<Value>, Error> {
        let Some(judged) = self.models.get(self.detail) else { return Ok(Vec::new()) };
        let measures = &judged.measures;
        let of_class = |class: usize| Some((self.curves.get(class)?, measures.per_class.get(class)?));
        let roc = |class: usize| -> Option<Curve<'_>> {
            let (curves, measures) = of_class(class)?;
            Some((&curves.roc, measures.roc_auc))
        };
        let precision_recall = |class: usize| -> Option<Curve<'_>> {
            let (curves, measures) = of_class(class)?;
            Some((&curves.precision_recall, measures.average_precision))
        };
        let mut charts = Vec::new();
        let axes = [axis("false positive rate"), axis("true positive rate")];
        if let Some(chart) = self.per_class("ROC", axes, roc, &measures.per_class) {
            charts.push(figure(
                &chart,
                "Of the others, how many are taken for the class, and of its own, how many, as the threshold falls. The \
                 further up and left, the better. Beside each name stands its area: 1 at best, 0.5 by chance.",
            )?);
        }
        let axes = [axis("recall"), axis("precision")];
        if let Some(chart) =
            self.per_class("Precision and recall", axes, precision_recall, &measures.per_class)
        {
            charts.push(figure(
                &chart,
                "Of the photos taken for a class, how many are of it, against how many of its own are found. The further \
                 up and right, the better. Beside each name stands its area.",
            )?);
        }
        if !measures.calibration.bins.is_empty() {
            charts.push(figure(&reliability(&measures.calibration), &explained(&measures.calibration))?);
        }
        Ok(charts)
    }

    /// A curve for each class; of many, those with the smallest areas. `None` without curves.
    fn per_class<'a>(
        &self,
        title: &str,
        [x, y]: [Axis; 2],
        of: impl Fn(usize) -> Option<Curve<'a>>,
        classes: &[ClassMeasures],
    ) -> Option<Chart> {
        let curves = (0..classes.len()).filter_map(|class| Some((class, of(class)?)));
        let mut curves: Vec<_> = curves.filter(|(_, (points, _))| !points.is_empty()).collect();
        let all = curves.len();
        if all > MAX_CURVES {
            let area = |area: &Option<Estimate>| area.map_or(f64::INFINITY, |area| area.value);
            curves.sort_by(|(_, (_, a)), (_, (_, b))| area(a).total_cmp(&area(b)));
            curves.truncate(MAX_CURVES);
        }
        let line = |(class, (points, area)): (usize, Curve<'_>)| Line {
            name: format!(
                "{} {}",
                shortened(&self.class(class as u32), MAX_NAME),
                area.map_or_else(String::new, |area| fixed(area.value, 3))
            ),
            points: points.to_vec(),
            look: Look::Line,
        };
        let lines: Vec<Line> = curves.into_iter().map(line).collect();
        let title = if all > MAX_CURVES { format!("{title}, worst of {all}") } else { title.to_owned() };
        (!lines.is_empty()).then_some(Chart { title, x, y, lines, marks: Vec::new() })
    }

    /// The charts of the trainings, as they lie in their artifacts.
    pub(super) fn training_charts(&self) -> Vec<Value> {
        let chart = |(shows, png): &(String, Vec<u8>)| context! { shows, source => source("png", png) };
        let trainings = self.trainings.iter().filter(|training| !training.charts.is_empty());
        let training = |training: &super::Training| {
            context! { model => &training.model, charts => training.charts.iter().map(chart).collect::<Vec<_>>() }
        };
        trainings.map(training).collect()
    }
}

/// How often answers of about one confidence are right.
fn reliability(calibration: &Calibration) -> Chart {
    let bins = calibration.bins.iter().map(|bin| (bin.confidence, bin.accuracy.value)).collect();
    let line = |name: &str, points, look| Line { name: name.to_owned(), points, look };
    Chart {
        title: "Reliability".to_owned(),
        x: axis("confidence"),
        y: axis("share right"),
        lines: vec![
            line("as sure as right", vec![(0.0, 0.0), (1.0, 1.0)], Look::Faint),
            line("answers of about one confidence", bins, Look::LineAndPoints),
        ],
        marks: Vec::new(),
    }
}

/// What the calibration says, in words.
fn explained(calibration: &Calibration) -> String {
    let mut text = format!(
        "Below the line the model is surer than it is right. On average its confidence is off by {}{}: the expected \
         calibration error.",
        percent(calibration.ece.value),
        in_brackets(percent_interval(&calibration.ece)),
    );
    let temperature = calibration.temperature.filter(|temperature| temperature.value.is_finite());
    let Some(temperature) = temperature else { return text };
    let is_too_sure = temperature.value > 1.0;
    let may_be_either = temperature.interval.is_some_and(|i| i.low <= 1.0 && i.high >= 1.0);
    let leaning = match (may_be_either, is_too_sure) {
        (true, _) => "but 1, as sure as right, is within chance",
        (false, true) => "so it is too sure",
        (false, false) => "so it is not sure enough",
    };
    let between = temperature.interval.map(|i| format!("{} to {}", fixed(i.low, 2), fixed(i.high, 2)));
    text += &format!(
        " Its log-probabilities are best divided by a temperature of {}{}, {leaning}. That temperature is fitted on these very \
         photos",
        fixed(temperature.value, 2),
        in_brackets(between.unwrap_or_default()),
    );
    text += &match (calibration.ece_at_temperature, calibration.log_loss_at_temperature) {
        (Some(ece), Some(loss)) => format!(
            ", so what it makes of them, an error of {} and a log loss of {}, is better than it would be on others.",
            percent(ece),
            fixed(loss, 4)
        ),
        _ => ".".to_owned(),
    };
    if let Some(loss) = calibration.log_loss_cross_fitted.filter(|loss| loss.value.is_finite()) {
        text += &format!(
            " With the temperature of the other half, each half has a log loss of {}{}.",
            fixed(loss.value, 4),
            in_brackets(interval(&loss)),
        );
    }
    text
}

/// ` (0.9 to 1.9 %)`; empty without words.
fn in_brackets(words: String) -> String {
    if words.is_empty() { words } else { format!(" ({words})") }
}

fn figure(chart: &Chart, note: &str) -> Result<Value, Error> {
    Ok(context! { title => &chart.title, svg => Value::from_safe_string(chart.svg_sized(SIZE)?), note })
}

fn axis(label: &str) -> Axis {
    Axis { label: label.to_owned(), scale: Scale::Linear, floor: None }
}
