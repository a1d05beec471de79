//! The files that carry a network between stages and out of the pipeline: `backbone.json` beside
//! `trunk.safetensors`, and `model.json` beside `trunk.safetensors` and `head.safetensors`.
//!
//! A model folder is whole: copied elsewhere, it is enough to predict. Content only: no times, no paths.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use pipeline_photo::Preprocessing;
use pipeline_stage::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use tch::{Device, Tensor};

use crate::backbones::{self, Backbone};
use crate::batch_norm::Mode;
use crate::error::Error;
use crate::graph::{Drawing, Graph};
use crate::head::Head;
use crate::ordinary_file;
use crate::pool::Pool;
use crate::trunk::Trunk;
use crate::weights::{self, Weights};

/// The trunk's tensors, f32, under the architecture's published names.
pub const TRUNK_FILE: &str = "trunk.safetensors";
/// The tensors of the classifier that the trunk's weights came with, f32, under their published names; only in the artifact
/// of weights that have one.
pub const CLASSIFIER_FILE: &str = "classifier.safetensors";
/// The head's tensors, f32.
pub const HEAD_FILE: &str = "head.safetensors";
/// A [`BackboneRecord`].
pub const BACKBONE_FILE: &str = "backbone.json";
/// A [`ModelRecord`].
pub const MODEL_FILE: &str = "model.json";

/// The longest record that is read: names of a hundred thousand classes have 3 MB.
const MAX_RECORD_BYTES: u64 = 16 << 20;

/// Version of the form of both records. Raised when an older reader would misread them.
const FORMAT: u32 = 1;

/// `backbone.json`: what a trunk is, and how photos must be prepared for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackboneRecord {
    /// Version of this record's form.
    pub format: u32,
    /// Architecture, a name in [`BACKBONES`](crate::backbones::BACKBONES).
    pub arch: String,
    /// Where the weights come from, in words.
    pub source: String,
    /// SHA-256 of the weight file that was read.
    pub source_sha256: String,
    /// Licence of the weights; `None` where the user supplied them.
    pub licence: Option<String>,
    /// Mean per channel (R, G, B) of values in 0..1, subtracted first.
    pub mean: [f32; 3],
    /// Standard deviation per channel, divided by after.
    pub std: [f32; 3],
    /// Channels C of the final feature map; [pooled](Pool) features have 2·C numbers, or C.
    pub channels: usize,
    /// What the trunk's layer groups hold, in words; the first is nearest to the photo. A head is a group more.
    #[serde(default)]
    pub layer_groups: Vec<String>,
}

impl BackboneRecord {
    /// The record of weights for `backbone` read from a file with this SHA-256.
    pub fn new(backbone: &Backbone, sha256: &str, is_official: bool) -> Self {
        let pretrained = &backbone.pretrained;
        BackboneRecord {
            format: FORMAT,
            arch: backbone.arch.to_owned(),
            source: if is_official {
                pretrained.source.to_owned()
            } else {
                "supplied by the user".to_owned()
            },
            source_sha256: sha256.to_owned(),
            licence: is_official.then(|| pretrained.licence.to_owned()),
            mean: backbone.mean,
            std: backbone.std,
            channels: backbone.channels,
            layer_groups: backbone.groups.map(str::to_owned).to_vec(),
        }
    }

    /// Reads and checks a record.
    ///
    /// # Errors
    /// When the file cannot be read or is not such a record.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let record: Self = read_json(path)?;
        check_format(path, record.format).map(|()| record)
    }

    /// Writes the record as pretty JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(path, self)
    }
}

/// `model.json`: a trained classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Version of this record's form.
    pub format: u32,
    /// Architecture of the trunk.
    pub arch: String,
    /// Class names; the position is the `label_id` and the index of the output.
    pub classes: Vec<String>,
    /// How photos must be prepared.
    pub preprocessing: Preprocessing,
    /// How the trunk's map becomes the head's input; not written where it is the usual one.
    #[serde(default, skip_serializing_if = "Pool::is_usual")]
    pub pool: Pool,
    /// Numbers per pooled feature: the head's input.
    pub feature_dim: usize,
    /// Digest of [`TRUNK_FILE`].
    pub trunk: Digest,
    /// Digest of [`HEAD_FILE`].
    pub head: Digest,
    /// Views of each photo that it was trained on, one of them in each epoch; 1 is the plain view alone.
    #[serde(default = "plain_view")]
    pub views: u32,
}

fn plain_view() -> u32 {
    1
}

impl ModelRecord {
    /// The record of a model with these parts, trained on plain views that were pooled as usual.
    pub fn new(
        arch: String,
        classes: Vec<String>,
        preprocessing: Preprocessing,
        feature_dim: usize,
        trunk: Digest,
        head: Digest,
    ) -> Self {
        ModelRecord {
            format: FORMAT,
            arch,
            classes,
            preprocessing,
            pool: Pool::default(),
            feature_dim,
            trunk,
            head,
            views: plain_view(),
        }
    }

    /// Reads and checks a record.
    ///
    /// # Errors
    /// When the file cannot be read or is not such a record.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let record: Self = read_json(path)?;
        check_format(path, record.format)?;
        match record.problem() {
            Some(problem) => Err(Error::Unusable { path: path.to_owned(), problem }),
            None => Ok(record),
        }
    }

    /// What no model has, whatever its weights are.
    fn problem(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        if self.classes.is_empty() {
            return Some("`classes` is empty, expected at least 1 name".to_owned());
        }
        if let Some(twice) = self.classes.iter().find(|class| !seen.insert(*class)) {
            return Some(format!("`classes` has {twice:?} twice, expected each name once"));
        }
        self.preprocessing.problem()
    }

    /// Writes the record as pretty JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(path, self)
    }

    /// Loads [`TRUNK_FILE`] of the model folder `dir`, of which this is the record, to be pooled as it says.
    ///
    /// # Errors
    /// When the file is missing or damaged, or not the one that the record names.
    pub fn load_trunk(&self, dir: &Path, device: Device) -> Result<Trunk, Error> {
        let weights = read_named(&dir.join(TRUNK_FILE), self.trunk)?;
        Ok(backbones::find(&self.arch)?.load(&weights, device)?.with_pool(self.pool))
    }

    /// Loads [`HEAD_FILE`] of the model folder `dir`, of which this is the record.
    ///
    /// # Errors
    /// As [`ModelRecord::load_trunk`].
    pub fn load_head(&self, dir: &Path, device: Device) -> Result<Head, Error> {
        Head::load(&read_named(&dir.join(HEAD_FILE), self.head)?, device)
    }
}

/// The weights at `path`, whose content must have the digest `expected`.
fn read_named(path: &Path, expected: Digest) -> Result<Weights, Error> {
    let found = Digest::of_reader(ordinary_file::open(path)?)?;
    if found != expected {
        return Err(Error::OtherFile { path: path.to_owned(), found, expected });
    }
    weights::read(path)
}

/// A model folder, loaded: photos in, log-probabilities out.
pub struct Model {
    /// Classes, and how photos must be prepared.
    pub record: ModelRecord,
    trunk: Trunk,
    head: Head,
}

impl Model {
    /// Loads the folder `dir`: [`MODEL_FILE`], [`TRUNK_FILE`] and [`HEAD_FILE`]. It may lie anywhere.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the three do not belong together.
    pub fn load(dir: &Path, device: Device) -> Result<Self, Error> {
        let path = dir.join(MODEL_FILE);
        let record = ModelRecord::read(&path)?;
        let trunk = record.load_trunk(dir, device)?;
        let head = record.load_head(dir, device)?;
        let (sizes, width) = (head.sizes(), record.pool.width(trunk.backbone().channels));
        for (what, found, expected) in [
            ("numbers in `feature_dim`", record.feature_dim, width),
            ("features that the head reads", sizes.features, width),
            ("names in `classes`", record.classes.len(), sizes.classes),
        ] {
            if found != expected || expected == 0 {
                return Err(Error::Inconsistent { path, what, found, expected });
            }
        }
        Ok(Model { record, trunk, head })
    }

    /// Record, trunk and head, which belong together.
    pub fn into_parts(self) -> (ModelRecord, Trunk, Head) {
        (self.record, self.trunk, self.head)
    }

    /// Its trunk.
    pub fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// Its head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What [`log_probs`](Self::log_probs) computes before the softmax, as operations with their weights: those of the trunk's
    /// are copies, with batch norm folded in.
    ///
    /// # Errors
    /// [`Error::Torch`] when the device has too little memory.
    pub fn graph(&self) -> Result<Graph, Error> {
        let drawing = Drawing::default();
        let map = self.trunk.draw(&drawing.photos())?; // [N, C, h, w]
        let features = self.record.pool.draw(map); // [N, D]
        let logits = self.head.draw(features); // [N, classes]
        let (features, logits) = (features.value, logits.value);
        Ok(Graph { steps: drawing.into_steps(), features, logits })
    }

    /// Log-probabilities `[N, classes]` of photos `[N, 3, S, S]`, f32, prepared as `record.preprocessing` says.
    ///
    /// # Errors
    /// When libtorch refuses: another shape, no memory.
    pub fn log_probs(&self, photos_nchw: &Tensor) -> Result<Tensor, Error> {
        tch::no_grad(|| {
            let map = self.trunk.forward(photos_nchw, [Mode::Eval, Mode::Eval])?; // [N, C, h, w]
            self.head.forward_eval(&self.record.pool.of(&map)?) // [N, classes]
        })
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let file = ordinary_file::open(path)?;
    let size_bytes = file.metadata()?.len();
    if size_bytes > MAX_RECORD_BYTES {
        return Err(Error::LargeRecord { path: path.to_owned(), size_bytes, limit_bytes: MAX_RECORD_BYTES });
    }
    let mut text = Vec::new();
    file.take(MAX_RECORD_BYTES).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|source| Error::MalformedRecord { path: path.to_owned(), source })
}

fn write_json<T: Serialize>(path: &Path, record: &T) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(record)
        .map_err(|source| Error::MalformedRecord { path: path.to_owned(), source })?;
    text.push('\n');
    Ok(fs_err::write(path, text)?)
}

fn check_format(path: &Path, found: u32) -> Result<(), Error> {
    if found == FORMAT {
        Ok(())
    } else {
        Err(Error::RecordFormat { path: path.to_owned(), found, expected: FORMAT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_format_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(BACKBONE_FILE);
        let backbone = crate::backbones::find("resnet18").unwrap();
        let mut record = BackboneRecord::new(backbone, "00", true);
        record.write(&path).unwrap();
        assert_eq!(BackboneRecord::read(&path).unwrap(), record);
        record.format = 2;
        record.write(&path).unwrap();
        let message = BackboneRecord::read(&path).unwrap_err().to_string();
        assert!(message.ends_with("backbone.json`: expected format 1, found format 2"), "{message}");
    }
}
