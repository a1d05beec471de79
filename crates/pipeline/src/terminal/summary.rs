//! The end of a run: a table of the stages, what was found, and the results.

use std::path::Path;

use pipeline_runner::{Outcome, RunReport, StageReport};
use serde_json::json;

use super::{Screen, Style, words};

/// Prints the end of a run.
pub(crate) fn show(style: Style, report: &RunReport, folder: &Path, screen: &Screen) {
    match style {
        Style::Quiet => {}
        Style::Json => {
            let event = json!({
                "event": "run_finished", "run": report.run, "succeeded": report.succeeded(),
                "wall_seconds": report.wall_seconds, "warnings": report.warnings,
            });
            screen.line(&event.to_string());
        }
        Style::Bars | Style::Lines => screen.line(&text(report, folder)),
    }
}

fn text(report: &RunReport, folder: &Path) -> String {
    let shown: Vec<&StageReport> =
        report.stages.iter().filter(|s| s.outcome != Outcome::NotSelected).collect();
    let width = shown.iter().map(|s| s.name.len()).max().unwrap_or(0).max("stage".len());
    let mut out =
        format!("\n  {:<width$}   {:<9} {:>9} {:>10}   artifact\n", "stage", "outcome", "time", "size");
    for stage in &shown {
        let seconds = match stage.outcome {
            Outcome::Fresh | Outcome::NotRun { .. } => "-".to_owned(),
            _ => words::duration(stage.wall_seconds),
        };
        let size = stage.size_bytes.map_or("-".to_owned(), words::size);
        let path = stage
            .path
            .as_deref()
            .map_or(String::new(), |p| p.strip_prefix(folder).unwrap_or(p).display().to_string());
        let line = format!(
            "  {:<width$}   {:<9} {seconds:>9} {size:>10}   {path}",
            stage.name,
            stage.outcome.word()
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let done = |s: &&&StageReport| matches!(s.outcome, Outcome::Fresh | Outcome::Ran { .. });
    let summaries = || shown.iter().filter(done).filter_map(|s| s.summary.as_ref());
    for note in summaries().flat_map(|s| &s.notes) {
        out.push_str(&format!("\n{note}"));
    }
    if summaries().any(|s| !s.notes.is_empty()) {
        out.push('\n');
    }
    for text in summaries().filter_map(|s| s.text.as_ref()) {
        out.push_str(&format!("\n{text}\n"));
    }
    out.trim_end().to_owned()
}
