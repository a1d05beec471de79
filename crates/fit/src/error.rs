//! [`Error`]: everything that this crate refuses.

use pipeline_stage::Hint;

/// Why a number could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A measure over no rows has no value.
    #[error("cannot compute {measure} of 0 rows")]
    NoRows {
        /// What was to be computed.
        measure: &'static str,
    },
    /// Two arguments that go row by row have different lengths.
    #[error("cannot compute {measure}: found {found} {what}, expected {expected}")]
    Length {
        /// What was to be computed.
        measure: &'static str,
        /// What was counted, in the plural.
        what: &'static str,
        /// How many there were.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A class number that no class has.
    #[error("cannot compute {measure}: found class {found}, expected a class below {classes}")]
    Class {
        /// What was to be computed.
        measure: &'static str,
        /// The number.
        found: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// Batch norm needs two rows to have a variance.
    #[error("cannot train on {found} rows, expected at least 2")]
    TooFewRows {
        /// How many rows there are.
        found: usize,
    },
    /// Batch norm needs two rows in each batch.
    #[error("cannot train in batches of {found}, expected at least 2 rows in a batch")]
    BatchTooSmall {
        /// The batch size.
        found: usize,
    },
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::TooFewRows { .. } => Some("add photos to the training set".to_owned()),
            Error::BatchTooSmall { .. } => Some("set `batch_size` to 2 or more".to_owned()),
            Error::NoRows { .. } | Error::Length { .. } | Error::Class { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_was_found_and_expected() {
        let texts = [
            Error::NoRows { measure: "accuracy" },
            Error::Length { measure: "accuracy", what: "predictions", found: 3, expected: 5 },
            Error::Class { measure: "the confusion matrix", found: 7, classes: 2 },
            Error::TooFewRows { found: 1 },
            Error::BatchTooSmall { found: 1 },
        ]
        .map(|e| (e.to_string(), e.hint()));
        let expected = [
            ("cannot compute accuracy of 0 rows", None),
            ("cannot compute accuracy: found 3 predictions, expected 5", None),
            ("cannot compute the confusion matrix: found class 7, expected a class below 2", None),
            ("cannot train on 1 rows, expected at least 2", Some("add photos to the training set")),
            (
                "cannot train in batches of 1, expected at least 2 rows in a batch",
                Some("set `batch_size` to 2 or more"),
            ),
        ]
        .map(|(text, hint)| (text.to_owned(), hint.map(str::to_owned)));
        assert_eq!(texts, expected);
    }
}
