//! A run on a terminal: a bar for each stage that is running, a line for each that is done.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use pipeline_runner::plan::Plan;
use pipeline_runner::{Observer, StageReport};
use pipeline_stage::Event;

use super::{Header, Screen, words};

/// Draws a run.
pub(super) struct Bars<'a> {
    header: &'a Header,
    screen: &'a Screen,
    all: MultiProgress,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl<'a> Bars<'a> {
    pub(super) fn new(header: &'a Header, screen: &'a Screen) -> Self {
        Bars { header, screen, all: MultiProgress::new(), running: Mutex::default() }
    }

    fn event(&self, name: &str, event: &Event) {
        // A panic elsewhere does not make what is drawn here wrong.
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match event {
            Event::Begin { what, total, unit } => {
                let bar = running.entry(name.to_owned()).or_insert_with(|| self.begin(name));
                // The same bar begins anew, so that those of other stages stay where they are.
                bar.set_length(total.unwrap_or(0));
                bar.set_style(style(*total, unit));
                bar.set_message(what.clone());
                bar.reset();
            }
            Event::Done(done) => {
                if let Some(bar) = running.get(name) {
                    let is_first = bar.position() == 0;
                    bar.set_position(*done);
                    if is_first {
                        // A download goes on where it stopped; what was there says nothing of its speed.
                        bar.reset_eta();
                    }
                }
            }
            Event::Status(text) => {
                if let Some(bar) = running.get(name) {
                    bar.set_message(text.clone());
                }
            }
            // The numbers of the moment come as status, those of an epoch as a note.
            Event::Measured(_) => {}
            Event::Note(text) => {
                self.all.suspend(|| self.screen.error(&self.header.note(name, text)));
            }
            Event::Warning(text) => {
                self.all.suspend(|| self.screen.error(&format!("warning: {name}: {text}")))
            }
        }
    }

    /// A bar below the others, for something of which nothing is known yet.
    fn begin(&self, name: &str) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new(0).with_style(style(None, "")));
        bar.set_prefix(format!("{name:<width$}", width = self.header.width));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Prints a line above the bars.
    fn line(&self, text: &str) {
        self.all.suspend(|| self.screen.line(text));
    }
}

const OF_KNOWN_LENGTH: &str = "  {prefix}   ▕{bar:20}▏ {percent:>3} %  {msg}{rate}{left}";
const OF_UNKNOWN_LENGTH: &str = "  {prefix}   {spinner} {msg}  {human_pos}  {elapsed}";

/// The look of a bar.
fn style(total: Option<u64>, unit: &'static str) -> ProgressStyle {
    let template = if total.is_some() { OF_KNOWN_LENGTH } else { OF_UNKNOWN_LENGTH };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▉▊▋▌▍▎▏ ")
        // Neither is known before something is done.
        .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
            if state.pos() > 0 {
                let _ = write!(out, "  {}", words::rate(state.per_sec(), unit));
            }
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            if state.pos() > 0 {
                let _ = write!(out, "  {} left", words::duration(state.eta().as_secs_f64()));
            }
        })
}

impl Observer for Bars<'_> {
    fn source_event(&self, stage: &str, _source: &str, event: &Event) {
        self.event(stage, event);
    }
    fn planned(&self, plan: &Plan) {
        self.clear();
        self.line(&format!("{}\n", self.header.line(plan)));
    }
    fn stage_started(&self, name: &str, _reason: &str) {
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        running.entry(name.to_owned()).or_insert_with(|| self.begin(name));
    }
    fn stage_event(&self, name: &str, event: &Event) {
        self.event(name, event);
    }
    fn stage_finished(&self, name: &str, report: &StageReport) {
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(bar) = running.remove(name) {
            bar.finish_and_clear();
        }
        drop(running);
        if let Some(line) = self.header.stage_line(name, report) {
            self.line(&line);
        }
    }
    fn waiting(&self, message: &str) {
        self.all.suspend(|| self.screen.error(&format!("waiting: {message}")));
    }
    fn warning(&self, message: &str) {
        self.all.suspend(|| self.screen.error(&format!("warning: {message}")));
    }
}

impl Bars<'_> {
    /// Takes away the bars of sources.
    fn clear(&self) {
        let mut running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (_, bar) in running.drain() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bars<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [OF_KNOWN_LENGTH, OF_UNKNOWN_LENGTH] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
