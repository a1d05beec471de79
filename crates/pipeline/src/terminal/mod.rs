//! What the user sees. Results go to standard output; errors, bars and progress lines to standard error.
//!
//! A run is watched in one of four [`Style`]s; [`watch`] chooses the observer.

mod bars;
mod curve;
pub(crate) mod explained;
mod json;
mod keys;
mod lines;
mod pace;
pub(crate) mod pictures;
mod screen;
pub(crate) mod summary;
mod swept;
mod teller;
mod watched;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use pipeline_runner::plan::{Action, Plan};
use pipeline_runner::{Observer, Outcome, StageReport, Unobserved};

pub(crate) use keys::{Keys, restore};
pub(crate) use screen::Screen;
pub(crate) use swept::Swept;
pub(crate) use teller::Teller;
pub(crate) use watched::{Heading, Watched};

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
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    pub(crate) config: String,
    pub(crate) pipeline: String,
    pub(crate) seed: u64,
    pub(crate) device: String,
    pub(crate) threads: usize,
    /// So many stages at a time, and bytes for them together; of one there is nothing to say.
    pub(crate) jobs: usize,
    pub(crate) memory_bytes: Option<u64>,
    /// Length of the longest stage name.
    pub(crate) width: usize,
    /// The current folder: paths below it are shown relative to it.
    pub(crate) folder: PathBuf,
}

impl Header {
    /// `c: 6 stages, 4 fresh, 1 to run, 1 depends on it   (quick, built in, seed 42, cpu, 2 threads)`
    pub(crate) fn line(&self, plan: &Plan) -> String {
        let Header { config, pipeline, seed, device, .. } = self;
        let (all, fresh) = (plan.stages.len(), plan.fresh());
        let collected = match plan.collected() {
            0 => String::new(),
            collected => format!(", {collected} collected"),
        };
        let to_run = to_run(plan.to_run() - plan.depending(), plan.depending());
        let room = words::room(self.threads, self.jobs, "stages", self.memory_bytes);
        format!(
            "{config}: {all} stages, {fresh} fresh{collected}, {to_run}   ({pipeline}, seed {seed}, {device}, {room})"
        )
    }

    /// What a run would do: the first line, then one for each stage with the action and why.
    pub(crate) fn announcement(&self, plan: &Plan) -> String {
        let width = self.width;
        let mut lines = vec![self.line(plan), String::new()];
        for stage in &plan.stages {
            let why = match stage.action {
                Action::Use | Action::Run | Action::Decide | Action::Fail => stage.state.to_string(),
                Action::Rerun => stage.reason(),
                Action::Skip => format!("not selected; {}", stage.state),
            };
            lines.push(format!("  {:<width$}   {:<8} {why}", stage.name, stage.action.word()));
            if let (Some(hint), true) = (stage.state.hint(), stage.runs()) {
                lines.push(format!("  {:<width$}   hint: {hint}", ""));
            }
        }
        lines.join("\n")
    }

    /// `  ingest   ran   4.1 s   4,000 photos …   out/dogscats/ingest`
    ///
    /// Nothing for a stage that is not selected.
    fn stage_line(&self, name: &str, report: &StageReport) -> Option<String> {
        if report.outcome == Outcome::NotSelected {
            return None;
        }
        let seconds = match report.outcome {
            Outcome::Ran { .. } | Outcome::Shard { .. } | Outcome::Failed { .. } | Outcome::Cancelled => {
                words::duration(report.wall_seconds)
            }
            _ => String::new(),
        };
        let said = match &report.outcome {
            Outcome::NotRun { because } => because.clone(),
            Outcome::Collected => "gc removed its files, and nothing needs them".to_owned(),
            Outcome::Ran { .. } | Outcome::Shard { .. } => {
                report.summary.as_ref().map(|s| s.line.clone()).unwrap_or_default()
            }
            _ => String::new(),
        };
        let path = match (&report.outcome, &report.path) {
            (Outcome::Ran { .. }, Some(path)) => format!("   {}", self.shown(path)),
            _ => String::new(),
        };
        let (width, word) = (self.width, report.outcome.word());
        Some(format!("  {name:<width$}   {word:<9} {seconds:>9}   {said}{path}").trim_end().to_owned())
    }

    /// What a stage says, with its name before each line: those of others may come between.
    fn note(&self, name: &str, text: &str) -> String {
        let lines = text.lines().map(|line| format!("  {name:<width$}   {line}", width = self.width));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}

/// `1 to run, 3 depend on it`: a stage that depends on others may turn out fresh once they are done.
fn to_run(certain: usize, depending: usize) -> String {
    let depend = if depending == 1 { "depends" } else { "depend" };
    let them = if certain == 1 { "it" } else { "them" };
    match depending {
        0 => format!("{certain} to run"),
        _ => format!("{certain} to run, {depending} {depend} on {them}"),
    }
}

/// The observer for a style.
pub(crate) fn watch<'a>(style: Style, header: &'a Header, screen: &'a Screen) -> Box<dyn Observer + 'a> {
    match style {
        Style::Bars => Box::new(bars::Bars::new(header, screen)),
        Style::Lines => Box::new(lines::Lines::new(header, screen)),
        Style::Json => Box::new(json::Json::new(header, screen)),
        Style::Quiet => Box::new(Unobserved),
    }
}

/// The observer of a plan that is all that is asked for: bars of the hashing where a person waits for it. Elsewhere
/// nothing but the plan is printed.
pub(crate) fn watch_plan<'a>(quiet: bool, header: &'a Header, screen: &'a Screen) -> Box<dyn Observer + 'a> {
    let style = if screen.is_watched() && !quiet { Style::Bars } else { Style::Quiet };
    watch(style, header, screen)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use pipeline_runner::plan::{PlannedStage, State};
    use pipeline_stage::{Digest, Summary};

    use super::*;

    pub(crate) fn report(name: &str, outcome: Outcome) -> StageReport {
        StageReport {
            name: name.to_owned(),
            kind: name.to_owned(),
            outcome,
            cause: None,
            wall_seconds: 542.3,
            peak_memory_bytes: None,
            peak_memory_is_shared: false,
            key: None,
            size_bytes: Some(4_096),
            path: Some(PathBuf::from("/p/out/c").join(name)),
            summary: Some(Summary { line: "25,000 × 1,024".to_owned(), ..Summary::default() }),
            warnings: vec![],
            notes: vec![],
        }
    }

    fn header() -> Header {
        Header {
            config: "c".to_owned(),
            pipeline: "pipelines/quick.yaml".to_owned(),
            seed: 42,
            device: "cpu".to_owned(),
            threads: 2,
            jobs: 1,
            memory_bytes: None,
            width: 10,
            folder: PathBuf::from("/p"),
        }
    }

    #[test]
    fn the_first_line_says_which_job_with_what_and_how_much_is_to_do() {
        let stage = |action| PlannedStage {
            name: "head".to_owned(),
            kind: "head",
            state: State::Missing { key: Digest::of(b"") },
            selected: true,
            action,
        };
        let plan = Plan { stages: vec![stage(Action::Run), stage(Action::Skip)] };
        assert_eq!(
            header().line(&plan),
            "c: 2 stages, 0 fresh, 1 to run   (pipelines/quick.yaml, seed 42, cpu, 2 threads)"
        );
        let manifest = serde_json::json!({
            "format": 1, "key": Digest::of(b""), "files": [], "summary": {"line": "", "metrics": {}},
            "parts": {"kind": "head", "version": 1, "params": {}, "seed": null, "sources": {}, "inputs": {}},
            "made": {"unix_seconds": 1, "wall_seconds": 1.0, "host": "", "seed": 1, "threads": 1, "device": "cpu",
                     "pipeline_version": ""},
        });
        let manifest = Arc::new(serde_json::from_value(manifest).unwrap());
        let mut gone = stage(Action::Use);
        gone.state = State::Collected { key: Digest::of(b""), manifest };
        let with_gone = Plan { stages: vec![stage(Action::Run), gone] };
        let start = "c: 2 stages, 0 fresh, 1 collected, 1 to run   (";
        assert!(header().line(&with_gone).starts_with(start), "{}", header().line(&with_gone));
        let one = Header { threads: 1, ..header() };
        assert!(one.line(&plan).ends_with(", 1 thread)"));
        let several = Header { jobs: 3, memory_bytes: Some(8_000_000_000), ..header() };
        assert!(several.line(&plan).ends_with(", cpu, 2 threads, 3 stages at a time, 8.0 GB)"));
    }

    #[test]
    fn what_only_depends_on_others_is_not_said_to_run() {
        assert_eq!(to_run(0, 0), "0 to run");
        assert_eq!(to_run(1, 1), "1 to run, 1 depends on it");
        assert_eq!(to_run(1, 3), "1 to run, 3 depend on it");
        assert_eq!(to_run(2, 1), "2 to run, 1 depends on them");
    }

    #[test]
    fn a_dry_run_says_for_each_stage_what_would_be_done_and_why() {
        let stage = |name: &str, state, action| PlannedStage {
            name: name.to_owned(),
            kind: "head",
            state,
            selected: true,
            action,
        };
        let missing = || State::Missing { key: Digest::of(b"") };
        let depends = |on: &str| State::Depends { on: vec![on.to_owned()] };
        let plan = Plan {
            stages: vec![
                stage("a", missing(), Action::Run),
                stage("b", depends("a"), Action::Decide),
                stage("c", depends("a"), Action::Rerun),
                stage("d", missing(), Action::Skip),
            ],
        };
        let text = Header { width: 2, ..header() }.announcement(&plan);
        assert_eq!(
            text,
            "c: 4 stages, 0 fresh, 2 to run, 1 depends on them   (pipelines/quick.yaml, seed 42, cpu, 2 threads)

  a    run      missing (no artifact yet)
  b    decide   depends on a
  c    rerun    forced
  d    skip     not selected; missing (no artifact yet)"
        );
    }

    #[test]
    fn every_line_that_a_stage_says_has_its_name() {
        assert_eq!(header().note("head", "one\ntwo"), "  head         one\n  head         two");
    }

    #[test]
    fn a_line_of_a_stage_says_how_it_ended_how_long_it_took_what_came_of_it_and_where_it_is() {
        let line = |outcome| header().stage_line("precompute", &report("precompute", outcome));
        assert_eq!(
            line(Outcome::Ran { reason: "forced".to_owned() }).unwrap(),
            "  precompute   ran         9m 02 s   25,000 × 1,024   out/c/precompute"
        );
        assert_eq!(line(Outcome::Fresh).unwrap(), "  precompute   fresh");
        assert_eq!(line(Outcome::Cancelled).unwrap(), "  precompute   cancelled   9m 02 s");
        let because = "head failed".to_owned();
        assert_eq!(
            line(Outcome::NotRun { because }).unwrap(),
            "  precompute   not run               head failed"
        );
        assert_eq!(line(Outcome::NotSelected), None);
    }
}
