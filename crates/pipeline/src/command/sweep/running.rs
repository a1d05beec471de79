//! [`Sweep`]: the combinations, run so many at a time, and what is said while they run and in the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use pipeline_runner::{Machine, RunOptions, Store, prospects, run_on};
use pipeline_stage::exit;
use pipeline_stage::failure::Cause;
use serde_json::json;

use super::Arguments;
use super::axis::Axis;
use super::combination::Combination;
use super::ranking::Ranking;
use super::results::Results;
use super::row::{Ended, Row};
use crate::command::interrupt::Interrupt;
use crate::command::job::{command_line, given};
use crate::command::{Stop, stop};
use crate::config::flow;
use crate::terminal::{Header, Screen, Style, Swept, watch_plan, words};

/// Failures that are told with their hints; the table has them all.
const MOST_FAILURES: usize = 5;

/// Letters of what a combination sets to which the lines of others are aligned.
const WIDEST: usize = 60;

/// A sweep that is ready to run.
pub(super) struct Sweep<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) axes: &'a [Axis],
    pub(super) combinations: &'a [Combination],
    /// Options of all runs, but for what a combination has of its own.
    pub(super) options: RunOptions,
    /// What all runs have together.
    pub(super) machine: Machine,
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
            let fails = prospects.iter().any(|prospect| prospect.fails.is_some());
            return Ok(if fails { exit::STAGE_FAILED } else { exit::DONE });
        }
        if matches!(style, Style::Bars | Style::Lines) {
            self.screen.line(&format!("{}\n", self.headline(&prospects)));
        }
        let told = Told::default();
        let mut rows = self.rows(style, &interrupt, &told);
        self.finish(&mut rows, style, &interrupt, &told)
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

    /// Runs the combinations, so many at a time, and says a line when one has ended. What stops one and would stop every
    /// other stops them all.
    fn rows(&self, style: Style, interrupt: &Interrupt, told: &Told) -> Vec<Row> {
        let new = |one: &Combination| Mutex::new(Row::new(one, self.axes, &self.options));
        let rows: Vec<Mutex<Row>> = self.combinations.iter().map(new).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let widths = rows.iter().map(|row| self.shown(&locked(row)).chars().count());
        let width = widths.max().unwrap_or(0).min(WIDEST);
        let work = || {
            while !interrupt.cancel.is_cancelled() && !told.is_stopped.load(Ordering::Relaxed) {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(one) = self.combinations.get(place) else { break };
                let (ran, seconds) = self.run_one(place, one, style, interrupt);
                let mut row = locked(&rows[place]);
                row.fill(ran, seconds);
                // A disk that others need not write to, as that of a download, is no reason to stop.
                row.cause = row
                    .cause
                    .map(|cause| self.options.blame(cause, row.error.as_deref().unwrap_or_default()));
                if row.cause == Some(Cause::Disk) {
                    told.is_stopped.store(true, Ordering::Relaxed);
                }
                self.say(&row, done.fetch_add(1, Ordering::Relaxed) + 1, width, style);
                self.note_metrics(&row, told);
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

    /// Says what is wrong with the metrics asked for as soon as a combination has some, and not hours later.
    fn note_metrics(&self, row: &Row, told: &Told) {
        if !row.outcome.is_success() || told.has_metrics.swap(true, Ordering::Relaxed) {
            return;
        }
        let notes = Ranking::of(&mut [row.clone()], &self.arguments.metric).notes;
        notes.iter().for_each(|note| self.screen.error(&format!("warning: {note}")));
        *told.notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = notes;
    }

    fn run_one(
        &self,
        place: usize,
        one: &Combination,
        style: Style,
        interrupt: &Interrupt,
    ) -> (Result<pipeline_runner::RunReport, pipeline_runner::Error>, f64) {
        let all = self.combinations.len().to_string();
        let number = match style {
            Style::Json => format!("{}/{all}", place + 1),
            _ => format!("{:>width$}/{all}", place + 1, width = all.len()),
        };
        let header = Self::header(&number, one);
        let observer = Swept::new(style, &header, self.screen, number, self.arguments.jobs == 1);
        let started = Instant::now();
        let options = self.options_of(one);
        let ran = run_on(&self.machine, &one.job.graph, &options, &interrupt.cancel, &observer);
        (ran, started.elapsed().as_secs_f64())
    }

    /// How wide names of stages are, with the number before them.
    fn header(number: &str, one: &Combination) -> Header {
        let width = one.job.graph.names().map(str::len).max().unwrap_or(0) + 1 + number.len();
        Header { width, ..Header::default() }
    }

    /// `  3/12   head.lr=0.003, head.epochs=1   ran   4.1 s   accuracy 0.9875`
    fn say(&self, row: &Row, done: usize, width: usize, style: Style) {
        match style {
            Style::Quiet => {}
            Style::Json => {
                let mut row = json!(row);
                // Which one is the best shows in the end.
                row.as_object_mut().map(|row| row.remove("is_best"));
                self.screen.json(&json!({"event": "combination_finished", "row": row}));
            }
            Style::Bars | Style::Lines => {
                let (all, shown) = (self.combinations.len(), self.shown(row));
                self.screen.line(&line(row, &shown, done, all, width));
            }
        }
    }

    /// `head.lr=0.003, head.epochs=1`
    fn shown(&self, row: &Row) -> String {
        let one = |axis: &Axis| format!("{}={}", axis.name(), flow::text(&row.parameters[&axis.name()]));
        self.axes.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Prints and writes the table, and says how the process ends.
    fn finish(&self, rows: &mut [Row], style: Style, interrupt: &Interrupt, told: &Told) -> Result<u8, Stop> {
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
        let noted = told.notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let new = ranking.notes.iter().filter(|note| !noted.contains(note));
        new.for_each(|note| self.screen.error(&format!("warning: {note}")));
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
        if told.is_stopped.load(Ordering::Relaxed) {
            // That the table could not be written, either, is no news.
            let left = rows.iter().filter(|row| row.outcome == Ended::NotRun).count();
            let message = format!(
                "the sweep stopped, since no combination can be made there: {} of {} were not tried",
                words::count(left as u64),
                words::count(rows.len() as u64)
            );
            self.screen.failure(&message, Some(&format!("then run it again to go on: {command}")));
            return Ok(exit::STAGE_FAILED);
        }
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
        let is_of_disk = |row: &Row| row.cause == Some(Cause::Disk);
        let mut told: Vec<&Row> = vec![];
        for row in &failed {
            // Of a disk that takes nothing, each names another file.
            let is_told = |other: &&Row| other.error == row.error || (is_of_disk(other) && is_of_disk(row));
            if told.len() < MOST_FAILURES && !told.iter().any(is_told) {
                told.push(row);
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

/// What has been said while combinations run.
#[derive(Default)]
struct Told {
    /// A combination failed for a reason that no other escapes.
    is_stopped: AtomicBool,
    /// The metrics of a combination have been looked at.
    has_metrics: AtomicBool,
    /// What is wrong with those that were asked for.
    notes: Mutex<Vec<String>>,
}

fn locked(row: &Mutex<Row>) -> std::sync::MutexGuard<'_, Row> {
    row.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// `   3/12   head.lr=0.003, head.epochs=1    ran         4.1 s   accuracy 0.9875`
fn line(row: &Row, shown: &str, done: usize, all: usize, width: usize) -> String {
    let (said, all) = (row.error.as_ref().unwrap_or(&row.line).replace('\n', " "), all.to_string());
    let (outcome, seconds) = (row.outcome.word(), words::duration(row.seconds));
    let digits = all.len();
    let line = format!("  {done:>digits$}/{all}   {shown:<width$}   {outcome:<9} {seconds:>9}   {said}");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::sweep::row::tests::row;

    #[test]
    fn the_lines_of_combinations_are_aligned() {
        let of =
            |outcome, seconds, line: &str| Row { outcome, seconds, line: line.to_owned(), ..row(json!({})) };
        let hit = of(Ended::Hit, 0.04, "accuracy 0.98");
        let failed = Row { error: Some("head: no\nroom".to_owned()), ..of(Ended::Failed, 75.0, "") };
        assert_eq!(line(&hit, "a=1", 9, 12, 6), "   9/12   a=1      hit           0.0 s   accuracy 0.98");
        assert_eq!(
            line(&failed, "a=0.25", 10, 12, 6),
            "  10/12   a=0.25   failed      1m 15 s   head: no room"
        );
    }
}
