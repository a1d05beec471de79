//! What can go wrong with a model, beyond what its weights can have. What is wrong with a photo is an answer.

use pipeline_photo::MOST_RANDOM;
use pipeline_stage::Hint;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the model folder, or libtorch.
    #[error(transparent)]
    Network(#[from] pipeline_nn::Error),
    /// A model whose answers are no numbers.
    #[error("the model answers {photo} with {found}, expected log-probabilities")]
    NotFinite {
        /// The photo: `photo `a.jpg``, or its place among those that were given as bytes.
        photo: String,
        /// The first that is none.
        found: f32,
    },
    /// Random views without the policy that draws them.
    #[error(
        "cannot draw {views} random views of each photo: a model folder does not have the training's policy of augmentation"
    )]
    NoPolicy {
        /// How many were asked for.
        views: u32,
    },
    /// More random views than make sense.
    #[error("cannot draw {found} random views of each photo, expected 0 to {MOST_RANDOM}")]
    TooManyViews {
        /// How many were asked for.
        found: u32,
    },
    /// A batch that the memory does not hold.
    #[error("cannot keep a batch of {views} views: there are no {bytes} bytes for its pixels")]
    OutOfMemory {
        /// Views in it.
        views: usize,
        /// Bytes of pixels.
        bytes: u64,
    },
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Network(error) => return error.hint(),
            Error::NotFinite { .. } => "compute in f32; if it stays so, train the model again",
            Error::NoPolicy { .. } => {
                "name an artifact of augment, such as out/CONFIG/augment, or use flip, five_crop or ten_crop"
            }
            Error::OutOfMemory { .. } => "use fewer threads",
            Error::TooManyViews { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let cases = [
            (
                Error::NotFinite { photo: "photo `a.jpg`".to_owned(), found: f32::NAN },
                "the model answers photo `a.jpg` with NaN, expected log-probabilities",
                Some("compute in f32; if it stays so, train the model again"),
            ),
            (
                Error::NoPolicy { views: 4 },
                "cannot draw 4 random views of each photo: a model folder does not have the training's policy of augmentation",
                Some(
                    "name an artifact of augment, such as out/CONFIG/augment, or use flip, five_crop or ten_crop",
                ),
            ),
            (
                Error::TooManyViews { found: 65 },
                "cannot draw 65 random views of each photo, expected 0 to 64",
                None,
            ),
            (
                Error::OutOfMemory { views: 8, bytes: 12 },
                "cannot keep a batch of 8 views: there are no 12 bytes for its pixels",
                Some("use fewer threads"),
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, hint));
        }
    }
}
