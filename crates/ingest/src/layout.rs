//! [`Layout`]: which files there are, in which split and of which class. Told from folders, names or a table alone; no
//! photo is opened.
//!
//! Two questions have an answer each. The class: by the folder, by the name, by the table. The split: by the folder, by
//! the table, or [drawn](Draw).

mod by_folder;
mod by_name;
mod by_table;
mod collisions;
mod draw;
mod error;
mod guess;
mod label_table;
mod misplaced;
mod name_pattern;
mod notes;
mod suggested;
mod walk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pipeline_stage::{Cancel, Failure};
use pipeline_table::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{File, Params};
pub(crate) use collisions::twin;
pub use draw::{Draw, GroupBy};
pub use error::LayoutError;
pub use label_table::Columns;
pub(crate) use misplaced::Misplaced;
pub(crate) use name_pattern::check as check_pattern;
pub(crate) use notes::Notes;
pub(crate) use suggested::suggested_pattern;
pub(crate) use walk::entries as entries_of;

/// What says the class of a photo. Everything below a class folder belongs to it, in whatever folders it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayoutKind {
    /// `train/cats/1.jpg`: train/, valid/ and optionally test/, with a folder for each class in them. Without valid/ `split` draws from train/.
    SplitFolders,
    /// `cats/1.jpg`: a folder for each class; `split` draws.
    ClassFolders,
    /// `cat.1.jpg`: the name, as `label_pattern` says, in whatever folder. Where there is train/ it counts as in `split_folders`, else `split` draws.
    NamePattern,
    /// A row in a CSV or Parquet file, with a path, a label, and optionally a split and a group; see `table`.
    Table,
}

/// What says the split of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitsFrom {
    /// The folder.
    Folders,
    /// The table.
    Table,
    /// `split` draws.
    Draw,
}

/// What there is.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Class names, sorted: the folders of train, or the labels in it.
    pub(crate) classes: Vec<String>,
    /// Every file but clutter, sorted by id.
    pub(crate) files: Vec<File>,
    /// What says the splits.
    pub(crate) splits_from: SplitsFrom,
    /// Folders and files beside the splits, which are not part of the data.
    pub(crate) beside: Vec<String>,
    /// Links that lead to a folder on the way to them, or above one, as ids.
    pub(crate) loops: Vec<String>,
    /// What else was seen on the way.
    pub(crate) notes: Notes,
}

/// A file, before the classes are numbered and splits are drawn.
#[derive(Debug, Clone)]
struct Photo {
    id: String,
    path: PathBuf,
    /// `None` where it is drawn.
    split: Option<Split>,
    label: Option<String>,
    /// What it belongs together with.
    group: Option<String>,
    misplaced: Option<Misplaced>,
}

impl Photo {
    /// Whether its split is drawn by lot.
    fn is_drawn(&self) -> bool {
        self.split.is_none() && self.misplaced.is_none() && self.label.is_some()
    }
}

/// What one way of telling the classes found.
struct Found {
    photos: Vec<Photo>,
    /// Names of the classes where folders say them; else they are the labels of what train may have.
    classes: Option<Vec<String>>,
    splits_from: SplitsFrom,
    /// Where the labels are, for messages.
    from: PathBuf,
    beside: Vec<String>,
    notes: Notes,
}

impl Layout {
    /// Walks the data root.
    pub(crate) fn of(root: &Path, params: &Params, cancel: &Cancel) -> Result<Layout, Failure> {
        let mut walk = walk::Walk::from(root, cancel)?;
        let kind = match params.kind() {
            Some(kind) => kind,
            None => guess::kind(root, params)?,
        };
        let mut found = match kind {
            LayoutKind::SplitFolders => by_folder::in_splits(root, params, &mut walk)?,
            LayoutKind::ClassFolders => by_folder::in_classes(root, params, &mut walk)?,
            LayoutKind::NamePattern => by_name::find(root, params, &mut walk)?,
            LayoutKind::Table => by_table::find(root, params, &mut walk)?,
        };
        // Before the draw: a class of which train gets nothing is an error, and not forgotten.
        let classes = match found.classes {
            Some(classes) => classes,
            None => labels_to_learn(&found.photos, found.from)?,
        };
        if let Some(draw) = &params.split {
            draw.draw(&mut found.photos)?;
        }
        let mut files = Vec::with_capacity(found.photos.len());
        for photo in found.photos {
            files.push(numbered(photo, &classes)?);
        }
        files.sort_by(|a, b| a.id.cmp(&b.id));
        let mut notes = found.notes;
        notes.clutter = walk.clutter;
        notes.alike = collisions::collisions(&classes);
        let (splits_from, beside) = (found.splits_from, found.beside);
        Ok(Layout { classes, files, splits_from, beside, loops: walk.loops, notes })
    }
}

/// Names of the tables of labels in the root.
pub(crate) fn tables_of(root: &Path) -> Result<Vec<String>, LayoutError> {
    guess::tables(root)
}

/// Whether a folder of this name is a split.
pub(crate) fn is_split_name(name: &str) -> bool {
    by_folder::split_of(name).is_some()
}

/// Ids of everything below a folder but clutter.
pub(crate) fn files_below(root: &Path, cancel: &Cancel) -> Result<Vec<String>, Failure> {
    let seen = walk::Walk::from(root, cancel)?.all(root, "")?;
    Ok(seen.into_iter().map(|seen| seen.id).collect())
}

/// The labels of what is in train, or may be drawn for it.
fn labels_to_learn(photos: &[Photo], from: PathBuf) -> Result<Vec<String>, LayoutError> {
    // With those that are set aside: a class of nothing else is an error, and not left out in silence.
    let of_train = photos.iter().filter(|photo| photo.split.is_none_or(|split| split == Split::Train));
    let labels: BTreeSet<&String> = of_train.filter_map(|photo| photo.label.as_ref()).collect();
    let labels: Vec<String> = labels.into_iter().cloned().collect();
    if labels.len() < 2 { Err(LayoutError::TooFewLabels { from, found: labels }) } else { Ok(labels) }
}

/// The photo with the number of its class. One of test has none where train lacks its class, as an unlabelled one.
fn numbered(photo: Photo, classes: &[String]) -> Result<File, LayoutError> {
    let Photo { id, path, split, label, misplaced, .. } = photo;
    let split = split.unwrap_or(Split::Train);
    let label_id =
        label.as_ref().and_then(|label| classes.binary_search(label).ok()).map(|place| place as u32);
    match label {
        Some(label) if label_id.is_none() && split == Split::Valid && misplaced.is_none() => {
            Err(LayoutError::UnknownLabel { id, label, known: classes.to_vec() })
        }
        _ => Ok(File { id, path, split, label_id, misplaced }),
    }
}
