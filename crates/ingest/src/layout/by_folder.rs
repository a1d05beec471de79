//! The class told by the folder: within train, valid and test, or at the top.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_stage::Failure;
use pipeline_table::Split;

use super::walk::{Seen, Walk, below, folder_names, shown};
use super::{Found, LayoutError, Misplaced, Notes, Photo, SplitsFrom};
use crate::Params;
use crate::error::Error;

/// Folder names of each split, the usual one first.
const SPLITS: [(Split, &[&str]); 3] = [
    (Split::Train, &["train"]),
    (Split::Valid, &["valid", "val", "validation"]),
    (Split::Test, &["test", "test1"]),
];

/// The split that a folder of this name, or a word in a table, stands for.
pub(super) fn split_of(name: &str) -> Option<Split> {
    SPLITS.iter().find(|(_, names)| names.contains(&name)).map(|(split, _)| *split)
}

/// `train/cats/1.jpg`.
pub(super) fn in_splits(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let splits = SplitFolders::of(root, walk)?;
    let train = splits.required(root, Split::Train)?;
    let is_drawn = splits.is_drawn(root, params)?;
    let classes = folder_names(train)?;
    if classes.len() < 2 {
        let inside = None;
        return Err(Error::TooFewClasses { folder: train.clone(), found: classes, inside }.into());
    }
    if let Some(valid) = splits.folders.get(&Split::Valid) {
        for class in folder_names(valid)? {
            if !classes.contains(&class) {
                return Err(Error::UnknownClass { class, folder: valid.clone(), known: classes }.into());
            }
        }
    }
    let mut photos = Vec::new();
    for (split, folder) in &splits.folders {
        let id = shown(folder.file_name());
        let looked = walk.inside(folder, &id, |walk| in_class_folders(folder, &id, walk))?;
        let is_test = *split == Split::Test;
        let drawn = is_drawn && *split == Split::Train;
        for mut photo in looked.into_iter().flatten() {
            photo.split = (!drawn || photo.misplaced.is_some()).then_some(*split);
            if is_test && photo.misplaced == Some(Misplaced::NoClass) {
                photo.misplaced = None;
            }
            photos.push(photo);
        }
    }
    let splits_from = if is_drawn { SplitsFrom::Draw } else { SplitsFrom::Folders };
    let from = train.clone();
    let notes = Notes::default();
    Ok(Found { photos, classes: Some(classes), splits_from, from, beside: splits.beside, notes })
}

/// `cats/1.jpg`.
pub(super) fn in_classes(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let from = root.to_owned();
    if params.split.is_none() {
        return Err(LayoutError::NoSplits { from }.into());
    }
    let classes = folder_names(root)?;
    if classes.len() < 2 {
        let inside = classes.first().map(|only| root.join(only));
        let inside = inside.filter(|inside| folder_names(inside).is_ok_and(|names| names.len() >= 2));
        return Err(Error::TooFewClasses { folder: from, found: classes, inside }.into());
    }
    let photos = in_class_folders(root, "", walk)?;
    let (splits_from, beside, notes) = (SplitsFrom::Draw, vec![], Notes::default());
    Ok(Found { photos, classes: Some(classes), splits_from, from, beside, notes })
}

/// The photos in the folders of `folder`, each with its folder's name as label. What lies beside these is misplaced.
fn in_class_folders(folder: &Path, id: &str, walk: &mut Walk<'_>) -> Result<Vec<Photo>, Failure> {
    let mut photos = Vec::new();
    for path in walk.entries(folder)? {
        let id = below(id, path.file_name());
        if path.is_dir() {
            let label = shown(path.file_name());
            let seen = walk.inside(&path, &id, |walk| walk.all(&path, &id))?;
            photos.extend(seen.into_iter().flatten().map(|seen| photo(seen, Some(label.clone()), None)));
        } else {
            photos.push(photo(Seen { id, path }, None, Some(Misplaced::NoClass)));
        }
    }
    Ok(photos)
}

/// A file without a split as yet. One with a name that is no text, of its own or of a folder on the way to it, is set
/// aside.
pub(super) fn photo(seen: Seen, label: Option<String>, misplaced: Option<Misplaced>) -> Photo {
    let Seen { id, path } = seen;
    let misplaced = if id.contains("//") { Some(Misplaced::NameNotText) } else { misplaced };
    Photo { id, path, split: None, label, group: None, misplaced }
}

/// The folder of each split, and what else lies in the root.
pub(super) struct SplitFolders {
    pub(super) folders: BTreeMap<Split, PathBuf>,
    pub(super) beside: Vec<String>,
}

impl SplitFolders {
    pub(super) fn of(root: &Path, walk: &mut Walk<'_>) -> Result<SplitFolders, Error> {
        let mut folders: BTreeMap<Split, PathBuf> = BTreeMap::new();
        let mut beside = Vec::new();
        for path in walk.entries(root)? {
            let name = shown(path.file_name());
            match split_of(&name) {
                Some(split) if path.is_dir() => {
                    if let Some(first) = folders.insert(split, path.clone()) {
                        return Err(Error::TwoFolders { split, first, second: path });
                    }
                }
                _ => beside.push(name),
            }
        }
        Ok(SplitFolders { folders, beside })
    }

    fn required(&self, root: &Path, split: Split) -> Result<&PathBuf, Error> {
        self.folders.get(&split).ok_or_else(|| {
            let mut found: Vec<String> =
                self.folders.values().map(|f| shown(f.file_name())).chain(self.beside.clone()).collect();
            found.sort();
            // The lesson's `sample/` lies beside train, and is no way out where only valid is missing.
            let whole =
                |folder: &PathBuf| folder.join("train").is_dir() && !self.folders.contains_key(&Split::Train);
            let inside = self.beside.iter().map(|name| root.join(name)).find(whole);
            Error::NoSplit { split, root: root.to_owned(), found, inside }
        })
    }

    /// Whether `split` draws from train. It must where there is no valid, and must not where there is one.
    pub(super) fn is_drawn(&self, root: &Path, params: &Params) -> Result<bool, Failure> {
        let Some(draw) = &params.split else {
            self.required(root, Split::Valid)?;
            return Ok(false);
        };
        let has = |split| self.folders.get(&split).map(|folder| shown(folder.file_name()));
        let test = has(Split::Test).filter(|_| draw.test > 0.0);
        let found: Vec<String> = has(Split::Valid).into_iter().chain(test).collect();
        if found.is_empty() {
            return Ok(true);
        }
        let choice = "remove `split` to use the folders; set `split.test` to 0 where only test/ is there; set `layout: class_folders` where each folder is a class";
        Err(LayoutError::SplitsTwice { from: root.to_owned(), found, choice }.into())
    }
}
