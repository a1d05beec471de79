//! What the user sees. Results go to standard output; errors, bars and progress lines to standard error.
//!
//! A run is watched in one of four [`Style`]s; [`watch`] chooses the observer.

mod bars;
mod json;
mod lines;
mod screen;
pub(crate) mod summary;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, Outcome, StageReport, Unobserved};

pub(crate) use screen::Screen;

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Bars with rate and time left, where a person watches.
    Bars,
    /// Plain lines, for logs.
    Lines,
    /// JSON events.
    Json,
    /// Errors only.
    Quiet,
}

impl Style {
    pub(crate) fn choose(quiet: bool, json: bool, screen: &Screen) -> Style {
        match (quiet, json) {
            (true, _) => Style::Quiet,
            (_, true) => Style::Json,
            _ if screen.is_watched() => Style::Bars,
            _ => Style::Lines,
        }
    }
}

/// What the first line of a run says, and how its lines are laid out.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) config: String,
    pub(crate) pipeline: String,
    pub(crate) seed: u64,
    pub(crate) device: String,
    pub(crate) threads: usize,
    /// Length of the longest stage name.
    pub(crate) width: usize,
    /// The current folder: paths below it are shown relative to it.
    pub(crate) folder: PathBuf,
}

impl Header {
    fn line(&self, plan: &Plan) -> String {
        let Header { config, pipeline, seed, device, threads, .. } = self;
        let (all, fresh, to_run) = (plan.stages.len(), plan.fresh(), plan.to_run());
        let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        format!(
            "{config}: {all} stages, {fresh} fresh, {to_run} to run   ({pipeline}, seed {seed}, {device}, {threads})\n"
        )
    }

    /// `  ingest   ran   4.1 s   4,000 photos …   out/dogscats/ingest`
    fn stage_line(&self, name: &str, report: &StageReport) -> String {
        let seconds = match report.outcome {
            Outcome::Ran { .. } | Outcome::Failed { .. } | Outcome::Cancelled => {
                words::duration(report.wall_seconds)
            }
            _ => String::new(),
        };
        let said = match &report.outcome {
            Outcome::NotRun { because } => because.clone(),
            Outcome::Ran { .. } => report.summary.as_ref().map(|s| s.line.clone()).unwrap_or_default(),
            _ => String::new(),
        };
        let path = match (&report.outcome, &report.path) {
            (Outcome::Ran { .. }, Some(path)) => format!("   {}", self.shown(path)),
            _ => String::new(),
        };
        let (width, word) = (self.width, report.outcome.word());
        format!("  {name:<width$}   {word:<7} {seconds:>9}   {said}{path}").trim_end().to_owned()
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}

/// The observer for a style.
pub(crate) fn watch<'a>(style: Style, header: &'a Header, screen: &'a Screen) -> Box<dyn Observer + 'a> {
    match style {
        Style::Bars => Box::new(bars::Bars::new(header, screen)),
        Style::Lines => Box::new(lines::Lines::new(header, screen)),
        Style::Json => Box::new(json::Json::new(screen)),
        Style::Quiet => Box::new(Unobserved),
    }
}
