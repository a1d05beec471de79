//! `cargo xtask bench`: measurements whose numbers stand in the README, beside another program where that is installed.

mod ingest;
mod noop;
mod photo;
mod precompute;
mod rates;

use crate::error::Error;
use crate::workspace::Workspace;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// How many photos a second are hashed, decoded and taken in, beside Pillow and libjpeg-turbo, and with how much memory.
    Ingest(ingest::Options),
    /// How long `pipeline` takes where nothing changed, beside DVC.
    Noop(noop::Options),
    /// How many photos a second go through the trunk, beside PyTorch, ONNX Runtime and OpenVINO.
    Precompute(precompute::Options),
}

/// Measures it, and prints the numbers.
///
/// # Errors
/// Those of the measurement: a command that fails, files.
pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<(), Error> {
    match bench {
        Bench::Ingest(options) => ingest::run(workspace, options),
        Bench::Noop(options) => noop::run(workspace, options),
        Bench::Precompute(options) => precompute::run(workspace, options),
    }
}
