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
//! | [`explain`](mod@explain) | why a stage is what it is, part by part of its key |
//! | [`announcement`] | a plan for programs |
//! | [`prospect`] | plans of many graphs, and what they share |
//! | [`execute`] | the run: lock, run, publish, link, and decide on the next stage |
//! | [`store`] | artifacts on disk: looked up, published whole or not at all |
//! | [`report`] | what came of it |
//! | [`glance`], [`file_system`] | a quick look at a store and its disk |
//! | [`runs`] | its record, read by others: [`run_details`], [`run_log`], [`run_diff`] |
//! | [`verify`](mod@verify) | every byte of artifacts, against their manifests |
//! | [`gc`] | what nobody needs any more, removed |
//!
//! Whatever says what would run asks the same planner: [`plan()`] says what [`run()`] will do.

mod against;
mod ancestry;
pub mod announcement;
mod attempt;
mod clock;
mod conductor;
mod disk;
mod draft;
pub mod error;
pub mod execute;
pub mod explain;
mod fetch;
pub mod file_system;
mod free_memory;
pub mod gc;
mod given;
pub mod glance;
pub mod graph;
mod ledger;
mod leftovers;
mod link;
mod listing;
pub mod lock;
mod machine;
mod manifest;
mod memo;
mod memory;
pub mod observer;
pub mod options;
mod over;
pub mod part;
mod path_text;
mod paths;
pub mod plan;
pub mod prospect;
mod record;
pub mod report;
mod retention;
mod retry;
mod roots;
pub mod run_details;
pub mod run_diff;
pub mod run_log;
pub mod runs;
mod scheduler;
pub mod selection;
mod shard;
pub mod source;
pub mod store;
mod survey;
mod teller;
#[cfg(test)]
mod toy;
mod tree;
pub mod tree_change;
mod unpack;
pub mod verify;
mod weight;

pub use announcement::Announcement;
pub use error::Error;
pub use execute::{place_of_source, plan, run, run_on};
pub use explain::{Explanation, explain};
pub use file_system::FileSystem;
pub use free_memory::{Memory, free_memory};
pub use gc::Gc;
pub use glance::Glance;
pub use graph::{Graph, GraphError, Node};
pub use machine::Machine;
pub use manifest::{NoManifest, read_manifest};
pub use observer::{Observer, Unobserved};
pub use options::RunOptions;
pub use part::{Part, PartKind, Standing};
pub use plan::{Action, Plan, PlannedStage, State};
pub use prospect::{Prospect, prospects};
pub use report::{Outcome, RunReport, StageReport};
pub use run_details::RunDetails;
pub use runs::{RunInfo, RunRecord};
pub use selection::Selection;
pub use store::Store;
