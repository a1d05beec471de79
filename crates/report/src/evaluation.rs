//! [`Evaluation`]: what the page `report.html` says of models that were measured.
//!
//! One file without network or script from outside, for a phone, a desk and paper. Every text in it is escaped; names of
//! files and classes come from strangers.

mod album;
mod classes;
mod curves;
mod findings;
mod map;
mod matrix;
mod measures;
mod page;
mod photos;
mod sheets;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use pipeline_fit::{ClassCurves, McNemar, Measures};

use crate::error::Error;
use crate::number;

/// Models that were measured on the photos of a split, one of them in detail.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Class names in order of their numbers.
    pub classes: Vec<String>,
    /// Every model in every mode, as given.
    pub models: Vec<Judged>,
    /// Tests between pairs of `models`, by their places.
    pub comparisons: Vec<(usize, usize, McNemar)>,
    /// The place in `models` of the one that everything below is about.
    pub detail: usize,
    /// Photos by actual class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// For each class its curves.
    pub curves: Vec<ClassCurves>,
    /// Every measured photo, in order of ids; unlabelled ones too.
    pub photos: Vec<PhotoRow>,
    /// The lesson's sheets.
    pub sheets: Vec<PhotoSheet>,
    /// Views of one photo, each with its vote; where there was test-time augmentation.
    pub views: Option<ViewSheet>,
    /// How each model was trained, in the order of the pipeline.
    pub trainings: Vec<Training>,
    /// What the features say of the data; `None` where there were none.
    pub insights: Option<Insights>,
    /// What made the features that `insights` and neighbours rest on, for people: `resnet34 as pretrained (1d6ff585…), not
    /// by finetune`; `None` without features.
    pub features_by: Option<String>,
    /// What ingest found, a sentence each.
    pub findings: Vec<String>,
    /// The config that makes it again: YAML.
    pub config: String,
    /// Kinds of stages with their versions, as in `head 3`.
    pub versions: Vec<String>,
}

/// A model in one mode.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Name of the stage that made it.
    pub model: String,
    /// How it was asked, for people: empty for the plain view, else `mean of 5 views`.
    pub mode: String,
    /// How good its answers are.
    pub measures: Measures,
}

/// A photo in the list of all photos.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoRow {
    /// Path relative to the data root.
    pub id: String,
    /// Actual class; `None` where unlabelled.
    pub label: Option<u32>,
    /// Predicted class.
    pub predicted: u32,
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f32,
    /// Negative log-likelihood of the label in nats.
    pub loss: Option<f32>,
    /// A small JPEG; `None` where the page has no room for it or the photo is gone.
    pub thumbnail: Option<Vec<u8>>,
}

/// Photos with something in common, to look at.
#[derive(Debug, Clone, Default)]
pub struct PhotoSheet {
    /// A short name for files and anchors: `most_wrong`.
    pub name: String,
    /// `Most wrong`.
    pub title: String,
    /// A sentence on how they were chosen.
    pub note: String,
    /// With a heading each where there are several, such as a class.
    pub rows: Vec<(Option<String>, Vec<SheetPhoto>)>,
}

/// A photo on a sheet.
#[derive(Debug, Clone)]
pub struct SheetPhoto {
    /// Its place in [`Evaluation::photos`].
    pub photo: usize,
    /// What the model saw of it; `None` where the photo is gone.
    pub picture: Option<RgbImage>,
    /// The same with what its answer rests on (Grad-CAM) as colours over it.
    pub heat: Option<RgbImage>,
    /// The nearest training photos.
    pub neighbours: Vec<NeighbourPhoto>,
}

/// A training photo near another photo.
#[derive(Debug, Clone)]
pub struct NeighbourPhoto {
    /// Path relative to the data root.
    pub id: String,
    /// Its class name.
    pub label: String,
    /// Cosine of the angle between both features, -1 to 1.
    pub similarity: f32,
    /// Small; `None` where the photo is gone.
    pub picture: Option<RgbImage>,
}

/// The views of one photo that were averaged.
#[derive(Debug, Clone)]
pub struct ViewSheet {
    /// Its place in [`Evaluation::photos`].
    pub photo: usize,
    /// Name of the view, picture, probability of the class that the mean says.
    pub views: Vec<(String, Option<RgbImage>, f32)>,
}

/// How a model was trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Name of the stage.
    pub model: String,
    /// PNG files by what they show: `learning rate`, `loss`.
    pub charts: Vec<(String, Vec<u8>)>,
}

/// What features say of the data.
#[derive(Debug, Clone, Default)]
pub struct Insights {
    /// Likely wrong labels, the likeliest first.
    pub label_issues: Vec<SuspectLabel>,
    /// How many photos the search for them looked at; `None` where it was not asked for.
    pub labels_checked: Option<u64>,
    /// Pairs of photos that are nearly the same, those of a photo to train on and one to measure on first.
    pub near_duplicates: Vec<NearDuplicate>,
    /// Photos that are like no other, the loneliest first.
    pub outliers: Vec<Outlier>,
    /// A plane of the features.
    pub map: Vec<MapPoint>,
    /// Shares of the variance that the map's axes have, 0 to 1.
    pub map_shares: [f64; 2],
    /// What was not looked for, and why; a sentence each.
    pub notes: Vec<String>,
    /// Small JPEGs of photos named above, by id.
    pub thumbnails: BTreeMap<String, Vec<u8>>,
}

/// A label that is likely wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct SuspectLabel {
    /// Path relative to the data root.
    pub id: String,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// The label.
    pub label: u32,
    /// The class that it is likely of.
    pub suggested: u32,
    /// Probability of the label by a model that has not seen the photo.
    pub label_probability: f32,
    /// Probability of the suggested class.
    pub suggested_probability: f32,
}

/// Two photos that are nearly the same.
#[derive(Debug, Clone, PartialEq)]
pub struct NearDuplicate {
    /// Ids, the smaller first.
    pub ids: [String; 2],
    /// Their splits.
    pub splits: [String; 2],
    /// Their class names; empty where unlabelled.
    pub labels: [String; 2],
    /// Cosine of the angle between both features.
    pub similarity: f32,
}

/// A photo that is like no other.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Path relative to the data root.
    pub id: String,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Class name; empty where unlabelled.
    pub label: String,
    /// Mean similarity to its nearest others.
    pub similarity: f32,
}

/// A photo on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPoint {
    /// Path relative to the data root.
    pub id: String,
    /// Class; `None` where unlabelled.
    pub label: Option<u32>,
    /// Where it stands.
    pub at: [f32; 2],
}

impl Insights {
    /// Ids of the photos that the page shows a thumbnail of, each once, the likeliest wrong labels first.
    pub fn shown(&self) -> Vec<&str> {
        findings::shown(self)
    }
}

impl Evaluation {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`Evaluation::html`], and [`Error::Io`].
    pub fn write_html(&self, path: &Path) -> Result<(), Error> {
        Ok(fs_err::write(path, self.html()?)?)
    }
}
