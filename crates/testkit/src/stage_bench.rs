//! [`StageBench`]: one stage at a time, without a runner, in a temporary folder.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pipeline_stage::{AnyStage, Artifact, Cancel, Context, Digest, Event, Failure, Report, Summary};
use serde_json::Value;

/// Runs stages directly, each into a folder of its own.
pub struct StageBench {
    dir: tempfile::TempDir,
    /// The run's seed.
    pub seed: u64,
    /// Threads that a stage may use.
    pub threads: usize,
    /// Set it to see what a stage does when it is told to stop.
    pub cancel: Cancel,
    events: Events,
    runs: std::cell::Cell<usize>,
}

/// What came of one stage.
#[derive(Debug)]
pub struct Made {
    /// Its artifact, as another stage's input.
    pub artifact: Artifact,
    /// What it said about it.
    pub summary: Summary,
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Report for Events {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Default for StageBench {
    fn default() -> Self {
        StageBench {
            dir: tempfile::tempdir().unwrap(),
            seed: 42,
            threads: 2,
            cancel: Cancel::default(),
            events: Events::default(),
            runs: std::cell::Cell::new(0),
        }
    }
}

impl StageBench {
    /// A folder for sources.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `stage` with parameters as written in a config; `sources` are real paths by name.
    ///
    /// # Errors
    /// What the stage returns.
    ///
    /// # Panics
    /// When the parameters are wrong.
    pub fn run(
        &self,
        stage: &dyn AnyStage,
        params: &Value,
        inputs: &[(&str, Vec<&Artifact>)],
        sources: &[(&str, &Path)],
    ) -> Result<Made, Failure> {
        let params = stage.resolve(params).unwrap_or_else(|problems| panic!("{problems:?}"));
        let run = self.runs.replace(self.runs.get() + 1);
        let out = self.dir.path().join(format!("run-{run}"));
        let partial = self.dir.path().join(format!("partial-{run}"));
        fs_err::create_dir_all(&out).unwrap();
        fs_err::create_dir_all(&partial).unwrap();
        let sources: BTreeMap<String, PathBuf> =
            sources.iter().map(|(name, path)| ((*name).to_owned(), path.to_path_buf())).collect();
        let context = Context {
            stage: stage.kind().to_owned(),
            out: out.clone(),
            partial,
            inputs: inputs
                .iter()
                .map(|(name, artifacts)| {
                    ((*name).to_owned(), artifacts.iter().map(|a| (*a).clone()).collect())
                })
                .collect(),
            sources: sources.clone(),
            seed: self.seed,
            threads: NonZeroUsize::new(self.threads).unwrap(),
            report: &self.events,
            cancel: &self.cancel,
        };
        let summary = stage.run(&params, &context)?;
        let mut files = BTreeMap::new();
        digest_files(&out, &out, &mut files);
        let artifact = Artifact { stage: stage.kind().to_owned(), dir: out, files, sources };
        Ok(Made { artifact, summary })
    }

    /// Everything that stages have said so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.0.lock().unwrap().clone()
    }
}

fn digest_files(root: &Path, dir: &Path, files: &mut BTreeMap<String, Digest>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            digest_files(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, Digest::of(&fs_err::read(&path).unwrap()));
        }
    }
}
