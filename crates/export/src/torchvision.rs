//! One safetensors file for torchvision's network of the same name: the trunk under its names, and the head as its `fc`, an
//! `nn.Sequential` of the layers in [`HEAD`]. `examples/load_in_torchvision.py` loads it.

use std::path::Path;

use pipeline_nn::weights::{Precision, write_safetensors_in};

use crate::error::Error;
use crate::model_folder::ModelFolder;
use crate::provenance::Provenance;

/// Places in the `nn.Sequential` of BatchNorm1d, Dropout, Linear, ReLU, BatchNorm1d, Dropout, Linear.
const HEAD: [(&str, &str); 4] = [("bn1", "fc.0"), ("linear1", "fc.2"), ("bn2", "fc.4"), ("linear2", "fc.6")];

/// Writes the model to `path`.
pub(crate) fn write(
    folder: &ModelFolder,
    provenance: &Provenance,
    precision: Precision,
    path: &Path,
) -> Result<(), Error> {
    let model = &folder.model;
    if !model.trunk().backbone().is_torchvision {
        return Err(Error::NotTorchvision { arch: model.record.arch.clone() });
    }
    let trunk = model.trunk().named_tensors().iter();
    let mut tensors: std::collections::BTreeMap<_, _> =
        trunk.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
    for (name, tensor) in model.head().named_tensors() {
        if let Some((layer, part)) = name.split_once('.')
            && let Some((_, place)) = HEAD.iter().find(|(known, _)| *known == layer)
        {
            tensors.insert(format!("{place}.{part}"), tensor);
        }
    }
    Ok(write_safetensors_in(precision, path, &tensors, &provenance.metadata(folder))?)
}
