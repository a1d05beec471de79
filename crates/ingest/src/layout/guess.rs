//! [`kind`]: what says the classes, told from what lies in the data root where the config does not say it.

use std::path::{Path, PathBuf};

use super::by_folder::split_of;
use super::label_table::{has_labels, is_table};
use super::walk::{entries, shown};
use super::{LayoutError, LayoutKind};
use crate::Params;
use crate::error::Error;

/// The layout of the data root, by the first of these that holds:
///
/// 1. a folder of a split, or a folder that holds train/: split folders;
/// 2. one table of labels, and at most one folder: that table;
/// 3. no table of labels and folders: class folders where `split` is given, else split folders, whose error says so.
///
/// # Errors
/// Where a table and folders, or several tables, may say the classes, and where nothing does.
pub(super) fn kind(root: &Path, params: &Params) -> Result<LayoutKind, LayoutError> {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(root).map_err(io)?.into_iter().partition(|path| path.is_dir());
    let names = |paths: &[PathBuf]| paths.iter().map(|path| shown(path.file_name())).collect::<Vec<String>>();
    let holds_splits =
        |path: &PathBuf| split_of(&shown(path.file_name())).is_some() || path.join("train").is_dir();
    if folders.iter().any(holds_splits) {
        return Ok(LayoutKind::SplitFolders);
    }
    let tables = tables_among(files.clone());
    match (tables.as_slice(), folders.len()) {
        ([], 0) => Err(LayoutError::NoLabels { root: root.to_owned(), found: names(&files) }),
        ([], _) if params.split.is_some() => Ok(LayoutKind::ClassFolders),
        ([], _) => Ok(LayoutKind::SplitFolders),
        ([_], 0 | 1) => Ok(LayoutKind::Table),
        ([first, ..], folders) => {
            let mut found = tables.clone();
            let mut choice = format!("`table: {{file: {first}}}`");
            if folders > 1 {
                found.push(format!("{folders} folders"));
                choice.push_str(", or `layout: class_folders` where each folder is a class");
            }
            Err(LayoutError::Ambiguous { root: root.to_owned(), found, choice })
        }
    }
}

/// Names of the tables in the root that have a column of paths and one of labels.
pub(super) fn tables(root: &Path) -> Result<Vec<String>, LayoutError> {
    Ok(tables_among(entries(root).map_err(io)?))
}

fn tables_among(paths: Vec<PathBuf>) -> Vec<String> {
    let named = paths.into_iter().filter(|path| path.is_file()).map(|path| (shown(path.file_name()), path));
    named.filter(|(name, path)| is_table(name) && has_labels(path)).map(|(name, _)| name).collect()
}

/// The reason why a folder could not be listed.
pub(super) fn io(error: Error) -> LayoutError {
    match error {
        Error::Io(error) => LayoutError::Io(error),
        other => LayoutError::Io(std::io::Error::other(other)),
    }
}
