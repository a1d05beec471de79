//! What tests share: temporary projects with the built command, file systems that refuse, and stages run alone.
//!
//! Tests only; nothing here is part of the product, and nothing links libtorch.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper that fails fails its test, and a skip must be seen"
)]

pub mod browser;
mod fixtures;
mod mount;
mod project;
mod stage_bench;

pub use fixtures::check_fixtures;
pub use mount::{Mount, with_mounts};
pub use project::{Project, Ran, shared};
pub use stage_bench::{EventHook, Made, StageBench};
