//! The end of a run: a table of the stages, what was found, and the results.

use pipeline_evaluate::REPORT_FILE;
use pipeline_runner::{Outcome, RunReport, StageReport};
use serde_json::json;

use super::{Header, Screen, Style, words};

/// Prints the end of a run.
pub(crate) fn show(style: Style, report: &RunReport, header: &Header, screen: &Screen) {
    match style {
        Style::Quiet => {}
        Style::Json => {
            let event = json!({
                "event": "run_finished", "run": report.run, "succeeded": report.succeeded(),
                "wall_seconds": report.wall_seconds, "warnings": report.warnings,
            });
            screen.json(&event);
        }
        Style::Bars | Style::Lines => screen.line(&text(report, header)),
    }
}

fn text(report: &RunReport, header: &Header) -> String {
    let shown: Vec<&StageReport> =
        report.stages.iter().filter(|s| s.outcome != Outcome::NotSelected).collect();
    let width = shown.iter().map(|s| s.name.len()).max().unwrap_or(0).max("stage".len());
    let mut out =
        format!("\n  {:<width$}   {:<9} {:>9} {:>10}   artifact\n", "stage", "outcome", "time", "size");
    for stage in &shown {
        let seconds = match stage.outcome {
            Outcome::Fresh | Outcome::Collected | Outcome::NotRun { .. } => "-".to_owned(),
            _ => words::duration(stage.wall_seconds),
        };
        let size = stage.size_bytes.map_or("-".to_owned(), words::size);
        let path = stage.path.as_deref().map_or(String::new(), |path| header.shown(path));
        let line = format!(
            "  {:<width$}   {:<9} {seconds:>9} {size:>10}   {path}",
            stage.name,
            stage.outcome.word()
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let own = shown.iter().flat_map(|s| s.warnings.iter().map(|w| format!("warning: {}: {w}\n", s.name)));
    let warnings: String = report.warnings.iter().map(|w| format!("warning: {w}\n")).chain(own).collect();
    if !warnings.is_empty() {
        out.push_str(&format!("\n{warnings}"));
    }
    let done =
        |s: &&&StageReport| matches!(s.outcome, Outcome::Fresh | Outcome::Ran { .. } | Outcome::Shard { .. });
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
    let pages = shown.iter().filter(done).filter_map(|s| Some(s.path.as_ref()?.join(REPORT_FILE)));
    for page in pages.filter(|page| page.is_file()) {
        out.push_str(&format!("\nopen {}", header.shown(&page)));
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::terminal::tests::report;

    #[test]
    fn a_page_that_a_stage_left_is_named_at_the_end() {
        let out = tempfile::tempdir().unwrap();
        let stage = |name: &str, outcome| {
            fs_err::create_dir_all(out.path().join(name)).unwrap();
            StageReport { path: Some(out.path().join(name)), ..report(name, outcome) }
        };
        let stages = vec![
            stage("head", Outcome::Fresh),
            stage("evaluate", Outcome::Fresh),
            stage("again", Outcome::Failed { message: String::new(), hint: None }),
        ];
        for with_page in ["evaluate", "again"] {
            fs_err::write(out.path().join(with_page).join(REPORT_FILE), "").unwrap();
        }
        let run = RunReport {
            run: "r".to_owned(),
            dir: PathBuf::new(),
            stages,
            wall_seconds: 1.0,
            warnings: vec![],
        };
        let text = text(&run, &Header { folder: out.path().to_owned(), ..Header::default() });
        assert_eq!(text.lines().filter(|line| line.starts_with("open ")).count(), 1, "{text}");
        assert!(text.ends_with("\n\nopen evaluate/report.html"), "{text}");
    }

    #[test]
    fn the_table_has_every_selected_stage_then_warnings_notes_and_results() {
        let mut ingest = report("ingest", Outcome::Fresh);
        ingest.summary.as_mut().unwrap().notes = vec!["1 file was set aside".to_owned()];
        let mut evaluate = report("evaluate", Outcome::Ran { reason: "no artifact yet".to_owned() });
        evaluate.summary.as_mut().unwrap().text = Some("accuracy 0.9920".to_owned());
        evaluate.warnings = vec!["few photos".to_owned()];
        let run = RunReport {
            run: "r".to_owned(),
            dir: PathBuf::new(),
            stages: vec![ingest, report("head", Outcome::NotSelected), evaluate],
            wall_seconds: 1.0,
            warnings: vec!["the record of this run is not complete".to_owned()],
        };
        assert_eq!(
            text(&run, &Header { folder: PathBuf::from("/p"), ..Header::default() }),
            "
  stage      outcome        time       size   artifact
  ingest     fresh             -     4.1 kB   out/c/ingest
  evaluate   ran         9m 02 s     4.1 kB   out/c/evaluate

warning: the record of this run is not complete
warning: evaluate: few photos

1 file was set aside

accuracy 0.9920"
        );
    }
}
