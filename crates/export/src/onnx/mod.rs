//! One ONNX file: the model as a graph, its metadata beside it.
//!
//! - `builder`: nodes and their weights, in ONNX's messages.
//! - `network`: from `pipeline_nn::graph` to nodes.
//! - `photos`: resize, crop and normalisation as nodes.
//!
//! Inputs are `pixels`, float32 `[N, 3, S, S]`, normalised, or `photos`, uint8 `[N, H, W, 3]`, RGB, upright. Outputs are
//! `probabilities` and `logits`, `[N, classes]`, and `features`, `[N, D]`, all float32. N is free.
//! Numbers of fields are those of `onnx/onnx.proto` of ONNX 1.23.

mod builder;
mod network;
mod photos;

use std::io::{BufWriter, Write};
use std::path::Path;

use pipeline_nn::weights::Precision;

use crate::error::Error;
use crate::model_folder::ModelFolder;
use crate::protobuf::Message;
use crate::provenance::Provenance;
use builder::{Builder, Element, Side, value_info};

/// The version of the form, and of the set of operators: the first that antialiases in `Resize`.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 18;

/// A message's length is a signed number of 32 bits to most readers.
const LIMIT_BYTES: u64 = i32::MAX as u64;

/// Writes the model to `path`.
pub(crate) fn write(
    folder: &ModelFolder,
    provenance: &Provenance,
    with_preprocessing: bool,
    precision: Precision,
    path: &Path,
) -> Result<(), Error> {
    let message = model(folder, provenance, with_preprocessing, precision)?;
    let size_bytes = message.len();
    if size_bytes > LIMIT_BYTES {
        return Err(Error::TooLarge { size_bytes, limit_bytes: LIMIT_BYTES });
    }
    let mut file = BufWriter::new(fs_err::File::create(path)?);
    message.write(&mut file)?;
    Ok(file.flush()?)
}

/// A `ModelProto`.
fn model(
    folder: &ModelFolder,
    provenance: &Provenance,
    with_preprocessing: bool,
    precision: Precision,
) -> Result<Message, Error> {
    let record = &folder.model.record;
    let size = Side::Fixed(i64::from(record.preprocessing.size));
    let (classes, width) = (Side::Fixed(record.classes.len() as i64), Side::Fixed(record.feature_dim as i64));
    let batch = Side::Free("N");

    let mut builder = Builder::new(precision);
    let input = if with_preprocessing {
        photos::add(&mut builder, &record.preprocessing);
        value_info("photos", Element::Uint8, &[batch, Side::Free("H"), Side::Free("W"), Side::Fixed(3)])
    } else {
        value_info("pixels", Element::Float, &[batch, Side::Fixed(3), size, size])
    };
    network::add(&mut builder, folder.model.graph()?);
    let outputs = [("probabilities", classes), ("logits", classes), ("features", width)]
        .map(|(name, side)| value_info(name, Element::Float, &[batch, side]));

    let (nodes, initializers) = builder.into_parts();
    let graph = Message::new()
        .messages(1, nodes)
        .text(2, record.arch.as_str())
        .messages(5, initializers)
        .message(11, input)
        .messages(12, outputs);
    let metadata = provenance.metadata(folder).into_iter();
    let metadata = metadata.map(|(key, value)| Message::new().text(1, key).text(2, value));
    Ok(Message::new()
        .integer(1, IR_VERSION)
        .text(2, "pipeline")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, documentation(folder, with_preprocessing))
        .message(7, graph)
        .message(8, Message::new().text(1, "").integer(2, OPSET))
        .messages(14, metadata))
}

/// What goes in and what comes out, for people.
fn documentation(folder: &ModelFolder, with_preprocessing: bool) -> String {
    let record = &folder.model.record;
    let preparation = provenance_words(folder);
    let input = if with_preprocessing {
        format!(
            "Input `photos`: uint8 [N, H, W, 3], RGB 0 to 255, upright (EXIF orientation applied), all of one size. In the graph: {preparation}"
        )
    } else {
        let size = record.preprocessing.size;
        format!(
            "Input `pixels`: float32 [N, 3, {size}, {size}], made from upright RGB photos so: {preparation}"
        )
    };
    format!(
        "{input} Outputs: `probabilities` and `logits` [N, {}] in the order of the metadata `classes` (JSON), `features` [N, {}].",
        record.classes.len(),
        record.feature_dim
    )
}

fn provenance_words(folder: &ModelFolder) -> String {
    crate::card::preparation(&folder.model.record.preprocessing).join("; ") + "."
}
