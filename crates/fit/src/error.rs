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
    /// A probability that is none.
    #[error(
        "cannot compute {measure}: found probability {found} of class {class} in row {row}, expected a number from 0 to 1"
    )]
    Probability {
        /// What was to be computed.
        measure: &'static str,
        /// The row, from 0.
        row: usize,
        /// The class, from 0.
        class: usize,
        /// The number.
        found: f32,
    },
    /// A loss that is none.
    #[error(
        "cannot compute {measure}: found loss {found} in row {row}, expected a finite number of 0 or more"
    )]
    Loss {
        /// What was to be computed.
        measure: &'static str,
        /// The row, from 0.
        row: usize,
        /// The number.
        found: f32,
    },
    /// A share of resamples that is none.
    #[error("cannot compute intervals of level {found}, expected a number from 0 to 1")]
    Level {
        /// The number.
        found: f64,
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
            Error::Probability { .. } | Error::Loss { .. } => {
                Some("look at the history of the training: did its loss stay finite?".to_owned())
            }
            Error::NoRows { .. } | Error::Length { .. } | Error::Class { .. } | Error::Level { .. } => None,
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
            Error::Probability { measure: "measures", row: 4, class: 1, found: f32::NAN },
            Error::Loss { measure: "measures", row: 4, found: f32::INFINITY },
            Error::Level { found: 1.5 },
            Error::TooFewRows { found: 1 },
            Error::BatchTooSmall { found: 1 },
        ]
        .map(|e| (e.to_string(), e.hint()));
        let history = "look at the history of the training: did its loss stay finite?";
        let expected = [
            ("cannot compute accuracy of 0 rows", None),
            ("cannot compute accuracy: found 3 predictions, expected 5", None),
            ("cannot compute the confusion matrix: found class 7, expected a class below 2", None),
            (
                "cannot compute measures: found probability NaN of class 1 in row 4, expected a number from 0 to 1",
                Some(history),
            ),
            (
                "cannot compute measures: found loss inf in row 4, expected a finite number of 0 or more",
                Some(history),
            ),
            ("cannot compute intervals of level 1.5, expected a number from 0 to 1", None),
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
