//! [`read`](read()): a photo of the data set from its file, as it was when it was ingested.

use std::path::Path;

use pipeline_stage::{Digest, Hint};

use crate::decode::Photo;
use crate::limits::Limits;
use crate::preprocessing::Preprocessing;

/// Why a photo that was fine when it was ingested cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read any more.
    #[error("cannot read photo `{id}`: {source}")]
    Unreadable {
        /// Its id.
        id: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// It has other content.
    #[error("photo `{id}` changed since it was ingested")]
    Changed {
        /// Its id.
        id: String,
    },
    /// It cannot be decoded.
    #[error("cannot decode photo `{id}`: {why}")]
    Undecodable {
        /// Its id.
        id: String,
        /// The decoder's reason.
        why: String,
    },
}

impl Hint for ReadError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            ReadError::Unreadable { .. } | ReadError::Changed { .. } => {
                "run again: ingest will look at the folder anew"
            }
            ReadError::Undecodable { .. } => "run the stage that ingests them again, with `--force {images}`",
        };
        Some(hint.to_owned())
    }
}

/// Reads and decodes the photo `id` of `folder`, whose content has `digest` (64 hexadecimal digits), for this preprocessing:
/// smaller than it is where [`Preprocessing::decode`] says so.
///
/// # Errors
/// It is not there any more, has other content, or cannot be decoded within `limits`.
pub fn read(
    folder: &Path,
    id: &str,
    digest: &str,
    preprocessing: &Preprocessing,
    limits: &Limits,
) -> Result<Photo, ReadError> {
    let bytes = read_content(folder, id, digest)?;
    preprocessing
        .decode(&bytes, limits)
        .map_err(|rejected| ReadError::Undecodable { id: id.to_owned(), why: rejected.to_string() })
}

/// The content of the photo `id` of `folder`, which has `digest` (64 hexadecimal digits).
///
/// # Errors
/// It is not there any more, or has other content.
pub fn read_content(folder: &Path, id: &str, digest: &str) -> Result<Vec<u8>, ReadError> {
    let named = || id.to_owned();
    let bytes = bytes(&folder.join(id)).map_err(|source| ReadError::Unreadable { id: named(), source })?;
    if Digest::of(&bytes).to_string() != digest {
        return Err(ReadError::Changed { id: named() });
    }
    Ok(bytes)
}

/// The content of a file. Whoever opens a named pipe waits for a writer, perhaps for ever: it is refused unopened.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if fs_err::metadata(path)?.is_file() {
        fs_err::read(path)
    } else {
        Err(std::io::Error::other(format!("{} is no file", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_is_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let preprocessing = Preprocessing::new(8, [0.5; 3], [0.5; 3]);
        let told = |id: &str, digest: &str| {
            let error = read(dir.path(), id, digest, &preprocessing, &Limits::default()).err().unwrap();
            (error.to_string(), error.hint().unwrap())
        };
        let again = "run again: ingest will look at the folder anew";
        let (message, hint) = told("train/a.jpg", "");
        assert!(message.starts_with("cannot read photo `train/a.jpg`: "), "{message}");
        assert_eq!(hint, again);
        fs_err::write(dir.path().join("a.jpg"), b"text").unwrap();
        let pipe = dir.path().join("pipe.jpg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (message, _) = told("pipe.jpg", "");
        assert_eq!(message, format!("cannot read photo `pipe.jpg`: {} is no file", pipe.display()));
        let changed = ("photo `a.jpg` changed since it was ingested".to_owned(), again.to_owned());
        assert_eq!(told("a.jpg", "ab"), changed);
        let (message, hint) = told("a.jpg", &Digest::of(b"text").to_string());
        assert!(message.starts_with("cannot decode photo `a.jpg`: "), "{message}");
        assert_eq!(hint, "run the stage that ingests them again, with `--force {images}`");
    }
}
