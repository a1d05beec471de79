//! The model folder, with its card.

use std::path::Path;

use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::weights::{Precision, write_safetensors_in};
use pipeline_stage::Digest;

use crate::card::{self, CARD_FILE};
use crate::error::Error;
use crate::model_folder::ModelFolder;
use crate::provenance::Provenance;

/// Writes the model into the folder `dir`. In float32 its files are copies, byte for byte.
pub(crate) fn write(
    folder: &ModelFolder,
    provenance: &Provenance,
    precision: Precision,
    dir: &Path,
) -> Result<(), Error> {
    let model = &folder.model;
    if precision == Precision::F32 {
        for file in [MODEL_FILE, TRUNK_FILE, HEAD_FILE] {
            // Not its rights: an artifact may only be read.
            let mut from = fs_err::File::open(folder.dir.join(file))?;
            std::io::copy(&mut from, &mut fs_err::File::create(dir.join(file))?)?;
        }
    } else {
        let (trunk, head) = (model.trunk().named_tensors(), &model.head().named_tensors());
        let none = std::collections::BTreeMap::new();
        for (file, tensors) in [(TRUNK_FILE, trunk), (HEAD_FILE, head)] {
            write_safetensors_in(precision, &dir.join(file), tensors, &none)?;
        }
        let digest =
            |file| -> Result<Digest, Error> { Ok(Digest::of_reader(fs_err::File::open(dir.join(file))?)?) };
        let (trunk, head) = (digest(TRUNK_FILE)?, digest(HEAD_FILE)?);
        ModelRecord { trunk, head, ..model.record.clone() }.write(&dir.join(MODEL_FILE))?;
    }
    Ok(fs_err::write(dir.join(CARD_FILE), card::card(folder, provenance, precision))?)
}
