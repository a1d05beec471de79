//! [`Candidate`]: one model in one mode, what it says of each photo, and the counts that are kept of it.

use pipeline_fit::{Confusion, argmax, log_mean};
use pipeline_stage::Failure;
use pipeline_table::{FeatureRow, ImageRow, Mode, PredictionRow, Split};

use crate::error::Error;

/// A photo that is measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Photo {
    /// Path relative to the data root.
    pub(crate) id: String,
    /// Part of the data set.
    pub(crate) split: Split,
    /// Class; `None` where unlabelled.
    pub(crate) label: Option<String>,
    /// Number of the class; `None` where unlabelled.
    pub(crate) label_id: Option<u32>,
}

impl From<FeatureRow> for Photo {
    fn from(row: FeatureRow) -> Self {
        Photo { id: row.id, split: row.split, label: row.label, label_id: row.label_id }
    }
}

impl From<ImageRow> for Photo {
    fn from(row: ImageRow) -> Self {
        Photo { id: row.id, split: row.split, label: row.label, label_id: row.label_id }
    }
}

/// How a model did so far in one mode.
pub(crate) struct Candidate {
    /// Name of the stage that made the model.
    pub(crate) model: String,
    /// How the model is asked.
    pub(crate) mode: Mode,
    /// Labelled photos by actual and predicted class.
    pub(crate) confusion: Confusion,
    /// Sum of the negative log-likelihoods of the labels, in nats.
    pub(crate) loss_sum: f64,
    /// The first view that mode tta averages.
    first_averaged: usize,
}

impl Candidate {
    pub(crate) fn new(model: String, mode: Mode, classes: Vec<String>, first_averaged: usize) -> Self {
        Candidate { model, mode, confusion: Confusion::new(classes), loss_sum: 0.0, first_averaged }
    }

    /// The name in files: `head`, or `head.tta`. Names of stages have no dots.
    pub(crate) fn name(&self) -> String {
        name(&self.model, self.mode)
    }

    /// The row of a photo with these log-probabilities, `[views, classes]`, the plain view first; counted where the photo
    /// is labelled.
    ///
    /// # Errors
    /// A log-probability that is not finite, a label that is no class.
    pub(crate) fn add(&mut self, photo: &Photo, views: &[f32]) -> Result<PredictionRow, Failure> {
        let classes = self.confusion.classes().len();
        if let Some(found) = views.iter().find(|lp| !lp.is_finite()) {
            let (model, id) = (self.model.clone(), photo.id.clone());
            return Err(Error::NotFinite { model, id, found: *found }.into());
        }
        let exp = |log_probs: &[f32]| log_probs.iter().map(|lp| lp.exp()).collect::<Vec<f32>>();
        let averaged = &views[self.first_averaged * classes..];
        let (log_probs, view_probs) = match self.mode {
            Mode::Plain => (views[..classes].to_vec(), None),
            Mode::Tta => {
                (log_mean(averaged, classes), Some(averaged.chunks_exact(classes).map(exp).collect()))
            }
        };
        let probs = exp(&log_probs);
        // Of the probabilities, for these are what the table holds and what is measured.
        let predicted_id = argmax(&probs);
        let mut loss = None;
        if let Some(label) = photo.label_id {
            // First, for it refuses a label that is no class.
            self.confusion.add(label, predicted_id)?;
            let label_loss = -log_probs[label as usize];
            self.loss_sum += f64::from(label_loss);
            loss = Some(label_loss);
        }
        Ok(PredictionRow {
            id: photo.id.clone(),
            split: photo.split,
            label: photo.label.clone(),
            label_id: photo.label_id,
            model: self.model.clone(),
            mode: self.mode,
            predicted: self.confusion.classes()[predicted_id as usize].clone(),
            predicted_id,
            confidence: probs[predicted_id as usize],
            loss,
            probs,
            view_probs,
        })
    }
}

/// `head`, or `head.tta`.
pub(crate) fn name(model: &str, mode: Mode) -> String {
    match mode {
        Mode::Plain => model.to_owned(),
        mode => format!("{model}.{mode}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_probability_zero_in_float32_keeps_a_finite_loss() {
        // By hand: ln((e^-200 + e^-300) / 2) = -200 - ln 2, as e^-100 is lost in float64 beside 1.
        let loss = 200.0 + std::f32::consts::LN_2;
        let row = candidate(0).add(&photo(), &[0.0, -200.0, 0.0, -300.0]).unwrap();
        assert_eq!((row.predicted_id, row.probs, row.loss), (0, vec![1.0, 0.0], Some(loss)));
    }

    #[test]
    fn crops_are_averaged_without_the_plain_view() {
        let views = [0.9_f32, 0.1, 0.4, 0.6, 0.2, 0.8].map(f32::ln);
        for (first, mean) in [(0, 0.5), (1, 0.3)] {
            let row = candidate(first).add(&photo(), &views).unwrap();
            assert!((row.probs[0] - mean).abs() < 1e-6, "{first}: {:?}, expected {mean}", row.probs);
            let of_views = row.view_probs.unwrap();
            assert_eq!(of_views.len(), 3 - first);
            assert!((of_views[2 - first][1] - 0.8).abs() < 1e-6, "{of_views:?}");
        }
    }

    #[test]
    fn numbers_that_are_none_name_the_model_and_the_photo() {
        let failure = candidate(0).add(&photo(), &[0.0, f32::NAN]).unwrap_err();
        let message = "model `head` answers photo `valid/a.jpg` with NaN, expected log-probabilities";
        assert_eq!(failure.to_string(), message);
    }

    fn candidate(first_averaged: usize) -> Candidate {
        Candidate::new(
            "head".to_owned(),
            Mode::Tta,
            vec!["cats".to_owned(), "dogs".to_owned()],
            first_averaged,
        )
    }

    fn photo() -> Photo {
        Photo {
            id: "valid/a.jpg".to_owned(),
            split: Split::Valid,
            label: Some("dogs".to_owned()),
            label_id: Some(1),
        }
    }
}
