//! [`Teller`]: shows work that is no stage as runs show their stages.

use pipeline_runner::Observer;
use pipeline_stage::{Event, Report};

/// Passes what is said on to an observer, as of a stage of this name.
pub(crate) struct Teller<'a> {
    pub(crate) name: &'static str,
    pub(crate) observer: &'a dyn Observer,
}

impl Report for Teller<'_> {
    fn emit(&self, event: Event) {
        self.observer.stage_event(self.name, &event);
    }
}
