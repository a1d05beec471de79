//! What can go wrong in the `evaluate` stage beyond reading tables and weights.

use pipeline_photo::{Preprocessing, Tta};
use pipeline_stage::suggest::nearest;
use pipeline_stage::{Hint, words};
use pipeline_table::Split;

/// An error of the `evaluate` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither features nor photos.
    #[error("there is nothing to measure on: evaluate has neither the input `features` nor `images`")]
    NothingToLookAt,
    /// Test-time augmentation without what it looks at.
    #[error(
        "`tta: {tta}` needs {}, but evaluate has no input {}",
        if let Tta::Random(_) = tta { "photos and the training policy" } else { "photos" },
        inputs(missing, " and no input ")
    )]
    TtaWithout {
        /// Views asked for.
        tta: Tta,
        /// The inputs that are missing.
        missing: Vec<&'static str>,
    },
    /// `report_model` is none of the models.
    #[error("cannot detail the model `{found}`: the models are {}", models.join(", "))]
    UnknownModel {
        /// What the parameter says.
        found: String,
        /// Names of the models.
        models: Vec<String>,
    },
    /// A model says NaN or an infinity.
    #[error("model `{model}` answers photo `{id}` with {found}, expected log-probabilities")]
    NotFinite {
        /// Stage that made the model.
        model: String,
        /// The photo.
        id: String,
        /// The number.
        found: f32,
    },
    /// A photo of the table has no size, which a view is drawn for.
    #[error("photo `{id}` is listed as usable and has no width or height")]
    NoSize {
        /// Its id.
        id: String,
    },
    /// The feature table and the photo table list other photos.
    #[error("the {split} photo `{id}` is in the input `{found_in}` and not in `{lacking}`")]
    OtherPhotos {
        /// The first such photo.
        id: String,
        /// The input that has it.
        found_in: &'static str,
        /// The input that does not.
        lacking: &'static str,
        /// The split.
        split: Split,
    },
    /// The model's trunk is not the one that made the features, and there are no photos to show it.
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
    #[error("model `{model}` knows the classes {}, but the photos have {}", found.join(", "), expected.join(", "))]
    OtherClasses {
        /// Stage that made the model.
        model: String,
        /// Its classes.
        found: Vec<String>,
        /// The photos' classes.
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
    /// The model was trained on features that were pooled otherwise.
    #[error("model `{model}` takes features pooled by {found}, but these are pooled by {expected}")]
    OtherPool {
        /// Stage that made the model.
        model: String,
        /// Its pooling.
        found: &'static str,
        /// The features'.
        expected: String,
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
    #[error("cannot measure on {split}: {}", unlabelled_words(*split, input, *unlabelled))]
    NothingToMeasure {
        /// The split.
        split: Split,
        /// The input.
        input: &'static str,
        /// Photos of the split without a label.
        unlabelled: u64,
    },
    /// The metrics cannot be written as JSON.
    #[error("cannot write the metrics as JSON: {0}")]
    Json(serde_json::Error),
    /// What ingest found cannot be read.
    #[error("cannot read what ingest found, {}: {source}", path.display())]
    Findings {
        /// Its file.
        path: std::path::PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The config cannot be written as YAML.
    #[error("cannot write the config as YAML: {0}")]
    Yaml(serde_yaml::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

fn json(preprocessing: &Preprocessing) -> String {
    serde_json::to_string(preprocessing).unwrap_or_default()
}

/// What there is instead of labelled photos.
fn unlabelled_words(split: Split, input: &str, unlabelled: u64) -> String {
    match unlabelled {
        0 => format!("there are no {split} photos in the input `{input}`"),
        1 => format!("the only {split} photo in the input `{input}` has no label"),
        _ => {
            let photos = words::count(unlabelled);
            format!("none of the {photos} {split} photos in the input `{input}` has a label")
        }
    }
}

fn last(names: &[String]) -> String {
    names.last().map(|name| format!("`{name}`")).unwrap_or_default()
}

/// The names, quoted, with `between` between them.
fn inputs(names: &[&str], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NothingToLookAt => {
                "in the pipeline file, give evaluate the `features` that the models were trained on, or the `images`, or both"
                    .to_owned()
            }
            Error::TtaWithout { missing, .. } => {
                format!("in the pipeline file, give evaluate {}, or set `tta: 0`", inputs(missing, " and "))
            }
            Error::OtherTrunk { .. } | Error::OtherPreprocessing { .. } | Error::OtherPool { .. } => {
                "in the pipeline file, give evaluate the `images`, so that the photos go through the model's own trunk, or the features that the model was trained on"
                    .to_owned()
            }
            Error::UnknownModel { found, models } => match nearest(found, models.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? left out, {} is detailed", last(models)),
                None => format!("set `report_model` to one of them, or leave it out to detail {}", last(models)),
            },
            Error::NotFinite { model, .. } => {
                format!("its training may have diverged: look at the losses of `{model}`, and train it with a lower `lr`")
            }
            Error::OtherOutputs { .. } | Error::Preprocessing(_) | Error::Findings { .. } => {
                "make the artifact again with `--force STAGE`".to_owned()
            }
            Error::NoSize { .. } => "run the stage that ingests them again, with `--force {images}`".to_owned(),
            Error::OtherPhotos { split, .. } => format!(
                "in the pipeline file, give evaluate the images that the features were made of, and put {split} into the `splits` of precompute"
            ),
            Error::OtherClasses { .. } => "train the model on the same photos".to_owned(),
            Error::NothingToMeasure { split, input, unlabelled } => {
                let way = match (unlabelled, *input) {
                    (0, "features") => format!("put {split} into the `splits` of precompute"),
                    (0, _) => format!("add photos to {split}/, in a folder for each class"),
                    _ => format!("sort the photos of {split}/ into a folder for each class"),
                };
                let other = if *split == Split::Valid { "" } else { ", or measure on valid: set `split: valid`" };
                way + other
            }
            Error::Json(_) | Error::Yaml(_) | Error::Io(_) => return None,
        };
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_photo::FixedViews;

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let photo = |found_in, lacking| Error::OtherPhotos {
            id: "valid/a.jpg".to_owned(),
            found_in,
            lacking,
            split: Split::Valid,
        };
        let model = || "head".to_owned();
        let cases = [
            (
                Error::NothingToLookAt,
                "there is nothing to measure on: evaluate has neither the input `features` nor `images`",
                "in the pipeline file, give evaluate the `features` that the models were trained on, or the `images`, or both",
            ),
            (
                Error::TtaWithout { tta: Tta::Random(4), missing: vec!["augment"] },
                "`tta: 4` needs photos and the training policy, but evaluate has no input `augment`",
                "in the pipeline file, give evaluate `augment`, or set `tta: 0`",
            ),
            (
                Error::TtaWithout { tta: Tta::Random(1), missing: vec!["images", "augment"] },
                "`tta: 1` needs photos and the training policy, but evaluate has no input `images` and no input `augment`",
                "in the pipeline file, give evaluate `images` and `augment`, or set `tta: 0`",
            ),
            (
                Error::TtaWithout { tta: Tta::Fixed(FixedViews::TenCrop), missing: vec!["images"] },
                "`tta: ten_crop` needs photos, but evaluate has no input `images`",
                "in the pipeline file, give evaluate `images`, or set `tta: 0`",
            ),
            (
                Error::UnknownModel { found: "tail".to_owned(), models: names(&["head", "finetune"]) },
                "cannot detail the model `tail`: the models are head, finetune",
                "set `report_model` to one of them, or leave it out to detail `finetune`",
            ),
            (
                Error::UnknownModel { found: "haed".to_owned(), models: names(&["head", "finetune"]) },
                "cannot detail the model `haed`: the models are head, finetune",
                "did you mean `head`? left out, `finetune` is detailed",
            ),
            (
                Error::NotFinite { model: model(), id: "valid/a.jpg".to_owned(), found: f32::NAN },
                "model `head` answers photo `valid/a.jpg` with NaN, expected log-probabilities",
                "its training may have diverged: look at the losses of `head`, and train it with a lower `lr`",
            ),
            (
                Error::NoSize { id: "valid/a.jpg".to_owned() },
                "photo `valid/a.jpg` is listed as usable and has no width or height",
                "run the stage that ingests them again, with `--force {images}`",
            ),
            (
                photo("images", "features"),
                "the valid photo `valid/a.jpg` is in the input `images` and not in `features`",
                "in the pipeline file, give evaluate the images that the features were made of, and put valid into the `splits` of precompute",
            ),
            (
                Error::OtherClasses {
                    model: model(),
                    found: names(&["cats"]),
                    expected: names(&["cats", "dogs"]),
                },
                "model `head` knows the classes cats, but the photos have cats, dogs",
                "train the model on the same photos",
            ),
            (
                Error::OtherTrunk { model: model(), trunk: "ab".into(), features: "cd".into() },
                "model `head` has the trunk ab, but the features were made by cd",
                "in the pipeline file, give evaluate the `images`, so that the photos go through the model's own trunk, or the features that the model was trained on",
            ),
            (
                Error::OtherPool { model: model(), found: "avg", expected: "max_avg".into() },
                "model `head` takes features pooled by avg, but these are pooled by max_avg",
                "in the pipeline file, give evaluate the `images`, so that the photos go through the model's own trunk, or the features that the model was trained on",
            ),
            (
                Error::OtherOutputs { model: model(), found: 3, expected: 2 },
                "model `head` has 3 outputs, but its record lists 2 classes",
                "make the artifact again with `--force STAGE`",
            ),
            (
                Error::NothingToMeasure { split: Split::Test, input: "features", unlabelled: 12_500 },
                "cannot measure on test: none of the 12,500 test photos in the input `features` has a label",
                "sort the photos of test/ into a folder for each class, or measure on valid: set `split: valid`",
            ),
            (
                Error::NothingToMeasure { split: Split::Test, input: "features", unlabelled: 0 },
                "cannot measure on test: there are no test photos in the input `features`",
                "put test into the `splits` of precompute, or measure on valid: set `split: valid`",
            ),
            (
                Error::NothingToMeasure { split: Split::Test, input: "images", unlabelled: 1 },
                "cannot measure on test: the only test photo in the input `images` has no label",
                "sort the photos of test/ into a folder for each class, or measure on valid: set `split: valid`",
            ),
            (
                Error::NothingToMeasure { split: Split::Valid, input: "images", unlabelled: 0 },
                "cannot measure on valid: there are no valid photos in the input `images`",
                "add photos to valid/, in a folder for each class",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint), "{message}");
        }
    }

    #[test]
    fn a_model_of_photos_of_another_size_is_named_with_both() {
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
    }
}
