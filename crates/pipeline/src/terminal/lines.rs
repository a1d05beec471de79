//! A run as plain lines: one when a stage is done, and now and then one about how far it is.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, StageReport};
use pipeline_stage::Event;

use super::{Header, Screen, words};

/// How often a running stage says how far it is.
const EVERY: Duration = Duration::from_secs(10);

/// Prints a run as lines.
pub(super) struct Lines<'a> {
    header: &'a Header,
    screen: &'a Screen,
    work: Mutex<HashMap<String, Work>>,
}

/// A piece of work that was begun.
struct Work {
    what: String,
    total: Option<u64>,
    unit: &'static str,
    /// When work was first done, and how much of it was done by then: a download goes on where it stopped.
    first: Option<(Instant, u64)>,
    said: Instant,
    /// The numbers of the moment, as they were last said.
    status: Option<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(header: &'a Header, screen: &'a Screen) -> Self {
        Lines { header, screen, work: Mutex::default() }
    }

    /// Says how far `name` is, if it has not done so for a while.
    fn event(&self, name: &str, event: &Event) {
        // A panic elsewhere does not make what is printed here wrong.
        let mut work = self.work.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match event {
            Event::Begin { what, total, unit } => {
                let now = Instant::now();
                let (what, total) = (what.clone(), *total);
                let begun = Work { what, total, unit, first: None, said: now, status: None };
                work.insert(name.to_owned(), begun);
            }
            Event::Done(done) => {
                let Some(work) = work.get_mut(name) else { return };
                work.first.get_or_insert((Instant::now(), *done));
                if work.said.elapsed() >= EVERY {
                    work.said = Instant::now();
                    let line = work.line(*done);
                    self.screen.error(&format!("  {name:<width$}   {line}", width = self.header.width));
                }
            }
            Event::Status(text) => {
                if let Some(work) = work.get_mut(name) {
                    work.status = Some(text.clone());
                }
            }
            // The numbers of the moment come as status, those of an epoch as a note.
            Event::Measured(_) => {}
            Event::Note(text) => self.screen.error(&self.header.note(name, text)),
            Event::Warning(text) => self.screen.error(&format!("warning: {name}: {text}")),
        }
    }
}

impl Work {
    /// `train: 512 of 5,000 steps, 46 steps/s, 1m 37 s left, loss 0.0431`
    fn line(&self, done: u64) -> String {
        let (since, base) = self.first.unwrap_or((Instant::now(), done));
        let rate = done.saturating_sub(base) as f64 / since.elapsed().as_secs_f64().max(1e-9);
        let of = self.total.map_or(String::new(), |total| format!(" of {}", words::amount(total, self.unit)));
        let (what, done_words) = (&self.what, words::amount(done, self.unit));
        let unit = if self.unit == "bytes" { String::new() } else { format!(" {}", self.unit) };
        let mut line = format!("{what}: {done_words}{of}{unit}");
        if rate > 0.0 {
            line.push_str(&format!(", {}", words::rate(rate, self.unit)));
            if let Some(total) = self.total {
                let left = words::duration(total.saturating_sub(done) as f64 / rate);
                line.push_str(&format!(", {left} left"));
            }
        }
        if let Some(status) = &self.status {
            line.push_str(&format!(", {status}"));
        }
        line
    }
}

impl Observer for Lines<'_> {
    fn source_event(&self, stage: &str, _source: &str, event: &Event) {
        self.event(stage, event);
    }
    fn planned(&self, plan: &Plan) {
        self.screen.line(&format!("{}\n", self.header.line(plan)));
    }
    fn stage_event(&self, name: &str, event: &Event) {
        self.event(name, event);
    }
    fn stage_finished(&self, name: &str, report: &StageReport) {
        if let Some(line) = self.header.stage_line(name, report) {
            self.screen.line(&line);
        }
    }
    fn waiting(&self, message: &str) {
        self.screen.error(&format!("waiting: {message}"));
    }
    fn warning(&self, message: &str) {
        self.screen.error(&format!("warning: {message}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_how_far_how_fast_and_how_long() {
        let start = Instant::now() - Duration::from_secs(10);
        let mut work = Work {
            what: "look".into(),
            total: Some(5_000),
            unit: "photos",
            first: Some((start, 0)),
            said: start,
            status: None,
        };
        assert_eq!(work.line(1_000), "look: 1,000 of 5,000 photos, 100 photos/s, 40.0 s left");
        work.total = None;
        assert_eq!(work.line(1_000), "look: 1,000 photos, 100 photos/s");
        work.first = None;
        assert_eq!(work.line(1_000), "look: 1,000 photos");
        work.status = Some("loss 0.0431".into());
        assert_eq!(work.line(1_000), "look: 1,000 photos, loss 0.0431");
    }

    #[test]
    fn a_download_that_goes_on_counts_only_what_came_since() {
        let start = Instant::now() - Duration::from_secs(10);
        let work = Work {
            what: "fetch d.zip".into(),
            total: Some(900_000_000),
            unit: "bytes",
            first: Some((start, 700_000_000)),
            said: start,
            status: None,
        };
        let line = "fetch d.zip: 800.0 MB of 900.0 MB, 10.0 MB/s, 10.0 s left";
        assert_eq!(work.line(800_000_000), line);
    }
}
