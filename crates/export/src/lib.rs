//! A trained model for programs that are not this one: [`export()`] writes it in a [`Format`].
//!
//! | what | where |
//! |---|---|
//! | the model folder, read and checked | [`ModelFolder`] |
//! | what is known of how it was made | [`Provenance`] |
//! | a folder: the model, with a card in Markdown | `folder`, `card`, `markdown` |
//! | one ONNX file, with or without the preparation of photos | `onnx`, `protobuf` |
//! | one safetensors file that torchvision's network of the same name loads | `torchvision` |
//! | nothing overwritten unasked, and asked only an export | `place` |
//!
//! The bytes depend on the model, the options and the provenance alone. Not here: what is in a model's artifact
//! (`pipeline_nn::artifact`), what a network computes (`pipeline_nn::graph`), where provenance is found (the command).

mod card;
mod error;
mod folder;
mod markdown;
mod model_folder;
mod onnx;
mod place;
mod protobuf;
mod provenance;
mod torchvision;

use std::io;
use std::path::Path;

pub use card::CARD_FILE;
pub use error::Error;
pub use model_folder::ModelFolder;
pub use pipeline_nn::weights::Precision;
pub use provenance::{Evaluation, Provenance, Training, TrainingData};

use pipeline_stage::Draft;

/// The form that a model is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder: `model.json`, `trunk.safetensors`, `head.safetensors`, and a card, [`CARD_FILE`].
    Folder,
    /// One ONNX file.
    Onnx {
        /// Whether resize, crop and normalisation are part of the graph, which then takes photos of any size.
        with_preprocessing: bool,
    },
    /// One safetensors file with the names of torchvision's network.
    Torchvision,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Bytes of all files.
    pub size_bytes: u64,
}

/// Writes `model` to `to` in this format, its weights in this precision: whole, or nothing.
///
/// Peak memory is about three times the weights: the model's, those with batch norm folded in, and what the libraries keep.
///
/// # Errors
/// When something is at `to` and `replace` is not set, or it is no earlier export; when the format cannot hold the model; when a
/// file cannot be read or written.
pub fn export(
    model: &ModelFolder,
    provenance: &Provenance,
    format: Format,
    precision: Precision,
    to: &Path,
    replace: bool,
) -> Result<Written, Error> {
    let is_folder = format == Format::Folder;
    place::check(to, is_folder, replace)?;
    if fs_err::canonicalize(to)
        .is_ok_and(|there| fs_err::canonicalize(&model.dir).is_ok_and(|dir| dir == there))
    {
        let why = "it is the model that is to be exported".to_owned();
        return Err(Error::NotAnExport { path: to.to_owned(), why });
    }
    if let Some(around) = to.parent() {
        fs_err::create_dir_all(around)?;
    }
    let mut draft = Draft::beside(to)?;
    let at = draft.path();
    match format {
        Format::Folder => {
            fs_err::create_dir(at)?;
            folder::write(model, provenance, precision, at)?;
        }
        Format::Onnx { with_preprocessing } => {
            onnx::write(model, provenance, with_preprocessing, precision, at)?;
        }
        Format::Torchvision => torchvision::write(model, provenance, precision, at)?,
    }
    let size_bytes = size_bytes(at)?;
    // Looked at again: writing took a while.
    place::check(to, is_folder, replace)?;
    draft.publish(replace).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: to.to_owned() },
        _ => error.into(),
    })?;
    Ok(Written { size_bytes })
}

/// Bytes of a file, or of all files in a folder.
fn size_bytes(path: &Path) -> io::Result<u64> {
    if !path.is_dir() {
        return Ok(fs_err::metadata(path)?.len());
    }
    fs_err::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
