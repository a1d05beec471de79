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
    /// A training or validation photo without a label.
    #[error("photo `{id}` has no label")]
    Unlabelled {
        /// Its id.
        id: String,
    },
    /// A label that no class has.
    #[error("photo `{id}` has the class number {label}, expected one below {classes}")]
    UnknownClass {
        /// Its id.
        id: String,
        /// The number.
        label: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// The features were pooled in a way that is not known here.
    #[error("the features were pooled by `{found}`, expected max_avg or avg")]
    UnknownPool {
        /// The way.
        found: String,
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
            Error::NoTrunk
            | Error::Preprocessing(_)
            | Error::UnknownClass { .. }
            | Error::UnknownPool { .. } => Some("make the artifact again with `--force STAGE`".to_owned()),
            Error::OtherTrunk { .. } => {
                Some("give precompute and head the same backbone in the pipeline file".to_owned())
            }
            Error::Unlabelled { .. } => Some("put it into a folder named after its class".to_owned()),
            Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                Error::UnknownClass { id: "train/a.jpg".into(), label: 7, classes: 2 },
                "photo `train/a.jpg` has the class number 7, expected one below 2",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::UnknownPool { found: "max".into() },
                "the features were pooled by `max`, expected max_avg or avg",
                "make the artifact again with `--force STAGE`",
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
