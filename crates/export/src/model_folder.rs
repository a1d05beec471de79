//! [`ModelFolder`]: a model's folder, read and checked. Such folders come from strangers too.

use std::path::{Path, PathBuf};

use pipeline_nn::Device;
use pipeline_nn::artifact::{MODEL_FILE, Model};
use pipeline_stage::Digest;

use crate::error::Error;

/// A model, and the folder that it was read from.
pub struct ModelFolder {
    /// The folder.
    pub dir: PathBuf,
    /// The model, on the processor.
    pub model: Model,
    /// Digest of its `model.json`, by which an evaluation names it.
    pub digest: Digest,
}

impl ModelFolder {
    /// Loads the model in `dir`.
    ///
    /// # Errors
    /// When it has no `model.json`, when a file is damaged or of another model, when the record asks for what no model has.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(MODEL_FILE);
        if !path.is_file() {
            return Err(Error::NoModel { dir: dir.to_owned() });
        }
        let model = Model::load(dir, Device::Cpu)?;
        let digest = Digest::of_reader(fs_err::File::open(&path)?)?;
        Ok(ModelFolder { dir: dir.to_owned(), model, digest })
    }
}
