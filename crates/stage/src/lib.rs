//! What a pipeline stage is: the contract at the bottom of the workspace.
//!
//! A stage crate implements [`Stage`]; the runner plans, locks and publishes; neither knows the other.
//! Here live the trait, typed parameters and their problems, sources, digests, the cache key
//! and the manifest (`artifact.json`), what a stage costs, progress, failures, exit codes, counter-based random numbers, work in lanes, and
//! files that appear whole (`draft`).
//! Not here: anything that links libtorch, arrow or clap, and anything else that writes to the disk.
//!
//! Reading order: [`stage`], [`context`], [`key`], [`manifest`].

pub mod checkpoint;
pub mod context;
pub mod cost;
pub mod digest;
pub mod draft;
pub mod exit;
pub mod failure;
pub mod fingerprint;
pub mod key;
pub mod lanes;
pub mod manifest;
pub mod metric;
mod misfit;
pub mod params;
pub mod progress;
pub mod random;
pub mod shard;
pub mod source;
pub mod stage;
pub mod suggest;
pub mod words;

pub use checkpoint::CheckpointEvery;
pub use context::{Artifact, Context, Locator, Step};
pub use cost::{Cost, Processors};
pub use digest::Digest;
pub use draft::Draft;
pub use failure::{Failure, Hint};
pub use fingerprint::Fingerprint;
pub use key::KeyParts;
pub use manifest::{Manifest, Summary};
pub use metric::Direction;
pub use params::{Parameters, Problem};
pub use progress::{Cancel, Cancelled, Event, Measured, Progress, Report};
pub use shard::Shard;
pub use source::{Remote, Source};
pub use stage::{AnyStage, Input, Stage};
