//! [`Sweep`]: the combinations, run so many at a time, and what is said while they run and in the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pipeline_runner::{Prospect, RunOptions, Selection, Store, prospects};
use pipeline_stage::exit;
use serde_json::json;

use super::Arguments;
use super::axis::Axis;
use super::combination::Combination;
use super::ranking::Ranking;
use super::results::Results;
use super::row::{Ended, Row};
use crate::command::interrupt::Interrupt;
use crate::command::job::{available_threads, command_line, given};
use crate::command::table::Table;
use crate::command::{Stop, stop};
use crate::config::flow;
use crate::terminal::{Header, Screen, Style, Swept, watch_plan, words};

/// Failures that are told with their hints; the table has them all.
const MOST_FAILURES: usize = 5;

/// A sweep that is ready to run.
pub(super) struct Sweep<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) axes: &'a [Axis],
    pub(super) combinations: &'a [Combination],
    /// Options of all runs, but for what a combination has of its own.
    pub(super) options: RunOptions,
    pub(super) screen: &'a Screen,
}

impl Sweep<'_> {
    /// Runs it, or says what would run, and says how the process ends.
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let interrupt = Interrupt::listen();
        let graphs = self.combinations.iter().map(|one| (&one.job.graph, self.options_of(one)));
        let header = Header::default();
        let watched = watch_plan(self.arguments.quiet, &header, self.screen);
        let prospects = prospects(graphs, &interrupt.cancel, watched.as_ref());
        drop(watched);
        let prospects = prospects.map_err(|error| stop(&error, &interrupt))?;
        let style = Style::choose(self.arguments.quiet, self.arguments.json, self.screen);
        if self.arguments.dry_run {
            self.announce(&prospects, style);
            return Ok(exit::DONE);
        }
        if matches!(style, Style::Bars | Style::Lines) {
            self.screen.line(&format!("{}\n", self.headline(&prospects)));
        }
        self.make_shared(&prospects, style, &interrupt);
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

    /// Makes what several combinations need, with all processors. Side by side, one would make it with its part of them
    /// while the others wait.
    fn make_shared(&self, prospects: &[Prospect], style: Style, interrupt: &Interrupt) {
        let (Some(one), Some(first)) = (self.combinations.first(), prospects.first()) else { return };
        let is_shared = |stage: &&String| prospects.iter().any(|prospect| prospect.shares.contains(stage));
        let until: Vec<String> = first.runs.iter().filter(is_shared).cloned().collect();
        if self.arguments.jobs == 1 || until.is_empty() {
            return;
        }
        let selection = Selection { until, ..Selection::default() };
        let options = RunOptions { threads: available_threads(), selection, ..self.options_of(one) };
        let number = "shared".to_owned();
        let header = Self::header(&number, one);
        let observer = Swept::new(style, &header, self.screen, number, true);
        // What fails here fails again, and is told, where a combination runs it.
        let _ = pipeline_runner::run(&one.job.graph, &options, &interrupt.cancel, &observer);
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
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
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
        let header = Self::header(&number, one);
        let observer = Swept::new(style, &header, self.screen, number, self.arguments.jobs == 1);
        let started = Instant::now();
        let options = self.options_of(one);
        let ran = pipeline_runner::run(&one.job.graph, &options, &interrupt.cancel, &observer);
        (ran, started.elapsed().as_secs_f64())
    }

    /// How wide names of stages are, with the number before them.
    fn header(number: &str, one: &Combination) -> Header {
        let width = one.job.graph.names().map(str::len).max().unwrap_or(0) + 1 + number.len();
        Header { width, ..Header::default() }
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
        let command = command_line(given());
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
                event["path"] = json!(written.as_ref().ok().map(|folder| folder.display().to_string()));
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
