//! What can go wrong in the `backbone` stage beyond reading weights.

use std::path::PathBuf;

use pipeline_stage::Hint;

/// An error of the `backbone` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file in the official file's place is another one, or damaged.
    #[error(
        "{} is not the official weight file: expected a SHA-256 that begins with `{expected}`, found `{found}`",
        path.display()
    )]
    NotTheOfficialFile {
        /// The file.
        path: PathBuf,
        /// First digits, or all, of the expected SHA-256.
        expected: String,
        /// SHA-256 of the file.
        found: String,
        /// How to get the official one, as an imperative.
        obtain: String,
    },
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NotTheOfficialFile { path, obtain, .. } => {
                Some(format!("{obtain}, or name this one on purpose with `weights: {}`", path.display()))
            }
            Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_file_in_the_official_place_is_named_with_both_digests() {
        let error = Error::NotTheOfficialFile {
            path: "data/weights/r.pth".into(),
            expected: "b627a593".into(),
            found: "00ff".into(),
            obtain: "delete it to fetch it again".into(),
        };
        assert_eq!(
            error.to_string(),
            "data/weights/r.pth is not the official weight file: expected a SHA-256 that begins with `b627a593`, found `00ff`"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some(
                "delete it to fetch it again, or name this one on purpose with `weights: data/weights/r.pth`"
            )
        );
    }
}
