//! [`How`]: how stages are run and shown, for the subcommands that run some.

use std::num::NonZeroUsize;
use std::time::Duration;

use pipeline_runner::{Announcement, Outcome, Plan, RunOptions, RunReport};
use pipeline_stage::{CheckpointEvery, exit};

use super::interrupt::Interrupt;
use super::{Stop, stop};
use crate::config::Job;
use crate::terminal::{Header, Screen, Style, summary, watch, watch_plan};

/// How stages are run, and how that is shown.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Threads to use [default: all processors]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Wait so long for a lock that another run holds, instead of stopping at once
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    wait_lock: Option<u64>,
    /// How often a training writes a checkpoint, from which an interrupted run goes on: 30s, 2m, 500steps
    #[arg(long, value_name = "INTERVAL", default_value_t)]
    checkpoint_every: CheckpointEvery,
    /// Print errors only
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
    /// Print events as JSON lines instead of text
    #[arg(long)]
    json: bool,
}

impl How {
    /// Does `work`; with `--json`, an error of it is an event, too.
    pub(super) fn telling(
        &self,
        screen: &Screen,
        work: impl FnOnce() -> Result<u8, Stop>,
    ) -> Result<u8, Stop> {
        telling(self.json, screen, work)
    }

    /// Says what a run of `job` would do, and how many stages it would run.
    pub(super) fn announce(
        &self,
        job: &Job,
        mut options: RunOptions,
        screen: &Screen,
    ) -> Result<usize, Stop> {
        options.threads = self.threads(&options);
        hash_on(options.threads.get());
        let plan = planned(job, &options, self.quiet, &Interrupt::listen(), screen)?;
        match Style::choose(self.quiet, self.json, screen) {
            Style::Quiet => {}
            Style::Json => screen.json(&serde_json::json!(Announcement::new(&plan, &options, &job.files))),
            Style::Bars | Style::Lines => screen.line(&header(job, &options).announcement(&plan)),
        }
        Ok(plan.to_run())
    }

    fn threads(&self, options: &RunOptions) -> NonZeroUsize {
        self.threads.and_then(|n| NonZeroUsize::new(n.into())).unwrap_or(options.threads)
    }

    /// Runs what `options` selects of `job`, shows it, and says how the process ends. `again` is the command that goes on
    /// after an interruption.
    pub(super) fn run(
        &self,
        job: &Job,
        mut options: RunOptions,
        again: &str,
        screen: &Screen,
    ) -> Result<u8, Stop> {
        options.threads = self.threads(&options);
        hash_on(options.threads.get());
        options.wait_lock = self.wait_lock.map(Duration::from_secs);
        options.checkpoint_every = self.checkpoint_every;

        let style = Style::choose(self.quiet, self.json, screen);
        let header = header(job, &options);
        let interrupt = Interrupt::listen();
        let report = {
            let observer = watch(style, &header, screen);
            pipeline_runner::run(&job.graph, &options, &interrupt.cancel, observer.as_ref())
        };
        let report = report.map_err(|error| stop(&error, &interrupt))?;
        summary::show(style, &report, &header, screen);
        Ok(exit_code(&report, &interrupt, again, screen))
    }
}

/// Does `work`; with `json`, an error of it is a JSON object on standard output, too.
pub(super) fn telling(
    json: bool,
    screen: &Screen,
    work: impl FnOnce() -> Result<u8, Stop>,
) -> Result<u8, Stop> {
    let outcome = work();
    if let (true, Err(stop)) = (json, &outcome) {
        screen.json(&stop.json());
    }
    outcome
}

/// So many threads hash files and read tables, whatever asks for it. It can be set only once, before anything is read.
pub(super) fn hash_on(threads: usize) {
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

/// What every stage of `job` is and what a run would do; with bars of the hashing where a person waits for it.
pub(super) fn planned(
    job: &Job,
    options: &RunOptions,
    quiet: bool,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<Plan, Stop> {
    let header = header(job, options);
    let watched = watch_plan(quiet, &header, screen);
    pipeline_runner::plan(&job.graph, options, &interrupt.cancel, watched.as_ref())
        .map_err(|error| stop(&error, interrupt))
}

/// What the first line about a job says.
pub(super) fn header(job: &Job, options: &RunOptions) -> Header {
    Header {
        config: job.name.clone(),
        pipeline: job.pipeline.clone(),
        seed: job.seed,
        device: options.device.clone(),
        threads: options.threads.get(),
        jobs: options.jobs.get(),
        memory_bytes: options.memory_bytes,
        width: job.graph.names().map(str::len).max().unwrap_or(0),
        folder: options.folder.clone(),
    }
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
