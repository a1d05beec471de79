//! [`Provenance`]: what is known of how a model was made. All of it may be unknown: a model folder is whole without it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use pipeline_fit::{ClassMeasures, Estimate};
use pipeline_nn::artifact::BackboneRecord;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model_folder::ModelFolder;

/// The longest `ingest.json` that is read; it lists at most some ten thousand files.
const MAX_BYTES: u64 = 64 << 20;

/// What is known of how a model was made.
#[derive(Debug, Default)]
pub struct Provenance {
    /// The pretrained weights that it began with.
    pub backbone: Option<BackboneRecord>,
    /// The stage that trained it.
    pub training: Option<Training>,
    /// The photos that it was trained on.
    pub data: Option<TrainingData>,
    /// How it did.
    pub evaluation: Option<Evaluation>,
}

/// The stage that trained a model.
#[derive(Debug)]
pub struct Training {
    /// The kind of the stage.
    pub kind: String,
    /// Its seed, where it draws.
    pub seed: Option<u64>,
    /// Its parameters by name.
    pub params: BTreeMap<String, Value>,
}

/// What `ingest.json` says of a set of photos, as far as a card has room for it.
#[derive(Debug, Deserialize)]
pub struct TrainingData {
    /// Usable photos by split and class; those without label under `unlabelled`.
    pub photos: BTreeMap<String, BTreeMap<String, u64>>,
    /// Files by verdict: `ok`, `bad`, ...
    #[serde(default)]
    pub verdicts: BTreeMap<String, u64>,
}

impl TrainingData {
    /// Reads `ingest.json`; `None` where `path` is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let mut text = Vec::new();
        fs_err::File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text).ok())
    }
}

/// How a model did on photos that it was not trained on.
#[derive(Debug)]
pub struct Evaluation {
    /// The split of these photos: `valid`, `test`.
    pub split: String,
    /// Labelled photos measured.
    pub photos: u64,
    /// Photos whose most likely class is not the label.
    pub errors: u64,
    /// Measures by name, with what is better of them.
    pub measures: Vec<(&'static str, Estimate)>,
    /// By class, in the order of the model's; empty where only counts were kept.
    pub per_class: Vec<ClassMeasures>,
}

impl Provenance {
    /// What goes into the metadata of one file: texts by key, lists and records as JSON.
    pub(crate) fn metadata(&self, folder: &ModelFolder) -> BTreeMap<String, String> {
        let record = &folder.model.record;
        let mut metadata = BTreeMap::from([
            ("arch", record.arch.clone()),
            ("classes", json!(record.classes).to_string()),
            ("pool", record.pool.as_str().to_owned()),
            ("feature_dim", record.feature_dim.to_string()),
            ("hidden", folder.model.head().sizes().hidden.to_string()),
            ("preprocessing", json!(record.preprocessing).to_string()),
            ("model_digest", folder.digest.to_string()),
        ]);
        if let Some(backbone) = &self.backbone {
            metadata.insert("weights_source", backbone.source.clone());
            metadata.insert("weights_sha256", backbone.source_sha256.clone());
            let unknown = || "not known: the weights were supplied by the user".to_owned();
            metadata.insert("weights_licence", backbone.licence.clone().unwrap_or_else(unknown));
        }
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
