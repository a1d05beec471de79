//! What can go wrong in the `finetune` stage beyond reading tables, photos and weights.

use pipeline_stage::Hint;

/// An error of the `finetune` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model knows other classes than the photos have.
    #[error("the model knows the classes {}, but the photos have {}", found.join(", "), expected.join(", "))]
    OtherClasses {
        /// The model's classes.
        found: Vec<String>,
        /// The photos' classes.
        expected: Vec<String>,
    },
    /// The head answers for another number of classes than the model's record lists.
    #[error("the model has {found} outputs, but its record lists {expected} classes")]
    OtherOutputs {
        /// Outputs of the head.
        found: usize,
        /// Classes of the record.
        expected: usize,
    },
    /// A training or validation photo without a label.
    #[error("photo `{id}` has no label")]
    Unlabelled {
        /// Its id.
        id: String,
    },
    /// A label that no class has.
    #[error("photo `{id}` has the class number {label}, expected one below {classes}")]
    UnknownClass {
        /// Its id.
        id: String,
        /// The number.
        label: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// A usable photo without a size.
    #[error("photo `{id}` has no width or height in the table of photos")]
    NoSize {
        /// Its id.
        id: String,
    },
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::OtherClasses { .. } => Some(
                "in the pipeline file, give finetune the photos that the model was trained on".to_owned(),
            ),
            Error::OtherOutputs { .. } | Error::UnknownClass { .. } | Error::NoSize { .. } => {
                Some("make the artifact again with `--force STAGE`".to_owned())
            }
            Error::Unlabelled { .. } => Some("put it into a folder named after its class".to_owned()),
            Error::Io(_) => None,
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
                Error::OtherClasses {
                    found: vec!["cats".into()],
                    expected: vec!["cats".into(), "dogs".into()],
                },
                "the model knows the classes cats, but the photos have cats, dogs",
                "in the pipeline file, give finetune the photos that the model was trained on",
            ),
            (
                Error::OtherOutputs { found: 3, expected: 2 },
                "the model has 3 outputs, but its record lists 2 classes",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::Unlabelled { id: "train/a.jpg".into() },
                "photo `train/a.jpg` has no label",
                "put it into a folder named after its class",
            ),
            (
                Error::UnknownClass { id: "train/a.jpg".into(), label: 7, classes: 2 },
                "photo `train/a.jpg` has the class number 7, expected one below 2",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::NoSize { id: "train/a.jpg".into() },
                "photo `train/a.jpg` has no width or height in the table of photos",
                "make the artifact again with `--force STAGE`",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }
}
