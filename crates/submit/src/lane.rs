//! [`Lane`]: photos in, what the models say of them together out.

use std::path::PathBuf;

use pipeline_fit::log_mean;
use pipeline_photo::{ReadError, read_content};
use pipeline_predict::{Photo, Predictor};
use pipeline_stage::{Cancel, Failure};
use pipeline_table::ImageRow;

/// The models, for one thread.
pub(crate) struct Lane {
    models: Vec<Predictor>,
    folder: PathBuf,
    cancel: Cancel,
}

/// A photo and the probability of each class: `[classes]`, 0 to 1.
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) probs: Vec<f64>,
}

impl Lane {
    /// Of models, shared with other lanes, that look at photos of `folder`.
    pub(crate) fn new(
        models: &[Predictor],
        folder: PathBuf,
        cancel: Cancel,
    ) -> Result<Self, pipeline_predict::Error> {
        let models = models.iter().map(Predictor::share).collect::<Result<_, _>>()?;
        Ok(Lane { models, folder, cancel })
    }

    /// What the models say of each photo, the mean of their probabilities.
    pub(crate) fn ask(&mut self, photos: Vec<ImageRow>) -> Result<Vec<Said>, Failure> {
        let mut contents = Vec::with_capacity(photos.len());
        for photo in &photos {
            self.cancel.check()?;
            contents.push(read_content(&self.folder, &photo.id, &photo.digest)?);
        }
        let given: Vec<Photo<'_>> = contents.iter().map(|bytes| Photo::Bytes(bytes)).collect();
        let mut log_probs: Vec<Vec<f32>> = vec![vec![]; photos.len()]; // [models, classes] of each
        for model in &mut self.models {
            self.cancel.check()?;
            for ((photo, answer), log_probs) in photos.iter().zip(model.predict(&given)?).zip(&mut log_probs)
            {
                let undecodable = |why: pipeline_photo::Rejected| ReadError::Undecodable {
                    id: photo.id.clone(),
                    why: why.to_string(),
                };
                log_probs.extend(answer.map_err(undecodable)?.log_probs);
            }
        }
        let said = |(photo, log_probs): (ImageRow, Vec<f32>)| {
            let mean = log_mean(&log_probs, log_probs.len() / self.models.len());
            Said { id: photo.id, probs: mean.iter().map(|log_prob| f64::from(*log_prob).exp()).collect() }
        };
        Ok(photos.into_iter().zip(log_probs).map(said).collect())
    }
}
