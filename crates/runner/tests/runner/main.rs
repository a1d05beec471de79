//! The runner over toy stages (`toys`) that write text, in a temporary `project`.
//!
//! - `freshness`: what runs again and what does not, and which stages can be chosen.
//! - `agreement`: what a plan announces is what a run does, over random graphs and changes.
//! - `sources`: folders, zips, addresses, and what is missing.
//! - `publishing`: what is in the store and under `out/` after a run.
//! - `damage`: artifacts that are not whole, and the litter of killed runs.
//! - `failures`: failed, panicking and cancelled stages.
//! - `locks`: two runs of one stage.
//! - `disk`: full and read-only disks.
//! - `speed`: how long nothing takes (run by hand).

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod agreement;
mod damage;
mod disk;
mod failures;
mod freshness;
mod locks;
mod project;
mod publishing;
mod sources;
mod speed;
mod toys;
