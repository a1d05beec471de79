//! [`Observer`]: whoever watches a run or a plan. The command draws bars, lines or JSON from it.

use pipeline_stage::Event;

use crate::plan::Plan;
use crate::report::StageReport;

/// Watches a run. Every method does nothing unless implemented; each may be called from any thread.
///
/// Order of calls: [`source_event`](Observer::source_event)s, one [`planned`](Observer::planned), then for
/// every stage of the graph [`stage_started`](Observer::stage_started) and its events if it runs, again where it is
/// tried again, and [`stage_finished`](Observer::stage_finished) in any case. Those of stages that run side by side
/// come mixed. [`waiting`](Observer::waiting) and
/// [`warning`](Observer::warning) may come at any time.
pub trait Observer: Send + Sync {
    /// A source of the stage `stage` is being fetched, unpacked or hashed.
    fn source_event(&self, stage: &str, source: &str, event: &Event) {
        let _ = (stage, source, event);
    }
    /// This is what the run will do.
    fn planned(&self, plan: &Plan) {
        let _ = plan;
    }
    /// The stage `name` begins, for this reason.
    fn stage_started(&self, name: &str, reason: &str) {
        let _ = (name, reason);
    }
    /// The running stage `name` says something.
    fn stage_event(&self, name: &str, event: &Event) {
        let _ = (name, event);
    }
    /// The stage `name` ran, or it is clear that it does not.
    fn stage_finished(&self, name: &str, report: &StageReport) {
        let _ = (name, report);
    }
    /// The run waits for a lock; `message` names its holder.
    fn waiting(&self, message: &str) {
        let _ = message;
    }
    /// Worth acting on, and not said by a stage.
    fn warning(&self, message: &str) {
        let _ = message;
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
