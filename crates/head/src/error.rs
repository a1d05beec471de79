//! What can go wrong in the `head` stage beyond reading tables and weights.

use pipeline_stage::{Digest, Hint};

/// An error of the `head` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The backbone artifact lacks its trunk.
    #[error("the input `backbone` has no trunk.safetensors")]
    NoTrunk,
    /// Features of one network, trunk of another.
    #[error("the features were made by the trunk {features}, but the input `backbone` holds {backbone}")]
    OtherTrunk {
        /// Digest in the feature table.
        features: String,
        /// Digest of the backbone's trunk.
        backbone: Digest,
    },
    /// Batch norm needs at least two photos.
    #[error("expected at least 2 photos to train on, found {found}")]
    TooFewPhotos {
        /// How many there are.
        found: usize,
    },
    /// A training or validation photo without a label.
    #[error("photo `{id}` has no label")]
    Unlabelled {
        /// Its id.
        id: String,
    },
    /// Training diverged.
    #[error("the loss became {loss} in epoch {epoch}, step {step}, at learning rate {lr:?}")]
    LossNotFinite {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: u32,
        /// The step, from 1.
        step: u64,
        /// The rate of that step.
        lr: f64,
    },
    /// The feature table's preprocessing cannot be read.
    #[error("the feature table's preprocessing cannot be read: {0}")]
    Preprocessing(serde_json::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NoTrunk | Error::Preprocessing(_) => {
                Some("make the artifact again with `--force STAGE`".to_owned())
            }
            Error::OtherTrunk { .. } => {
                Some("give precompute and head the same backbone in the pipeline file".to_owned())
            }
            Error::TooFewPhotos { .. } => {
                Some("put photos into train/, and `train` into the `splits` of precompute".to_owned())
            }
            Error::Unlabelled { .. } => Some("put it into a folder named after its class".to_owned()),
            Error::LossNotFinite { lr, .. } if *lr > 1.0 => {
                Some("try a lower rate: the lesson's is 0.01".to_owned())
            }
            Error::LossNotFinite { lr, .. } => Some(format!("try a lower rate, for example {:?}", lr / 10.0)),
            Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_names_the_step_the_rate_and_what_to_try() {
        let error = Error::LossNotFinite { loss: f64::NAN, epoch: 2, step: 70, lr: 10.0 };
        assert_eq!(error.to_string(), "the loss became NaN in epoch 2, step 70, at learning rate 10.0");
        assert_eq!(error.hint().as_deref(), Some("try a lower rate: the lesson's is 0.01"));
        let error = Error::LossNotFinite { loss: f64::NAN, epoch: 2, step: 70, lr: 0.5 };
        assert_eq!(error.hint().as_deref(), Some("try a lower rate, for example 0.05"));
    }

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let cases = [
            (
                Error::NoTrunk,
                "the input `backbone` has no trunk.safetensors",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::OtherTrunk { features: "ab".into(), backbone: Digest::of(b"") },
                "the features were made by the trunk ab, but the input `backbone` holds af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
                "give precompute and head the same backbone in the pipeline file",
            ),
            (
                Error::TooFewPhotos { found: 1 },
                "expected at least 2 photos to train on, found 1",
                "put photos into train/, and `train` into the `splits` of precompute",
            ),
            (
                Error::Unlabelled { id: "train/a.jpg".into() },
                "photo `train/a.jpg` has no label",
                "put it into a folder named after its class",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }
}
