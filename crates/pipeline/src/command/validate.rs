//! `pipeline validate CONFIG`: checks the files without looking at photos or running anything.

use pipeline_stage::exit;

use super::Stop;
use super::job::JobArguments;
use crate::terminal::Screen;

/// Check a config and its pipeline without running anything
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline validate configs/dogscats.yaml")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.job.load()?;
    let names: Vec<&str> = job.graph.nodes().iter().map(|n| n.name.as_str()).collect();
    screen.line(&format!(
        "{} is valid: {}, {} stages: {}",
        arguments.job.config.display(),
        job.pipeline,
        names.len(),
        names.join(", ")
    ));
    screen.line(&job.read());
    Ok(exit::DONE)
}
