//! `metrics.json` and the confusion matrices: what is said of the models in the end, for programs.

use std::collections::BTreeMap;

use pipeline_fit::{Estimate, McNemar, Measures};
use pipeline_report::confusion;
use pipeline_stage::{Context, Failure};
use pipeline_table::{Mode, Split};
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::error::Error;
use crate::exam::Exam;
use crate::marks::Marks;

/// `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Version of this file's form.
    pub format: u32,
    /// The split measured on.
    pub split: Split,
    /// Class names in order of their numbers; rows and columns of `confusion`, and what `per_class` lists.
    pub classes: Vec<String>,
    /// Classes of which the split has no labelled photo: nothing is measured of them.
    pub classes_without_photos: Vec<String>,
    /// What made the features that what is found in the data rests on; `None` without features.
    pub features: Option<FeatureTrunk>,
    /// By model, which is the name of the stage that made it.
    pub models: BTreeMap<String, ModelMetrics>,
    /// Tests between each model's two modes, and between each two models in the same mode; at most 100.
    pub comparisons: Vec<PairTest>,
}

/// The trunk that made the feature table: near duplicates, outliers, the map, nearest training photos and the search for
/// wrong labels are by its features, whichever model is detailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureTrunk {
    /// Its architecture. Its weights are those of a backbone, as pretrained.
    pub arch: String,
    /// Digest of its weights, 64 hexadecimal digits.
    pub trunk: String,
    /// Whether the detailed model has kept this very trunk; `false` where it was trained further.
    pub is_of_detailed_model: bool,
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

/// All measures, or those that need no more than counts; the key `measured` says which: `whole` or `counted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "measured", rename_all = "snake_case")]
pub enum Measured {
    /// All of them.
    Whole(Box<Measures>),
    /// Where there were too many probabilities to keep.
    Counted(Counts),
}

/// The measures that need no more than counts, as in [`Measures`]; without intervals.
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
pub struct PairTest {
    /// `head`, or `head.tta`.
    pub first: String,
    /// The other.
    pub second: String,
    /// The test.
    #[serde(flatten)]
    pub test: McNemar,
}

const METRICS_FORMAT: u32 = 3;

/// Confusion matrices of more classes are not drawn: a cell would be a speck.
const MOST_DRAWN: usize = 500;

/// File name of the metrics.
pub const METRICS_FILE: &str = "metrics.json";

impl Metrics {
    /// The metrics of `marks`.
    pub(crate) fn of(split: Split, exam: &Exam, marks: &Marks) -> Self {
        let mut models: BTreeMap<String, ModelMetrics> = BTreeMap::new();
        for (candidate, measured) in marks.candidates.iter().zip(&marks.measured) {
            let confusion = candidate.confusion.rows().map(<[u64]>::to_vec).collect();
            let metrics = ModeMetrics { measured: measured.clone(), confusion };
            match (candidate.mode, models.get_mut(&candidate.model)) {
                (Mode::Tta, Some(model)) => model.tta = Some(metrics),
                _ => drop(models.insert(candidate.model.clone(), ModelMetrics { plain: metrics, tta: None })),
            }
        }
        let name = |place: usize| marks.candidates[place].name();
        let test = |&(first, second, test): &(usize, usize, McNemar)| PairTest {
            first: name(first),
            second: name(second),
            test,
        };
        Metrics {
            format: METRICS_FORMAT,
            split,
            classes: exam.classes.clone(),
            classes_without_photos: marks.classes_without_photos().map(str::to_owned).collect(),
            features: exam.feature_trunk(),
            models,
            comparisons: marks.comparisons.iter().map(test).collect(),
        }
    }
}

impl FeatureTrunk {
    /// `resnet34 as pretrained (1d6ff585…), not of finetune's own trunk`, for people; `detailed` is the model's name.
    pub(crate) fn words(&self, detailed: &str) -> String {
        let digits: String = self.trunk.chars().take(8).collect();
        let own = if self.is_of_detailed_model { "which is" } else { "not of" };
        format!("{} as pretrained ({digits}…), {own} {detailed}'s own trunk", self.arch)
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
    /// Those of a candidate with a labelled photo.
    pub(crate) fn of(candidate: &Candidate) -> Self {
        let (photos, errors) = (candidate.confusion.total(), candidate.confusion.errors());
        Counts {
            photos,
            errors,
            accuracy: Estimate::exact((photos - errors) as f64 / photos as f64),
            log_loss: Estimate::exact(candidate.loss_sum / photos as f64),
        }
    }
}

/// Writes [`METRICS_FILE`], and `confusion/<model>.csv` and, with test-time augmentation, `confusion/<model>.tta.csv`.
pub(crate) fn write(cx: &Context<'_>, metrics: &Metrics, candidates: &[Candidate]) -> Result<(), Failure> {
    let mut json = serde_json::to_string_pretty(metrics).map_err(Error::Json)?;
    json.push('\n');
    fs_err::write(cx.out.join(METRICS_FILE), json).map_err(Error::Io)?;
    let folder = cx.out.join("confusion");
    fs_err::create_dir(&folder).map_err(Error::Io)?;
    for candidate in candidates {
        let path = |ending: &str| folder.join(format!("{}.{ending}", candidate.name()));
        fs_err::write(path("csv"), candidate.confusion.to_csv()).map_err(Error::Io)?;
        let classes = candidate.confusion.classes();
        if classes.len() <= MOST_DRAWN {
            let rows: Vec<Vec<u64>> = candidate.confusion.rows().map(<[u64]>::to_vec).collect();
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
    fn counts_alone_say_so_under_the_names_of_all_measures_and_are_read_back() {
        let exact = Estimate::exact;
        let counts = Counts { photos: 4, errors: 1, accuracy: exact(0.75), log_loss: exact(0.5) };
        let mode =
            ModeMetrics { measured: Measured::Counted(counts), confusion: vec![vec![3, 1], vec![0, 0]] };
        let json = serde_json::to_value(&mode).unwrap();
        let number = |value: f64| serde_json::json!({"value": value, "interval": null});
        let expected = serde_json::json!({
            "measured": "counted", "photos": 4, "errors": 1, "accuracy": number(0.75), "log_loss": number(0.5),
            "confusion": [[3, 1], [0, 0]],
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<ModeMetrics>(json.clone()).unwrap(), mode);
        // Counts do not pass for a whole that lacks something.
        let mut whole = json;
        whole["measured"] = "whole".into();
        let error = serde_json::from_value::<ModeMetrics>(whole).unwrap_err().to_string();
        assert!(error.contains("missing field `resamples`"), "{error}");
    }
}
