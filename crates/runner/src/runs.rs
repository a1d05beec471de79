//! [`RunRecord`]: the record of a run, read while it is written or later. `record` writes it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err::File;
use pipeline_stage::suggest::nearest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;
use crate::error::Error;
use crate::lock::host_name;
use crate::store::Store;

/// How many runs a message names.
const MOST_NAMED: usize = 5;

/// Bytes of the events that are read at once.
const CHUNK: usize = 1 << 16;

/// A run's record, and how far its events have been read.
pub struct RunRecord {
    dir: PathBuf,
    /// Open from the first event on.
    events: Option<File>,
    /// The beginning of a line whose end is not written yet.
    torn: Vec<u8>,
}

/// What `run.json` says. What it does not say is empty or 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// Name of the config.
    pub config: String,
    /// The command line.
    pub command: String,
    /// When it began, in UTC: `2026-11-25T04:55:00Z`.
    pub started: String,
    /// Where it runs or ran.
    pub host: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads that a stage may keep busy.
    pub threads: usize,
    /// What computes: `cpu`, `cuda:0`.
    pub device: String,
    /// `running`, `succeeded`, `failed`, `cancelled`; `killed` for a run that its process did not end.
    pub outcome: String,
    /// Duration of the whole run, where it has ended.
    pub wall_seconds: f64,
}

impl RunInfo {
    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        self.outcome != "running"
    }

    /// When it began, in the machine's time zone: `2026-11-25 05:55:00`.
    pub fn began(&self) -> Option<String> {
        let started = self.started.parse::<jiff::Timestamp>().ok()?.as_second();
        Some(clock::date_and_time(u64::try_from(started).ok()?))
    }

    /// The time of day when it began, and how many seconds ago that was.
    pub fn since(&self) -> Option<(String, f64)> {
        let started = u64::try_from(self.started.parse::<jiff::Timestamp>().ok()?.as_second()).ok()?;
        Some((clock::time_of_day(started), clock::unix_seconds().saturating_sub(started) as f64))
    }
}

impl RunRecord {
    /// The record of a run of `store`: by its name, by a beginning that no other name has, or by its folder anywhere;
    /// without `run`, that of the latest.
    ///
    /// # Errors
    /// [`Error::NoRuns`], [`Error::UnknownRun`], [`Error::AmbiguousRun`], or when the folder of runs cannot be read.
    pub fn find(store: &Store, run: Option<&str>) -> Result<RunRecord, Error> {
        let runs = store.runs_dir();
        let names = newest_first(&runs)?;
        let Some(run) = run else {
            return names.first().map(|name| RunRecord::at(runs.join(name))).ok_or(Error::NoRuns { runs });
        };
        let begin_so: Vec<&String> = names.iter().filter(|name| name.starts_with(run)).collect();
        if let Some(name) = names.iter().find(|name| *name == run) {
            return Ok(RunRecord::at(runs.join(name)));
        }
        if Path::new(run).join("events.jsonl").is_file() || Path::new(run).join("run.json").is_file() {
            return Ok(RunRecord::at(PathBuf::from(run)));
        }
        let run = run.to_owned();
        let few = |names: Vec<&String>| names.into_iter().take(MOST_NAMED).cloned().collect();
        match begin_so.as_slice() {
            [] if names.is_empty() => Err(Error::NoRuns { runs }),
            [] => {
                let suggestion = nearest(&run, names.iter().map(String::as_str)).map(str::to_owned);
                Err(Error::UnknownRun { runs, run, suggestion, newest: few(names.iter().collect()) })
            }
            [name] => Ok(RunRecord::at(runs.join(name))),
            more => Err(Error::AmbiguousRun { run, count: more.len(), newest: few(begin_so) }),
        }
    }

    /// The records of all runs of `store`, the latest first.
    ///
    /// # Errors
    /// When the folder of runs cannot be read.
    pub fn all(store: &Store) -> Result<Vec<RunRecord>, Error> {
        let names = newest_first(&store.runs_dir())?;
        Ok(names.into_iter().map(|name| RunRecord::at(store.runs_dir().join(name))).collect())
    }

    fn at(dir: PathBuf) -> RunRecord {
        RunRecord { dir, events: None, torn: vec![] }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every event that is written by now, as [`new_events`](RunRecord::new_events) hands them.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn events(&self, take: impl FnMut(&Value)) -> io::Result<()> {
        RunRecord::at(self.dir.clone()).new_events(take)
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What `run.json` says now. A run whose process is gone without a word was `killed`.
    pub fn info(&self) -> RunInfo {
        let info = self.written();
        // Of another host's locks we may know nothing.
        let is_here = info.host.is_empty() || info.host == host_name();
        if info.is_over() || !is_here || self.is_being_written() {
            return info;
        }
        // It may have ended between the two looks.
        match self.written() {
            ended if ended.is_over() => ended,
            gone => RunInfo { outcome: "killed".to_owned(), ..gone },
        }
    }

    /// `run.json`; as that of a running one where it is not there yet.
    fn written(&self) -> RunInfo {
        let text = fs_err::read(self.dir.join("run.json")).unwrap_or_default();
        let unknown = RunInfo { outcome: "running".to_owned(), ..RunInfo::default() };
        serde_json::from_slice(&text).unwrap_or(unknown)
    }

    /// Whether a process has the events locked, as that of a run does for as long as it lives.
    fn is_being_written(&self) -> bool {
        let Ok(file) = File::open(self.dir.join("events.jsonl")) else { return false };
        // Where nothing can be locked, nothing can be known.
        file.file().try_lock_shared().is_err()
    }

    /// Hands every event that was written since the last call to `take`: the lines of `events.jsonl`, but for those
    /// that are no JSON, and for a last one that is not whole yet.
    ///
    /// # Errors
    /// Those of reading; a file that is not there has no events yet.
    pub fn new_events(&mut self, mut take: impl FnMut(&Value)) -> io::Result<()> {
        if self.events.is_none() {
            match File::open(self.dir.join("events.jsonl")) {
                Ok(file) => self.events = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.events else { return Ok(()) };
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            for part in chunk[..read].split_inclusive(|byte| *byte == b'\n') {
                self.torn.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    if let Ok(event) = serde_json::from_slice(&self.torn) {
                        take(&event);
                    }
                    self.torn.clear();
                }
            }
        }
    }

    /// How long ago the last event was written.
    pub fn silent_for(&self) -> Option<Duration> {
        let written = fs_err::metadata(self.dir.join("events.jsonl")).and_then(|m| m.modified()).ok()?;
        SystemTime::now().duration_since(written).ok()
    }
}

/// Names begin with the time.
fn newest_first(runs: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs_err::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(Error::io("look for runs", runs)(error)),
    };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write;

    fn store(runs: &[&str]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        for run in runs {
            fs_err::create_dir_all(dir.path().join("runs").join(run)).unwrap();
        }
        let store = Store::at(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_run_is_found_by_name_by_beginning_by_folder_and_as_the_latest() {
        let (dir, store) = store(&["20261125T04-aa", "20261126T05-bb", "20261126T05-bbb", "20261126T06-cc"]);
        let found = |run: &str| RunRecord::find(&store, Some(run)).map(|record| record.name());
        assert_eq!(RunRecord::find(&store, None).ok().unwrap().name(), "20261126T06-cc");
        assert_eq!(found("20261125").ok().unwrap(), "20261125T04-aa");
        // A whole name is meant, although another begins with it.
        assert_eq!(found("20261126T05-bb").ok().unwrap(), "20261126T05-bb");
        fs_err::write(dir.path().join("runs/20261125T04-aa/run.json"), "{}").unwrap();
        assert_eq!(
            found(&dir.path().join("runs/20261125T04-aa").display().to_string()).ok().unwrap(),
            "20261125T04-aa"
        );

        let fault = |run: &str| found(run).unwrap_err().to_string();
        assert_eq!(
            fault("20261126"),
            "3 runs have names that begin with `20261126`: 20261126T06-cc, 20261126T05-bbb, 20261126T05-bb"
        );
        let runs = dir.path().join("runs");
        let newest = "20261126T06-cc, 20261126T05-bbb, 20261126T05-bb, 20261125T04-aa";
        assert_eq!(fault("x"), format!("no run `x` in {}, the newest are: {newest}", runs.display()));
        let (dir, store) = self::store(&[]);
        let error = RunRecord::find(&store, None).err().unwrap();
        assert_eq!(error.to_string(), format!("no run yet in {}", dir.path().join("runs").display()));
    }

    #[test]
    fn events_are_read_once_as_they_come_and_what_is_no_event_is_passed_over() {
        let (dir, store) = store(&["r"]);
        let mut record = RunRecord::find(&store, None).ok().unwrap();
        let mut news = || {
            let mut seen = vec![];
            record.new_events(|event| seen.push(event["n"].clone())).unwrap();
            seen
        };
        assert!(news().is_empty(), "no file");
        let mut file = fs_err::File::create(dir.path().join("runs/r/events.jsonl")).unwrap();
        file.write_all(b"{\"n\":1}\n\nnothing\n{\"n\":2}\n{\"n\"").unwrap();
        assert_eq!(news(), [json!(1), json!(2)]);
        assert!(news().is_empty(), "torn");
        file.write_all(b":3}\n{\"n\":\"").unwrap();
        assert_eq!(news(), [json!(3)]);
        // Longer than what is read at once.
        let long = "x".repeat(2 * CHUNK + 5);
        file.write_all(format!("{long}\"}}\n").as_bytes()).unwrap();
        assert_eq!(news(), [json!(long)]);
    }

    #[test]
    fn a_run_is_killed_when_its_process_is_gone_without_a_word() {
        let (dir, store) = store(&["r"]);
        let record = RunRecord::find(&store, None).ok().unwrap();
        let path = |name: &str| dir.path().join("runs/r").join(name);
        let write = |value: Value| fs_err::write(path("run.json"), value.to_string()).unwrap();
        write(
            json!({"outcome": "running", "host": host_name(), "started": "2026-11-25T04:55:00Z", "new": [1]}),
        );
        let events = fs_err::File::create(path("events.jsonl")).unwrap();
        assert_eq!(record.info().outcome, "killed");
        events.file().lock().unwrap();
        assert_eq!(record.info().outcome, "running");
        assert!(!record.info().is_over());
        drop(events);
        write(json!({"outcome": "running", "host": "another"}));
        assert_eq!(record.info().outcome, "running");
        write(json!({"outcome": "failed", "host": host_name()}));
        assert_eq!(record.info().outcome, "failed");
        fs_err::remove_file(path("run.json")).unwrap();
        assert_eq!(record.info().outcome, "killed");
        fs_err::remove_file(path("events.jsonl")).unwrap();
        assert!(record.info().is_over());
    }
}
