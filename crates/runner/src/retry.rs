//! What the [`Conductor`] does before a stage is tried again (`--retries`).

use std::time::Duration;

use pipeline_stage::Event;

use crate::conductor::Conductor;
use crate::observer::Observer;
use crate::plan::{Lookup, Lookups};
use crate::report::StageReport;
use crate::source::FoundOf;

/// Pause before something is tried again, so that what passes has time to.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

impl Conductor<'_> {
    /// How often the stage at `place` has been tried again.
    pub(crate) fn tries(&self, place: usize) -> u32 {
        self.earlier.get(&place).map_or(0, |(tries, _)| *tries)
    }

    /// Whether more is to be done.
    pub(crate) fn goes_on(&self) -> bool {
        (self.options.keep_going || self.ledger.stopper().is_none()) && !self.cancel.is_cancelled()
    }

    /// Takes in what the stage at `place` reads now, and says that it is tried again.
    pub(crate) fn prepare_again(
        &mut self,
        place: usize,
        message: &str,
        found: FoundOf,
        report: &mut StageReport,
    ) {
        (self.ledger.found.states[place], self.ledger.found.paths[place]) = found;
        for up in self.graph.upstream(place) {
            let (kind, old) = (self.graph.nodes()[*up].stage.kind(), self.ledger.settled[*up].as_ref());
            // Another run may have replaced it.
            if let Some(Lookup::Hit(now)) = old.map(|old| self.lookups.lookup(kind, &old.key)) {
                self.ledger.settled[*up] = Some(now);
            }
        }
        let tries = self.tries(place) + 1;
        let warning = format!("tried again ({tries} of {}): {message}", self.options.retries);
        self.recorder.stage_event(&report.name, &Event::Warning(warning.clone()));
        report.warnings.push(warning);
        self.earlier.insert(place, (tries, report.clone()));
    }
}
