//! `pipeline run CONFIG`: runs what is not fresh.

use std::num::NonZeroUsize;
use std::time::Duration;

use pipeline_runner::{Outcome, RunReport, Selection};
use pipeline_stage::exit;

use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments, command_line};
use super::{Stop, stop};
use crate::terminal::{Header, Screen, Style, summary, watch};

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
    /// Threads to use [default: all processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Wait so long for a lock that another run holds, instead of stopping at once
    #[arg(long, value_name = "SECONDS")]
    wait_lock: Option<u64>,
    /// Print errors only
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
    /// Print events as JSON lines instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let outcome = run_job(arguments, screen);
    if let (true, Err(stop)) = (arguments.json, &outcome) {
        screen.json(&stop.json());
    }
    outcome
}

fn run_job(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.job.load()?;
    let mut options = arguments.folders.options(&job);
    options.threads = arguments.threads.and_then(|n| NonZeroUsize::new(n.into())).unwrap_or(options.threads);
    // Hashing and the reading of tables use this pool. It can be set only once, which is now.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(options.threads.get()).build_global();
    options.wait_lock = arguments.wait_lock.map(Duration::from_secs);
    options.selection = Selection {
        only: arguments.only.clone(),
        from: arguments.from.clone(),
        until: arguments.until.clone(),
        force: arguments.force.clone(),
    };

    let style = Style::choose(arguments.quiet, arguments.json, screen);
    let header = Header {
        config: job.name.clone(),
        pipeline: job.pipeline.clone(),
        seed: job.seed,
        device: options.device.clone(),
        threads: options.threads.get(),
        width: job.graph.names().map(str::len).max().unwrap_or(0),
        folder: options.folder.clone(),
    };
    let interrupt = Interrupt::listen();
    let report = {
        let observer = watch(style, &header, screen);
        pipeline_runner::run(&job.graph, &options, &interrupt.cancel, observer.as_ref())
    };
    let report = report.map_err(|error| stop(&error, &interrupt))?;
    summary::show(style, &report, &header, screen);
    Ok(exit_code(&report, &interrupt, &again(std::env::args()), screen))
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

/// Prints what failed, and says how the process ends.
fn exit_code(report: &RunReport, interrupt: &Interrupt, command: &str, screen: &Screen) -> u8 {
    let mut code = exit::DONE;
    for stage in &report.stages {
        match &stage.outcome {
            Outcome::Failed { message, hint } => {
                screen.failure(&format!("{}: {message}", stage.name), hint.as_deref());
                code = exit::STAGE_FAILED;
            }
            Outcome::Locked { message, hint } => {
                screen.failure(&format!("{}: {message}", stage.name), hint.as_deref());
                code = if code == exit::DONE { exit::LOCKED } else { code };
            }
            _ => {}
        }
    }
    if report.cancelled() {
        let way = format!("run it again to go on: {command}");
        screen.failure("interrupted; finished stages are kept", Some(&way));
        code = interrupt.exit_code().unwrap_or(exit::INTERRUPTED);
    }
    code
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
