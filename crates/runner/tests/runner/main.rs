//! The runner over toy stages (`toys`) that write text, in a temporary `project`.
//!
//! - `freshness`: what runs again and what does not, and which stages can be chosen.
//! - `agreement`: what a plan announces and `explain` says is what a run does, over random graphs and changes.
//! - `explaining`: why a stage is what it is, in words, and against older artifacts.
//! - `sources`: folders, zips, addresses, and what is missing.
//! - `publishing`: what is in the store and under `out/` after a run.
//! - `damage`: artifacts that are not whole, and the litter of killed runs.
//! - `side_by_side`: independent stages at one time, within threads and memory; what goes on after a failure.
//! - `retries`: what is tried again, and what is not.
//! - `failures`: failed, panicking and cancelled stages.
//! - `collecting`: what `gc` removes, also beside a run and after a kill.
//! - `remembering`: the manifests that `gc` keeps of what it removes.
//! - `verifying`: bytes that are not what manifests say.
//! - `recorded`: what the record of a run says later.
//! - `incomplete`: artifacts that say that they lack something.
//! - `locks`: two runs of one stage.
//! - `disk`: full and read-only disks.
//! - `speed`: how long nothing takes (run by hand).

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod agreement;
mod collecting;
mod damage;
mod disk;
mod explaining;
mod failures;
mod freshness;
mod incomplete;
mod locks;
mod project;
mod publishing;
mod recorded;
mod remembering;
mod retries;
mod side_by_side;
mod sources;
mod speed;
mod toys;
mod verifying;
