//! What the stages of a run said, in order: their notes, warnings and numbers of the moment.
//!
//! Each stage has a log of its own, a line each with its time; what the run itself said is among its events.

use std::path::PathBuf;

use pipeline_stage::suggest::nearest;
use serde::Serialize;

use crate::error::Error;
use crate::runs::RunRecord;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// When, in UTC: `2026-11-25T04:55:00.123Z`; without thousandths in records of old commands, and empty where they
    /// do not tell.
    pub time: String,
    /// The stage; `None` for the run itself.
    pub stage: Option<String>,
    /// What; it may have several lines.
    pub text: String,
}

impl RunRecord {
    /// What the stage said, or without `stage` all of them and the run itself.
    ///
    /// # Errors
    /// [`Error::UnknownStage`], or when the record cannot be read.
    pub fn said(&self, stage: Option<&str>) -> Result<Vec<Said>, Error> {
        let names = self.stage_names()?;
        let io = |e| Error::io("read the log of a run", self.dir())(e);
        let mut said = vec![];
        match stage {
            Some(name) if !names.iter().any(|known| known == name) => {
                return Err(Error::UnknownStage {
                    option: "runs logs",
                    stage: name.to_owned(),
                    suggestion: nearest(name, names.iter().map(String::as_str)).map(str::to_owned),
                    known: names,
                });
            }
            Some(name) => said.extend(self.log_of(name).map_err(io)?),
            None => {
                self.events(|event| said.extend(of_the_run(event))).map_err(io)?;
                for name in names {
                    said.extend(self.log_of(&name).map_err(io)?);
                }
            }
        }
        // Of one time in the order of running, and each in its own order.
        said.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(said)
    }

    /// The stages in the order of running, and any other that has a log.
    fn stage_names(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = self.details().stages.into_iter().map(|stage| stage.name).collect();
        let entries = fs_err::read_dir(self.dir()).map_err(Error::io("read the log of a run", self.dir()))?;
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let logs = paths.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        let mut more: Vec<String> =
            logs.map(|path| crate::paths::file_name(&path.with_extension(""))).collect();
        more.retain(|name| !names.contains(name));
        more.sort();
        names.extend(more);
        Ok(names)
    }

    fn log_of(&self, stage: &str) -> std::io::Result<Vec<Said>> {
        let path: PathBuf = self.dir().join(format!("{stage}.log"));
        let text = match fs_err::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        Ok(parse(&String::from_utf8_lossy(&text), stage))
    }
}

/// The lines of a log; one that begins with no time belongs to the one before.
fn parse(text: &str, stage: &str) -> Vec<Said> {
    let mut said: Vec<Said> = vec![];
    for line in text.lines() {
        let timed = line.split_once(' ').filter(|(time, _)| time.parse::<jiff::Timestamp>().is_ok());
        match (timed, said.last_mut()) {
            (Some((time, text)), _) => {
                said.push(Said {
                    time: time.to_owned(),
                    stage: Some(stage.to_owned()),
                    text: text.to_owned(),
                });
            }
            (None, Some(last)) => last.text.extend(["\n", line]),
            // Cut short at the front.
            (None, None) => {}
        }
    }
    said
}

/// What an event says that belongs to no stage.
fn of_the_run(event: &serde_json::Value) -> Option<Said> {
    let word = |key: &str| event[key].as_str().unwrap_or_default();
    let text = match word("event") {
        "waiting" => format!("waiting: {}", word("message")),
        "warning" => format!("warning: {}", word("message")),
        _ => return None,
    };
    Some(Said { time: word("time").to_owned(), stage: None, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use pipeline_stage::Hint;

    fn record(files: &[(&str, &str)]) -> (tempfile::TempDir, RunRecord) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("runs/r");
        fs_err::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, text)| fs_err::write(folder.join(name), text).unwrap());
        let record = RunRecord::find(&Store::at(dir.path()).unwrap(), None).unwrap();
        (dir, record)
    }

    const EVENTS: &str = "\
{\"event\":\"planned\",\"stages\":[{\"stage\":\"b\"},{\"stage\":\"a\"},{\"stage\":\"quiet\"}]}
{\"event\":\"waiting\",\"message\":\"stage `b` is in use\",\"time\":\"2026-11-25T04:55:01.500Z\"}
";

    #[test]
    fn what_stages_said_comes_in_order_of_time_and_then_of_running() {
        let (_dir, record) = record(&[
            ("events.jsonl", EVENTS),
            (
                "a.log",
                "2026-11-25T04:55:01.000Z started: forced\n2026-11-25T04:55:03.000Z a table\nof two lines\n",
            ),
            ("b.log", "cut\n2026-11-25T04:55:01.000Z started: new\n2026-11-25T04:55:02.000Z loss 0.5\n"),
        ]);
        let shown = |stage| {
            let said = record.said(stage).unwrap().into_iter();
            said.map(|s| format!("{} {}", s.stage.unwrap_or("-".to_owned()), s.text)).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(None),
            [
                "b started: new",
                "a started: forced",
                "- waiting: stage `b` is in use",
                "b loss 0.5",
                "a a table\nof two lines"
            ]
        );
        assert_eq!(shown(Some("b")), ["b started: new", "b loss 0.5"]);
        assert_eq!(shown(Some("quiet")), [""; 0]);
    }

    #[test]
    fn a_stage_that_the_run_has_not_is_named_with_the_nearest() {
        let (_dir, record) = record(&[("events.jsonl", EVENTS)]);
        let error = record.said(Some("quit")).unwrap_err();
        assert_eq!(error.to_string(), "unknown stage `quit` for `runs logs`, expected one of: b, a, quiet");
        assert_eq!(error.hint().unwrap(), "did you mean `quiet`?");
    }
}
