//! `pipeline run CONFIG`: runs what is not fresh.

use pipeline_runner::Selection;
use pipeline_stage::exit;

use super::Stop;
use super::how::How;
use super::job::{Folders, JobArguments, command_line};
use crate::terminal::Screen;

/// Run the stages that are not fresh
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline run configs/dogscats.yaml\n  \
    pipeline run configs/dogscats.yaml --set head.lr=0.003\n  \
    pipeline run configs/dogscats.yaml --only precompute --force precompute\n  \
    pipeline run configs/dogscats.yaml --until 'fine*' --dry-run\n\n\
    STAGES are names or patterns (* stands for any letters, ? for one), several with commas or with the option given \
    again. Several of --only, --from and --until mean the stages that all of them leave.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    folders: Folders,
    /// Run these stages and nothing else; what they read must be fresh
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    only: Vec<String>,
    /// Run these stages and everything downstream of them
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    from: Vec<String>,
    /// Run these stages and everything upstream of them
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    until: Vec<String>,
    /// Run these stages although they are fresh
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    force: Vec<String>,
    /// Run these stages and everything downstream of them, although they are fresh
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    force_downstream: Vec<String>,
    /// Say what would run and why (with --json as one object), and run, fetch and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run, end with exit code 3 when something would run
    #[arg(long, requires = "dry_run")]
    check: bool,
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
            force_downstream: arguments.force_downstream.clone(),
        };
        if arguments.dry_run {
            let to_run = arguments.how.announce(&job, options, screen)?;
            return Ok(if arguments.check && to_run > 0 { exit::WORK_TO_DO } else { exit::DONE });
        }
        arguments.how.run(&job, options, &again(std::env::args()), screen)
    })
}

/// The command that goes on where this one stopped: without `--force` and `--force-downstream`, which would begin anew.
fn again(arguments: impl Iterator<Item = String>) -> String {
    let mut kept = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--force" | "--force-downstream" => drop(arguments.next()),
            forced if forced.starts_with("--force=") || forced.starts_with("--force-downstream=") => {}
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
        let line = "pipeline run c.yaml --force head --only head --force=head --threads 1 --force-downstream head --force-downstream=a,b";
        let arguments = line.split(' ').map(str::to_owned);
        assert_eq!(again(arguments), "pipeline run c.yaml --only head --threads 1");
    }
}
