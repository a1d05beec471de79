//! What a running stage is given: [`Context`], and the finished [`Artifact`]s that are its inputs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointEvery;
use crate::digest::Digest;
use crate::failure::Hint;
use crate::progress::{Cancel, Progress, Report};
use crate::shard::Shard;

/// Everything a stage may look at while it runs. Made by the runner (or by a test).
pub struct Context<'a> {
    /// Name of the stage in the pipeline, for messages only: it must not change the result.
    pub stage: String,
    /// Empty folder to write the artifact into.
    pub out: PathBuf,
    /// Folder for checkpoints and finished shards; survives a kill, removed when the artifact is published.
    pub partial: PathBuf,
    /// Folder where the stage may keep what spares it work the next time, such as what it saw of files that will not have changed.
    /// It is of this kind and version of stage, whatever its parameters, and shared with other runs: a file in it is put there
    /// by one rename. It must not change the result, and may vanish. `None` where there is none.
    pub memo: Option<PathBuf>,
    /// Inputs by name; one artifact each unless [`Input::many`](crate::Input::many).
    pub inputs: BTreeMap<String, Vec<Artifact>>,
    /// Real paths of the stage's own sources by name.
    pub sources: BTreeMap<String, PathBuf>,
    /// How its inputs and itself are made: every stage that it depends on, each after what it reads, itself last. For people
    /// who want to do it again.
    pub lineage: Vec<Step>,
    /// The run's seed. Only for stages with [`Stage::USES_SEED`](crate::Stage::USES_SEED).
    pub seed: u64,
    /// How many threads the stage may keep busy: all of the run, or its part, as its [`cost`](crate::Stage::cost) says.
    pub threads: NonZeroUsize,
    /// How often a training writes a checkpoint into `partial`; it must not change the result.
    pub checkpoint_every: CheckpointEvery,
    /// The part of the work that is this worker's, where several do it: it leaves its pieces in `partial` and nothing in
    /// `out`. `None` does all that is not there yet and makes the artifact. Only for stages with
    /// [`Stage::SHARED`](crate::Stage::SHARED).
    pub shard: Option<Shard>,
    /// Receives progress and notes.
    pub report: &'a dyn Report,
    /// Set when the stage should stop.
    pub cancel: &'a Cancel,
}

/// A stage of a pipeline as it was configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name in the pipeline.
    pub stage: String,
    /// Its kind.
    pub kind: &'static str,
    /// Version of the kind.
    pub version: u32,
    /// Its parameters with every default filled in, a JSON object; without those that only say where something is.
    pub params: serde_json::Value,
    /// The parameters that only say where something is: not what they say, which is no part of any result.
    pub locators: Vec<Locator>,
    /// The stages that each named input takes its artifacts from.
    pub inputs: BTreeMap<String, Vec<String>>,
}

/// A parameter that only says where something is, such as the folder of the photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    /// Its name.
    pub name: &'static str,
    /// What it is, for people.
    pub doc: String,
    /// Whether the stage cannot do without it.
    pub is_required: bool,
}

/// A finished artifact, read-only.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Name of the stage that made it.
    pub stage: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Digest of each file, by path relative to `dir` with `/`.
    pub files: BTreeMap<String, Digest>,
    /// Real paths of the sources of the stage that made it, by name: where its photos are.
    pub sources: BTreeMap<String, PathBuf>,
}

impl Context<'_> {
    /// The one artifact of the input `name`.
    ///
    /// # Panics
    /// When the stage did not declare the input as required; the runner supplies all that are.
    pub fn input(&self, name: &str) -> &Artifact {
        self.optional_input(name).unwrap_or_else(|| panic!("stage declared no required input `{name}`"))
    }

    /// The one artifact of the optional input `name`.
    pub fn optional_input(&self, name: &str) -> Option<&Artifact> {
        self.inputs(name).first()
    }

    /// All artifacts of the input `name`, in the order of the pipeline file.
    pub fn inputs(&self, name: &str) -> &[Artifact] {
        self.inputs.get(name).map_or(&[], Vec::as_slice)
    }

    /// The real path of the stage's own source `name`.
    ///
    /// # Panics
    /// When the stage did not declare it.
    pub fn source(&self, name: &str) -> &Path {
        self.sources.get(name).unwrap_or_else(|| panic!("stage declared no source `{name}`"))
    }

    /// Begins a piece of work of `total` items of `unit`.
    pub fn progress(&self, what: &str, total: Option<u64>, unit: &'static str) -> Progress<'_> {
        Progress::begin(self.report, self.cancel, what, total, unit)
    }
}

/// An input whose stage has no such source.
#[derive(Debug, thiserror::Error)]
#[error("the stage `{stage}` has no source `{source_name}`")]
pub struct NoSource {
    stage: String,
    source_name: String,
}

impl Hint for NoSource {
    fn hint(&self) -> Option<String> {
        Some(format!("in the pipeline file, give as this input a stage that reads `{}`", self.source_name))
    }
}

impl Artifact {
    /// The real path of a source of the stage that made it: where its photos are.
    ///
    /// # Errors
    /// That stage has no such source.
    pub fn source(&self, name: &str) -> Result<&Path, NoSource> {
        let missing = || NoSource { stage: self.stage.clone(), source_name: name.to_owned() };
        self.sources.get(name).map(PathBuf::as_path).ok_or_else(missing)
    }

    /// The path of one of its files.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }
}
