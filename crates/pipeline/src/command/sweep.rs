//! `pipeline sweep CONFIG --over 'head.lr=[0.003, 0.01]'`: a run for every combination of values, and a table of what came
//! of them.
//!
//! - `axis`: what is varied, and the combinations.
//! - `combination`: the config with one of them put in; its folder of links.
//! - `announcing`: what is going to run.
//! - `running`: the runs, and what is said meanwhile.
//! - `row`: what came of one.
//! - `ranking`: which metrics are shown, and which combination is the best.
//! - `results`: the table: in the terminal, as JSON, as Parquet.
//!
//! All that combinations have in common is shared through the store: of two that need an artifact at once, the second waits
//! until the first has made it and finds a hit. So a sweep keeps no state of its own, and run again it goes on. Threads,
//! memory and the number of stages at a time are those of all combinations together ([`Machine`]), so that a stage that
//! trains has the threads, and makes the bytes, of `pipeline run`.
//!
//! With `--json`, a line is an object with `event`: `combination_finished` with `row`, `warning` with `text`, and in the end
//! `sweep_finished` with all of the table; only the rows there have `is_best`, which is not known before.

mod announcing;
mod axis;
mod combination;
mod ranking;
mod results;
mod row;
mod running;

use std::num::NonZeroUsize;
use std::time::Duration;

use pipeline_runner::{Machine, RunOptions, Selection};
use pipeline_stage::{CheckpointEvery, exit};

use super::Stop;
use super::how::{hash_on, telling};
use super::job::{Folders, JobArguments, available_threads};
use super::run::{bytes, room_for};
use crate::config::Overrides;
use crate::terminal::{Screen, words};
use axis::{Axis, MOST, combinations};
use combination::{Combination, Common};
use running::Sweep;

/// Run every combination of some parameters' values, and compare their metrics in a table
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline sweep configs/dogscats.yaml --over 'head.lr=[0.003, 0.01, 0.03]' --over 'head.epochs=[1, 2]' --until head\n  \
    pipeline sweep configs/mine.yaml --over 'seed=[1, 2, 3]' --metric evaluate.log_loss\n  \
    pipeline sweep configs/mine.yaml --over 'finetune.lr=[[1e-4, 1e-3, 1e-2], [1e-5, 1e-4, 1e-3]]' --dry-run\n\n\
    What combinations have in common is made once. Interrupted and run again, a sweep does what is left. The table is also \
    kept in sweeps/ of the store, as sweep.parquet and sweep.json. Links to the artifacts of a combination are in \
    out/CONFIG@head.epochs=1,head.lr=0.003/; whoever removes that folder leaves them to `pipeline gc`.\n\n\
    With --jobs, several combinations are on their way at a time, and their stages run side by side within --threads and \
    --memory. A stage that trains has all threads for itself, as in a run, so that a combination is what `pipeline run` makes \
    of it, byte for byte; what its combination does before and after that goes on beside others.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Vary a parameter: a YAML list of its values, which may be lists. May be given several times, for every combination;
    /// the last one changes fastest
    #[arg(long, value_name = "STAGE.PARAM=[VALUES]", required = true)]
    over: Vec<String>,
    /// The metrics of the table; the first says which combination is the best. evaluate.accuracy means all whose name ends so
    /// [default: all of the last stage that has some]
    #[arg(long, value_name = "STAGE.METRIC", value_delimiter = ',')]
    metric: Vec<String>,
    /// Run these stages and everything upstream of them
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    until: Vec<String>,
    #[command(flatten)]
    folders: Folders,
    /// Say for each combination what would run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// So many combinations, and stages of all of them, at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Threads of all combinations together [default: all processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Memory that stages side by side may take together, by rough estimates, as 8GB or 500MB [default: what is available]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = bytes)]
    memory: Option<u64>,
    /// How often a training writes a checkpoint, from which an interrupted run goes on: 30s, 2m, 500steps
    #[arg(long, value_name = "INTERVAL", default_value_t)]
    checkpoint_every: CheckpointEvery,
    /// Print errors only
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
    /// Print a JSON line for each combination that ends, and one with all rows in the end
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    telling(arguments.json, screen, || {
        let overrides = Overrides::parse(&arguments.job.sets)?;
        let axes = Axis::parse(&arguments.over, &overrides)?;
        let choices = combinations(&axes).map_err(too_many)?;
        let common = Common {
            config: &arguments.job.config,
            sets: &arguments.job.sets,
            overrides: &overrides,
            more: &arguments.more(),
            axes: &axes,
        };
        hash_on(arguments.threads().get());
        let combinations = common.load(&choices)?;
        // There is one, since no list is empty.
        let Some(first) = combinations.first() else { return Ok(exit::DONE) };
        let options = arguments.options(first);
        check_metrics(&arguments.metric, first, &options.selection)?;
        let machine = Machine::of(&options);
        let sweep = Sweep { arguments, axes: &axes, combinations: &combinations, options, machine, screen };
        sweep.run()
    })
}

fn too_many(count: u128) -> Stop {
    let count = u64::try_from(count).map_or_else(|_| "more than 10^19".to_owned(), words::count);
    Stop::Error {
        message: format!(
            "{count} combinations are too many for a sweep, expected at most {}",
            words::count(MOST as u64)
        ),
        hint: Some("vary fewer parameters at a time".to_owned()),
        code: exit::USAGE,
    }
}

/// Metrics are known when stages have run; names of stages, and which of them run, before.
fn check_metrics(asked: &[String], first: &Combination, selection: &Selection) -> Result<(), Stop> {
    let known: Vec<&str> = first.job.graph.names().collect();
    let may_run = selection.may_run(&first.job.graph).map_err(|error| Stop::new(exit::USAGE, &error))?;
    for metric in asked {
        let stage = metric.split_once('.').map_or(metric.as_str(), |(stage, _)| stage);
        if !metric.contains('.') || !known.contains(&stage) {
            let near = pipeline_stage::suggest::nearest(stage, known.iter().copied());
            return Err(Stop::Error {
                message: format!(
                    "expected `stage.metric` with a stage that is one of {}, found `--metric {metric}`",
                    known.join(", ")
                ),
                hint: near.filter(|near| *near != stage).map(|near| format!("did you mean `{near}`?")),
                code: exit::USAGE,
            });
        }
        if !may_run.contains(&stage) {
            return Err(Stop::Error {
                message: format!("`--metric {metric}` cannot be shown: `--until` leaves `{stage}` out"),
                hint: Some(format!("leave --until out, or name `{stage}` there")),
                code: exit::USAGE,
            });
        }
    }
    Ok(())
}

impl Arguments {
    /// What `pipeline run` needs to do the same.
    fn more(&self) -> Vec<String> {
        let until = match self.until.as_slice() {
            [] => vec![],
            until => vec!["--until".to_owned(), until.join(",")],
        };
        [until, self.folders.arguments()].concat()
    }

    /// Threads of all combinations together.
    fn threads(&self) -> NonZeroUsize {
        self.threads.and_then(|n| NonZeroUsize::new(n.into())).unwrap_or_else(available_threads)
    }

    /// Options of all runs.
    fn options(&self, first: &Combination) -> RunOptions {
        let mut options = self.folders.options(&first.job);
        options.threads = self.threads();
        options.jobs = NonZeroUsize::new(self.jobs.into()).unwrap_or(NonZeroUsize::MIN);
        options.memory_bytes = room_for(options.jobs, self.memory);
        options.checkpoint_every = self.checkpoint_every;
        options.selection = Selection { until: self.until.clone(), ..Selection::default() };
        // Combinations wait for each other; how long one takes is not known.
        options.wait_lock = Some(Duration::MAX);
        options
    }
}
