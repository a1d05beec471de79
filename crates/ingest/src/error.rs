//! What can go wrong in the `ingest` stage as a whole. A file that is wrong is a row of the table instead.

use std::path::PathBuf;

use pipeline_report::name::shortened;
use pipeline_stage::Hint;
use pipeline_stage::source::MOST_DEEP;
use pipeline_table::Split;

use crate::layout::{LayoutError, SplitsFrom, twin};

/// Letters of an id that need not be whole.
const LONGEST: usize = 60;

/// An error of the `ingest` stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data root lacks a split.
    #[error("no folder `{split}` in {}: found {}", root.display(), list(found))]
    NoSplit {
        /// The split.
        split: Split,
        /// The data root.
        root: PathBuf,
        /// What is there instead.
        found: Vec<String>,
        /// A folder inside that has `train`.
        inside: Option<PathBuf>,
    },
    /// Two folders for one split.
    #[error("two folders for the split {split}: {} and {}", first.display(), second.display())]
    TwoFolders {
        /// The split.
        split: Split,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Fewer than two classes.
    #[error("expected at least 2 class folders in {}, found {}", folder.display(), list(found))]
    TooFewClasses {
        /// The train folder.
        folder: PathBuf,
        /// The class folders there.
        found: Vec<String>,
        /// The only folder, where it holds several.
        inside: Option<PathBuf>,
    },
    /// A class that cannot be learned.
    #[error("class `{class}` is in {} but not in train, whose classes are {}", folder.display(), list(known))]
    UnknownClass {
        /// Its name.
        class: String,
        /// Where it was found.
        folder: PathBuf,
        /// The classes of train.
        known: Vec<String>,
    },
    /// Nothing that is called as photos are.
    #[error("found no photos in {}: {}", root.display(), match first {
        None => "it is empty".to_owned(),
        Some(first) => format!("{files} {}, the first is `{first}`", if *files == 1 { "file" } else { "files" }),
    })]
    NoPhotos {
        /// The folder.
        root: PathBuf,
        /// Files in it and below.
        files: usize,
        /// The first of them.
        first: Option<String>,
    },
    /// A class without photos to train on.
    #[error("class `{class}` has no usable photo in train ({set_aside} set aside)")]
    EmptyClass {
        /// Its name.
        class: String,
        /// Files of the class that cannot be used.
        set_aside: usize,
        /// What says the splits.
        splits_from: SplitsFrom,
    },
    /// No photo to measure on.
    #[error("there is no usable photo in valid")]
    NothingToMeasure {
        /// What says the splits.
        splits_from: SplitsFrom,
    },
    /// What says the classes and splits does not do so, or there is more than one thing that may.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A class folder whose name cannot be written.
    #[error("the name of the class folder {} is not UTF-8", folder.display())]
    ClassNameNotText {
        /// The folder.
        folder: PathBuf,
    },
    /// More folders in each other than are walked through.
    #[error("more than {MOST_DEEP} folders lie in each other at `{}`", shortened(id, LONGEST))]
    TooDeep {
        /// The folder.
        id: String,
    },
    /// A file that cannot be used, with `on_bad: fail`.
    #[error("`{id}` cannot be used: {detail}")]
    BadFile {
        /// The file.
        id: String,
        /// What was found.
        detail: String,
    },
    /// A photo is in two splits, with `on_leak: fail`.
    #[error("`{id}` {} `{twin}` in {split}{}", if *.is_identical { "is identical to" } else { "looks the same as" }, and_more(*.others))]
    Leak {
        /// The photo.
        id: String,
        /// Its twin.
        twin: String,
        /// The twin's split.
        split: Split,
        /// Whether the bytes are the same.
        is_identical: bool,
        /// How many more photos are in two splits.
        others: usize,
    },
    /// Threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(rayon::ThreadPoolBuildError),
    /// The findings cannot be written as JSON.
    #[error("cannot write the findings as JSON: {0}")]
    Json(serde_json::Error),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::NoSplit { inside: Some(inside), .. } => {
                Some(format!("set `root` to {}", inside.display()))
            }
            Error::NoSplit { split: Split::Valid, .. } => Some(
                "move a part of the photos of each class from train/ to valid/, or set `split: {valid: 0.2}` to draw them"
                    .to_owned(),
            ),
            Error::NoSplit { .. } => Some(
                "set `root` to the folder that has train/ and valid/, with a folder per class in each; or, where each folder in `root` is a class, set `split: {valid: 0.2}`"
                    .to_owned(),
            ),
            Error::TwoFolders { second, .. } => {
                Some(format!("keep one, and rename or remove {}", second.display()))
            }
            Error::TooFewClasses { inside: Some(inside), .. } => {
                Some(format!("set `root` to {}, if its folders are the classes", inside.display()))
            }
            Error::TooFewClasses { .. } => Some(
                "make a folder for each class, and put its photos there; or set `label_pattern` or `table` where names or a table say the class"
                    .to_owned(),
            ),
            Error::UnknownClass { class, known, .. } => Some(match twin(class, known) {
                Some(twin) => format!("rename it to `{twin}`, if that is meant"),
                None => format!("put photos of `{class}` into train/{class}/, or remove the folder from valid"),
            }),
            Error::NoPhotos { .. } => Some(
                "name the folder of the photos, which end in .jpg, .png, .gif, .webp, .bmp or .tiff".to_owned(),
            ),
            Error::EmptyClass { class, splits_from, .. } => Some(match splits_from {
                SplitsFrom::Folders => {
                    format!("put photos of `{class}` into train, or remove the class from every split")
                }
                SplitsFrom::Table => format!("give photos of `{class}` the split train in the table"),
                SplitsFrom::Draw => {
                    format!("add photos of `{class}`, or remove the class, or lower the shares in `split`")
                }
            }),
            Error::NothingToMeasure { splits_from } => Some(
                match splits_from {
                    SplitsFrom::Folders => "put photos of each class into valid/",
                    SplitsFrom::Table => "give a part of the photos the split valid in the table",
                    SplitsFrom::Draw => "raise `split.valid`, or add photos",
                }
                .to_owned(),
            ),
            Error::Layout(error) => error.hint(),
            Error::ClassNameNotText { .. } => Some("rename it".to_owned()),
            Error::TooDeep { .. } => Some("move the photos up".to_owned()),
            Error::BadFile { .. } => {
                Some("mend or remove it, or set `on_bad: quarantine` to go on without such files".to_owned())
            }
            Error::Leak { .. } => Some(
                "leave one of them out (where splits are drawn, `split.group_by` keeps photos together), or set `on_leak: drop_from_train` to go on without those of train"
                    .to_owned(),
            ),
            Error::Threads(_) | Error::Json(_) | Error::Io(_) => None,
        }
    }
}

/// Names for people: `a, b, …`, or `nothing`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names if names.len() > 8 => format!("{}, … ({} in all)", names[..8].join(", "), names.len()),
        names => names.join(", "),
    }
}

/// What is said of other photos.
fn and_more(others: usize) -> String {
    match others {
        0 => String::new(),
        n => format!(", and {} more photos are in two splits", pipeline_stage::words::count(n as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_split_says_what_is_there_and_where_to_look() {
        let mut error = Error::NoSplit {
            split: Split::Train,
            root: "data".into(),
            found: vec!["dogscats".into()],
            inside: Some("data/dogscats".into()),
        };
        assert_eq!(error.to_string(), "no folder `train` in data: found dogscats");
        assert_eq!(error.hint().as_deref(), Some("set `root` to data/dogscats"));
        error = Error::NoSplit { split: Split::Valid, root: "data".into(), found: vec![], inside: None };
        assert_eq!(error.to_string(), "no folder `valid` in data: found nothing");
        assert_eq!(
            error.hint().as_deref(),
            Some(
                "move a part of the photos of each class from train/ to valid/, or set `split: {valid: 0.2}` to draw them"
            )
        );
    }

    #[test]
    fn each_error_about_classes_names_the_class_and_the_way_out() {
        let unknown = Error::UnknownClass {
            class: "emus".into(),
            folder: "data/valid".into(),
            known: vec!["cats".into(), "dogs".into()],
        };
        assert_eq!(
            unknown.to_string(),
            "class `emus` is in data/valid but not in train, whose classes are cats, dogs"
        );
        assert_eq!(
            unknown.hint().as_deref(),
            Some("put photos of `emus` into train/emus/, or remove the folder from valid")
        );
        let empty =
            Error::EmptyClass { class: "emus".into(), set_aside: 2, splits_from: SplitsFrom::Folders };
        assert_eq!(empty.to_string(), "class `emus` has no usable photo in train (2 set aside)");
        let few =
            Error::TooFewClasses { folder: "data/train".into(), found: vec!["cats".into()], inside: None };
        assert_eq!(few.to_string(), "expected at least 2 class folders in data/train, found cats");
    }

    #[test]
    fn the_other_errors_name_the_thing_and_the_way_out() {
        let two =
            Error::TwoFolders { split: Split::Valid, first: "data/val".into(), second: "data/valid".into() };
        assert_eq!(two.to_string(), "two folders for the split valid: data/val and data/valid");
        assert_eq!(two.hint().as_deref(), Some("keep one, and rename or remove data/valid"));
        let nothing = |splits_from| Error::NothingToMeasure { splits_from };
        let photos = |files, first: Option<&str>| Error::NoPhotos {
            root: "a".into(),
            files,
            first: first.map(str::to_owned),
        };
        assert_eq!(photos(0, None).to_string(), "found no photos in a: it is empty");
        assert_eq!(
            photos(1, Some("b.txt")).to_string(),
            "found no photos in a: 1 file, the first is `b.txt`"
        );
        assert_eq!(
            photos(3, Some("b.txt")).to_string(),
            "found no photos in a: 3 files, the first is `b.txt`"
        );
        assert!(
            photos(0, None).hint().unwrap().starts_with("name the folder of the photos, which end in .jpg")
        );
        assert_eq!(nothing(SplitsFrom::Draw).to_string(), "there is no usable photo in valid");
        let hint = |splits_from| nothing(splits_from).hint().unwrap();
        assert_eq!(hint(SplitsFrom::Folders), "put photos of each class into valid/");
        assert_eq!(hint(SplitsFrom::Table), "give a part of the photos the split valid in the table");
        assert_eq!(hint(SplitsFrom::Draw), "raise `split.valid`, or add photos");
        let name = Error::ClassNameNotText { folder: "data/train/x".into() };
        assert_eq!(name.to_string(), "the name of the class folder data/train/x is not UTF-8");
        assert_eq!(name.hint().as_deref(), Some("rename it"));
        let deep = Error::TooDeep { id: "a/".repeat(200) };
        let start = "more than 128 folders lie in each other at `a/a/";
        assert!(deep.to_string().starts_with(start) && deep.to_string().len() < 120, "{deep}");
        let bad = Error::BadFile { id: "train/cats/a.txt".into(), detail: "it is text".into() };
        assert_eq!(bad.to_string(), "`train/cats/a.txt` cannot be used: it is text");
        assert_eq!(
            bad.hint().as_deref(),
            Some("mend or remove it, or set `on_bad: quarantine` to go on without such files")
        );
    }

    #[test]
    fn a_leak_names_both_photos_and_says_how_many_more() {
        let leak = |is_identical, others| {
            let (id, twin) = ("train/cats/a.jpg".to_owned(), "valid/cats/b.jpg".to_owned());
            Error::Leak { id, twin, split: Split::Valid, is_identical, others }
        };
        assert_eq!(
            leak(true, 0).to_string(),
            "`train/cats/a.jpg` is identical to `valid/cats/b.jpg` in valid"
        );
        assert_eq!(
            leak(false, 1200).to_string(),
            "`train/cats/a.jpg` looks the same as `valid/cats/b.jpg` in valid, and 1,200 more photos are in two splits"
        );
        assert_eq!(
            leak(true, 0).hint().as_deref(),
            Some(
                "leave one of them out (where splits are drawn, `split.group_by` keeps photos together), or set `on_leak: drop_from_train` to go on without those of train"
            )
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..200).map(|i| format!("c{i}")).collect();
        assert_eq!(list(&names), "c0, c1, c2, c3, c4, c5, c6, c7, … (200 in all)");
    }
}
