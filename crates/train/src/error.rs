//! What can go wrong while training, beyond networks and tables.

use std::path::PathBuf;

use pipeline_fit::{NoSuggestion, Suggestion};
use pipeline_stage::Hint;

/// An error of training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Batch norm needs at least two photos.
    #[error("expected at least 2 photos to train on, found {found}")]
    TooFewPhotos {
        /// How many there are.
        found: usize,
    },
    /// Fewer photos than classes, so that some class has none.
    #[error(
        "expected at least one photo to train on for each class, found {photos} photos for {classes} classes"
    )]
    MoreClassesThanPhotos {
        /// Photos to train on.
        photos: usize,
        /// Classes.
        classes: usize,
    },
    /// What is chosen by the valid loss cannot be where there is none.
    #[error("`keep: best` and `early_stopping` need photos to measure on, found no labelled valid photo")]
    NothingToMeasure,
    /// A list of class weights of another length.
    #[error("`class_weights` has {found} weights for {expected} classes")]
    ClassWeights {
        /// Weights given.
        found: usize,
        /// Classes.
        expected: usize,
    },
    /// Training diverged.
    #[error("the loss became {loss} in epoch {epoch}, step {step}, at learning rate {}", rates(lr))]
    LossNotFinite {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: u32,
        /// The step, from 1.
        step: u64,
        /// The rate of each layer group at that step.
        lr: Vec<f64>,
        /// The rates before the schedule.
        given: Vec<f64>,
        /// Where the last good checkpoint is, if there is one.
        checkpoint: Option<PathBuf>,
    },
    /// The finder's curve suggests no rate.
    #[error("{why}, by `{}`", name(suggestion))]
    NoRate {
        /// How it was to be read off.
        suggestion: Suggestion,
        /// Why it cannot be.
        why: NoSuggestion,
    },
    /// The state in a checkpoint cannot be written as JSON.
    #[error("cannot write the state of the training as JSON: {0}")]
    Json(serde_json::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// `0.01`, or `[0.0001, 0.001, 0.01]`.
fn rates(lr: &[f64]) -> String {
    match lr {
        [one] => format!("{one:?}"),
        all => format!("{all:?}"),
    }
}

/// As in YAML.
fn name(suggestion: &Suggestion) -> String {
    let json = serde_json::to_value(suggestion).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::TooFewPhotos { .. } | Error::MoreClassesThanPhotos { .. } => Some(
                "put more photos into train/ (a head trains on features: `splits` of precompute has `train`)"
                    .to_owned(),
            ),
            Error::NothingToMeasure => Some(
                "put labelled photos into valid/ (a head is measured on features: `splits` of precompute has `valid`), or leave both out".to_owned(),
            ),
            Error::ClassWeights { .. } => Some("give a weight for each class, in order of its name".to_owned()),
            Error::LossNotFinite { given, checkpoint, .. } => {
                let highest = given.iter().copied().fold(0.0, f64::max);
                let lower = if highest > 1.0 {
                    "try a lower rate: the lesson's is 0.01".to_owned()
                } else {
                    format!("try a lower rate, for example {:?}", highest / 10.0)
                };
                let kept = checkpoint.as_ref().map(|path| {
                    format!("; the last good weights are in `{}`", path.display())
                });
                Some(format!("{lower}, or `clip: 1.0`{}", kept.unwrap_or_default()))
            }
            Error::NoRate { .. } => {
                Some("look at the curve with `pipeline lr-find`, and give a number as `lr`".to_owned())
            }
            Error::Json(_) | Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let photos =
            "put more photos into train/ (a head trains on features: `splits` of precompute has `train`)";
        let cases = [
            (Error::TooFewPhotos { found: 1 }, "expected at least 2 photos to train on, found 1", photos),
            (
                Error::MoreClassesThanPhotos { photos: 4, classes: 10 },
                "expected at least one photo to train on for each class, found 4 photos for 10 classes",
                photos,
            ),
            (
                Error::ClassWeights { found: 2, expected: 3 },
                "`class_weights` has 2 weights for 3 classes",
                "give a weight for each class, in order of its name",
            ),
            (
                Error::LossNotFinite {
                    loss: f64::NAN,
                    epoch: 2,
                    step: 70,
                    lr: vec![0.1],
                    given: vec![10.0],
                    checkpoint: None,
                },
                "the loss became NaN in epoch 2, step 70, at learning rate 0.1",
                "try a lower rate: the lesson's is 0.01, or `clip: 1.0`",
            ),
            (
                Error::LossNotFinite {
                    loss: f64::INFINITY,
                    epoch: 1,
                    step: 7,
                    lr: vec![0.005, 0.5],
                    given: vec![0.005, 0.5],
                    checkpoint: Some("p/checkpoint.safetensors".into()),
                },
                "the loss became inf in epoch 1, step 7, at learning rate [0.005, 0.5]",
                "try a lower rate, for example 0.05, or `clip: 1.0`; the last good weights are in `p/checkpoint.safetensors`",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }
}
