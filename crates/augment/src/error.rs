//! What can go wrong in the `augment` stage beyond reading photos and tables and drawing the preview.

use pipeline_stage::Hint;

/// An error of the `augment` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to augment.
    #[error("there is no usable photo")]
    NoPhotos,
    /// A photo of the table has no size.
    #[error("photo `{id}` is listed as usable and has no width or height")]
    NoSize {
        /// Its id.
        id: String,
    },
    /// The policy cannot be written as JSON.
    #[error("cannot write the policy as JSON: {0}")]
    Json(serde_json::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NoPhotos => {
                Some("see `ingest.json` of the ingest stage for what was set aside".to_owned())
            }
            Error::NoSize { .. } => {
                Some("run the stage that ingests them again, with `--force {images}`".to_owned())
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
        let cases = [
            (
                Error::NoPhotos,
                "there is no usable photo",
                "see `ingest.json` of the ingest stage for what was set aside",
            ),
            (
                Error::NoSize { id: "train/a.jpg".to_owned() },
                "photo `train/a.jpg` is listed as usable and has no width or height",
                "run the stage that ingests them again, with `--force {images}`",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }
}
