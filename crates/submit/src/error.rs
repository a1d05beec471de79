//! What can go wrong in the `submit` stage beyond models, photos and tables.

use pipeline_photo::Tta;
use pipeline_stage::Hint;
use pipeline_stage::suggest::nearest;
use pipeline_table::Split;

/// An error of the `submit` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Random views without the policy that draws them.
    #[error("`tta: {tta}` needs the training policy, but submit has no input `augment`")]
    TtaWithoutPolicy {
        /// Views asked for.
        tta: Tta,
    },
    /// A split without photos.
    #[error("there is nothing to submit: ingest lists no photo of {split}")]
    NoPhotos {
        /// The split.
        split: Split,
    },
    /// `positive_class` is none of the classes.
    #[error("cannot submit probabilities of the class `{found}`: the classes are {}", classes.join(", "))]
    UnknownClass {
        /// What the parameter says.
        found: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// A model of other classes.
    #[error("model `{model}` knows the classes {}, expected those of the photos: {}", found.join(", "), expected.join(", "))]
    OtherClasses {
        /// Stage that made the model.
        model: String,
        /// Its classes.
        found: Vec<String>,
        /// Those of the photos.
        expected: Vec<String>,
    },
    /// The disk does not take it; the message names the file.
    #[error("{0}")]
    Unwritten(#[from] std::io::Error),
    /// Two photos with one id.
    #[error("photos `{first}` and `{second}` have the same id `{id}` in a submission")]
    SameId {
        /// The id.
        id: String,
        /// The first photo.
        first: String,
        /// The second.
        second: String,
    },
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::TtaWithoutPolicy { .. } => {
                "give submit the input `augment` in the pipeline file, or use `tta: flip`, `five_crop` or `ten_crop`"
                    .to_owned()
            }
            Error::NoPhotos { split: Split::Test } => {
                "put the photos to predict into `test/` or `test1/` of the data root, or set `split`".to_owned()
            }
            Error::NoPhotos { .. } => "set `split` to one that has photos".to_owned(),
            Error::UnknownClass { found, classes } => {
                let near = nearest(found, classes.iter().map(String::as_str))?;
                format!("did you mean `{near}`?")
            }
            Error::OtherClasses { .. } => {
                "give submit models and photos of one ingest stage in the pipeline file".to_owned()
            }
            Error::Unwritten(_) => return None,
            Error::SameId { .. } => "set `id_from` to `name` or `path`".to_owned(),
        };
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let classes = || vec!["cats".to_owned(), "dogs".to_owned()];
        let cases = [
            (
                Error::TtaWithoutPolicy { tta: Tta::Random(4) },
                "`tta: 4` needs the training policy, but submit has no input `augment`",
                "give submit the input `augment` in the pipeline file, or use `tta: flip`, `five_crop` or `ten_crop`",
            ),
            (
                Error::NoPhotos { split: Split::Test },
                "there is nothing to submit: ingest lists no photo of test",
                "put the photos to predict into `test/` or `test1/` of the data root, or set `split`",
            ),
            (
                Error::NoPhotos { split: Split::Valid },
                "there is nothing to submit: ingest lists no photo of valid",
                "set `split` to one that has photos",
            ),
            (
                Error::UnknownClass { found: "dog".to_owned(), classes: classes() },
                "cannot submit probabilities of the class `dog`: the classes are cats, dogs",
                "did you mean `dogs`?",
            ),
            (
                Error::OtherClasses {
                    model: "head".to_owned(),
                    found: vec!["a".to_owned()],
                    expected: classes(),
                },
                "model `head` knows the classes a, expected those of the photos: cats, dogs",
                "give submit models and photos of one ingest stage in the pipeline file",
            ),
            (
                Error::SameId {
                    id: "a".to_owned(),
                    first: "t/a.jpg".to_owned(),
                    second: "t/a.png".to_owned(),
                },
                "photos `t/a.jpg` and `t/a.png` have the same id `a` in a submission",
                "set `id_from` to `name` or `path`",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, Some(hint)));
        }
    }
}
