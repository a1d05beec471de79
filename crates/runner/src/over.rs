//! [`Over`]: an attempt at a stage that is over, on its way from the stage's thread to the conductor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use pipeline_stage::failure::Cause;

use crate::attempt::{Attempt, Ended, broken_off};
use crate::error::Error;
use crate::report::{Outcome, StageReport};
use crate::source::FoundOf;

/// What was said, and how it ended.
pub(crate) struct Over {
    pub(crate) place: usize,
    pub(crate) report: StageReport,
    pub(crate) ended: Result<Ended, Error>,
    /// The sources as they are now, where the stage may be tried again.
    pub(crate) found: Option<Result<FoundOf, Error>>,
}

impl Over {
    /// Makes the attempt. Where the same again may succeed, `look` finds its sources: here, since that may take as long as
    /// the first time.
    pub(crate) fn of(
        attempt: &Attempt<'_>,
        place: usize,
        mut report: StageReport,
        look: Option<impl FnOnce() -> Result<FoundOf, Error>>,
    ) -> Over {
        let started = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| attempt.make(&mut report)))
            .unwrap_or_else(|panic| Ok(broken_off(panic.as_ref())));
        if !matches!(ended, Ok(Ended::MadeElsewhere(_)) | Err(Error::Locked { .. })) {
            report.wall_seconds += started.elapsed().saturating_sub(attempt.pause).as_secs_f64();
        }
        if let Ok(Ended::Made(_)) = ended {
            report.outcome = Outcome::Ran { reason: attempt.reason.clone() };
        }
        let cause = match &ended {
            Ok(Ended::Failed { cause, .. }) => Some(*cause),
            Ok(_) => None,
            Err(error) => Some(error.cause()),
        };
        let found = look.filter(|_| cause == Some(Cause::Passing)).map(|look| look());
        Over { place, report, ended, found }
    }
}
