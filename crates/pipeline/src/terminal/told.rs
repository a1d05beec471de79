//! [`Told`]: shows work that is no stage as runs show their stages.

use pipeline_runner::Observer;
use pipeline_stage::{Event, Report};

/// Passes what is said on to an observer, as of a stage of this name.
pub(crate) struct Told<'a>(pub(crate) &'static str, pub(crate) &'a dyn Observer);

impl Report for Told<'_> {
    fn emit(&self, event: Event) {
        self.1.stage_event(self.0, &event);
    }
}
