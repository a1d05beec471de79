//! A run as JSON lines on standard output, one object per event, for programs.
//!
//! Every object has `event`; what else it has is below. Readers should ignore events and fields that they
//! do not know. The last one is `run_finished`, written by [`super::summary`], or, where no stage could be
//! tried, `error`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, StageReport};
use pipeline_stage::{Event, Measured};
use serde_json::{Value, json};

use super::pace::Pace;
use super::{Header, Screen};

/// Progress events of one stage are at least this far apart.
const EVERY: Duration = Duration::from_millis(500);

/// Prints events as JSON.
pub(super) struct Json<'a> {
    header: &'a Header,
    screen: &'a Screen,
    work: Mutex<HashMap<String, Work>>,
}

/// A piece of work that was begun.
struct Work {
    pace: Pace,
    said: Option<Instant>,
}

impl<'a> Json<'a> {
    pub(super) fn new(header: &'a Header, screen: &'a Screen) -> Self {
        Json { header, screen, work: Mutex::default() }
    }

    fn event(&self, stage: &str, event: &Event) {
        let value = match event {
            Event::Begin { what, total, unit } => {
                self.begin(stage, *total);
                json!({"event": "begin", "stage": stage, "what": what, "total": total, "unit": unit})
            }
            Event::Done(done) => {
                let Some(pace) = self.due(stage, *done) else { return };
                let (rate, left) = (pace.per_second(*done), pace.seconds_left(*done));
                json!({"event": "progress", "stage": stage, "done": done, "total": pace.total,
                    "per_second": rate, "seconds_left": left})
            }
            Event::Status(text) => json!({"event": "status", "stage": stage, "text": text}),
            Event::Measured(Measured { phase, values }) => {
                json!({"event": "measured", "stage": stage, "phase": phase, "values": values})
            }
            Event::Note(text) => json!({"event": "note", "stage": stage, "text": text}),
            Event::Warning(text) => json!({"event": "warning", "stage": stage, "text": text}),
        };
        self.print(&value);
    }

    fn begin(&self, stage: &str, total: Option<u64>) {
        let mut all = self.work();
        // Short pieces of work after each other say no more than a long one.
        let said = all.get(stage).and_then(|work| work.said);
        all.insert(stage.to_owned(), Work { pace: Pace::new(total), said });
    }

    /// The pace of the stage's work, if it is time to say it.
    fn due(&self, stage: &str, done: u64) -> Option<Pace> {
        let mut all = self.work();
        let work = all.entry(stage.to_owned()).or_insert_with(|| Work { pace: Pace::new(None), said: None });
        work.pace.note(done);
        if work.said.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        work.said = Some(Instant::now());
        Some(work.pace)
    }

    /// A panic elsewhere does not make what is printed here wrong.
    fn work(&self) -> MutexGuard<'_, HashMap<String, Work>> {
        self.work.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn print(&self, value: &Value) {
        self.screen.json(value);
    }
}

impl Observer for Json<'_> {
    fn source_event(&self, stage: &str, _source: &str, event: &Event) {
        self.event(stage, event);
    }
    fn planned(&self, plan: &Plan) {
        let stages: Vec<Value> = plan
            .stages
            .iter()
            .map(|s| json!({"stage": s.name, "kind": s.kind, "state": s.state.word(), "reason": s.reason(), "runs": s.runs()}))
            .collect();
        let Header { config, pipeline, seed, device, threads, jobs, memory_bytes, .. } = self.header;
        self.print(&json!({
            "event": "planned", "config": config, "pipeline": pipeline, "seed": seed, "device": device,
            "threads": threads, "jobs": jobs, "memory_bytes": memory_bytes, "stages": stages,
        }));
    }
    fn stage_started(&self, name: &str, reason: &str) {
        self.print(&json!({"event": "stage_started", "stage": name, "reason": reason}));
    }
    fn stage_event(&self, name: &str, event: &Event) {
        self.event(name, event);
    }
    fn stage_finished(&self, name: &str, report: &StageReport) {
        self.print(&json!({"event": "stage_finished", "stage": name, "report": report}));
    }
    fn waiting(&self, message: &str) {
        self.print(&json!({"event": "waiting", "text": message}));
    }
    fn warning(&self, message: &str) {
        self.print(&json!({"event": "warning", "text": message}));
    }
}
