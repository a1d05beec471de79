//! [`Swept`]: one of several runs, as far as it belongs on the screen while it goes on: warnings always, how far a stage
//! is where it has the screen for itself. What came of it is said in a line when it ends, by whoever runs them all.

use pipeline_runner::{Observer, StageReport, Unobserved};
use pipeline_stage::Event;
use serde_json::json;

use super::{Header, Outcome, Screen, Style, watch};

/// Passes on what belongs on the screen, under the run's number and the stage's name.
pub(crate) struct Swept<'a> {
    inner: Box<dyn Observer + 'a>,
    style: Style,
    screen: &'a Screen,
    /// `3/12`.
    number: String,
    /// Whether no other run goes on beside it.
    is_alone: bool,
}

impl<'a> Swept<'a> {
    pub(crate) fn new(
        style: Style,
        header: &'a Header,
        screen: &'a Screen,
        number: String,
        is_alone: bool,
    ) -> Self {
        let inner: Box<dyn Observer + 'a> = match style {
            Style::Json | Style::Quiet => Box::new(Unobserved),
            Style::Bars if !is_alone => watch(Style::Lines, header, screen),
            _ => watch(style, header, screen),
        };
        Swept { inner, style, screen, number, is_alone }
    }

    fn name(&self, stage: &str) -> String {
        format!("{} {stage}", self.number)
    }

    fn event(&self, stage: &str, event: &Event, pass: impl FnOnce(&str)) {
        match event {
            Event::Warning(text) if self.style == Style::Json => self
                .screen
                .json(&json!({"event": "warning", "number": self.number, "stage": stage, "text": text})),
            Event::Warning(_) => pass(&self.name(stage)),
            // An epoch's line for each epoch of each combination would hide the combinations.
            Event::Note(_) => {}
            _ if self.is_alone => pass(&self.name(stage)),
            _ => {}
        }
    }
}

impl Observer for Swept<'_> {
    fn source_event(&self, stage: &str, source: &str, event: &Event) {
        self.event(stage, event, |name| self.inner.source_event(name, source, event));
    }
    fn stage_event(&self, stage: &str, event: &Event) {
        self.event(stage, event, |name| self.inner.stage_event(name, event));
    }
    fn stage_finished(&self, stage: &str, report: &StageReport) {
        // Takes its bar away; a stage that is not selected has no line.
        let report = StageReport { outcome: Outcome::NotSelected, ..report.clone() };
        self.inner.stage_finished(&self.name(stage), &report);
    }
    fn waiting(&self, message: &str) {
        // For each other, combinations wait all the time.
        if !message.contains(&format!("pid {} on host ", std::process::id())) {
            self.inner.waiting(&format!("{}: {message}", self.number));
        }
    }
    fn warning(&self, message: &str) {
        match self.style {
            Style::Json => {
                self.screen.json(&json!({"event": "warning", "number": self.number, "text": message}))
            }
            _ => self.inner.warning(&format!("{}: {message}", self.number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes what reaches it.
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for &Heard {
        fn stage_event(&self, name: &str, _: &Event) {
            self.0.lock().unwrap().push(name.to_owned());
        }
        fn waiting(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    #[test]
    fn beside_others_a_run_only_warns_and_says_whom_it_waits_for_unless_that_is_one_of_them() {
        let (heard, screen) = (Heard::default(), Screen::default());
        for is_alone in [true, false] {
            let number = "3/12".to_owned();
            let swept =
                Swept { inner: Box::new(&heard), style: Style::Lines, screen: &screen, number, is_alone };
            swept.stage_event("head", &Event::Done(1));
            swept.stage_event("head", &Event::Note("epoch 1".to_owned()));
            swept.stage_event("note", &Event::Warning("few photos".to_owned()));
            swept.waiting(&format!("stage a is locked by pid {} on host h", std::process::id()));
            swept.waiting("stage a is locked by pid 0 on host h");
        }
        let told = ["3/12 note", "3/12: stage a is locked by pid 0 on host h"];
        assert_eq!(*heard.0.lock().unwrap(), [&["3/12 head"], &told[..], &told[..]].concat());
    }
}
