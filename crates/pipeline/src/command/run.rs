//! `pipeline run CONFIG`: runs what is not fresh.

use std::num::NonZeroUsize;

use pipeline_runner::Selection;
use pipeline_stage::{Shard, exit};

use super::Stop;
use super::how::How;
use super::job::{Folders, JobArguments, command_line, given};
use crate::terminal::Screen;

/// Run the stages that are not fresh
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline run configs/dogscats.yaml\n  \
    pipeline run configs/dogscats.yaml --set head.lr=0.003\n  \
    pipeline run configs/dogscats.yaml --only precompute --force precompute\n  \
    pipeline run configs/dogscats.yaml --until 'fine*' --dry-run\n  \
    pipeline run configs/dogscats.yaml --jobs 3 --keep-going\n  \
    pipeline run configs/dogscats.yaml --only precompute --shard 2/4\n\n\
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
    /// Run up to N independent stages side by side, which share threads and memory; one after another where each keeps
    /// all processors busy anyway. The results are the same
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Memory that stages side by side may take together, by rough estimates, as 8GB or 500MB [default: what is available]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = bytes)]
    memory: Option<u64>,
    /// Go on after a failure with the stages that do not depend on what failed
    #[arg(long)]
    keep_going: bool,
    /// Try a stage or a download again, up to N times, when it failed for a reason that may pass: no network, a file
    /// server that does not answer, a source or an input of the stage that changed while it read it. A photo that was replaced
    /// after `ingest` had looked at it needs another run, which begins with `ingest`
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    retries: u32,
    /// Do only part I of N of the one stage that --only names, as one of several workers on one store, on this machine or
    /// others, and publish nothing: when all are done, the same without --shard puts the parts together, to the same bytes
    #[arg(long, value_name = "I/N", allow_hyphen_values = true)]
    shard: Option<Shard>,
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
        options.jobs = NonZeroUsize::new(arguments.jobs.into()).unwrap_or(NonZeroUsize::MIN);
        options.memory_bytes = room_for(options.jobs, arguments.memory);
        options.keep_going = arguments.keep_going;
        options.retries = arguments.retries;
        options.shard = arguments.shard;
        if arguments.dry_run {
            let to_run = arguments.how.announce(&job, options, screen)?;
            return Ok(if arguments.check && to_run > 0 { exit::WORK_TO_DO } else { exit::DONE });
        }
        arguments.how.run(&job, options, &again(given()), screen)
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

/// Bytes for stages that run side by side: as many as are `given`, or as the system has now.
pub(super) fn room_for(jobs: NonZeroUsize, given: Option<u64>) -> Option<u64> {
    given.or_else(|| if jobs.get() > 1 { pipeline_runner::free_memory() } else { None })
}

/// A number with a unit, in powers of 1,000: `500MB`, `8GB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a number of MB, GB or TB, as 500MB or 8GB, found `{text}`");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(2)).ok_or_else(wrong)?;
    let unit: u64 = match unit {
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_and_a_unit() {
        let good = [("500MB", 500_000_000), ("8GB", 8_000_000_000), ("2TB", 2_000_000_000_000), ("0GB", 0)];
        for (text, size) in good {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "8", "GB", "8 GB", "8gb", "8GiB", "-1GB", "1.5GB", "18446744073709551615MB", "8ä"] {
            let expected = format!("expected a number of MB, GB or TB, as 500MB or 8GB, found `{text}`");
            assert_eq!(bytes(text), Err(expected));
        }
    }

    #[test]
    fn going_on_repeats_the_arguments_but_for_force() {
        let line = "pipeline run c.yaml --force head --only head --force=head --threads 1 --force-downstream head --force-downstream=a,b";
        let arguments = line.split(' ').map(str::to_owned);
        assert_eq!(again(arguments), "pipeline run c.yaml --only head --threads 1");
    }
}
