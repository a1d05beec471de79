//! `pipeline sweep CONFIG --over 'head.lr=[0.003, 0.01]'`: a run for every combination of values, and a table of what came
//! of them.
//!
//! - `axis`: what is varied, and the combinations.
//! - `combination`: the config with one of them put in; its folder of links.
//! - `row`: what came of a run.
//! - `ranking`: which metrics are shown, and which combination is the best.
//! - `results`: the table: in the terminal, as JSON, as Parquet.
//!
//! All that combinations have in common is shared through the store: of two that need an artifact at once, the second waits
//! for the first at the lock of its key and finds a hit. So a sweep keeps no state of its own, and run again it goes on.

mod axis;
mod combination;
mod ranking;
mod results;
mod row;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pipeline_runner::{Prospect, RunOptions, Selection, Store, Unobserved, prospects};
use pipeline_stage::{CheckpointEvery, exit};
use serde_json::json;

use super::how::telling;
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments, available_threads, command_line};
use super::table::Table;
use super::{Stop, stop};
use crate::config::{Overrides, flow};
use crate::terminal::{Header, Screen, Style, Swept, words};
use axis::{Axis, MOST, combinations};
use combination::{Combination, Common};
use ranking::Ranking;
use results::Results;
use row::{Ended, Row};

/// Failures that are told with their hints; the table has them all.
const MOST_FAILURES: usize = 5;

/// Stack of a thread that runs stages: that of a main thread.
const STACK_BYTES: usize = 8 << 20;

/// Run every combination of some parameters' values, and compare their metrics in a table
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline sweep configs/dogscats.yaml --over 'head.lr=[0.003, 0.01, 0.03]' --over 'head.epochs=[1, 2]' --until head\n  \
    pipeline sweep configs/mine.yaml --over 'seed=[1, 2, 3]' --metric evaluate.log_loss\n  \
    pipeline sweep configs/mine.yaml --over 'finetune.lr=[[1e-4, 1e-3, 1e-2], [1e-5, 1e-4, 1e-3]]' --dry-run\n\n\
    What combinations have in common is made once. Interrupted and run again, a sweep does what is left. The table is also \
    kept in sweeps/ of the store, as sweep.parquet and sweep.json. Links to the artifacts of a combination are in \
    out/CONFIG@head.epochs=1,head.lr=0.003/; whoever removes that folder leaves them to `pipeline gc`.\n\n\
    One combination runs at a time unless --jobs says otherwise: a stage that trains keeps all processors busy, and several \
    at once need the memory of several. More at a time is faster where stages are too small for that.")]
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
    /// So many combinations at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Threads of each combination [default: all processors, shared out among the jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
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
        // Reading configs, hashing and the reading of tables use this pool, whichever combination does it. It can be set only
        // once, which is now.
        let all = arguments.threads().get() * usize::from(arguments.jobs);
        let _ = rayon::ThreadPoolBuilder::new().num_threads(all).build_global();
        let combinations = common.load(&choices)?;
        // There is one, since no list is empty.
        let Some(first) = combinations.first() else { return Ok(exit::DONE) };
        check_metrics(&arguments.metric, first)?;
        let options = arguments.options(first);
        let sweep = Sweep { arguments, axes: &axes, combinations: &combinations, options, screen };
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

/// Metrics are known when stages have run; names of stages before.
fn check_metrics(asked: &[String], first: &Combination) -> Result<(), Stop> {
    let known: Vec<&str> = first.job.graph.names().collect();
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

    /// Threads of each combination.
    fn threads(&self) -> NonZeroUsize {
        let shared_out = available_threads().get() / usize::from(self.jobs);
        NonZeroUsize::new(self.threads.map_or(shared_out, usize::from)).unwrap_or(NonZeroUsize::MIN)
    }

    /// Options of all runs.
    fn options(&self, first: &Combination) -> RunOptions {
        let mut options = self.folders.options(&first.job);
        options.threads = self.threads();
        options.checkpoint_every = self.checkpoint_every;
        options.selection = Selection { until: self.until.clone(), ..Selection::default() };
        // Combinations wait for each other; how long one takes is not known.
        options.wait_lock = Some(Duration::MAX);
        options
    }
}

/// A sweep that is ready to run.
struct Sweep<'a> {
    arguments: &'a Arguments,
    axes: &'a [Axis],
    combinations: &'a [Combination],
    /// Options of all runs, but for what a combination has of its own.
    options: RunOptions,
    screen: &'a Screen,
}

impl Sweep<'_> {
    fn run(&self) -> Result<u8, Stop> {
        let interrupt = Interrupt::listen();
        let graphs = self.combinations.iter().map(|one| (&one.job.graph, self.options_of(one)));
        let prospects =
            prospects(graphs, &interrupt.cancel, &Unobserved).map_err(|error| stop(&error, &interrupt))?;
        let style = Style::choose(self.arguments.quiet, self.arguments.json, self.screen);
        if self.arguments.dry_run {
            self.announce(&prospects, style);
            return Ok(exit::DONE);
        }
        if matches!(style, Style::Bars | Style::Lines) {
            self.screen.line(&format!("{}\n", self.headline(&prospects)));
        }
        let mut rows = self.rows(style, &interrupt);
        self.finish(&mut rows, style, &interrupt)
    }

    /// The options of one combination's run.
    fn options_of(&self, one: &Combination) -> RunOptions {
        RunOptions {
            config: one.name.clone(),
            seed: one.job.seed,
            command: one.command.clone(),
            ..self.options.clone()
        }
    }

    /// `c: 12 combinations, 15 stages to run   (quick, built in, cpu, 2 threads each)`
    fn headline(&self, prospects: &[Prospect]) -> String {
        let first = &self.combinations[0].job;
        let to_run: usize = prospects.iter().map(|prospect| prospect.runs.len()).sum();
        let counted = |n: usize, what: &str| {
            format!("{} {what}{}", words::count(n as u64), if n == 1 { "" } else { "s" })
        };
        format!(
            "{}: {}, {} to run   ({}, {}, {} each, {} at a time)",
            first.name,
            counted(self.combinations.len(), "combination"),
            counted(to_run, "stage"),
            first.pipeline,
            self.options.device,
            counted(self.options.threads.get(), "thread"),
            self.arguments.jobs
        )
    }

    /// Says what would run.
    fn announce(&self, prospects: &[Prospect], style: Style) {
        let pairs = || self.combinations.iter().zip(prospects);
        match style {
            Style::Quiet => {}
            Style::Json => {
                let row = |(one, prospect): (&Combination, &Prospect)| {
                    let parameters: serde_json::Map<_, _> =
                        self.axes.iter().map(Axis::name).zip(one.values.iter().cloned()).collect();
                    json!({
                        "combination": one.name, "parameters": parameters, "runs": prospect.runs, "shares": prospect.shares,
                        "fresh": prospect.fresh, "fails": prospect.fails, "command": one.command,
                    })
                };
                let to_run: usize = prospects.iter().map(|prospect| prospect.runs.len()).sum();
                let rows: Vec<_> = pairs().map(row).collect();
                self.screen.json(&json!({"combinations": rows.len(), "to_run": to_run, "rows": rows}));
            }
            Style::Bars | Style::Lines => {
                let heads = self.axes.iter().map(Axis::name).chain(["runs".to_owned(), "shares".to_owned()]);
                let mut table = Table::with_columns("l".repeat(self.axes.len() + 2), heads.collect());
                for (one, prospect) in pairs() {
                    let runs = match &prospect.fails {
                        Some(why) => format!("fails: {why}"),
                        None if prospect.runs.is_empty() => "-".to_owned(),
                        None => prospect.runs.join(", "),
                    };
                    table.row(one.values.iter().map(flow::text).chain([runs, prospect.shares.join(", ")]));
                }
                self.screen.line(&format!("{}\n\n{}", self.headline(prospects), table.text()));
            }
        }
    }

    /// Runs the combinations, so many at a time, and says a line when one has ended.
    fn rows(&self, style: Style, interrupt: &Interrupt) -> Vec<Row> {
        let new = |one: &Combination| Mutex::new(Row::new(one, self.axes, &self.options));
        let rows: Vec<Mutex<Row>> = self.combinations.iter().map(new).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            while !interrupt.cancel.is_cancelled() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(one) = self.combinations.get(place) else { break };
                let (ran, seconds) = self.run_one(place, one, style, interrupt);
                let mut row = rows[place].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                row.fill(ran, seconds);
                self.say(&row, done.fetch_add(1, Ordering::Relaxed) + 1, style);
            }
        };
        let jobs = usize::from(self.arguments.jobs).min(rows.len());
        std::thread::scope(|scope| {
            // Where no thread can be had beside this one, this one does it all.
            for _ in 1..jobs {
                let _ = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            }
            work();
        });
        rows.into_iter()
            .map(|row| row.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
            .collect()
    }

    fn run_one(
        &self,
        place: usize,
        one: &Combination,
        style: Style,
        interrupt: &Interrupt,
    ) -> (Result<pipeline_runner::RunReport, pipeline_runner::Error>, f64) {
        let number = format!("{}/{}", place + 1, self.combinations.len());
        let width = one.job.graph.names().map(str::len).max().unwrap_or(0) + 1 + number.len();
        let header = Header { width, ..Header::default() };
        let observer = Swept::new(style, &header, self.screen, number, self.arguments.jobs == 1);
        let started = Instant::now();
        let options = self.options_of(one);
        let ran = pipeline_runner::run(&one.job.graph, &options, &interrupt.cancel, &observer);
        (ran, started.elapsed().as_secs_f64())
    }

    /// `  3/12   head.lr=0.003, head.epochs=1   ran   4.1 s   accuracy 0.9875`
    fn say(&self, row: &Row, done: usize, style: Style) {
        match style {
            Style::Quiet => {}
            Style::Json => self.screen.json(&json!({"event": "combination_finished", "row": row})),
            Style::Bars | Style::Lines => {
                let all = self.combinations.len().to_string();
                let said = row.error.as_ref().unwrap_or(&row.line).replace('\n', " ");
                let line = format!(
                    "  {done:>width$}/{all}   {}   {:<9} {:>9}   {said}",
                    self.shown(row),
                    row.outcome.word(),
                    words::duration(row.seconds),
                    width = all.len()
                );
                self.screen.line(line.trim_end());
            }
        }
    }

    /// `head.lr=0.003, head.epochs=1`
    fn shown(&self, row: &Row) -> String {
        let one = |axis: &Axis| format!("{}={}", axis.name(), flow::text(&row.parameters[&axis.name()]));
        self.axes.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Prints and writes the table, and says how the process ends.
    fn finish(&self, rows: &mut [Row], style: Style, interrupt: &Interrupt) -> Result<u8, Stop> {
        let ranking = Ranking::of(rows, &self.arguments.metric);
        let rows = &*rows;
        let command = command_line(std::env::args());
        let results = Results {
            config: &self.combinations[0].job.name,
            command: &command,
            axes: self.axes,
            rows,
            ranking: &ranking,
        };
        if matches!(style, Style::Bars | Style::Lines) {
            self.screen.line(&format!("\n{}", results.text()));
        }
        ranking.notes.iter().for_each(|note| self.screen.error(&format!("warning: {note}")));
        let written = Store::at(&self.options.store)
            .map_err(|error| stop(&error, interrupt))
            .and_then(|store| results.write(&store));
        match (style, &written) {
            (Style::Bars | Style::Lines, Ok(folder)) => {
                self.screen.line(&format!("\n{}", self.options.shown(&folder.join("sweep.parquet"))));
            }
            (Style::Json, written) => {
                let mut event = results.json();
                event["event"] = json!("sweep_finished");
                event["path"] = json!(written.as_ref().ok());
                self.screen.json(&event);
            }
            _ => {}
        }
        let failed = self.tell_failures(rows);
        if rows.iter().any(|row| matches!(row.outcome, Ended::Cancelled | Ended::NotRun)) {
            let way = format!("run it again to go on: {command}");
            self.screen.failure("interrupted; what has been made is kept", Some(&way));
            return Ok(interrupt.exit_code().unwrap_or(exit::INTERRUPTED));
        }
        written?;
        Ok(if failed > 0 { exit::STAGE_FAILED } else { exit::DONE })
    }

    /// Prints why combinations failed, each reason once, and says how many did.
    fn tell_failures(&self, rows: &[Row]) -> usize {
        let failed: Vec<&Row> = rows.iter().filter(|row| row.outcome == Ended::Failed).collect();
        let mut told: Vec<&Option<String>> = vec![];
        for row in &failed {
            if told.len() < MOST_FAILURES && !told.contains(&&row.error) {
                told.push(&row.error);
                let error = row.error.as_deref().unwrap_or("failed");
                self.screen.failure(&format!("{}: {error}", self.shown(row)), row.hint.as_deref());
            }
        }
        if failed.len() > told.len() {
            let (failed, all) = (words::count(failed.len() as u64), words::count(rows.len() as u64));
            self.screen.error(&format!("{failed} of {all} combinations failed, as the table says"));
        }
        failed.len()
    }
}
