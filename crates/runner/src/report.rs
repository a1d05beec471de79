//! [`RunReport`]: what came of a run, stage by stage. An outcome is a value; nothing here prints or exits.

use std::path::PathBuf;

use pipeline_stage::failure::{Cause, full_message};
use pipeline_stage::{Digest, Hint, Summary};
use serde::Serialize;

use crate::error::Error;
use crate::graph::Node;
use crate::path_text;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// Name of the run: its folder under `<store>/runs/`.
    pub run: String,
    /// The run's record: `run.json`, `events.jsonl`, a log per stage.
    #[serde(serialize_with = "path_text::one")]
    pub dir: PathBuf,
    /// Every stage of the graph, each after what it reads, also those not selected.
    pub stages: Vec<StageReport>,
    /// Duration of the whole run.
    pub wall_seconds: f64,
    /// Warnings that belong to no stage.
    pub warnings: Vec<String>,
}

/// What came of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageReport {
    /// Name in the pipeline.
    pub name: String,
    /// Stage kind.
    pub kind: String,
    /// How it ended; in JSON `"outcome": "ran"` with its fields beside it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whose fault it is, where it failed.
    #[serde(skip)]
    pub cause: Option<Cause>,
    /// Seconds that it ran; 0 where it did not. The artifact's own are in its manifest.
    pub wall_seconds: f64,
    /// The most memory that the whole process had resident while it ran, in bytes; `None` where it did not run and
    /// where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Whether other stages ran beside it, so that the memory is of them all.
    pub peak_memory_is_shared: bool,
    /// The key of its artifact, where it is known.
    pub key: Option<Digest>,
    /// Size of its artifact in bytes, where there is one.
    pub size_bytes: Option<u64>,
    /// The link to its artifact, `<out>/<config>/<stage>`, where there is one.
    #[serde(serialize_with = "path_text::if_any")]
    pub path: Option<PathBuf>,
    /// What the stage said about its result; for a fresh or collected stage, when it ran.
    pub summary: Option<Summary>,
    /// Things worth acting on, said while it ran or by the runner.
    pub warnings: Vec<String>,
    /// Things worth knowing, said while it ran.
    pub notes: Vec<String>,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its artifact was there.
    Fresh,
    /// `gc` removed its artifact, and nothing that was asked for needs more than the manifest, which was kept.
    Collected,
    /// It ran, for this reason, and its artifact is published.
    Ran {
        /// Why: `lr 0.01 → 0.003`.
        reason: String,
    },
    /// It ran as one of several workers: its part of the pieces is there, and no artifact of it.
    Shard {
        /// The part: `2/4`.
        shard: String,
    },
    /// It ran and did not succeed, or its artifact could not be published.
    Failed {
        /// What happened.
        message: String,
        /// The way out.
        hint: Option<String>,
    },
    /// Another process is running it, and was not waited for, or for too long.
    Locked {
        /// Who holds the lock.
        message: String,
        /// The way out.
        hint: Option<String>,
    },
    /// It was stopped on request. Its checkpoints stay.
    Cancelled,
    /// It was not run.
    NotRun {
        /// Why: `head failed`.
        because: String,
    },
    /// It is not among the selected stages.
    NotSelected,
}

impl Outcome {
    /// One word for tables: `fresh`, `collected`, `ran`, `shard`, `failed`, `locked`, `cancelled`, `not run`, `not selected`.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Fresh => "fresh",
            Outcome::Collected => "collected",
            Outcome::Ran { .. } => "ran",
            Outcome::Shard { .. } => "shard",
            Outcome::Failed { .. } => "failed",
            Outcome::Locked { .. } => "locked",
            Outcome::Cancelled => "cancelled",
            Outcome::NotRun { .. } => "not run",
            Outcome::NotSelected => "not selected",
        }
    }
}

impl StageReport {
    /// Nothing is known of the stage, not even whether it is selected.
    pub(crate) fn new(node: &Node) -> StageReport {
        StageReport {
            name: node.name.clone(),
            kind: node.stage.kind().to_owned(),
            outcome: Outcome::NotSelected,
            cause: None,
            wall_seconds: 0.0,
            peak_memory_bytes: None,
            peak_memory_is_shared: false,
            key: None,
            size_bytes: None,
            path: None,
            summary: None,
            warnings: vec![],
            notes: vec![],
        }
    }

    /// The same after an error around the stage.
    pub(crate) fn failing(mut self, error: &Error) -> StageReport {
        let (message, hint) = (full_message(error), error.hint());
        self.outcome = match error {
            Error::Locked { .. } => Outcome::Locked { message, hint },
            _ => Outcome::Failed { message, hint },
        };
        self.cause = Some(error.cause());
        self
    }
}

impl RunReport {
    /// The report on the stage `name`.
    pub fn stage(&self, name: &str) -> Option<&StageReport> {
        self.stages.iter().find(|s| s.name == name)
    }

    /// Whether every selected stage has its artifact now, or, of a worker, its part of it; or needs none.
    pub fn succeeded(&self) -> bool {
        let is_well = |outcome: &Outcome| match outcome {
            Outcome::Fresh
            | Outcome::Collected
            | Outcome::Ran { .. }
            | Outcome::Shard { .. }
            | Outcome::NotSelected => true,
            Outcome::Failed { .. } | Outcome::Locked { .. } | Outcome::Cancelled | Outcome::NotRun { .. } => {
                false
            }
        };
        self.stages.iter().all(|stage| is_well(&stage.outcome))
    }

    /// Whether the run was stopped on request.
    pub fn cancelled(&self) -> bool {
        self.stages.iter().any(|s| s.outcome == Outcome::Cancelled)
    }
}
