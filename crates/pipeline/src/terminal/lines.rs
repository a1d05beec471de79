//! A run as plain lines: one when a stage is done, and now and then one about how far it is.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, StageReport};
use pipeline_stage::Event;

use super::pace::Pace;
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
    unit: &'static str,
    pace: Pace,
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
                let (what, pace) = (what.clone(), Pace::new(*total));
                let begun = Work { what, unit, pace, said: Instant::now(), status: None };
                work.insert(name.to_owned(), begun);
            }
            Event::Done(done) => {
                let Some(work) = work.get_mut(name) else { return };
                work.pace.note(*done);
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
        let of =
            self.pace.total.map_or(String::new(), |total| format!(" of {}", words::amount(total, self.unit)));
        let (what, done_words) = (&self.what, words::amount(done, self.unit));
        let unit = if self.unit == "bytes" { String::new() } else { format!(" {}", self.unit) };
        let mut line = format!("{what}: {done_words}{of}{unit}");
        if let Some(rate) = self.pace.per_second(done) {
            line.push_str(&format!(", {}", words::rate(rate, self.unit)));
        }
        if let Some(left) = self.pace.seconds_left(done) {
            line.push_str(&format!(", {} left", words::duration(left)));
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
            unit: "photos",
            pace: Pace { total: Some(5_000), first: Some((start, 0)) },
            said: start,
            status: None,
        };
        assert_eq!(work.line(1_000), "look: 1,000 of 5,000 photos, 100 photos/s, 40.0 s left");
        work.pace.total = None;
        assert_eq!(work.line(1_000), "look: 1,000 photos, 100 photos/s");
        work.pace.first = None;
        assert_eq!(work.line(1_000), "look: 1,000 photos");
        work.status = Some("loss 0.0431".into());
        assert_eq!(work.line(1_000), "look: 1,000 photos, loss 0.0431");
    }

    #[test]
    fn a_download_that_goes_on_counts_only_what_came_since() {
        let start = Instant::now() - Duration::from_secs(10);
        let work = Work {
            what: "fetch d.zip".into(),
            unit: "bytes",
            pace: Pace { total: Some(900_000_000), first: Some((start, 700_000_000)) },
            said: start,
            status: None,
        };
        let line = "fetch d.zip: 800.0 MB of 900.0 MB, 10.0 MB/s, 10.0 s left";
        assert_eq!(work.line(800_000_000), line);
    }
}
