//! [`RunDetails`]: all that the record of a run says, of any version of it, whole or not.
//!
//! A run that has ended says it in `run.json`; of one that goes on, or was killed, the events tell how far it came.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipeline_stage::{Digest, Summary};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::runs::{RunInfo, RunRecord};

/// All that is known of a run. What a record does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunDetails {
    /// Its name: `20261128T103712Z-0a1b2c3d`.
    pub run: String,
    /// What is known from its start on, and how it ended; `outcome` is `unknown` where the record is damaged.
    #[serde(flatten)]
    pub info: RunInfo,
    /// Version of the command.
    pub pipeline_version: String,
    /// When it ended, in UTC.
    pub finished: Option<String>,
    /// Warnings that belong to no stage.
    pub warnings: Vec<String>,
    /// The stages in the order of running.
    pub stages: Vec<StageRecord>,
    /// What the stages were made from, by name; empty in records of old commands.
    pub graph: BTreeMap<String, StageSettings>,
    /// What is wrong with the record.
    pub damage: Option<String>,
}

/// What a record says of a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageRecord {
    /// Name in the pipeline.
    pub name: String,
    /// Stage kind.
    pub kind: String,
    /// `fresh`, `collected`, `ran`, `shard`, `failed`, `locked`, `cancelled`, `not_run`, `not_selected`; `running` or `killed` for
    /// one that has not ended, `waiting` for one that has not begun.
    pub outcome: String,
    /// Why it ran.
    pub reason: Option<String>,
    /// The part that it did as one of several workers: `2/4`.
    pub shard: Option<String>,
    /// Why it failed, or who has its lock.
    pub message: Option<String>,
    /// Why it was not run.
    pub because: Option<String>,
    /// Seconds that it ran.
    pub wall_seconds: f64,
    /// The most memory that the process had while it ran, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Whether other stages ran beside it, so that the memory is of them all.
    pub peak_memory_is_shared: bool,
    /// Key of its artifact.
    pub key: Option<Digest>,
    /// Bytes of its artifact.
    pub size_bytes: Option<u64>,
    /// The link to its artifact.
    pub path: Option<PathBuf>,
    /// What it said of its result.
    pub summary: Option<Summary>,
    /// Things worth acting on.
    pub warnings: Vec<String>,
    /// Things worth knowing.
    pub notes: Vec<String>,
}

/// What a stage was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageSettings {
    /// Stage kind.
    pub kind: String,
    /// Version of the kind.
    pub version: u32,
    /// Its parameters, every default filled in.
    pub params: Value,
}

impl StageRecord {
    /// Whether the run made its artifact or found it, or the manifest of one that was collected.
    pub fn is_known(&self) -> bool {
        matches!(self.outcome.as_str(), "ran" | "fresh" | "collected") && self.key.is_some()
    }
}

impl RunDetails {
    /// How many of the stages ended so.
    pub fn count(&self, outcome: &str) -> usize {
        self.stages.iter().filter(|stage| stage.outcome == outcome).count()
    }
}

impl RunRecord {
    /// All that it says.
    pub fn details(&self) -> RunDetails {
        let path = self.dir().join("run.json");
        let read = fs_err::read(&path).map_err(|error| error.to_string());
        let text = read.and_then(|text| {
            serde_json::from_slice(&text).map_err(|error| format!("{} is no record: {error}", path.display()))
        });
        let mut details: RunDetails = match text {
            Ok(details) => details,
            Err(damage) => RunDetails { damage: Some(damage), ..RunDetails::default() },
        };
        details.run = self.name();
        details.info.outcome = match &details.damage {
            None => self.info().outcome,
            // It may have ended well, but that is not known.
            Some(_) if self.info().is_over() => "unknown".to_owned(),
            Some(_) => "running".to_owned(),
        };
        if details.stages.is_empty() {
            let is_over = details.info.is_over();
            match self.stages_so_far(is_over) {
                Ok(stages) => details.stages = stages,
                Err(error) => details.damage = details.damage.or(Some(error.to_string())),
            }
        }
        details
    }

    /// The stages, as far as the events tell.
    fn stages_so_far(&self, is_over: bool) -> std::io::Result<Vec<StageRecord>> {
        let mut stages: Vec<StageRecord> = vec![];
        self.events(|event| {
            let text = |of: &Value| of.as_str().map(str::to_owned);
            match event["event"].as_str().unwrap_or_default() {
                "planned" => {
                    for planned in event["stages"].as_array().into_iter().flatten() {
                        let stage = stage(&mut stages, &planned["stage"]);
                        stage.outcome = if is_over { "not_run" } else { "waiting" }.to_owned();
                        stage.kind = text(&planned["kind"]).unwrap_or_default();
                    }
                }
                "stage_started" => {
                    let stage = stage(&mut stages, &event["stage"]);
                    stage.outcome = if is_over { "killed" } else { "running" }.to_owned();
                    stage.reason = text(&event["reason"]);
                }
                "stage_finished" => {
                    let stage = stage(&mut stages, &event["stage"]);
                    if let Ok(report) = serde_json::from_value(event["report"].clone()) {
                        *stage = report;
                    }
                }
                _ => {}
            }
        })?;
        Ok(stages)
    }
}

/// The stage of this name, new where there was none.
fn stage<'a>(stages: &'a mut Vec<StageRecord>, name: &Value) -> &'a mut StageRecord {
    let name = name.as_str().unwrap_or_default();
    let place = stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
        stages.push(StageRecord { name: name.to_owned(), ..StageRecord::default() });
        stages.len() - 1
    });
    &mut stages[place]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::host_name;
    use crate::store::Store;
    use serde_json::json;

    /// A store with one run of these files.
    fn run(files: &[(&str, String)]) -> (tempfile::TempDir, RunRecord) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("runs/20261128T103712Z-aa");
        fs_err::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, text)| fs_err::write(folder.join(name), text).unwrap());
        let record = RunRecord::find(&Store::at(dir.path()).unwrap(), None).unwrap();
        (dir, record)
    }

    fn finished() -> Value {
        json!({
            "config": "c", "outcome": "succeeded", "host": host_name(), "wall_seconds": 2.5,
            "stages": [
                {"name": "ingest", "kind": "ingest", "outcome": "fresh", "wall_seconds": 0.0, "key": null},
                {"name": "head", "kind": "head", "outcome": "ran", "reason": "lr 0.01 → 0.003", "wall_seconds": 2.0,
                 "summary": {"line": "98 %", "metrics": {"accuracy": 0.98}}, "warnings": ["few photos"]},
            ],
        })
    }

    #[test]
    fn a_record_of_an_old_command_says_what_it_has() {
        let (_dir, record) = run(&[("run.json", finished().to_string())]);
        let details = record.details();
        assert_eq!(
            (details.run.as_str(), details.info.outcome.as_str()),
            ("20261128T103712Z-aa", "succeeded")
        );
        assert_eq!((details.count("fresh"), details.count("ran"), details.count("failed")), (1, 1, 0));
        let head = &details.stages[1];
        assert_eq!((head.reason.as_deref(), head.peak_memory_bytes), (Some("lr 0.01 → 0.003"), None));
        assert_eq!(head.summary.as_ref().unwrap().metrics["accuracy"], 0.98);
        assert!(details.graph.is_empty() && details.damage.is_none(), "{details:?}");
    }

    #[test]
    fn of_a_killed_run_the_events_tell_how_far_it_came() {
        let events = [
            json!({"event": "planned", "stages": [{"stage": "a"}, {"stage": "b"}, {"stage": "c"}]}),
            json!({"event": "stage_finished", "stage": "a", "report": {"name": "a", "kind": "k", "outcome": "fresh"}}),
            json!({"event": "stage_started", "stage": "b", "reason": "forced"}),
        ];
        let events: String = events.iter().map(|event| format!("{event}\n")).collect();
        let info = json!({"outcome": "running", "host": host_name()});
        let (_dir, record) = run(&[("run.json", info.to_string()), ("events.jsonl", events)]);
        let details = record.details();
        assert_eq!(details.info.outcome, "killed");
        let stages: Vec<_> = details.stages.iter().map(|s| (s.name.as_str(), s.outcome.as_str())).collect();
        assert_eq!(stages, [("a", "fresh"), ("b", "killed"), ("c", "not_run")]);
        assert_eq!(details.stages[1].reason.as_deref(), Some("forced"));
    }

    #[test]
    fn a_record_cut_short_anywhere_is_named_and_does_no_harm() {
        let text = finished().to_string();
        let (_dir, record) = run(&[]);
        for cut in 0..text.len() - 1 {
            fs_err::write(record.dir().join("run.json"), &text.as_bytes()[..cut]).unwrap();
            let details = record.details();
            assert_eq!(details.info.outcome, "unknown", "cut at {cut}");
            let damage = details.damage.unwrap();
            assert!(damage.contains("run.json is no record: EOF"), "cut at {cut}: {damage}");
        }
    }
}
