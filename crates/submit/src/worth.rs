//! [`Worth`]: what clipping is worth, measured on photos whose labels are known.

use std::path::Path;

use pipeline_stage::{Failure, words};
use pipeline_table::{Mode, PredictionRow, PredictionsReader};
use serde::Serialize;

use crate::clip::clip;

/// The smallest probability that Kaggle counts with: what lies below is taken for it.
const LEAST: f64 = 1e-15;

/// The log loss of the models' mean with and without clipping.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worth {
    /// The photos' split: `valid`.
    pub split: String,
    /// How many labelled photos there are.
    pub photos: u64,
    /// `plain` or `tta`: how the models were asked.
    pub mode: Mode,
    /// Photos of whose answer clipping changes the largest probability.
    pub sure: u64,
    /// How many of these answers are wrong.
    pub sure_and_wrong: u64,
    /// Log loss, nats, as the models say it.
    pub log_loss: f64,
    /// Log loss, nats, clipped.
    pub clipped_log_loss: f64,
}

impl Worth {
    /// Of the predictions at `path`, those of these models in `mode`, or in mode plain where they were not asked in it;
    /// `None` where no labelled photo has an answer of each.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn of(path: &Path, models: &[&str], mode: Mode, bound: f64) -> Result<Option<Worth>, Failure> {
        let modes = if mode == Mode::Plain { vec![mode] } else { vec![mode, Mode::Plain] };
        for mode in modes {
            let mut worth: Option<Worth> = None;
            let mut photo: Vec<PredictionRow> = vec![];
            for row in PredictionsReader::open(path)? {
                let row = row?;
                if photo.first().is_some_and(|first| first.id != row.id) {
                    add(&mut worth, &photo, models.len(), bound);
                    photo.clear();
                }
                // Two inputs of one name would be one stage.
                if row.mode == mode && models.contains(&row.model.as_str()) {
                    photo.push(row);
                }
            }
            add(&mut worth, &photo, models.len(), bound);
            if let Some(mut worth) = worth {
                worth.log_loss /= worth.photos as f64;
                worth.clipped_log_loss /= worth.photos as f64;
                return Ok(Some(worth));
            }
        }
        Ok(None)
    }

    /// In words: what clipping changes on these photos, with the views that the evaluation has looked at.
    pub fn sentence(&self, bound: f64) -> String {
        let Worth { split, photos, mode, sure, sure_and_wrong, log_loss, clipped_log_loss } = self;
        let gain = log_loss - clipped_log_loss;
        let verdict = match () {
            () if gain > 0.0 => format!("clipping gains {gain:.4}"),
            () if gain < 0.0 => format!("clipping costs {:.4}", -gain),
            () => "clipping changes nothing".to_owned(),
        };
        format!(
            "Of {} labelled photos of {split} as evaluated ({}), {} have an answer surer than {}, and {} of these are wrong. \
             Log loss there is {log_loss:.4} as the models say it and {clipped_log_loss:.4} clipped: {verdict}.",
            words::count(*photos),
            if *mode == Mode::Plain { "the plain view" } else { "its test-time augmentation" },
            words::count(*sure),
            1.0 - bound,
            words::count(*sure_and_wrong),
        )
    }
}

/// Counts a photo of which all models have said something.
fn add(worth: &mut Option<Worth>, rows: &[PredictionRow], models: usize, bound: f64) {
    let Some((first, label)) = rows.first().and_then(|row| Some((row, row.label_id? as usize))) else {
        return;
    };
    if rows.len() != models {
        return;
    }
    let mean =
        |class: usize| rows.iter().map(|row| f64::from(row.probs[class])).sum::<f64>() / rows.len() as f64;
    let probs: Vec<f64> = (0..first.probs.len()).map(mean).collect();
    let mut clipped = probs.clone();
    clip(&mut clipped, bound);
    let likeliest =
        |probs: &[f64]| (0..probs.len()).fold(0, |best, i| if probs[i] > probs[best] { i } else { best });
    let best = likeliest(&probs);
    let is_sure = probs[best] > 1.0 - bound;
    let worth = worth.get_or_insert_with(|| Worth {
        split: first.split.to_string(),
        photos: 0,
        mode: first.mode,
        sure: 0,
        sure_and_wrong: 0,
        log_loss: 0.0,
        clipped_log_loss: 0.0,
    });
    worth.photos += 1;
    worth.sure += u64::from(is_sure);
    worth.sure_and_wrong += u64::from(is_sure && best != label);
    worth.log_loss -= probs[label].max(LEAST).ln();
    worth.clipped_log_loss -= clipped[label].max(LEAST).ln();
}
