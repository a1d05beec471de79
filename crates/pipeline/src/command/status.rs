//! `pipeline status CONFIG`: what each stage is, and why.

use pipeline_runner::Unobserved;
use pipeline_runner::plan::State;
use pipeline_stage::exit;

use super::Stop;
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments};
use crate::terminal::{Screen, words};

/// Show which stages are fresh, stale (and why) or missing
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline status configs/dogscats.yaml --set head.lr=0.003")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    folders: Folders,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.job.load()?;
    let options = arguments.folders.options(&job);
    let interrupt = Interrupt::listen();
    let plan = pipeline_runner::plan(&job.graph, &options, &interrupt.cancel, &Unobserved)
        .map_err(|error| Stop::new(interrupt.exit_code().unwrap_or(exit::USAGE), &error))?;

    let width = job.graph.names().map(str::len).max().unwrap_or(0);
    for stage in &plan.stages {
        let detail = match &stage.state {
            State::Fresh { manifest, .. } => {
                format!("{:>9}   {}", words::size(manifest.size_bytes()), manifest.summary.line)
            }
            other => other.reason(),
        };
        let line = format!("  {:<width$}   {:<8} {detail}", stage.name, stage.state.word());
        screen.line(line.trim_end());
    }
    Ok(exit::DONE)
}
