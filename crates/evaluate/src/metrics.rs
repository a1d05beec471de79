//! `metrics.json`, the confusion matrices and the summary: what is said of the models in the end.

use std::collections::BTreeMap;

use pipeline_stage::{Context, Summary};
use pipeline_table::{Mode, Split};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::tally::Tally;

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
    /// The same with test-time augmentation, where it was asked for; nothing in itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<Box<ModelMetrics>>,
}

const METRICS_FORMAT: u32 = 1;

/// File name of the metrics.
pub const METRICS_FILE: &str = "metrics.json";

impl Metrics {
    /// The metrics of `tallies`; that of a model's plain mode comes before that of its other.
    pub(crate) fn of(split: Split, tallies: &[Tally]) -> Self {
        let mut models: BTreeMap<String, ModelMetrics> = BTreeMap::new();
        for tally in tallies {
            let metrics = ModelMetrics::of(tally);
            match models.get_mut(&tally.model) {
                Some(plain) => plain.tta = Some(Box::new(metrics)),
                None => drop(models.insert(tally.model.clone(), metrics)),
            }
        }
        Metrics { format: METRICS_FORMAT, split, models }
    }
}

impl ModelMetrics {
    fn of(tally: &Tally) -> Self {
        let confusion = &tally.confusion;
        let photos = confusion.total();
        let right: u64 = (0..confusion.classes().len()).map(|c| confusion.count(c, c)).sum();
        ModelMetrics {
            photos,
            accuracy: confusion.accuracy().unwrap_or(f64::NAN),
            log_loss: tally.loss_sum / photos as f64,
            errors: photos - right,
            classes: confusion.classes().to_vec(),
            confusion: confusion.rows().map(<[u64]>::to_vec).collect(),
            tta: None,
        }
    }
}

/// Writes [`METRICS_FILE`], and `confusion/<model>.csv` and, with test-time augmentation, `confusion/<model>.tta.csv`.
pub(crate) fn write(cx: &Context<'_>, metrics: &Metrics, tallies: &[Tally]) -> Result<(), Error> {
    let mut json = serde_json::to_string_pretty(metrics).map_err(Error::Json)?;
    json.push('\n');
    fs_err::write(cx.out.join(METRICS_FILE), json).map_err(Error::Io)?;
    let folder = cx.out.join("confusion");
    fs_err::create_dir(&folder).map_err(Error::Io)?;
    for tally in tallies {
        let path = folder.join(format!("{}.csv", name(tally)));
        fs_err::write(path, tally.confusion.to_csv()).map_err(Error::Io)?;
    }
    Ok(())
}

/// `views`: how many views' mean is the mode with test-time augmentation.
pub(crate) fn summary(split: Split, tallies: &[Tally], views: u32) -> Summary {
    let mut summary = Summary::default();
    let mut lines: Vec<String> = Vec::new();
    let mut blocks = Vec::new();
    for tally in tallies {
        let (model, m) = (&tally.model, ModelMetrics::of(tally));
        let mode = match (tally.mode, lines.last_mut()) {
            (Mode::Tta, Some(line)) => {
                line.push_str(&format!(" (tta {:.4})", m.accuracy));
                format!(", mean of {views} views,")
            }
            _ => {
                lines.push(format!("{model} {:.4}", m.accuracy));
                String::new()
            }
        };
        summary.metrics.insert(format!("{}.accuracy", name(tally)), m.accuracy);
        summary.metrics.insert(format!("{}.log_loss", name(tally)), m.log_loss);
        blocks.push(format!(
            "{model}{mode} on {} {split} photos: accuracy {:.4}, log loss {:.4}, {} wrong\n\n{}",
            m.photos,
            m.accuracy,
            m.log_loss,
            m.errors,
            tally.confusion.to_text().trim_end()
        ));
    }
    summary.line = format!("accuracy {}", lines.join(", "));
    summary.text = Some(blocks.join("\n\n"));
    summary
}

/// `head`, or `head.tta`. Names of stages have no dots.
fn name(tally: &Tally) -> String {
    match tally.mode {
        Mode::Plain => tally.model.clone(),
        mode => format!("{}.{mode}", tally.model),
    }
}
