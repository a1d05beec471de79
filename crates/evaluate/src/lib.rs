//! The `evaluate` stage: how good the models are on photos they have not seen.
//!
//! In: a feature table and one or more models whose head was trained on such features. Out:
//! `predictions.parquet` (every probability), `metrics.json`, and a confusion matrix per model as CSV;
//! see `README.md`. The table is read in batches, so memory does not grow with it.

mod error;
mod scorer;

use std::collections::BTreeMap;

use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE};
use pipeline_nn::device;
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{Context, Failure, Input, Source, Stage, Summary};
use pipeline_table::{FeaturesReader, PredictionsWriter, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use scorer::Scorer;

/// The stage kind `evaluate`.
#[derive(Debug, Clone, Copy)]
pub struct Evaluate;

/// Parameters of `evaluate`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The split to measure on; `test` where it is labelled and precompute's `splits` has it.
    #[serde(default = "default_split")]
    pub split: Split,
}

/// The lesson measures on valid.
fn default_split() -> Split {
    Split::Valid
}

impl Parameters for Params {
    fn check(&self, _: &mut Vec<Problem>) {}
}

/// `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Version of this file's form.
    pub format: u32,
    /// The split measured on.
    pub split: Split,
    /// By model, which is the name of the stage that made it.
    pub models: BTreeMap<String, ModelMetrics>,
}

/// How one model did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetrics {
    /// Labelled photos measured.
    pub photos: u64,
    /// Share of photos whose most likely class is the label, 0 to 1; higher is better.
    pub accuracy: f64,
    /// Mean negative log-likelihood of the label in nats; lower is better.
    pub log_loss: f64,
    /// Photos whose most likely class is not the label.
    pub errors: u64,
    /// Class names; rows and columns of `confusion`.
    pub classes: Vec<String>,
    /// Photos by actual class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
}

const METRICS_FORMAT: u32 = 1;

/// File name of the predictions.
pub const PREDICTIONS_FILE: &str = "predictions.parquet";

/// Feature rows in memory at a time.
const BATCH_ROWS: usize = 1024;

impl Stage for Evaluate {
    const KIND: &'static str = "evaluate";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "accuracy, loss and confusion matrix on photos that were not trained on";
    const PRODUCES: &'static str = "report";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "features",
            accepts: "features",
            reads: &["features/"],
            many: false,
            optional: false,
            doc: "features of the photos to measure on",
        },
        Input {
            name: "models",
            accepts: "model",
            reads: &[MODEL_FILE, HEAD_FILE],
            many: true,
            optional: false,
            doc: "the models to measure, side by side",
        },
    ];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let reader = FeaturesReader::open(&cx.input("features").path("features"))?;
        let meta = reader.meta().clone();
        let device = device::pick();
        device::set_threads(cx.threads);
        let mut scorers = Vec::new();
        for model in cx.inputs("models") {
            scorers.push(Scorer::load(model, &meta, device)?);
        }

        let progress = cx.progress("rows of features read", Some(reader.len() as u64), "rows");
        let mut writer = PredictionsWriter::create(&cx.out.join(PREDICTIONS_FILE), &meta.classes)?;
        for batch in reader.batches(BATCH_ROWS) {
            let batch = batch?;
            progress.add(batch.rows.len() as u64)?;
            let batch = batch.only(|row| row.split == params.split && row.view == 0);
            let predictions: Vec<_> =
                scorers.iter_mut().map(|s| s.score(&batch)).collect::<Result<_, Failure>>()?;
            for photo in 0..batch.rows.len() {
                for model in &predictions {
                    writer.write(&model[photo])?;
                }
            }
        }
        writer.finish()?;

        if scorers.iter().all(|s| s.photos() == 0) {
            return Err(Error::NothingToMeasure { split: params.split.as_str() }.into());
        }
        let metrics = Metrics {
            format: METRICS_FORMAT,
            split: params.split,
            models: scorers.iter().map(|s| (s.model.clone(), ModelMetrics::of(s))).collect(),
        };
        write_metrics(cx, &metrics, &scorers)?;
        Ok(summary(&metrics, &scorers))
    }
}

impl ModelMetrics {
    fn of(scorer: &Scorer) -> Self {
        let confusion = &scorer.confusion;
        let photos = scorer.photos();
        let right: u64 = (0..confusion.classes().len()).map(|c| confusion.count(c, c)).sum();
        ModelMetrics {
            photos,
            accuracy: confusion.accuracy().unwrap_or(f64::NAN),
            log_loss: scorer.loss_sum / photos as f64,
            errors: photos - right,
            classes: confusion.classes().to_vec(),
            confusion: confusion.rows().map(<[u64]>::to_vec).collect(),
        }
    }
}

fn write_metrics(cx: &Context<'_>, metrics: &Metrics, scorers: &[Scorer]) -> Result<(), Error> {
    let mut json = serde_json::to_string_pretty(metrics).map_err(Error::Json)?;
    json.push('\n');
    fs_err::write(cx.out.join("metrics.json"), json).map_err(Error::Io)?;
    let folder = cx.out.join("confusion");
    fs_err::create_dir(&folder).map_err(Error::Io)?;
    for scorer in scorers {
        let path = folder.join(format!("{}.csv", scorer.model));
        fs_err::write(path, scorer.confusion.to_csv()).map_err(Error::Io)?;
    }
    Ok(())
}

fn summary(metrics: &Metrics, scorers: &[Scorer]) -> Summary {
    let mut summary = Summary::default();
    let mut lines = Vec::new();
    let mut blocks = Vec::new();
    for scorer in scorers {
        let (model, m) = (&scorer.model, &metrics.models[&scorer.model]);
        lines.push(format!("{model} {:.4}", m.accuracy));
        summary.metrics.insert(format!("{model}.accuracy"), m.accuracy);
        summary.metrics.insert(format!("{model}.log_loss"), m.log_loss);
        blocks.push(format!(
            "{model} on {} {} photos: accuracy {:.4}, log loss {:.4}, {} wrong\n\n{}",
            m.photos,
            metrics.split.as_str(),
            m.accuracy,
            m.log_loss,
            m.errors,
            scorer.confusion.to_text().trim_end()
        ));
    }
    summary.line = format!("accuracy {}", lines.join(", "));
    summary.text = Some(blocks.join("\n\n"));
    summary
}
