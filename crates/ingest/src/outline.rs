//! [`Outline`]: what a folder of photos looks like that no config describes yet: the parameters that read it, and what they find.
//!
//! The layouts are tried as the stage would read them, likely ones first, so that parameters which are found here are such that
//! `ingest` takes. No photo is opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_photo::Format;
use pipeline_stage::params::SourcePath;
use pipeline_stage::{Cancel, Failure};
use pipeline_table::Split;

use crate::layout::{Layout, entries_of, files_below, is_split_name, suggested_pattern, tables_of};
use crate::{Columns, Draw, Error, File, LayoutKind, Params, SplitsFrom};

/// A folder that holds nothing but one folder is looked through, so many times.
const MOST_DEEP: usize = 4;

/// Paths that are kept for whoever wants to look at photos.
const MOST_PATHS: usize = 1_000;

/// Shares for valid that are tried: the usual one, and one that leaves something to measure on of 2 photos in each class.
const SHARES: [f64; 2] = [0.2, 0.5];

/// What a folder holds, as `ingest` with [`params`](Outline::params) sees it.
#[derive(Debug)]
pub struct Outline {
    /// Parameters that read it; those that are told by the folder itself are not set.
    pub params: Params,
    /// What says the classes.
    pub layout: LayoutKind,
    /// What says the splits.
    pub splits_from: SplitsFrom,
    /// The classes, sorted by name.
    pub classes: Vec<ClassOutline>,
    /// Photos of test without a class.
    pub unlabelled: u64,
    /// Files whose names do not end as photos do.
    pub others: u64,
    /// The first of these, by id.
    pub first_other: Option<String>,
    /// Photos that would be set aside whatever is in them: without a class, or with a name that is no text.
    pub misplaced: u64,
    /// Files and folders beside the splits, which are no part of the data.
    pub beside: Vec<String>,
    /// Files of file managers and hidden ones that are left out, by name.
    pub clutter: BTreeMap<String, u64>,
    /// What else was seen, a line each.
    pub notes: Vec<String>,
    /// Paths of photos with a class, at most 1,000 spread over all of them, in order of ids.
    pub photos: Vec<PathBuf>,
}

/// A class, and how many photos it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassOutline {
    /// Its name.
    pub name: String,
    /// Photos by split; what has none is not there.
    pub photos: BTreeMap<Split, u64>,
}

impl ClassOutline {
    /// Photos of a split.
    pub fn of(&self, split: Split) -> u64 {
        self.photos.get(&split).copied().unwrap_or(0)
    }
}

impl Outline {
    /// Looks at the folder `root`, and where it holds nothing but one folder, into that.
    ///
    /// # Errors
    /// Where it has no photos, fewer than two classes, or a class without photos; where no layout fits, what the likeliest lacks.
    pub fn of(root: &Path, cancel: &Cancel) -> Result<Outline, Failure> {
        Self::within(root, MOST_DEEP, cancel).or_else(|why| {
            let files = files_below(root, cancel)?;
            match files.iter().any(|id| is_photo_name(id)) {
                true => Err(why),
                false => {
                    let (root, first) = (root.to_owned(), files.first().cloned());
                    Err(Error::NoPhotos { root, files: files.len(), first }.into())
                }
            }
        })
    }

    fn within(root: &Path, deep: usize, cancel: &Cancel) -> Result<Outline, Failure> {
        let folders = folders(root)?;
        let has_splits = folders.iter().any(|folder| is_split(folder));
        if let Some(whole) =
            folders.iter().find(|folder| !has_splits && deep > 0 && folder.join("train").is_dir())
        {
            return Self::within(whole, deep - 1, cancel);
        }
        let mut first = None;
        let mut attempt = |(layout, params): (LayoutKind, Params)| {
            let found = Layout::of(root, &params, cancel);
            match found.and_then(|found| Self::checked(root, layout, params, found)) {
                Err(why @ Failure::Failed { .. }) => {
                    first.get_or_insert(why);
                    Ok(None)
                }
                other => other.map(Some),
            }
        };
        for way in by_what_is_there(root, &folders, has_splits)? {
            if let Some(outline) = attempt(way)? {
                return Ok(outline);
            }
        }
        for way in by_name(root, has_splits, cancel)? {
            if let Some(outline) = attempt(way)? {
                return Ok(outline);
            }
        }
        // For what is missing, in the stage's own words.
        let why = match first {
            Some(why) => why,
            None => match Layout::of(root, &Params::of_root(root.to_owned()), cancel) {
                Ok(_) => Error::NothingToMeasure { splits_from: SplitsFrom::Draw }.into(),
                Err(why) => why,
            },
        };
        let inside = only_folder(root, &folders)?.filter(|_| deep > 0 && !has_splits);
        let inner = inside.map(|inside| (Self::within(inside, deep - 1, cancel), inside));
        match inner {
            // Photos in a folder in a folder are one class, and said to be.
            Some((Err(Failure::Failed { .. }), inside)) if self::folders(inside)?.is_empty() => Err(why),
            Some((inner, _)) => inner,
            None => Err(why),
        }
    }

    fn checked(root: &Path, layout: LayoutKind, params: Params, found: Layout) -> Result<Outline, Failure> {
        let Layout { classes, files, splits_from, beside, loops: _, notes } = found;
        let mut outline = Outline {
            params: Params { root: SourcePath(root.to_owned()), ..params },
            layout,
            splits_from,
            classes: classes.into_iter().map(|name| ClassOutline { name, photos: BTreeMap::new() }).collect(),
            unlabelled: 0,
            others: 0,
            first_other: None,
            misplaced: 0,
            beside,
            clutter: notes.clutter.clone(),
            notes: notes.lines(),
            photos: vec![],
        };
        for file in &files {
            outline.count(file);
        }
        let labelled = || files.iter().filter(|file| is_labelled(file));
        let step = labelled().count().div_ceil(MOST_PATHS).max(1);
        outline.photos = labelled().step_by(step).map(|file| file.path.clone()).collect();
        let lacking = outline.classes.iter().position(|class| class.of(Split::Train) == 0);
        if let Some(at) = lacking {
            let is_of_it = |file: &&File| file.label_id.is_some_and(|id| id as usize == at);
            let set_aside = files.iter().filter(is_of_it).count();
            let class = outline.classes[at].name.clone();
            return Err(Error::EmptyClass { class, set_aside, splits_from }.into());
        }
        if outline.classes.iter().all(|class| class.of(Split::Valid) == 0) {
            return Err(Error::NothingToMeasure { splits_from }.into());
        }
        Ok(outline)
    }

    fn count(&mut self, file: &File) {
        let class = file.label_id.and_then(|id| self.classes.get_mut(id as usize));
        match class {
            _ if !is_photo(file) => {
                self.others += 1;
                self.first_other.get_or_insert_with(|| file.id.clone());
            }
            _ if file.misplaced.is_some() => self.misplaced += 1,
            Some(class) => {
                *class.photos.entry(file.split).or_default() += 1;
            }
            None => self.unlabelled += 1,
        }
    }

    /// Photos with a class, of a split.
    pub fn labelled(&self, split: Split) -> u64 {
        self.classes.iter().map(|class| class.of(split)).sum()
    }
}

/// Whether it is a photo with a class.
fn is_labelled(file: &File) -> bool {
    is_photo(file) && file.misplaced.is_none() && file.label_id.is_some()
}

/// By its name: what photos end in. The stage looks at content, and takes what is called otherwise, too.
fn is_photo(file: &File) -> bool {
    is_photo_name(&file.id)
}

fn is_photo_name(name: &str) -> bool {
    Format::ALL.iter().any(|format| format.fits_name(name))
}

/// Ways to read the folder by its folders and tables, likely ones first.
fn by_what_is_there(
    root: &Path,
    folders: &[PathBuf],
    has_splits: bool,
) -> Result<Vec<(LayoutKind, Params)>, Failure> {
    let plain = || Params::of_root(root.to_owned());
    let mut ways = vec![];
    if has_splits {
        ways.extend(ways_of(LayoutKind::SplitFolders, &plain(), true));
    }
    let tables = tables_of(root)?;
    let is_clear = tables.len() == 1 && folders.len() < 2 && !has_splits;
    for file in &tables {
        let table = (!is_clear).then(|| Columns { file: Some(file.clone()), ..Columns::default() });
        ways.extend(ways_of(LayoutKind::Table, &Params { table, ..plain() }, true));
    }
    if !folders.is_empty() && !has_splits {
        let layout = (!tables.is_empty()).then_some(LayoutKind::ClassFolders);
        ways.extend(ways_of(LayoutKind::ClassFolders, &Params { layout, ..plain() }, false));
    }
    Ok(ways)
}

/// Ways to read it by the names of files.
fn by_name(root: &Path, has_splits: bool, cancel: &Cancel) -> Result<Vec<(LayoutKind, Params)>, Failure> {
    let train = root.join("train");
    let labelled = if has_splits && train.is_dir() { &train } else { root };
    let pattern = suggested_pattern(labelled, is_photo_name, cancel)?;
    let params =
        pattern.map(|pattern| Params { label_pattern: Some(pattern), ..Params::of_root(root.to_owned()) });
    Ok(params.map_or_else(Vec::new, |params| ways_of(LayoutKind::NamePattern, &params, has_splits)))
}

/// With the splits that are there, where they may be, and with drawn ones.
fn ways_of(kind: LayoutKind, params: &Params, may_have_splits: bool) -> Vec<(LayoutKind, Params)> {
    let drawn = |valid| Params { split: Some(Draw { valid, ..Draw::default() }), ..params.clone() };
    let as_it_is = may_have_splits.then(|| params.clone());
    as_it_is.into_iter().chain(SHARES.map(drawn)).map(|params| (kind, params)).collect()
}

/// The only folder, where no photo lies beside it.
fn only_folder<'a>(root: &Path, folders: &'a [PathBuf]) -> Result<Option<&'a PathBuf>, Failure> {
    let [only] = folders else { return Ok(None) };
    let has_photos =
        entries_of(root)?.iter().any(|path| is_photo_name(&path.to_string_lossy()) && !path.is_dir());
    Ok((!has_photos).then_some(only))
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    Ok(entries_of(root)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn is_split(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| is_split_name(&name.to_string_lossy()))
}

#[cfg(test)]
mod tests;
