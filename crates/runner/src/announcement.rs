//! [`Announcement`]: a [`Plan`] for programs, as `status --json` and `run --dry-run --json` print it.

use std::path::PathBuf;

use pipeline_stage::Digest;
use pipeline_stage::key::Change;
use serde::Serialize;

use crate::options::RunOptions;
use crate::plan::{Plan, PlannedStage, State};

/// Version of the form. Raised when a field changes or goes; readers should accept fields that they do not know.
const FORMAT: u32 = 1;

/// What each stage is, and what a run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Announcement {
    /// Version of this form.
    pub format: u32,
    /// Name of the config.
    pub config: String,
    /// The run's seed.
    pub seed: u64,
    /// How many stages are fresh and stay as they are.
    pub fresh: usize,
    /// How many stages `gc` removed, and a run leaves so.
    pub collected: usize,
    /// How many stages a run would run, those counted that it has yet to decide on.
    pub to_run: usize,
    /// How many of `to_run` depend on others that must run first: whether they run as well shows then.
    pub depending: usize,
    /// The files that were read to know the stages: the config, what it extends, the pipeline where it is a file.
    pub files: Vec<PathBuf>,
    /// Every stage in the order of running, also those not selected.
    pub stages: Vec<AnnouncedStage>,
}

/// What a stage is, and what a run would do with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnnouncedStage {
    /// Name in the pipeline.
    pub stage: String,
    /// Stage kind.
    pub kind: &'static str,
    /// `fresh`, `stale`, `collected`, `missing`, `incomplete`, `damaged`, `depends` or `unknown`.
    pub state: &'static str,
    /// `use`, `run`, `rerun` (forced), `decide` (when what it depends on is done), `fail` (a source is not there: the
    /// run ends before any stage runs) or `skip`.
    pub action: &'static str,
    /// Whether it is among the stages asked for.
    pub selected: bool,
    /// Whether a run would run it, or may have to, or would if it had its sources.
    pub runs: bool,
    /// Why it is what it is, in words; empty for a fresh stage that is not forced.
    pub reason: String,
    /// What to do about it, where that is not to run it.
    pub hint: Option<String>,
    /// For a stale stage every part of the key that changed, the most telling first.
    pub changes: Vec<Change>,
    /// For a stage that depends on others, which.
    pub depends_on: Vec<String>,
    /// The key, where it is known.
    pub key: Option<Digest>,
    /// Size of its artifact in bytes, where it is fresh, collected (as it was) or incomplete.
    pub size_bytes: Option<u64>,
    /// What the stage said about its artifact in a line, where that is so.
    pub summary: Option<String>,
    /// The link to its artifact, or where it will be.
    pub path: PathBuf,
}

impl Announcement {
    /// What `plan` says about a run with these options of what stands in `files`.
    pub fn new(plan: &Plan, options: &RunOptions, files: &[PathBuf]) -> Announcement {
        Announcement {
            format: FORMAT,
            config: options.config.clone(),
            seed: options.seed,
            fresh: plan.fresh(),
            collected: plan.collected(),
            to_run: plan.to_run(),
            depending: plan.depending(),
            files: files.to_owned(),
            stages: plan.stages.iter().map(|stage| AnnouncedStage::new(stage, options)).collect(),
        }
    }
}

impl AnnouncedStage {
    fn new(stage: &PlannedStage, options: &RunOptions) -> AnnouncedStage {
        let manifest = stage.state.manifest();
        let (changes, depends_on) = match &stage.state {
            State::Stale { changes, .. } => (changes.clone(), vec![]),
            State::Depends { on } => (vec![], on.clone()),
            _ => (vec![], vec![]),
        };
        AnnouncedStage {
            stage: stage.name.clone(),
            kind: stage.kind,
            state: stage.state.word(),
            action: stage.action.word(),
            selected: stage.selected,
            runs: stage.runs(),
            reason: stage.reason(),
            hint: stage.state.hint().map(str::to_owned),
            changes,
            depends_on,
            key: stage.state.key(),
            size_bytes: manifest.map(|manifest| manifest.size_bytes()),
            summary: manifest.map(|manifest| manifest.summary.line.clone()),
            path: options.link(&stage.name),
        }
    }
}
