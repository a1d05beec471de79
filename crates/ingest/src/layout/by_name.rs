//! The class told by the file's name.

use std::path::Path;

use pipeline_stage::Failure;
use pipeline_table::Split;

use super::by_folder::{SplitFolders, photo, split_of};
use super::name_pattern::LabelPattern;
use super::walk::{Walk, entries, shown};
use super::{Found, LayoutError, Misplaced, Notes, Photo, SplitsFrom};
use crate::Params;

/// `cat.1.jpg`, or `train/cat.1.jpg` where there is train/.
pub(super) fn find(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let pattern = params.label_pattern.as_deref().unwrap_or_default();
    let reader = LabelPattern::read(pattern).map_err(|reason| LayoutError::Pattern { reason })?;
    let has_splits = entries(root)?
        .iter()
        .any(|path| split_of(&shown(path.file_name())) == Some(Split::Train) && path.is_dir());
    let mut found = if has_splits { in_splits(root, params, walk)? } else { anywhere(root, params, walk)? };
    for photo in &mut found.photos {
        photo.label = reader.label(&photo.id);
        let is_lost = photo.label.is_none() && photo.split != Some(Split::Test);
        photo.misplaced = photo.misplaced.or(is_lost.then_some(Misplaced::NoLabel));
    }
    let to_train_on = || found.photos.iter().filter(|photo| matches!(photo.split, None | Some(Split::Train)));
    match to_train_on().next() {
        Some(first) if to_train_on().all(|photo| photo.label.is_none()) => {
            let (pattern, first) = (pattern.to_owned(), first.id.clone());
            Err(LayoutError::NoMatch { pattern, files: to_train_on().count(), first }.into())
        }
        _ => Ok(found),
    }
}

/// Photos of split folders, in whatever folders there.
fn in_splits(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let splits = SplitFolders::of(root, walk)?;
    let is_drawn = splits.is_drawn(root, params)?;
    let mut photos: Vec<Photo> = Vec::new();
    for (split, folder) in &splits.folders {
        let id = shown(folder.file_name());
        let seen = walk.inside(folder, &id, |walk| walk.all(folder, &id))?;
        let split = (!is_drawn || *split != Split::Train).then_some(*split);
        photos.extend(seen.into_iter().flatten().map(|seen| Photo { split, ..photo(seen, None, None) }));
    }
    let splits_from = if is_drawn { SplitsFrom::Draw } else { SplitsFrom::Folders };
    let (from, notes) = (root.to_owned(), Notes::default());
    Ok(Found { photos, classes: None, splits_from, from, beside: splits.beside, notes })
}

/// Photos of any folder; all splits are drawn.
fn anywhere(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let from = root.to_owned();
    if params.split.is_none() {
        return Err(LayoutError::NoSplits { from }.into());
    }
    let photos = walk.all(root, "")?.into_iter().map(|seen| photo(seen, None, None)).collect();
    let (splits_from, beside, notes) = (SplitsFrom::Draw, vec![], Notes::default());
    Ok(Found { photos, classes: None, splits_from, from, beside, notes })
}
