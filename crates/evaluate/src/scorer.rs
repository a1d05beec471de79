//! One model at work: rows of features in, predictions out, counts kept.

use pipeline_fit::{Confusion, argmax};
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, ModelRecord};
use pipeline_nn::{Device, Head, Kind, Tensor, no_grad, weights};
use pipeline_photo::Preprocessing;
use pipeline_stage::{Artifact, Failure};
use pipeline_table::{Features, FeaturesMeta, Mode, PredictionRow};

use crate::error::Error;

/// A model, and how it did so far.
pub(crate) struct Scorer {
    /// Name of the stage that made the model.
    pub(crate) model: String,
    /// Labelled photos by actual and predicted class.
    pub(crate) confusion: Confusion,
    /// Sum of the negative log-likelihoods of the labels, in nats.
    pub(crate) loss_sum: f64,
    head: Head,
    device: Device,
}

impl Scorer {
    /// Loads a model and checks that it goes with the features.
    pub(crate) fn load(artifact: &Artifact, meta: &FeaturesMeta, device: Device) -> Result<Self, Failure> {
        let record = ModelRecord::read(&artifact.path(MODEL_FILE))?;
        let model = artifact.stage.clone();
        if record.trunk.to_string() != meta.weights {
            let (trunk, features) = (record.trunk.to_string(), meta.weights.clone());
            return Err(Error::OtherTrunk { model, trunk, features }.into());
        }
        if record.classes != meta.classes {
            let expected = meta.classes.clone();
            return Err(Error::OtherClasses { model, found: record.classes, expected }.into());
        }
        let features: Preprocessing =
            serde_json::from_value(meta.preprocessing.clone()).map_err(Error::Preprocessing)?;
        if record.preprocessing != features {
            let (found, expected) = (record.preprocessing, features);
            return Err(Error::OtherPreprocessing { model, found, expected }.into());
        }
        let head = Head::load(&weights::read(&artifact.path(HEAD_FILE))?, device)?;
        if head.sizes().classes != record.classes.len() {
            let (found, expected) = (head.sizes().classes, record.classes.len());
            return Err(Error::OtherOutputs { model, found, expected }.into());
        }
        Ok(Scorer { model, confusion: Confusion::new(record.classes), loss_sum: 0.0, head, device })
    }

    /// Labelled photos scored so far.
    pub(crate) fn photos(&self) -> u64 {
        self.confusion.total()
    }

    /// Predicts a batch, a row per photo in the same order, and counts the labelled ones.
    pub(crate) fn score(&mut self, batch: &Features) -> Result<Vec<PredictionRow>, Failure> {
        let n = batch.rows.len() as i64;
        let log_probs = no_grad(|| {
            let x = Tensor::from_slice(&batch.emb).view([n, batch.dim as i64]).to_device(self.device); // [N, D]
            self.head.forward_eval(&x) // [N, classes]
        })?;
        let flat = log_probs.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
        let log_probs = Vec::<f32>::try_from(&flat)
            .map_err(pipeline_nn::Error::torch("read the predictions of a batch"))?;

        let classes = self.confusion.classes().len();
        let mut predictions = Vec::with_capacity(batch.rows.len());
        for (row, log_probs) in batch.rows.iter().zip(log_probs.chunks_exact(classes)) {
            let predicted_id = argmax(log_probs);
            let mut loss = None;
            if let Some(label) = row.label_id {
                // First, for it refuses a label that is no class.
                self.confusion.add(label, predicted_id)?;
                let label_loss = -log_probs[label as usize];
                self.loss_sum += f64::from(label_loss);
                loss = Some(label_loss);
            }
            predictions.push(PredictionRow {
                id: row.id.clone(),
                split: row.split,
                label: row.label.clone(),
                label_id: row.label_id,
                model: self.model.clone(),
                mode: Mode::Plain,
                predicted: self.confusion.classes()[predicted_id as usize].clone(),
                predicted_id,
                confidence: log_probs[predicted_id as usize].exp(),
                loss,
                probs: log_probs.iter().map(|lp| lp.exp()).collect(),
            });
        }
        Ok(predictions)
    }
}
