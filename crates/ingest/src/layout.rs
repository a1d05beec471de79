//! [`Layout`]: which files there are, in which split and class, told from the folders alone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pipeline_stage::source::is_clutter;
use pipeline_stage::{Cancel, Failure};
use pipeline_table::Split;

use crate::File;
use crate::error::Error;

/// Folder names of each split, the usual one first.
const SPLITS: [(Split, &[&str]); 3] = [
    (Split::Train, &["train"]),
    (Split::Valid, &["valid", "val", "validation"]),
    (Split::Test, &["test", "test1"]),
];

/// What the folders say.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Class names: the sorted folder names of train.
    pub(crate) classes: Vec<String>,
    /// Every file but clutter, sorted by id.
    pub(crate) files: Vec<File>,
    /// Folders and files beside the splits, which are not part of the data.
    pub(crate) beside: Vec<String>,
    /// Links that lead to a folder on the way to them, or above one, as ids.
    pub(crate) loops: Vec<String>,
}

/// Why a file cannot be used whatever its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// It lies in train or valid but in no class folder.
    NoClass,
    /// Its name is no text.
    NameNotText,
}

impl Misplaced {
    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Misplaced::NoClass => "no_class",
            Misplaced::NameNotText => "name_not_text",
        }
    }

    /// A few words for counts.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Misplaced::NoClass => "in no class folder",
            Misplaced::NameNotText => "with a name that is not UTF-8",
        }
    }

    /// What the user can do about it.
    pub(crate) fn way_out(self) -> &'static str {
        match self {
            Misplaced::NoClass => "move it into the folder of its class",
            Misplaced::NameNotText => "rename it",
        }
    }
}

impl Layout {
    /// Walks the data root.
    pub(crate) fn of(root: &Path, cancel: &Cancel) -> Result<Layout, Failure> {
        let (folders, beside) = split_folders(root)?;
        let mut walk = Walk { cancel, files: vec![], loops: vec![] };
        let train = required(root, &folders, &beside, Split::Train)?;
        let valid = required(root, &folders, &beside, Split::Valid)?;
        let classes = class_names(train)?;
        if classes.len() < 2 {
            return Err(Error::TooFewClasses { folder: train.clone(), found: classes }.into());
        }
        for class in class_names(valid)? {
            if !classes.contains(&class) {
                return Err(Error::UnknownClass { class, folder: valid.clone(), known: classes }.into());
            }
        }
        for (split, folder) in &folders {
            walk.split(root, *split, folder, &classes)?;
        }
        walk.files.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Layout { classes, files: walk.files, beside, loops: walk.loops })
    }
}

/// The folder of each split, and what else lies in the root.
fn split_folders(root: &Path) -> Result<(BTreeMap<Split, PathBuf>, Vec<String>), Error> {
    let mut folders: BTreeMap<Split, PathBuf> = BTreeMap::new();
    let mut beside = Vec::new();
    for path in entries(root)? {
        let name = shown(path.file_name());
        let split = SPLITS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(split, _)| *split);
        match split {
            Some(split) if path.is_dir() => {
                if let Some(first) = folders.insert(split, path.clone()) {
                    return Err(Error::TwoFolders { split, first, second: path });
                }
            }
            _ => beside.push(name),
        }
    }
    Ok((folders, beside))
}

fn required<'a>(
    root: &Path,
    folders: &'a BTreeMap<Split, PathBuf>,
    beside: &[String],
    split: Split,
) -> Result<&'a PathBuf, Error> {
    folders.get(&split).ok_or_else(|| {
        let mut found: Vec<String> =
            folders.values().map(|f| shown(f.file_name())).chain(beside.to_vec()).collect();
        found.sort();
        // The lesson's `sample/` lies beside train, and is no way out where only valid is missing.
        let whole = |folder: &PathBuf| folder.join("train").is_dir() && !folders.contains_key(&Split::Train);
        let inside = beside.iter().map(|name| root.join(name)).find(whole);
        Error::NoSplit { split, root: root.to_owned(), found, inside }
    })
}

/// Names of the folders in a split folder, sorted.
fn class_names(folder: &Path) -> Result<Vec<String>, Error> {
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    folders
        .map(|path| match path.file_name().and_then(OsStr::to_str) {
            Some(name) => Ok(name.to_owned()),
            None => Err(Error::ClassNameNotText { folder: path }),
        })
        .collect()
}

/// What lies in a folder, sorted by name, clutter left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let path = entry.map_err(Error::Io)?.path();
        if !is_clutter(&shown(path.file_name())) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The path without links.
fn real(folder: &Path) -> Result<PathBuf, Error> {
    fs_err::canonicalize(folder).map_err(Error::Io)
}

/// Whether a folder is one of those on the way to it, or above one. All paths are real.
fn leads_back(folder: &Path, above: &[PathBuf]) -> bool {
    above.iter().any(|on_the_way| on_the_way.starts_with(folder))
}

/// Collects the files of all splits.
struct Walk<'a> {
    cancel: &'a Cancel,
    files: Vec<File>,
    loops: Vec<String>,
}

impl Walk<'_> {
    fn split(&mut self, root: &Path, split: Split, folder: &Path, classes: &[String]) -> Result<(), Failure> {
        let id = shown(folder.file_name());
        let mut above = vec![real(root)?];
        let here = real(folder)?;
        if leads_back(&here, &above) {
            self.loops.push(id);
            return Ok(());
        }
        above.push(here);
        for path in entries(folder)? {
            if path.is_dir() {
                let name = shown(path.file_name());
                // Folders of test that are no classes hold unlabelled photos.
                let label_id = classes.iter().position(|class| *class == name).map(|place| place as u32);
                self.folder(split, &path, &below(&id, path.file_name()), label_id, &mut above)?;
            } else {
                let misplaced = (split != Split::Test).then_some(Misplaced::NoClass);
                self.file(split, path, &id, None, misplaced);
            }
        }
        Ok(())
    }

    /// Everything below a class folder belongs to the class. `above` holds the real paths of the folders on
    /// the way here, the data root first, so that a link to one of them, or to a
    /// folder above one, ends the walk: the digest of the data leaves it out, too.
    fn folder(
        &mut self,
        split: Split,
        folder: &Path,
        id: &str,
        label_id: Option<u32>,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        self.cancel.check()?;
        let here = real(folder)?;
        if leads_back(&here, above) {
            self.loops.push(id.to_owned());
            return Ok(());
        }
        above.push(here);
        for path in entries(folder)? {
            if path.is_dir() {
                let id = below(id, path.file_name());
                self.folder(split, &path, &id, label_id, above)?;
            } else {
                self.file(split, path, id, label_id, None);
            }
        }
        above.pop();
        Ok(())
    }

    fn file(
        &mut self,
        split: Split,
        path: PathBuf,
        folder: &str,
        label_id: Option<u32>,
        misplaced: Option<Misplaced>,
    ) {
        let id = below(folder, path.file_name());
        // Of the file or of a folder on the way to it.
        let misplaced = if id.contains("//") { Some(Misplaced::NameNotText) } else { misplaced };
        self.files.push(File { id, path, split, label_id, misplaced });
    }
}

/// The id of what is called `name` in the folder with the id `folder`. A name that is no UTF-8 is escaped and
/// stands behind two strokes, which no path has, so that it is no other file's id.
fn below(folder: &str, name: Option<&OsStr>) -> String {
    let is_text = name.is_some_and(|name| name.to_str().is_some());
    format!("{folder}{}{}", if is_text { "/" } else { "//" }, shown(name))
}

/// A name as text; bytes that are no UTF-8 are escaped.
fn shown(name: Option<&OsStr>) -> String {
    let name = name.unwrap_or_default();
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => name.as_encoded_bytes().escape_ascii().to_string(),
    }
}
