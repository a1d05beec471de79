//! `cargo xtask`: sets up what the workspace needs, runs the quick start, runs every test.
//!
//! One file per subcommand ([`quickstart`], [`mod@test`], [`mod@bench`]) and per thing that is set up ([`chromium`], [`libtorch`],
//! [`python`], [`weights`]). Nothing here links libtorch: this is what puts libtorch in place.

mod bench;
mod chromium;
mod error;
mod libtorch;
mod prerequisites;
mod process;
mod python;
mod quickstart;
mod step;
mod test;
mod weights;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::prerequisites::Need;
use crate::workspace::Workspace;

/// Sets up what the workspace needs, runs the quick start, runs every test.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up, build, and train the first classifier on drawn cats and dogs.
    Quickstart,
    /// Set up everything that the tests need and run all checks and tests.
    Test(test::Options),
    /// Measure what the README says, beside other programs.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Put libtorch into .tools/libtorch.
    Libtorch(libtorch::Options),
    /// Make the Python environment of the tests in .tools/python.
    Python,
    /// Put the quick start's pretrained weights into data/weights.
    Weights,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<(), Error> {
    let workspace = Workspace::find();
    match task {
        Task::Quickstart => quickstart::run(&workspace),
        Task::Test(options) => test::run(&workspace, options),
        Task::Bench(bench) => bench::run(&workspace, bench),
        Task::Libtorch(options) => {
            prerequisites::check(&[Need::Pip])?;
            let _lock = workspace.lock()?;
            step::run("libtorch", || libtorch::ensure(&workspace, options.variant()))
        }
        Task::Python => {
            prerequisites::check(&[Need::Pip, Need::TestPython])?;
            let _lock = workspace.lock()?;
            step::run("python", || python::ensure(&workspace))
        }
        Task::Weights => {
            prerequisites::check(&[Need::Pip])?;
            let _lock = workspace.lock()?;
            step::run("weights", || weights::ensure(&workspace))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_machine_is_asked_for_a_gpu_or_no_gpu_but_not_both() {
        assert!(Arguments::try_parse_from(["x", "libtorch", "--gpu"]).is_ok());
        assert!(Arguments::try_parse_from(["x", "libtorch", "--gpu", "--cpu"]).is_err());
    }
}
