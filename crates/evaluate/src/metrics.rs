//! `metrics.json` and the confusion matrices: what is said of the models in the end, for programs.

use std::collections::BTreeMap;

use pipeline_fit::{Estimate, McNemar, Measures};
use pipeline_report::confusion;
use pipeline_stage::{Context, Failure};
use pipeline_table::{Mode, Split};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::marks::Marks;
use crate::tally::Tally;

/// `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Version of this file's form.
    pub format: u32,
    /// The split measured on.
    pub split: Split,
    /// Class names in order of their numbers; rows and columns of `confusion`, and what `per_class` lists.
    pub classes: Vec<String>,
    /// By model, which is the name of the stage that made it.
    pub models: BTreeMap<String, ModelMetrics>,
    /// Tests between each model's two modes, and between each two models in the same mode; at most 100.
    pub comparisons: Vec<Comparison>,
}

/// How one model did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetrics {
    /// On the plain view.
    pub plain: ModeMetrics,
    /// With test-time augmentation, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<ModeMetrics>,
}

/// How one model did in one mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModeMetrics {
    /// The measures.
    #[serde(flatten)]
    pub measured: Measured,
    /// Photos by actual class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// All measures, or those that need no more than counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measured {
    /// All of them.
    Whole(Box<Measures>),
    /// Where there were too many probabilities to keep.
    Counted(Counts),
}

/// The measures that need no more than counts, as in [`Measures`]; their intervals have no width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Labelled photos measured.
    pub photos: u64,
    /// Photos whose most likely class is not the label.
    pub errors: u64,
    /// Share of photos whose most likely class is the label, 0 to 1.
    pub accuracy: Estimate,
    /// Mean negative log-likelihood of the label in nats.
    pub log_loss: Estimate,
}

/// McNemar's test between two models or modes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `head`, or `head.tta`.
    pub first: String,
    /// The other.
    pub second: String,
    /// The test.
    #[serde(flatten)]
    pub test: McNemar,
}

const METRICS_FORMAT: u32 = 2;

/// Confusion matrices of more classes are not drawn: a cell would be a speck.
const MOST_DRAWN: usize = 500;

/// File name of the metrics.
pub const METRICS_FILE: &str = "metrics.json";

impl Metrics {
    /// The metrics of `marks`.
    pub(crate) fn of(split: Split, classes: &[String], marks: &Marks) -> Self {
        let mut models: BTreeMap<String, ModelMetrics> = BTreeMap::new();
        for (tally, measured) in marks.tallies.iter().zip(&marks.measured) {
            let confusion = tally.confusion.rows().map(<[u64]>::to_vec).collect();
            let metrics = ModeMetrics { measured: measured.clone(), confusion };
            match (tally.mode, models.get_mut(&tally.model)) {
                (Mode::Tta, Some(model)) => model.tta = Some(metrics),
                _ => drop(models.insert(tally.model.clone(), ModelMetrics { plain: metrics, tta: None })),
            }
        }
        let name = |place: usize| marks.tallies[place].name();
        let comparison = |&(first, second, test): &(usize, usize, McNemar)| Comparison {
            first: name(first),
            second: name(second),
            test,
        };
        let comparisons = marks.comparisons.iter().map(comparison).collect();
        Metrics { format: METRICS_FORMAT, split, classes: classes.to_vec(), models, comparisons }
    }
}

impl Measured {
    /// Labelled photos measured.
    pub fn photos(&self) -> u64 {
        match self {
            Measured::Whole(measures) => measures.photos,
            Measured::Counted(counts) => counts.photos,
        }
    }

    /// Photos whose most likely class is not the label.
    pub fn errors(&self) -> u64 {
        match self {
            Measured::Whole(measures) => measures.errors,
            Measured::Counted(counts) => counts.errors,
        }
    }

    /// Share of photos whose most likely class is the label, 0 to 1; higher is better.
    pub fn accuracy(&self) -> Estimate {
        match self {
            Measured::Whole(measures) => measures.accuracy,
            Measured::Counted(counts) => counts.accuracy,
        }
    }

    /// Mean negative log-likelihood of the label in nats; lower is better.
    pub fn log_loss(&self) -> Estimate {
        match self {
            Measured::Whole(measures) => measures.log_loss,
            Measured::Counted(counts) => counts.log_loss,
        }
    }

    /// All measures, where there are all.
    pub fn whole(&self) -> Option<&Measures> {
        match self {
            Measured::Whole(measures) => Some(measures),
            Measured::Counted(_) => None,
        }
    }
}

impl Counts {
    /// Those of a tally with a labelled photo.
    pub(crate) fn of(tally: &Tally) -> Self {
        let exact = |value: f64| Estimate { value, low: value, high: value };
        let (photos, errors) = (tally.confusion.total(), tally.errors());
        Counts {
            photos,
            errors,
            accuracy: exact((photos - errors) as f64 / photos as f64),
            log_loss: exact(tally.loss_sum / photos as f64),
        }
    }
}

/// Writes [`METRICS_FILE`], and `confusion/<model>.csv` and, with test-time augmentation, `confusion/<model>.tta.csv`.
pub(crate) fn write(cx: &Context<'_>, metrics: &Metrics, tallies: &[Tally]) -> Result<(), Failure> {
    let mut json = serde_json::to_string_pretty(metrics).map_err(Error::Json)?;
    json.push('\n');
    fs_err::write(cx.out.join(METRICS_FILE), json).map_err(Error::Io)?;
    let folder = cx.out.join("confusion");
    fs_err::create_dir(&folder).map_err(Error::Io)?;
    for tally in tallies {
        let path = |ending: &str| folder.join(format!("{}.{ending}", tally.name()));
        fs_err::write(path("csv"), tally.confusion.to_csv()).map_err(Error::Io)?;
        let classes = tally.confusion.classes();
        if classes.len() <= MOST_DRAWN {
            let rows: Vec<Vec<u64>> = tally.confusion.rows().map(<[u64]>::to_vec).collect();
            confusion::write_png(classes, &rows, false, &path("png"))?;
            confusion::write_png(classes, &rows, true, &path("shares.png"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_alone_are_written_under_the_names_of_all_measures_and_read_back() {
        let exact = |value: f64| Estimate { value, low: value, high: value };
        let counts = Counts { photos: 4, errors: 1, accuracy: exact(0.75), log_loss: exact(0.5) };
        let mode =
            ModeMetrics { measured: Measured::Counted(counts), confusion: vec![vec![3, 1], vec![0, 0]] };
        let json = serde_json::to_value(&mode).unwrap();
        let number = |value: f64| serde_json::json!({"value": value, "low": value, "high": value});
        let expected = serde_json::json!({
            "photos": 4, "errors": 1, "accuracy": number(0.75), "log_loss": number(0.5),
            "confusion": [[3, 1], [0, 0]],
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<ModeMetrics>(json).unwrap(), mode);
    }
}
