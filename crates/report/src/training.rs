//! The three charts of a training: learning rates, losses, and the learning-rate finder's curve.
//!
//! Each is a [`Chart`] to write, or to add marks to first: restarts, epochs.

use std::ops::Range;

use crate::chart::{Axis, Chart, Line, Look, Mark, Scale, short};

/// The learning rate of one layer group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates<'a> {
    /// The group's name.
    pub group: &'a str,
    /// As (step, rate).
    pub rates: &'a [(u64, f64)],
}

/// Losses of one fit, as (step, loss). Parts that are empty have no curve.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses<'a> {
    /// Of each batch, in training mode.
    pub train: &'a [(u64, f64)],
    /// The averaged train loss, as it is printed.
    pub averaged: &'a [(u64, f64)],
    /// On the validation photos, at the ends of epochs.
    pub valid: &'a [(u64, f64)],
}

/// A step of the learning-rate finder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinderPoint {
    /// The learning rate, above 0.
    pub rate: f64,
    /// Loss of the batch.
    pub loss: f64,
    /// Averaged loss up to here.
    pub averaged: f64,
}

/// A learning rate that the finder suggests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suggestion<'a> {
    /// How it was found: `valley`, `steep`.
    pub name: &'a str,
    /// The learning rate.
    pub rate: f64,
}

/// Learning rate over steps, a line per layer group. The rates are on a logarithmic axis where one group's highest rate is
/// 10 or more times another's; groups that stay at 0 do not count. It then begins at 1/1000 of the lowest of those
/// highest rates at least: where a cosine ends, the rate is next to nothing.
pub fn lr_chart(groups: &[Rates<'_>]) -> Chart {
    let highest = groups.iter().map(|group| group.rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max));
    let (scale, low) = spread(highest);
    let line = |group: &Rates<'_>| Line {
        name: group.group.to_owned(),
        points: group.rates.iter().map(|(step, rate)| (*step as f64, *rate)).collect(),
        look: Look::Line,
    };
    Chart {
        title: "Learning rate".to_owned(),
        x: axis("step", Scale::Linear),
        y: Axis { floor: low.map(|low| low / 1000.0), ..axis("learning rate", scale) },
        lines: groups.iter().map(line).collect(),
        marks: Vec::new(),
    }
}

/// Loss over steps: of each batch, faint; averaged; and on the validation photos at the ends of epochs. It is on a
/// logarithmic axis where the averaged and validation losses differ 10 times or more, since a loss falls fast at first.
/// It then begins at half their lowest at least: single batches may have next to no loss.
pub fn loss_chart(losses: &Losses<'_>) -> Chart {
    let train = if losses.averaged.is_empty() { Look::Line } else { Look::Faint };
    let parts = [
        ("train, each batch", losses.train, train),
        ("train, averaged", losses.averaged, Look::Line),
        ("valid", losses.valid, Look::LineAndPoints),
    ];
    let (scale, low) = spread(losses.averaged.iter().chain(losses.valid).map(|(_, loss)| *loss));
    let line = |(name, points, look): (&str, &[(u64, f64)], Look)| Line {
        name: name.to_owned(),
        points: points.iter().map(|(step, loss)| (*step as f64, *loss)).collect(),
        look,
    };
    Chart {
        title: "Loss".to_owned(),
        x: axis("step", Scale::Linear),
        y: Axis { floor: low.map(|low| low / 2.0), ..axis("loss", scale) },
        lines: parts.into_iter().filter(|(_, points, _)| !points.is_empty()).map(line).collect(),
        marks: Vec::new(),
    }
}

/// A logarithmic scale and the lowest value where values differ 10 times or more; only those count that are above 0 and
/// finite.
fn spread(values: impl Iterator<Item = f64>) -> (Scale, Option<f64>) {
    let values = values.filter(|value| *value > 0.0 && value.is_finite());
    let (low, high) =
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    // With room for the error of decimals: to a reader, 0.3 is ten times 0.03.
    if high >= 10.0 * low * (1.0 - 1e-9) { (Scale::Log, Some(low)) } else { (Scale::Linear, None) }
}

/// The learning-rate finder's curve: loss over rate, with a mark for each suggestion. Of the points only those of `shown`
/// are drawn, as far as there are so many: the first are not settled yet, the last are beyond use.
pub fn finder_chart(points: &[FinderPoint], shown: Range<usize>, suggestions: &[Suggestion<'_>]) -> Chart {
    let end = shown.end.min(points.len());
    let points = &points[shown.start.min(end)..end];
    let line = |name: &str, look, loss: fn(&FinderPoint) -> f64| Line {
        name: name.to_owned(),
        points: points.iter().map(|point| (point.rate, loss(point))).collect(),
        look,
    };
    Chart {
        title: "Learning-rate finder".to_owned(),
        x: axis("learning rate", Scale::Log),
        y: axis("loss", Scale::Linear),
        lines: vec![
            line("each batch", Look::Faint, |point| point.loss),
            line("averaged", Look::Line, |point| point.averaged),
        ],
        marks: suggestions
            .iter()
            .map(|Suggestion { name, rate }| Mark { x: *rate, label: format!("{name} {}", short(*rate)) })
            .collect(),
    }
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), scale, floor: None }
}
