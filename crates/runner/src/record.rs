//! [`Recorder`]: the record of a run under `<store>/runs/<time>-<id>/`.
//!
//! `run.json` says what ran and how it ended, `events.jsonl` has a line per event as it happens, and
//! `<stage>.log` what each stage said. A record that cannot be written is no reason to stop a run: it is
//! reported once, and the run goes on.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use pipeline_stage::{Event, Measured};
use serde_json::{Value, json};

use crate::clock;
use crate::graph::{Graph, Node};
use crate::lock::host_name;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::Plan;
use crate::report::{RunReport, StageReport};
use crate::store::write_atomically;

/// Passes everything on to another observer, and writes it down.
pub(crate) struct Recorder<'a> {
    inner: &'a dyn Observer,
    dir: PathBuf,
    started: Value,
    events: Mutex<Option<File>>,
    /// Why it is not complete, if it is not.
    failed: Mutex<Option<String>>,
    /// When each stage last said its numbers of the moment.
    numbers: Mutex<HashMap<String, Instant>>,
}

/// Numbers of the moment are kept at most so often: a training of a day leaves some thousand lines.
const NUMBERS_EVERY: Duration = Duration::from_secs(10);

impl<'a> Recorder<'a> {
    /// Begins a record in `runs` of a run of `graph`.
    pub(crate) fn begin(runs: &Path, graph: &Graph, options: &RunOptions, inner: &'a dyn Observer) -> Self {
        let now = clock::unix_seconds();
        let dir = runs.join(clock::new_name());
        let started = json!({
            "config": options.config,
            "command": options.command,
            "started": clock::rfc3339(now),
            "host": host_name(),
            "pid": std::process::id(),
            "seed": options.seed,
            "threads": options.threads,
            "jobs": options.jobs,
            "device": options.device,
            "pipeline_version": options.pipeline_version,
            "graph": graph.nodes().iter().map(|node| (node.name.clone(), settings(node))).collect::<BTreeMap<_, _>>(),
        });
        let (events, failed, numbers) = (Mutex::new(None), Mutex::new(None), Mutex::default());
        let recorder = Recorder { inner, dir, started, events, failed, numbers };
        let made = fs_err::create_dir_all(&recorder.dir).and_then(|()| {
            OpenOptions::new().create(true).append(true).open(recorder.dir.join("events.jsonl"))
        });
        if let Ok(file) = &made {
            // For as long as this process lives, so that others know a run that was killed; where nothing can be locked,
            // they have to guess.
            let _ = file.file().try_lock();
        }
        recorder
            .check(made.map(|file| *recorder.events.lock().unwrap_or_else(|e| e.into_inner()) = Some(file)));
        recorder.write_run(&json!({"outcome": "running"}));
        recorder
    }

    /// Name of the run.
    pub(crate) fn name(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The record's folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends the record.
    pub(crate) fn finish(&self, report: &RunReport) {
        let outcome = match () {
            () if report.succeeded() => "succeeded",
            () if report.cancelled() => "cancelled",
            () => "failed",
        };
        self.write_run(&json!({
            "outcome": outcome,
            "finished": clock::rfc3339(clock::unix_seconds()),
            "wall_seconds": report.wall_seconds,
            "warnings": report.warnings,
            "stages": report.stages,
        }));
    }

    fn write_run(&self, more: &Value) {
        let mut run = self.started.clone();
        if let (Some(run), Some(more)) = (run.as_object_mut(), more.as_object()) {
            run.extend(more.clone());
        }
        let text = format!("{run:#}\n");
        self.check(write_atomically(&self.dir.join("run.json"), text.as_bytes()));
    }

    fn event(&self, value: &Value) {
        let mut events = self.events.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(file) = events.as_mut() {
            // One write, so that whoever follows the file sees whole lines.
            let written = file.write_all(format!("{value}\n").as_bytes());
            drop(events);
            self.check(written);
        }
    }

    fn log(&self, stage: &str, text: &str) {
        let path = self.dir.join(format!("{stage}.log"));
        let line = format!("{} {text}\n", clock::now());
        let file = OpenOptions::new().create(true).append(true).open(path);
        self.check(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }

    /// Whether the stage's numbers of the moment are to be kept.
    fn is_due(&self, stage: &str) -> bool {
        let mut numbers = self.numbers.lock().unwrap_or_else(|e| e.into_inner());
        let is_due = numbers.get(stage).is_none_or(|last| last.elapsed() >= NUMBERS_EVERY);
        if is_due {
            numbers.insert(stage.to_owned(), Instant::now());
        }
        is_due
    }

    /// The warning about the record itself, if it is not complete.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.failed.lock().unwrap_or_else(|e| e.into_inner()).iter().cloned().collect()
    }

    fn check(&self, written: std::io::Result<()>) {
        let Err(error) = written else { return };
        let mut failed = self.failed.lock().unwrap_or_else(|e| e.into_inner());
        if failed.is_none() {
            let message = format!("the record of this run is not complete: {error}");
            self.inner.warning(&message);
            *failed = Some(message);
        }
    }
}

/// What a stage is made from.
fn settings(node: &Node) -> Value {
    json!({"kind": node.stage.kind(), "version": node.stage.version(), "params": node.params})
}

impl Observer for Recorder<'_> {
    fn source_event(&self, stage: &str, source: &str, event: &Event) {
        self.inner.source_event(stage, source, event);
    }
    fn planned(&self, plan: &Plan) {
        let stages: Vec<Value> = plan
            .stages
            .iter()
            .map(
                |s| json!({"stage": s.name, "kind": s.kind, "state": s.state.word(), "reason": s.reason(), "runs": s.runs()}),
            )
            .collect();
        self.event(&json!({"event": "planned", "stages": stages}));
        self.inner.planned(plan);
    }
    fn stage_started(&self, name: &str, reason: &str) {
        self.event(&json!({"event": "stage_started", "stage": name, "reason": reason, "time": clock::now()}));
        self.log(name, &format!("started: {reason}"));
        self.inner.stage_started(name, reason);
    }
    fn stage_event(&self, name: &str, event: &Event) {
        match event {
            Event::Begin { what, total, unit } => {
                self.log(
                    name,
                    &format!("{what}: {} {unit}", total.map_or("?".to_owned(), |n| n.to_string())),
                );
            }
            Event::Measured(Measured { phase, values }) => {
                self.event(&json!({"event": "measured", "stage": name, "phase": phase, "values": values}));
            }
            Event::Note(text) => self.log(name, text),
            Event::Warning(text) => self.log(name, &format!("warning: {text}")),
            Event::Status(text) if self.is_due(name) => self.log(name, text),
            // Too many to keep.
            Event::Done(_) | Event::Status(_) => {}
        }
        self.inner.stage_event(name, event);
    }
    fn stage_finished(&self, name: &str, report: &StageReport) {
        self.event(
            &json!({"event": "stage_finished", "stage": name, "report": report, "time": clock::now()}),
        );
        if report.wall_seconds > 0.0 {
            self.log(name, &format!("{} after {:.1} s", report.outcome.word(), report.wall_seconds));
        }
        self.inner.stage_finished(name, report);
    }
    fn waiting(&self, message: &str) {
        self.event(&json!({"event": "waiting", "message": message, "time": clock::now()}));
        self.inner.waiting(message);
    }
    fn warning(&self, message: &str) {
        self.event(&json!({"event": "warning", "message": message, "time": clock::now()}));
        self.inner.warning(message);
    }
}
