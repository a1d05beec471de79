//! [`Model`]: one model to measure, and where the features of a photo's plain view come from.

use std::path::PathBuf;

use pipeline_nn::artifact::{MODEL_FILE, ModelRecord};
use pipeline_nn::{Device, Head};
use pipeline_photo::Preprocessing;
use pipeline_stage::{Artifact, Failure};
use pipeline_table::FeaturesReader;

use crate::error::Error;

/// The feature table, opened.
pub(crate) struct Table {
    pub(crate) reader: FeaturesReader,
    preprocessing: Preprocessing,
}

impl Table {
    pub(crate) fn open(artifact: &Artifact) -> Result<Self, Failure> {
        let reader = FeaturesReader::open(&artifact.path("features"))?;
        let preprocessing =
            serde_json::from_value(reader.meta().preprocessing.clone()).map_err(Error::Preprocessing)?;
        Ok(Table { reader, preprocessing })
    }

    /// Why the table does not hold the features that the head of this model takes; `None` where it does.
    fn misfit(&self, model: &str, record: &ModelRecord) -> Option<Error> {
        let meta = self.reader.meta();
        let model = model.to_owned();
        if record.classes != meta.classes {
            let (found, expected) = (record.classes.clone(), meta.classes.clone());
            return Some(Error::OtherClasses { model, found, expected });
        }
        if record.trunk.to_string() != meta.weights {
            let (trunk, features) = (record.trunk.to_string(), meta.weights.clone());
            return Some(Error::OtherTrunk { model, trunk, features });
        }
        if record.pool.as_str() != meta.pool {
            let (found, expected) = (record.pool.as_str(), meta.pool.clone());
            return Some(Error::OtherPool { model, found, expected });
        }
        if record.preprocessing != self.preprocessing {
            let (found, expected) = (record.preprocessing, self.preprocessing);
            return Some(Error::OtherPreprocessing { model, found, expected });
        }
        None
    }
}

/// A model to measure.
pub(crate) struct Model {
    /// Name of the stage that made it.
    pub(crate) name: String,
    pub(crate) record: ModelRecord,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Whether the features of plain views come from the table. Else the photos go through its trunk.
    pub(crate) is_in_table: bool,
    head: Head,
}

impl Model {
    /// Loads the head. `classes` are those of the photos where there is the input `images`.
    pub(crate) fn load(
        artifact: &Artifact,
        table: Option<&Table>,
        classes: Option<&[String]>,
        device: Device,
    ) -> Result<Self, Failure> {
        let (name, dir) = (artifact.stage.clone(), artifact.dir.clone());
        let record = ModelRecord::read(&artifact.path(MODEL_FILE))?;
        if let Some(classes) = classes.filter(|classes| record.classes != *classes) {
            let expected = classes.to_vec();
            return Err(Error::OtherClasses { model: name, found: record.classes, expected }.into());
        }
        let misfit = table.map(|table| table.misfit(&name, &record));
        let is_in_table = match misfit {
            Some(None) => true,
            Some(Some(error)) if classes.is_none() => return Err(error.into()),
            _ => false,
        };
        let head = record.load_head(&dir, device)?;
        if head.sizes().classes != record.classes.len() {
            let (found, expected) = (head.sizes().classes, record.classes.len());
            return Err(Error::OtherOutputs { model: name, found, expected }.into());
        }
        Ok(Model { name, record, dir, is_in_table, head })
    }

    /// Log-probabilities `[N, classes]` of pooled features `[N, dim]`, both row-major.
    pub(crate) fn log_probs(&self, features: &[f32], dim: usize) -> Result<Vec<f32>, pipeline_nn::Error> {
        self.head.log_probs(features, dim)
    }
}
