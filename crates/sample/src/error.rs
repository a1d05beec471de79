//! Why the pictures could not be drawn into a folder.

use std::path::PathBuf;

use pipeline_stage::{Cancelled, Hint};

/// Why the pictures could not be drawn into a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder is there and not empty. Nothing was changed.
    #[error("cannot draw into `{}`: it is not an empty folder", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// No pictures were asked for in a split or class that a training needs.
    #[error("cannot draw {count} pictures per class for `{split}`: expected at least 1")]
    TooFew {
        /// `train` or `valid`.
        split: &'static str,
        /// What was asked for.
        count: u32,
    },
    /// A picture could not be encoded.
    #[error("cannot encode `{name}` as JPEG")]
    Encode {
        /// The file, relative to the folder.
        name: String,
        /// Why.
        source: image::ImageError,
    },
    /// A file or folder, which the message names, could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Stopped on request; the folder is as it was.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NotEmpty { .. } => Some("name another folder, or remove this one first".to_owned()),
            Error::TooFew { .. } => Some("ask for 1 or more".to_owned()),
            Error::Io(source) if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space, or name a folder on another disk".to_owned())
            }
            Error::Encode { .. } | Error::Io(_) | Error::Cancelled(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_names_the_thing_and_the_way_out() {
        let not_empty = Error::NotEmpty { dir: "data/quickstart".into() };
        assert_eq!(not_empty.to_string(), "cannot draw into `data/quickstart`: it is not an empty folder");
        assert_eq!(not_empty.hint().as_deref(), Some("name another folder, or remove this one first"));

        let few = Error::TooFew { split: "valid", count: 0 };
        assert_eq!(few.to_string(), "cannot draw 0 pictures per class for `valid`: expected at least 1");
        assert_eq!(few.hint().as_deref(), Some("ask for 1 or more"));

        let full = Error::Io(std::io::ErrorKind::StorageFull.into());
        assert_eq!(full.hint().as_deref(), Some("free some space, or name a folder on another disk"));
        assert_eq!(Error::Cancelled(Cancelled).to_string(), "cancelled");
    }
}
