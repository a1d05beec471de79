//! What can go wrong in the `evaluate` stage beyond reading tables and weights.

use pipeline_photo::Preprocessing;
use pipeline_stage::Hint;

/// An error of the `evaluate` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model's trunk is not the one that made the features.
    #[error("model `{model}` has the trunk {trunk}, but the features were made by {features}")]
    OtherTrunk {
        /// Stage that made the model.
        model: String,
        /// Digest of its trunk.
        trunk: String,
        /// Digest of the features' trunk.
        features: String,
    },
    /// The model knows other classes.
    #[error("model `{model}` knows the classes {}, but the features have {}", found.join(", "), expected.join(", "))]
    OtherClasses {
        /// Stage that made the model.
        model: String,
        /// Its classes.
        found: Vec<String>,
        /// The features' classes.
        expected: Vec<String>,
    },
    /// The model was trained on photos that were prepared otherwise.
    #[error(
        "model `{model}` takes photos prepared as {}, but the features are of photos prepared as {}",
        json(found),
        json(expected)
    )]
    OtherPreprocessing {
        /// Stage that made the model.
        model: String,
        /// Its preprocessing.
        found: Preprocessing,
        /// The features'.
        expected: Preprocessing,
    },
    /// The head answers for another number of classes than its record lists.
    #[error("model `{model}` has {found} outputs, but its record lists {expected} classes")]
    OtherOutputs {
        /// Stage that made the model.
        model: String,
        /// Outputs of the head.
        found: usize,
        /// Classes of the record.
        expected: usize,
    },
    /// The feature table's preprocessing cannot be read.
    #[error("the feature table's preprocessing cannot be read: {0}")]
    Preprocessing(serde_json::Error),
    /// No labelled photo in the split.
    #[error("there are no labelled {split} photos in the features to measure on")]
    NothingToMeasure {
        /// The split.
        split: &'static str,
    },
    /// The metrics cannot be written as JSON.
    #[error("cannot write the metrics as JSON: {0}")]
    Json(serde_json::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

fn json(preprocessing: &Preprocessing) -> String {
    serde_json::to_string(preprocessing).unwrap_or_default()
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::OtherTrunk { .. } | Error::OtherPreprocessing { .. } => Some(
                "in the pipeline file, give evaluate the features that the model was trained on".to_owned(),
            ),
            Error::OtherOutputs { .. } | Error::Preprocessing(_) => {
                Some("make the artifact again with `--force STAGE`".to_owned())
            }
            Error::OtherClasses { .. } => Some("train the model on the same photos".to_owned()),
            Error::NothingToMeasure { split } => {
                Some(format!("label photos in {split}/, and put {split} into the `splits` of precompute"))
            }
            Error::Json(_) | Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_other_classes_is_named_with_both_lists() {
        let error = Error::OtherClasses {
            model: "head".into(),
            found: vec!["cats".into()],
            expected: vec!["cats".into(), "dogs".into()],
        };
        assert_eq!(
            error.to_string(),
            "model `head` knows the classes cats, but the features have cats, dogs"
        );
    }

    #[test]
    fn a_model_of_another_trunk_is_named_with_both_digests() {
        let error = Error::OtherTrunk { model: "head".into(), trunk: "ab".into(), features: "cd".into() };
        assert_eq!(error.to_string(), "model `head` has the trunk ab, but the features were made by cd");
        assert_eq!(
            error.hint().as_deref(),
            Some("in the pipeline file, give evaluate the features that the model was trained on")
        );
    }

    #[test]
    fn a_model_of_other_photos_or_outputs_is_named_with_both() {
        let of = |size| Preprocessing::new(size, [0.5; 3], [0.25; 3]);
        let error = Error::OtherPreprocessing { model: "head".into(), found: of(224), expected: of(128) };
        let json = |size| {
            format!(
                "{{\"size\":{size},\"resize\":\"shorter_side\",\"filter\":\"bilinear\",\"crop\":\"center\",\"mean\":[0.5,0.5,0.5],\"std\":[0.25,0.25,0.25]}}"
            )
        };
        assert_eq!(
            error.to_string(),
            format!(
                "model `head` takes photos prepared as {}, but the features are of photos prepared as {}",
                json(224),
                json(128)
            )
        );
        let error = Error::OtherOutputs { model: "head".into(), found: 3, expected: 2 };
        assert_eq!(error.to_string(), "model `head` has 3 outputs, but its record lists 2 classes");
        assert_eq!(error.hint().as_deref(), Some("make the artifact again with `--force STAGE`"));
    }

    #[test]
    fn an_unlabelled_split_says_what_to_do() {
        let error = Error::NothingToMeasure { split: "test" };
        assert_eq!(error.to_string(), "there are no labelled test photos in the features to measure on");
        assert_eq!(
            error.hint().as_deref(),
            Some("label photos in test/, and put test into the `splits` of precompute")
        );
    }
}
