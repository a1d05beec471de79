//! What is wrong with a config, and where.

use std::fmt;
use std::path::PathBuf;

/// Where something stands that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Somewhere in a file.
    File(PathBuf),
    /// At a line and column of a file, counted from 1.
    Line {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An argument on the command line, for example `--set head.lr=x`.
    Argument(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file) => write!(f, "{}", file.display()),
            Place::Line { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Place::Argument(argument) => f.write_str(argument),
        }
    }
}

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Located {
    /// Where it stands.
    pub place: Place,
    /// What was found and what was expected.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Located {
    /// Puts a message at its place.
    pub fn new(place: Place, message: impl Into<String>, hint: Option<String>) -> Self {
        Located { place, message: message.into(), hint }
    }
}
