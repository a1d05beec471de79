//! [`Journal`]: the history of a training as it happens: lines of JSON in a file, numbers for whoever watches, and the
//! lesson's table for people.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use pipeline_stage::progress::Measured;
use pipeline_stage::{Context, Event, Failure};
use pipeline_table::HistoryRow;
use pipeline_table::history::HISTORY_LINES_FILE;

use crate::checkpoint;
use crate::error::Error;

/// Rows of single steps that a history has at most; longer trainings have one of every few steps.
const MOST_STEP_ROWS: u64 = 2000;
/// How often the status line changes at most.
const STATUS_EVERY: Duration = Duration::from_millis(200);

/// Where a history is written.
pub(crate) struct Journal<'a> {
    cx: &'a Context<'a>,
    file: File,
    path: PathBuf,
    /// A row for a step of every so many.
    every: u64,
    status: Option<Instant>,
}

/// The file inside a stage's folder of partial work.
pub(crate) fn path(partial: &Path) -> PathBuf {
    partial.join(HISTORY_LINES_FILE)
}

/// Checks that the first `bytes` of the history in `partial` are there and rows of a history.
///
/// # Errors
/// They are not, in words.
pub(crate) fn check(partial: &Path, bytes: u64) -> Result<(), String> {
    let path = path(partial);
    let found = fs_err::metadata(&path).map_or(0, |file| if file.is_file() { file.len() } else { 0 });
    if found < bytes {
        return Err("the history beside it is cut short".to_owned());
    }
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(bytes).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    let damaged = text.lines().any(|line| HistoryRow::from_json_line(line).is_err());
    if damaged { Err("the history beside it is damaged".to_owned()) } else { Ok(()) }
}

impl<'a> Journal<'a> {
    /// Goes on with the history of which `bytes` are good: what came after the last checkpoint comes again.
    pub(crate) fn open(cx: &'a Context<'_>, bytes: u64, total_steps: u64) -> Result<Journal<'a>, Failure> {
        let path = path(&cx.partial);
        let open = || {
            if path.is_dir() {
                // Nobody but us writes here; what is not ours is in the way.
                fs_err::remove_dir_all(&path)?;
            }
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(bytes)?;
            file.seek(std::io::SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(Error::Io)?;
        let every = total_steps.div_ceil(MOST_STEP_ROWS).max(1);
        let journal = Journal { cx, file, path, every, status: None };
        // Whoever watches this run sees the whole training.
        journal.rows()?.iter().for_each(|row| journal.tell(row));
        Ok(journal)
    }

    /// Bytes written so far, all of them on the disk: a checkpoint that outlives a crash needs the history up to it.
    pub(crate) fn sync(&mut self) -> Result<u64, Error> {
        self.file.sync_data()?;
        Ok(self.file.stream_position()?)
    }

    /// Whether a row is kept of the step that `done` steps end with.
    pub(crate) fn keeps(&self, done: u64) -> bool {
        done.is_multiple_of(self.every) || done == 1
    }

    /// Writes a row, and tells whoever watches.
    pub(crate) fn write(&mut self, row: &HistoryRow) -> Result<(), Error> {
        let line = row.to_json_line() + "\n";
        // One write: whoever reads along sees whole lines.
        self.file.write_all(line.as_bytes())?;
        self.tell(row);
        Ok(())
    }

    /// Tells whoever watches.
    fn tell(&self, row: &HistoryRow) {
        let mut values = vec![
            ("step", Some(row.step as f64)),
            ("epoch", Some(f64::from(row.epoch))),
            ("lr", row.lr.last().copied()),
            ("train_loss", Some(row.train_loss)),
        ];
        values.extend([("valid_loss", row.valid_loss), ("accuracy", row.accuracy)]);
        values.push(("seconds", Some(row.seconds)));
        let finite = |(name, value): (&str, Option<f64>)| {
            value.filter(|value| value.is_finite()).map(|value| (name.to_owned(), value))
        };
        let values = values.into_iter().filter_map(finite).collect();
        self.cx.report.emit(Event::Measured(Measured { phase: row.phase.clone(), values }));
    }

    /// The line of the table's header.
    pub(crate) fn header(&self) {
        let line = format!(
            "{:>5}  {:>10}  {:>10}  {:>8}  {:>8}",
            "epoch", "train loss", "valid loss", "accuracy", "time"
        );
        self.cx.report.emit(Event::Note(line));
    }

    /// The line of an epoch that took `seconds`.
    pub(crate) fn epoch(&self, row: &HistoryRow, seconds: f64) {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let line = format!(
            "{:>5}  {:>10.4}  {:>10}  {:>8}  {:>8}",
            row.epoch,
            row.train_loss,
            number(row.valid_loss),
            number(row.accuracy),
            pipeline_stage::words::duration(seconds),
        );
        self.cx.report.emit(Event::Note(line));
    }

    /// The numbers of the moment, now and then.
    pub(crate) fn status(&mut self, text: impl FnOnce() -> String) {
        if self.status.is_none_or(|at| at.elapsed() >= STATUS_EVERY) {
            self.status = Some(Instant::now());
            self.cx.report.emit(Event::Status(text()));
        }
    }

    /// Leaves nothing behind where there is no checkpoint that it would go on with.
    pub(crate) fn leave(&self) -> Result<(), Error> {
        if !checkpoint::path(&self.cx.partial).exists() {
            fs_err::remove_file(&self.path)?;
        }
        Ok(())
    }

    /// All rows so far, in order.
    pub(crate) fn rows(&self) -> Result<Vec<HistoryRow>, Failure> {
        let text = fs_err::read_to_string(&self.path).map_err(Error::Io)?;
        Ok(text.lines().map(HistoryRow::from_json_line).collect::<Result<_, _>>()?)
    }
}
