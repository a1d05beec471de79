//! [`Files`]: what a job is read from, read once for any number of overrides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pipeline_stage::AnyStage;

use super::error::{Located, Place};
use super::layers::Layers;
use super::overrides::Overrides;
use super::pipeline_file::PipelineFile;
use super::{Job, job, project_root, reserved_keys};

/// A config's files, read once for any number of overrides.
pub(crate) struct Files {
    pub(super) path: PathBuf,
    pub(super) root: PathBuf,
    pub(super) config: Layers,
    /// By name: an override may choose another.
    pipelines: Mutex<BTreeMap<String, Arc<PipelineFile>>>,
}

impl Files {
    /// Reads the config at `path` and what it extends.
    ///
    /// # Errors
    /// What is wrong with these as files.
    pub(crate) fn read(path: &Path) -> Result<Files, Vec<Located>> {
        let root = project_root(path);
        let config = Layers::read(path, &root)?;
        Ok(Files { path: path.to_owned(), root, config, pipelines: Mutex::default() })
    }

    /// The job with these overrides.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn job(
        &self,
        overrides: &Overrides,
        kinds: &[&'static dyn AnyStage],
    ) -> Result<Job, Vec<Located>> {
        let (pipeline_name, seed) = reserved_keys(&self.config, overrides)?;
        let key = ["pipeline".to_owned()];
        let place = overrides.place(&key).unwrap_or_else(|| self.config.place(&key, false));
        let pipeline = self.pipeline(&pipeline_name, &place)?;
        job(self, overrides, kinds, &pipeline_name, &pipeline, seed)
    }

    /// The pipeline of this name, which `place` gives.
    fn pipeline(&self, name: &str, place: &Place) -> Result<Arc<PipelineFile>, Vec<Located>> {
        // What is in there is whole, whatever panicked meanwhile.
        let mut pipelines = self.pipelines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(pipeline) = pipelines.get(name) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(PipelineFile::find(name, &self.root, place)?);
        pipelines.insert(name.to_owned(), pipeline.clone());
        Ok(pipeline)
    }
}
