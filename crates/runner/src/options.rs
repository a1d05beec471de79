//! [`RunOptions`]: everything about a run that is not in the graph. None of it but the seed is ever
//! part of a key.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_stage::{CheckpointEvery, Shard};

use crate::selection::Selection;

/// How and where to run or plan a graph.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The project's folder: relative paths of sources start here.
    pub root: PathBuf,
    /// The current folder: paths below it are shown relative to it.
    pub folder: PathBuf,
    /// The store's folder, usually `<root>/.pipeline`. Made when it is not there.
    pub store: PathBuf,
    /// The folder of links to the current artifacts, usually `<root>/out`.
    pub out: PathBuf,
    /// Name of the config: the links are `<out>/<config>/<stage>`.
    pub config: String,
    /// The run's seed. Part of the keys of stages that draw random numbers, and of no others.
    pub seed: u64,
    /// How many threads stages may keep busy, all that run together.
    pub threads: NonZeroUsize,
    /// How many independent stages may run side by side.
    pub jobs: NonZeroUsize,
    /// Bytes of memory that stages side by side may take by their own estimates; `None` for what the system has available
    /// when the run begins.
    pub memory_bytes: Option<u64>,
    /// Whether stages that do not depend on a failed one are still run.
    pub keep_going: bool,
    /// How often a stage or a download is tried again that failed for a reason that may pass.
    pub retries: u32,
    /// How often a training writes a checkpoint.
    pub checkpoint_every: CheckpointEvery,
    /// What computes, for the record: `cpu`, `cuda:0`.
    pub device: String,
    /// Version of the `pipeline` command, for the record.
    pub pipeline_version: String,
    /// Which stages.
    pub selection: Selection,
    /// The part of the one selected stage that this process does as one of several workers, publishing nothing; `None` does
    /// the stages.
    pub shard: Option<Shard>,
    /// How long to wait for a lock that another process holds; `None` fails at once.
    pub wait_lock: Option<Duration>,
    /// The command line, for the record and for whoever meets our locks.
    pub command: String,
}

impl RunOptions {
    /// The link to the current artifact of the stage `name`.
    pub fn link(&self, name: &str) -> PathBuf {
        self.out.join(&self.config).join(name)
    }

    /// `path` as it can be copied into a shell: relative to the current folder where it lies there.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}
