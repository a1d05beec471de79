//! `pipeline run CONFIG`: runs what is not fresh.

use pipeline_runner::Selection;

use super::Stop;
use super::how::How;
use super::job::{Folders, JobArguments, command_line};
use crate::terminal::Screen;

/// Run the stages that are not fresh
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline run configs/dogscats.yaml\n  \
    pipeline run configs/dogscats.yaml --set head.lr=0.003\n  \
    pipeline run configs/dogscats.yaml --only precompute --force precompute")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    folders: Folders,
    /// Run this stage and nothing else; what it reads must be fresh
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// Run this stage and everything downstream of it
    #[arg(long, value_name = "STAGE")]
    from: Vec<String>,
    /// Run this stage and everything upstream of it
    #[arg(long, value_name = "STAGE")]
    until: Vec<String>,
    /// Run this stage although it is fresh
    #[arg(long, value_name = "STAGE")]
    force: Vec<String>,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    arguments.how.telling(screen, || {
        let job = arguments.job.load()?;
        let mut options = arguments.folders.options(&job);
        options.selection = Selection {
            only: arguments.only.clone(),
            from: arguments.from.clone(),
            until: arguments.until.clone(),
            force: arguments.force.clone(),
        };
        arguments.how.run(&job, options, &again(std::env::args()), screen)
    })
}

/// The command that goes on where this one stopped: without `--force`, which would begin anew.
fn again(arguments: impl Iterator<Item = String>) -> String {
    let mut kept = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--force" => drop(arguments.next()),
            forced if forced.starts_with("--force=") => {}
            _ => kept.push(argument),
        }
    }
    command_line(kept.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_repeats_the_arguments_but_for_force() {
        let line = "pipeline run c.yaml --force head --only head --force=head --threads 1";
        let arguments = line.split(' ').map(str::to_owned);
        assert_eq!(again(arguments), "pipeline run c.yaml --only head --threads 1");
    }
}
