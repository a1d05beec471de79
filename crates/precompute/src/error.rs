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
    /// There is too little memory, of the processor or the device, for a batch.
    #[error("out of memory on a batch of {} of {size} pixels: {reason}", batch(*batch_size))]
    OutOfMemory {
        /// Views in a batch.
        batch_size: usize,
        /// Side of a view.
        size: u32,
        /// What could not be had.
        reason: String,
    },
    /// A chunk cannot be written, or was damaged since.
    #[error("cannot keep the features that are computed so far: {0}")]
    Chunk(#[source] std::io::Error),
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
            Error::OutOfMemory { batch_size: 0 | 1, .. } => Some(
                "run with fewer --threads, each of which has a batch, or set a smaller `size`".to_owned(),
            ),
            Error::OutOfMemory { batch_size, .. } => Some(format!(
                "set `batch_size: {}`, or run with fewer --threads, each of which has a batch",
                batch_size / 2
            )),
            Error::NoPhotos { .. } => Some("name splits that have photos in `splits`".to_owned()),
            Error::Chunk(_) | Error::Preprocessing(_) => None,
        }
    }
}

/// `1 view`, `64 views`.
fn batch(views: usize) -> String {
    if views == 1 { "1 view".to_owned() } else { format!("{} views", words::count(views as u64)) }
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
                Error::OutOfMemory { batch_size: 65, size: 512, reason: "no 9 bytes".to_owned() },
                "out of memory on a batch of 65 views of 512 pixels: no 9 bytes",
                "set `batch_size: 32`, or run with fewer --threads, each of which has a batch",
            ),
            (
                Error::OutOfMemory { batch_size: 1, size: 512, reason: "no 9 bytes".to_owned() },
                "out of memory on a batch of 1 view of 512 pixels: no 9 bytes",
                "run with fewer --threads, each of which has a batch, or set a smaller `size`",
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
