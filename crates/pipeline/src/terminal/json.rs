//! A run as JSON lines on standard output, one object per event, for programs.
//!
//! Every object has `event`; what else it has is below. Readers should ignore events and fields that they
//! do not know. The last one is `run_finished`, written by [`super::summary`], or, where no stage could be
//! tried, `error`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, StageReport};
use pipeline_stage::{Event, Measured};
use serde_json::{Value, json};

use super::{Header, Screen};

/// Progress events of one stage are at least this far apart.
const EVERY: Duration = Duration::from_millis(500);

/// Prints events as JSON.
pub(super) struct Json<'a> {
    header: &'a Header,
    screen: &'a Screen,
    said: Mutex<HashMap<String, Instant>>,
}

impl<'a> Json<'a> {
    pub(super) fn new(header: &'a Header, screen: &'a Screen) -> Self {
        Json { header, screen, said: Mutex::default() }
    }

    fn event(&self, stage: &str, event: &Event) {
        let value = match event {
            Event::Begin { what, total, unit } => {
                json!({"event": "begin", "stage": stage, "what": what, "total": total, "unit": unit})
            }
            Event::Done(done) => {
                if !self.is_due(stage) {
                    return;
                }
                json!({"event": "progress", "stage": stage, "done": done})
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

    fn is_due(&self, stage: &str) -> bool {
        // A panic elsewhere does not make what is printed here wrong.
        let mut said = self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let due = said.get(stage).is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            said.insert(stage.to_owned(), Instant::now());
        }
        due
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
