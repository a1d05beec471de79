//! The runner: plans, locks, runs and publishes the stages of a pipeline. It knows what a stage is
//! (`pipeline_stage`) and no stage in particular; it parses no YAML and prints nothing.
//!
//! A run goes through these modules from top to bottom:
//!
//! | module | what |
//! |---|---|
//! | [`graph`] | the stages, checked against what each kind declares, in the order of running |
//! | [`selection`] | which of them the run is about |
//! | [`source`] | what comes from outside: found, fetched, unpacked, digested |
//! | [`plan`](mod@plan) | what each stage is: fresh, stale and why, ... |
//! | [`execute`] | the run: lock, run, publish, link, and decide on the next stage |
//! | [`store`] | artifacts on disk: looked up, published whole or not at all |
//! | [`report`] | what came of it |
//! | [`runs`] | its record, read by others |
//!
//! Two calls do everything, and both ask the same planner:
//! [`plan()`] says what [`run()`] will do.

mod attempt;
mod clock;
mod draft;
pub mod error;
pub mod execute;
mod fetch;
pub mod graph;
mod link;
pub mod lock;
mod memo;
pub mod observer;
pub mod options;
pub mod plan;
mod record;
pub mod report;
pub mod runs;
pub mod selection;
pub mod source;
pub mod store;
#[cfg(test)]
mod toy;
mod tree;
mod unpack;

pub use error::Error;
pub use execute::{plan, run};
pub use graph::{Graph, GraphError, Node};
pub use observer::{Observer, Unobserved};
pub use options::RunOptions;
pub use plan::{Action, Plan, PlannedStage, State};
pub use report::{Outcome, RunReport, StageReport};
pub use runs::{RunInfo, RunRecord};
pub use selection::Selection;
pub use store::Store;
