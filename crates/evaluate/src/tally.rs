//! One model in one mode: what it says of each photo, and the counts that are kept of it.

use pipeline_fit::{Confusion, argmax};
use pipeline_stage::Failure;
use pipeline_table::{FeatureRow, ImageRow, Mode, PredictionRow, Split};

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
pub(crate) struct Tally {
    /// Name of the stage that made the model.
    pub(crate) model: String,
    /// How the model is asked.
    pub(crate) mode: Mode,
    /// Labelled photos by actual and predicted class.
    pub(crate) confusion: Confusion,
    /// Sum of the negative log-likelihoods of the labels, in nats.
    pub(crate) loss_sum: f64,
}

impl Tally {
    pub(crate) fn new(model: String, mode: Mode, classes: Vec<String>) -> Self {
        Tally { model, mode, confusion: Confusion::new(classes), loss_sum: 0.0 }
    }

    /// The row of a photo with these log-probabilities, `[views, classes]`, the plain view first; counted where the photo
    /// is labelled.
    pub(crate) fn add(&mut self, photo: &Photo, views: &[f32]) -> Result<PredictionRow, Failure> {
        let classes = self.confusion.classes().len();
        let log_probs = match self.mode {
            Mode::Plain => views[..classes].to_vec(),
            Mode::Tta => log_mean(views, classes),
        };
        let predicted_id = argmax(&log_probs);
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
            confidence: log_probs[predicted_id as usize].exp(),
            loss,
            probs: log_probs.iter().map(|lp| lp.exp()).collect(),
        })
    }
}

/// `ln(mean over views of exp(x))` of each class: `[views, classes]`, at least one view, to `[classes]`.
///
/// Each sum is of `exp(x - max)`, times `exp(max)`: a class that is very unlikely in all views keeps its logarithm, where
/// its probability would be 0 in float32.
fn log_mean(views: &[f32], classes: usize) -> Vec<f32> {
    let count = (views.len() / classes) as f64;
    let of_class = |class: usize| {
        let values = || views.iter().skip(class).step_by(classes).map(|x| f64::from(*x));
        let max = values().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = values().map(|x| (x - max).exp()).sum();
        (max + (sum / count).ln()) as f32
    };
    (0..classes).map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_probabilities_and_not_of_their_logarithms() {
        // By hand: (.5, .1, .4) and (.1, .7, .2) have the means (.3, .4, .3); the means of the logarithms would put the
        // first class below the third: (.224, .265, .283).
        let views = [0.5_f32, 0.1, 0.4, 0.1, 0.7, 0.2].map(f32::ln);
        for (found, expected) in log_mean(&views, 3).into_iter().zip([0.3_f32, 0.4, 0.3]) {
            assert!((found.exp() - expected).abs() < 1e-6, "{} {expected}", found.exp());
        }
    }

    #[test]
    fn a_class_of_probability_zero_in_float32_keeps_a_finite_loss() {
        // By hand: ln((e^-200 + e^-300) / 2) = -200 - ln 2, as e^-100 is lost in float64 beside 1.
        let found = log_mean(&[0.0, -200.0, 0.0, -300.0], 2);
        assert_eq!(found, [0.0, -200.0 - std::f32::consts::LN_2]);
        let mut tally = Tally::new("head".to_owned(), Mode::Tta, vec!["cats".to_owned(), "dogs".to_owned()]);
        let photo = Photo {
            id: "valid/a.jpg".to_owned(),
            split: Split::Valid,
            label: Some("dogs".to_owned()),
            label_id: Some(1),
        };
        let row = tally.add(&photo, &[0.0, -200.0, 0.0, -300.0]).unwrap();
        assert_eq!((row.predicted_id, row.probs, row.loss), (0, vec![1.0, 0.0], Some(-found[1])));
    }
}
