//! [`Photo`]: what is asked about.

use std::borrow::Cow;
use std::path::Path;

use pipeline_photo::{Reason, Rejected, content};

/// A photo as somebody brings it.
#[derive(Debug, Clone, Copy)]
pub enum Photo<'a> {
    /// The content of a file.
    Bytes(&'a [u8]),
    /// A file, read when its turn comes.
    File(&'a Path),
}

impl<'a> Photo<'a> {
    /// The photo in a message; `place` counts those of its batch from 0.
    pub(crate) fn named(self, place: usize) -> String {
        match self {
            Photo::Bytes(_) => format!("photo {} of its batch", place + 1),
            Photo::File(path) => format!("photo `{}`", path.display()),
        }
    }

    /// Its content. A disk that fails at this file says no more of the others than a file that may not be read.
    pub(crate) fn content(self) -> Result<Cow<'a, [u8]>, Rejected> {
        match self {
            Photo::Bytes(bytes) => Ok(bytes.into()),
            Photo::File(path) => match content(path) {
                Ok(bytes) => bytes.map(Cow::from),
                Err(error) => {
                    Err(Rejected { reason: Reason::Unreadable, detail: error.to_string(), format: None })
                }
            },
        }
    }
}
