//! [`Row`]: what came of one combination.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipeline_runner::{Error, Outcome, RunOptions, RunReport};
use pipeline_stage::Hint;
use pipeline_stage::failure::{self, Cause};
use serde::Serialize;
use serde_json::Value;

use super::axis::Axis;
use super::combination::Combination;

/// One row of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// Its folder of links, by which records of runs call it: `dogscats@head.lr=0.003`.
    pub(super) combination: String,
    /// The parameters that are varied, by name.
    pub(super) parameters: BTreeMap<String, Value>,
    /// How it ended.
    pub(super) outcome: Ended,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// What to do about it.
    pub(super) hint: Option<String>,
    /// Whose fault it is.
    #[serde(skip)]
    pub(super) cause: Option<Cause>,
    /// The numbers that its stages reported, in the order of running: (`evaluate`, `head.accuracy`, 0.98).
    #[serde(serialize_with = "as_map")]
    pub(super) metrics: Vec<Metric>,
    /// Whether its metric is the best.
    pub(super) is_best: bool,
    /// Seconds that its run took.
    pub(super) seconds: f64,
    /// The stages that ran for it.
    pub(super) ran: Vec<String>,
    /// The line that its last stage with metrics said of its result.
    #[serde(skip)]
    pub(super) line: String,
    /// Name of the run.
    pub(super) run: Option<String>,
    /// The command that does the same alone.
    pub(super) command: String,
    /// The folder of links to its artifacts.
    pub(super) path: PathBuf,
}

/// A number that a stage reported.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    pub(super) stage: String,
    pub(super) name: String,
    pub(super) value: f64,
}

impl Metric {
    /// `evaluate.head.accuracy`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.stage, self.name)
    }
}

/// How a combination ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// All its artifacts were there, or were made by others meanwhile.
    Hit,
    /// Some of its stages ran, and all its artifacts are there now.
    Ran,
    /// Some stage failed.
    Failed,
    /// It was interrupted.
    Cancelled,
    /// Its turn did not come.
    NotRun,
}

impl Ended {
    /// A word for tables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Ended::Hit => "hit",
            Ended::Ran => "ran",
            Ended::Failed => "failed",
            Ended::Cancelled => "cancelled",
            Ended::NotRun => "not run",
        }
    }

    /// Whether all its artifacts are there.
    pub(super) fn is_success(self) -> bool {
        matches!(self, Ended::Hit | Ended::Ran)
    }
}

impl Row {
    /// The row of a combination whose turn has not come yet.
    pub(super) fn new(combination: &Combination, axes: &[Axis], options: &RunOptions) -> Row {
        Row {
            combination: combination.name.clone(),
            parameters: axes.iter().map(Axis::name).zip(combination.values.iter().cloned()).collect(),
            outcome: Ended::NotRun,
            error: None,
            hint: None,
            cause: None,
            metrics: vec![],
            is_best: false,
            seconds: 0.0,
            ran: vec![],
            line: String::new(),
            run: None,
            command: combination.command.clone(),
            path: options.out.join(&combination.name),
        }
    }

    /// Fills in what came of its run.
    pub(super) fn fill(&mut self, ran: Result<RunReport, Error>, seconds: f64) {
        self.seconds = seconds;
        let report = match ran {
            Ok(report) => report,
            Err(Error::Cancelled) => {
                self.outcome = Ended::Cancelled;
                return;
            }
            Err(error) => {
                self.outcome = Ended::Failed;
                self.cause = Some(error.cause());
                (self.error, self.hint) = (Some(failure::full_message(&error)), error.hint());
                return;
            }
        };
        self.run = Some(report.run.clone());
        let ran = report.stages.iter().filter(|stage| matches!(stage.outcome, Outcome::Ran { .. }));
        self.ran = ran.map(|stage| stage.name.clone()).collect();
        self.outcome = match () {
            () if report.succeeded() && self.ran.is_empty() => Ended::Hit,
            () if report.succeeded() => Ended::Ran,
            () if report.cancelled() => Ended::Cancelled,
            () => Ended::Failed,
        };
        for stage in &report.stages {
            if let Outcome::Failed { message, hint } | Outcome::Locked { message, hint } = &stage.outcome
                && self.error.is_none()
            {
                (self.error, self.hint) = (Some(format!("{}: {message}", stage.name)), hint.clone());
                self.cause = stage.cause;
            }
            let Some(summary) = &stage.summary else { continue };
            for (name, value) in &summary.metrics {
                let (stage, name) = (stage.name.clone(), name.clone());
                self.metrics.push(Metric { stage, name, value: *value });
            }
            if !summary.metrics.is_empty() {
                self.line = summary.line.clone();
            }
        }
    }

    /// The number of this name.
    pub(super) fn metric(&self, full_name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.full_name() == full_name).map(|metric| metric.value)
    }
}

/// Metrics by full name, for programs.
fn as_map<S: serde::Serializer>(metrics: &[Metric], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metrics.iter().map(|metric| (metric.full_name(), metric.value)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::terminal::tests::report;
    use serde_json::json;

    /// A row that has not ended, of these parameters.
    pub(in crate::command::sweep) fn row(parameters: Value) -> Row {
        Row {
            combination: "c@x".to_owned(),
            parameters: serde_json::from_value(parameters).unwrap(),
            outcome: Ended::NotRun,
            error: None,
            hint: None,
            cause: None,
            metrics: vec![],
            is_best: false,
            seconds: 0.0,
            ran: vec![],
            line: String::new(),
            run: None,
            command: "pipeline run c.yaml".to_owned(),
            path: "out/c@x".into(),
        }
    }

    fn filled(outcomes: Vec<Outcome>) -> Row {
        let stage = |(place, outcome)| {
            let mut stage = report(["ingest", "head", "evaluate"][place], outcome);
            let summary = stage.summary.as_mut().unwrap();
            summary.metrics = [("accuracy".to_owned(), place as f64)].into();
            stage
        };
        let stages = outcomes.into_iter().enumerate().map(stage).collect();
        let run = "r".to_owned();
        let mut row = row(json!({}));
        row.fill(
            Ok(RunReport { run, dir: PathBuf::new(), stages, wall_seconds: 1.0, warnings: vec![] }),
            2.5,
        );
        row
    }

    #[test]
    fn a_combination_is_a_hit_when_nothing_ran_for_it() {
        let ran = || Outcome::Ran { reason: String::new() };
        let hit = filled(vec![Outcome::Fresh, Outcome::NotSelected]);
        assert_eq!((hit.outcome, hit.ran.len(), hit.seconds), (Ended::Hit, 0, 2.5));
        let some = filled(vec![Outcome::Fresh, ran()]);
        assert_eq!((some.outcome, some.ran.clone()), (Ended::Ran, vec!["head".to_owned()]));
        assert_eq!((some.metric("head.accuracy"), some.metric("head.loss")), (Some(1.0), None));
    }

    #[test]
    fn a_failure_is_told_with_its_stage_and_the_way_out() {
        let failed = Outcome::Failed { message: "no room".to_owned(), hint: Some("make some".to_owned()) };
        let row = filled(vec![Outcome::Fresh, failed, Outcome::NotRun { because: "head failed".to_owned() }]);
        assert_eq!(row.outcome, Ended::Failed);
        assert_eq!((row.error.as_deref(), row.hint.as_deref()), (Some("head: no room"), Some("make some")));
        assert_eq!(filled(vec![Outcome::Fresh, Outcome::Cancelled]).outcome, Ended::Cancelled);
        let mut row = self::row(json!({}));
        row.fill(Err(Error::Cancelled), 1.0);
        assert_eq!((row.outcome, row.error), (Ended::Cancelled, None));
    }
}
