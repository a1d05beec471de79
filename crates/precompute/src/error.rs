//! What can go wrong in the `precompute` stage beyond reading and writing tables and weights.

use pipeline_stage::{Hint, words};

use crate::missing::Missing;

/// An error of the `precompute` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No photo in any of the splits.
    #[error("there is no usable photo in {}", splits.join(", "))]
    NoPhotos {
        /// The splits that were asked for.
        splits: Vec<String>,
    },
    /// Photos cannot be had any more.
    #[error("gone or changed since they were ingested: {photos} of {} photos", words::count(*of))]
    Missing {
        /// Which.
        photos: Missing,
        /// Photos in all.
        of: u64,
    },
    /// The table of views lacks a photo.
    #[error("the input `augment` lists no plain view of photo `{id}`")]
    NoViews {
        /// Its id.
        id: String,
    },
    /// The table of views has a view that nothing says how to make.
    #[error("the input `augment` lists view {view} of photo `{id}` and has no policy to make it with")]
    NoPolicy {
        /// The photo.
        id: String,
        /// The view.
        view: u32,
    },
    /// The policy in the table of views makes no sense.
    #[error("the policy of the input `augment` cannot be read: `{path}`: {message}")]
    Policy {
        /// Where in the policy.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Logits are asked for, and the weights have no classifier.
    #[error("`layers` has logits, but the weights of {arch} came without the classifier that computes them")]
    NoClassifier {
        /// The network.
        arch: String,
    },
    /// The trunk made something of a photo that is no number.
    #[error("the trunk makes {found} of photo `{id}`, expected finite numbers")]
    NotFinite {
        /// The photo.
        id: String,
        /// NaN or an infinity.
        found: f32,
    },
    /// A shard cannot be written, or was damaged since.
    #[error("cannot keep the features that are computed so far: {0}")]
    Shard(#[source] std::io::Error),
    /// The preprocessing cannot be written as JSON.
    #[error("cannot write the preprocessing as JSON: {0}")]
    Preprocessing(serde_json::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NoViews { .. } => {
                Some("in the pipeline file, give precompute and augment the same images".to_owned())
            }
            Error::NoPolicy { .. } | Error::Policy { .. } => {
                Some("make the artifact again with `--force STAGE`".to_owned())
            }
            Error::Missing { .. } => Some(
                "run again: ingest will look at the folder anew; or leave them out with `on_missing: skip`"
                    .to_owned(),
            ),
            Error::NoClassifier { .. } => Some(
                "use weights with their classifier, as the official ones, in `backbone.weights`, or leave `logits` out".to_owned(),
            ),
            Error::NotFinite { .. } => Some(
                "the weights may be damaged, or made for other photos: try others in `backbone.weights`"
                    .to_owned(),
            ),
            Error::NoPhotos { .. } => Some("name splits that have photos in `splits`".to_owned()),
            Error::Shard(_) | Error::Preprocessing(_) => None,
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
                Error::Missing {
                    photos: Missing { count: 1204, first: vec!["a.jpg".to_owned(), "b.jpg".to_owned()] },
                    of: 25_000,
                },
                "gone or changed since they were ingested: 1,204 (a.jpg, b.jpg, …) of 25,000 photos",
                "run again: ingest will look at the folder anew; or leave them out with `on_missing: skip`",
            ),
            (
                Error::NoViews { id: "train/cats/a.jpg".to_owned() },
                "the input `augment` lists no plain view of photo `train/cats/a.jpg`",
                "in the pipeline file, give precompute and augment the same images",
            ),
            (
                Error::NoPolicy { id: "train/cats/a.jpg".to_owned(), view: 2 },
                "the input `augment` lists view 2 of photo `train/cats/a.jpg` and has no policy to make it with",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::Policy { path: "steps.0".to_owned(), message: "unknown transform `warp`".to_owned() },
                "the policy of the input `augment` cannot be read: `steps.0`: unknown transform `warp`",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::NotFinite { id: "train/cats/a.jpg".to_owned(), found: f32::NAN },
                "the trunk makes NaN of photo `train/cats/a.jpg`, expected finite numbers",
                "the weights may be damaged, or made for other photos: try others in `backbone.weights`",
            ),
            (
                Error::NoClassifier { arch: "resnet18".to_owned() },
                "`layers` has logits, but the weights of resnet18 came without the classifier that computes them",
                "use weights with their classifier, as the official ones, in `backbone.weights`, or leave `logits` out",
            ),
            (
                Error::NoPhotos { splits: vec!["test".to_owned()] },
                "there is no usable photo in test",
                "name splits that have photos in `splits`",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }
}
