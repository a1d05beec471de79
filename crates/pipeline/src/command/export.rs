//! `pipeline export`: a model for other programs.
//!
//! - `made_from`: what is known of how it was made, for its card.

mod made_from;

use std::path::PathBuf;
use std::time::Instant;

use pipeline_export::{CARD_FILE, Error, Format, ModelFolder, Precision, Provenance};
use pipeline_nn::libtorch;
use pipeline_stage::exit;
use serde_json::json;

use super::Stop;
use super::how::telling;
use super::model_folder;
use crate::terminal::{Screen, words};

/// Write a model for other programs: a folder with a card, ONNX, or a file for torchvision
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline export out/dogscats/finetune --out dogscats\n  \
    pipeline export out/dogscats/finetune --out dogscats.onnx --with-preprocessing\n  \
    pipeline export out/dogscats/finetune --out dogscats.safetensors --dtype f16\n\n\
    What is written is whole or absent. The folder holds a card, README.md: classes, weights and their licence, photos, metrics, \
    limits. examples/ has Python that uses each form.")]
pub(super) struct Arguments {
    /// Folder of a model: out/CONFIG/STAGE, or a copy elsewhere
    model: PathBuf,
    /// Where it is written
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Form that it is written in [default: by the ending of PATH: .onnx, .safetensors (torchvision), else a folder]
    #[arg(long)]
    format: Option<Form>,
    /// Number format that weights are stored in; it computes in f32 in any case
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    /// Put resize, crop and normalisation into the ONNX graph, which then takes photos of any size
    #[arg(long)]
    with_preprocessing: bool,
    /// Folder of an evaluation of the model, for its card [default: the latest that is found beside it]
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Replace an earlier export
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The form that a model is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// model.json, trunk.safetensors, head.safetensors and a card
    Folder,
    /// One ONNX file
    Onnx,
    /// One safetensors file for torchvision's network of the same name
    Torchvision,
}

/// The number format of stored weights.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Dtype {
    /// float32
    #[default]
    F32,
    /// float16; half as large
    F16,
    /// bfloat16; half as large, for weights beyond the range of f16
    Bf16,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    telling(arguments.json, screen, || export(arguments, screen))
}

fn export(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let started = Instant::now();
    let format = arguments.format()?;
    let folder = model_folder::folder(&arguments.model)?;
    libtorch::load().map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    let model = ModelFolder::open(&folder).map_err(|error| stop(&error))?;
    let provenance = made_from::of(&model, arguments.report.as_deref())?;
    let (precision, out) = (arguments.dtype.precision(), &arguments.out);
    let written = pipeline_export::export(&model, &provenance, format, precision, out, arguments.force)
        .map_err(|error| stop(&error))?;

    let (record, unknown) = (&model.model.record, unknown(&provenance));
    let wall_seconds = started.elapsed().as_secs_f64();
    if arguments.json {
        screen.json(&json!({
            "out": out, "format": form_name(format), "dtype": precision.as_str(), "arch": record.arch,
            "classes": record.classes, "size_bytes": written.size_bytes, "unknown": unknown, "wall_seconds": wall_seconds,
        }));
        return Ok(exit::DONE);
    }
    screen.line(&format!(
        "{}: {} of {} classes, {}, {}, {}   ({})",
        out.display(),
        record.arch,
        words::count(record.classes.len() as u64),
        form_name(format),
        precision.as_str(),
        words::size(written.size_bytes),
        words::duration(wall_seconds)
    ));
    if format == Format::Folder && !unknown.is_empty() {
        screen.line(&format!("  not known: {}; {CARD_FILE} says how to get it", unknown.join(", ")));
    }
    Ok(exit::DONE)
}

fn form_name(format: Format) -> &'static str {
    match format {
        Format::Folder => "folder",
        Format::Onnx { with_preprocessing: false } => "onnx",
        Format::Onnx { with_preprocessing: true } => "onnx with preprocessing",
        Format::Torchvision => "torchvision",
    }
}

/// What the card cannot say.
fn unknown(provenance: &Provenance) -> Vec<&'static str> {
    let Provenance { backbone, training, data, evaluation } = provenance;
    [
        (backbone.is_none(), "where the pretrained weights are from"),
        (training.is_none(), "how it was trained"),
        (data.is_none(), "on which photos"),
        (evaluation.is_none(), "how good it is"),
    ]
    .into_iter()
    .filter_map(|(is_unknown, what)| is_unknown.then_some(what))
    .collect()
}

impl Arguments {
    fn format(&self) -> Result<Format, Stop> {
        let by_ending = match self.out.extension().and_then(|ending| ending.to_str()) {
            Some("onnx") => Form::Onnx,
            Some("safetensors") => Form::Torchvision,
            _ => Form::Folder,
        };
        let with_preprocessing = self.with_preprocessing;
        match self.format.unwrap_or(by_ending) {
            Form::Onnx => Ok(Format::Onnx { with_preprocessing }),
            form if with_preprocessing => {
                let name = if form == Form::Folder { "a folder" } else { "a file for torchvision" };
                Err(Stop::usage(
                    format!("cannot put preprocessing into {name}: only an ONNX graph holds any"),
                    "name a file that ends in .onnx, or leave out --with-preprocessing",
                ))
            }
            Form::Folder => Ok(Format::Folder),
            Form::Torchvision => Ok(Format::Torchvision),
        }
    }
}

fn stop(error: &Error) -> Stop {
    let code = match error {
        Error::NoModel { .. }
        | Error::Exists { .. }
        | Error::NotAnExport { .. }
        | Error::NotTorchvision { .. }
        | Error::TooLarge { .. } => exit::USAGE,
        _ => exit::STAGE_FAILED,
    };
    Stop::new(code, error)
}

impl Dtype {
    fn precision(self) -> Precision {
        match self {
            Dtype::F32 => Precision::F32,
            Dtype::F16 => Precision::F16,
            Dtype::Bf16 => Precision::Bf16,
        }
    }
}
