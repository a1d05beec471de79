//! The files that a training leaves beside its model, and those of the learning-rate finder.

use std::path::Path;

use pipeline_fit::{Curve, Suggestion};
use pipeline_report::tensorboard::EventWriter;
use pipeline_report::training::{
    FinderPoint, Losses, Rates, Suggestion as Suggested, finder_chart, loss_chart, lr_chart,
};
use pipeline_stage::{Failure, Summary};
use pipeline_table::curve::{CURVE_FILE, CurveRow, CurveWriter};
use pipeline_table::history::{HISTORY_LINES_FILE, TRAIN_PHASE, VALID_PHASE};
use pipeline_table::{HistoryRow, HistoryWriter};
use serde_json::json;

use crate::error::Error;
use crate::fit::Trained;

/// The history as a table.
pub const HISTORY_FILE: &str = "history.parquet";
/// The folder for TensorBoard.
pub const TENSORBOARD_FOLDER: &str = "tensorboard";
/// The learning rate of each layer group over the steps, as a picture.
pub const LR_CHART_FILE: &str = "lr.png";
/// The losses over the steps, as a picture.
pub const LOSS_CHART_FILE: &str = "loss.png";
/// What holds times, and so differs from run to run: [`Stage::RECORDS`](pipeline_stage::Stage::RECORDS) of a stage that
/// trains.
pub const RECORDS: &[&str] =
    &[HISTORY_FILE, HISTORY_LINES_FILE, "tensorboard/events.out.tfevents.0.pipeline"];

/// The finder's curve as a picture.
pub const CURVE_PICTURE_FILE: &str = "lr_find.png";
/// The finder's curve as a drawing that can be enlarged.
pub const CURVE_DRAWING_FILE: &str = "lr_find.svg";
/// What the curve suggests, each with a rate or the reason why there is none.
pub const SUGGESTIONS_FILE: &str = "suggestions.json";

/// Writes the history as table, lines, TensorBoard events and pictures into `out`. `groups` are the names of the layer
/// groups that trained.
///
/// # Errors
/// A full disk.
pub fn write_history(out: &Path, trained: &Trained, groups: &[String]) -> Result<(), Failure> {
    let rows = &trained.history;
    let mut table = HistoryWriter::create(&out.join(HISTORY_FILE))?;
    let mut lines = String::new();
    for row in rows {
        table.write(row)?;
        lines.push_str(&(row.to_json_line() + "\n"));
    }
    table.finish()?;
    fs_err::write(out.join(HISTORY_LINES_FILE), lines).map_err(Error::Io)?;
    write_events(&out.join(TENSORBOARD_FOLDER), rows)?;

    let steps = || rows.iter().filter(|row| row.phase == TRAIN_PHASE);
    let rates: Vec<Vec<(u64, f64)>> = (0..groups.len())
        .map(|group| steps().filter_map(|row| Some((row.step, *row.lr.get(group)?))).collect())
        .collect();
    let lines: Vec<Rates<'_>> =
        groups.iter().zip(&rates).map(|(group, rates)| Rates { group, rates }).collect();
    lr_chart(&lines).write_png(&out.join(LR_CHART_FILE))?;
    let averaged: Vec<(u64, f64)> = steps().map(|row| (row.step, row.train_loss)).collect();
    let valid: Vec<(u64, f64)> = rows.iter().filter_map(|row| Some((row.step, row.valid_loss?))).collect();
    let losses = Losses { averaged: &averaged, valid: &valid, ..Losses::default() };
    loss_chart(&losses).write_png(&out.join(LOSS_CHART_FILE))?;
    Ok(())
}

/// TensorBoard's curves. Their times are seconds since the training began.
fn write_events(folder: &Path, rows: &[HistoryRow]) -> Result<(), Failure> {
    fs_err::create_dir_all(folder).map_err(Error::Io)?;
    let mut events = EventWriter::create(folder, 0.0)?;
    for row in rows {
        let mut scalar = |tag: &str, value: f64| events.scalar(tag, row.step, row.seconds, value as f32);
        if row.phase == TRAIN_PHASE {
            scalar("loss/train", row.train_loss)?;
            for (group, rate) in row.lr.iter().enumerate() {
                scalar(&format!("lr/group {}", group + 1), *rate)?;
            }
        }
        for (tag, value) in [("loss/valid", row.valid_loss), ("accuracy/valid", row.accuracy)] {
            value.map_or(Ok(()), |value| scalar(tag, value))?;
        }
    }
    Ok(events.finish()?)
}

/// Makes the file `from` of another artifact part of this one, without a second copy on disk where that can be.
///
/// # Errors
/// A full disk.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if fs_err::hard_link(from, to).is_err() {
        // Another file system, or one without links.
        fs_err::copy(from, to).map_err(Error::Io)?;
    }
    Ok(())
}

/// What a stage says about a training: loss and accuracy of the weights that it publishes; as metrics the speed too.
pub fn summary(trained: &Trained) -> Summary {
    let mut summary = Summary::default();
    let Some(row) = &trained.published else { return summary };
    summary.line = match (row.valid_loss, row.accuracy) {
        (Some(loss), Some(accuracy)) => {
            summary.metrics.insert("valid_loss".to_owned(), loss);
            summary.metrics.insert("accuracy".to_owned(), accuracy);
            format!("valid loss {loss:.4}, accuracy {accuracy:.4}")
        }
        _ => {
            summary.notes.push("there are no labelled valid photos, so the accuracy is not known".to_owned());
            format!("train loss {:.4}", row.train_loss)
        }
    };
    let last = trained.history.iter().rfind(|row| row.phase == VALID_PHASE);
    if let Some(last) = last.filter(|last| last.epoch != row.epoch) {
        summary.line.push_str(&format!(", of epoch {} of {}", row.epoch, last.epoch));
    }
    summary.metrics.insert("photos_per_second".to_owned(), trained.photos_per_second);
    summary.metrics.insert("waiting".to_owned(), trained.waiting);
    summary
}

/// Writes the finder's curve as table, picture and suggestions into `out`, and says what it suggests.
///
/// # Errors
/// A full disk.
pub fn write_curve(out: &Path, curve: &Curve) -> Result<Summary, Failure> {
    let mut table = CurveWriter::create(&out.join(CURVE_FILE))?;
    for point in curve.points() {
        let (step, lr, loss, smoothed) = (point.step, point.lr, point.loss, point.smoothed);
        table.write(CurveRow { step, lr, loss, smoothed })?;
    }
    table.finish()?;

    let mut rates: Vec<(String, f64)> = vec![];
    let mut told = serde_json::Map::new();
    let mut words = vec![];
    for suggestion in Suggestion::ALL {
        let name = serde_json::to_value(suggestion).map_err(Error::Json)?;
        let name = name.as_str().unwrap_or_default().to_owned();
        match suggestion.suggest(curve) {
            Ok(rate) => {
                words.push(format!("{name:<8} {rate:.2e}"));
                told.insert(name.clone(), json!({ "lr": rate }));
                rates.push((name, rate));
            }
            Err(why) => {
                words.push(format!("{name:<8} none: {why}"));
                told.insert(name, json!({ "lr": null, "why": why.to_string() }));
            }
        }
    }
    let json = serde_json::to_string_pretty(&told).map_err(Error::Json)? + "\n";
    fs_err::write(out.join(SUGGESTIONS_FILE), json).map_err(Error::Io)?;

    let point = |point: &pipeline_fit::Point| FinderPoint {
        rate: point.lr,
        loss: point.loss,
        averaged: point.smoothed,
    };
    let points: Vec<FinderPoint> = curve.points().iter().map(point).collect();
    // A short curve is shown whole.
    let trimmed = curve.trimmed();
    let first = trimmed.first().map_or(0, |point| point.step as usize);
    let shown = first..first + if trimmed.is_empty() { points.len() } else { trimmed.len() };
    let marks: Vec<Suggested<'_>> =
        rates.iter().map(|(name, rate)| Suggested { name, rate: *rate }).collect();
    let chart = finder_chart(&points, shown, &marks);
    chart.write_png(&out.join(CURVE_PICTURE_FILE))?;
    chart.write_svg(&out.join(CURVE_DRAWING_FILE))?;

    let mut summary = Summary::default();
    for (name, rate) in &rates {
        summary.metrics.insert(name.clone(), *rate);
    }
    summary.line = match rates.first() {
        Some((name, rate)) => format!("{name} {rate:.2e}"),
        None => "the curve suggests no rate".to_owned(),
    };
    summary.text = Some(format!("{}\n{}", chart.to_text(80, 20).trim_end(), words.join("\n")));
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use pipeline_report::tensorboard;

    use super::*;

    #[test]
    fn the_records_name_tensorboards_file() {
        let file = format!("{TENSORBOARD_FOLDER}/{}", tensorboard::FILE_NAME);
        assert!(RECORDS.contains(&file.as_str()), "{file}");
    }
}
