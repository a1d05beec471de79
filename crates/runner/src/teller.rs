//! [`Teller`]: what a running stage says, on its way to whoever watches.

use std::sync::Mutex;

use pipeline_stage::{Event, Report};

use crate::observer::Observer;

/// Passes a stage's events on, and keeps its notes and warnings.
pub(crate) struct Teller<'a> {
    name: &'a str,
    observer: &'a dyn Observer,
    said: Mutex<(Vec<String>, Vec<String>)>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(name: &'a str, observer: &'a dyn Observer) -> Self {
        Teller { name, observer, said: Mutex::default() }
    }

    /// The notes and the warnings.
    pub(crate) fn into_said(self) -> (Vec<String>, Vec<String>) {
        self.said.into_inner().unwrap_or_else(|e| e.into_inner())
    }
}

impl Report for Teller<'_> {
    fn emit(&self, event: Event) {
        let mut said = self.said.lock().unwrap_or_else(|e| e.into_inner());
        match &event {
            Event::Note(text) => said.0.push(text.clone()),
            Event::Warning(text) => said.1.push(text.clone()),
            _ => {}
        }
        drop(said);
        self.observer.stage_event(self.name, &event);
    }
}
