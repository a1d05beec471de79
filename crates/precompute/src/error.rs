//! What can go wrong in the `precompute` stage beyond reading and writing tables and weights.

use pipeline_stage::Hint;

/// An error of the `precompute` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upstream stage did not say where its photos are.
    #[error("the input `images` has no source `photos`: expected the artifact of an ingest stage")]
    NoPhotoFolder,
    /// A photo of the table cannot be read any more.
    #[error("cannot read photo `{id}`: {source}")]
    Unreadable {
        /// Its id.
        id: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A photo has other content than when it was ingested.
    #[error("photo `{id}` changed since it was ingested")]
    Changed {
        /// Its id.
        id: String,
    },
    /// A photo that ingest could decode cannot be decoded.
    #[error("cannot decode photo `{id}`: {why}")]
    Undecodable {
        /// Its id.
        id: String,
        /// The decoder's reason.
        why: String,
    },
    /// No photo in any of the splits.
    #[error("there is no usable photo in {}", splits.join(", "))]
    NoPhotos {
        /// The splits that were asked for.
        splits: Vec<String>,
    },
    /// The preprocessing cannot be written as JSON.
    #[error("cannot write the preprocessing as JSON: {0}")]
    Preprocessing(serde_json::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NoPhotoFolder => Some("connect `images` to a stage of kind ingest".to_owned()),
            Error::Unreadable { .. } | Error::Changed { .. } => {
                Some("run again: ingest will look at the folder anew".to_owned())
            }
            Error::Undecodable { .. } => {
                Some("run the stage that ingests them again, with `--force STAGE`".to_owned())
            }
            Error::NoPhotos { .. } => Some("name splits that have photos in `splits`".to_owned()),
            Error::Preprocessing(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_names_the_photo_and_the_way_out() {
        let id = || "train/cats/a.jpg".to_owned();
        let cases = [
            (
                Error::NoPhotoFolder,
                "the input `images` has no source `photos`: expected the artifact of an ingest stage",
                "connect `images` to a stage of kind ingest",
            ),
            (
                Error::Unreadable { id: id(), source: std::io::Error::other("the disk fell over") },
                "cannot read photo `train/cats/a.jpg`: the disk fell over",
                "run again: ingest will look at the folder anew",
            ),
            (
                Error::Changed { id: id() },
                "photo `train/cats/a.jpg` changed since it was ingested",
                "run again: ingest will look at the folder anew",
            ),
            (
                Error::Undecodable { id: id(), why: "it is cut short".to_owned() },
                "cannot decode photo `train/cats/a.jpg`: it is cut short",
                "run the stage that ingests them again, with `--force STAGE`",
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
