//! [`Walk`]: the files below a folder, clutter left out and counted, links followed unless they lead back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pipeline_stage::source::{MOST_DEEP, is_clutter};
use pipeline_stage::{Cancel, Failure};

use crate::error::Error;

/// A file that a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Path relative to the data root, with `/`; see [`below`].
    pub(super) id: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// A way down from the data root.
pub(super) struct Walk<'a> {
    cancel: &'a Cancel,
    /// Real paths of the folders on the way here, the data root first: a link to one of them, or to a folder above one,
    /// ends the walk. The digest of the data leaves it out, too.
    above: Vec<PathBuf>,
    /// Ids of such links.
    pub(super) loops: Vec<String>,
    /// Files and folders that were left out, by name; hidden ones under `hidden`.
    pub(super) clutter: BTreeMap<String, u64>,
}

impl<'a> Walk<'a> {
    /// Starts at the data root.
    pub(super) fn from(root: &Path, cancel: &'a Cancel) -> Result<Self, Error> {
        Ok(Walk { cancel, above: vec![real(root)?], loops: vec![], clutter: BTreeMap::new() })
    }

    /// Everything in the folder with the id `id` (empty for the data root) and in the folders in it, in order of the
    /// names in each.
    pub(super) fn all(&mut self, folder: &Path, id: &str) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for path in self.entries(folder)? {
            self.collect(path, id, &mut seen)?;
        }
        Ok(seen)
    }

    /// What `look` makes of the folder with the id `id`; `None` where it leads back.
    pub(super) fn inside<R>(
        &mut self,
        folder: &Path,
        id: &str,
        look: impl FnOnce(&mut Self) -> Result<R, Failure>,
    ) -> Result<Option<R>, Failure> {
        self.cancel.check()?;
        let here = real(folder)?;
        if self.above.iter().any(|on_the_way| on_the_way.starts_with(&here)) {
            self.loops.push(id.to_owned());
            return Ok(None);
        }
        if self.above.len() > MOST_DEEP {
            return Err(Error::TooDeep { id: id.to_owned() }.into());
        }
        self.above.push(here);
        let found = look(self)?;
        self.above.pop();
        Ok(Some(found))
    }

    /// What lies in a folder, sorted by name, clutter left out and counted.
    pub(super) fn entries(&mut self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let (clutter, paths): (Vec<_>, Vec<_>) =
            listed(folder)?.into_iter().partition(|path| is_clutter(&shown(path.file_name())));
        for path in clutter {
            let name = shown(path.file_name());
            let name = if name.starts_with('.') && name != ".DS_Store" && name != ".ipynb_checkpoints" {
                "hidden".to_owned()
            } else {
                name
            };
            *self.clutter.entry(name).or_default() += 1;
        }
        Ok(paths)
    }

    fn collect(&mut self, path: PathBuf, folder: &str, seen: &mut Vec<Seen>) -> Result<(), Failure> {
        let id = below(folder, path.file_name());
        if !path.is_dir() {
            seen.push(Seen { id, path });
            return Ok(());
        }
        let look = |walk: &mut Self| {
            for path in walk.entries(&path)? {
                walk.collect(path, &id, seen)?;
            }
            Ok(())
        };
        self.inside(&path, &id, look).map(drop)
    }
}

/// What lies in a folder, sorted by name, without clutter.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(listed(folder)?.into_iter().filter(|path| !is_clutter(&shown(path.file_name()))).collect())
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs_err::read_dir(folder).map_err(Error::Io)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry.map_err(Error::Io)?.path())).collect::<Result<_, Error>>()?;
    paths.sort();
    Ok(paths)
}

/// Names of the folders in a folder, sorted.
pub(super) fn folder_names(folder: &Path) -> Result<Vec<String>, Error> {
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    folders
        .map(|path| match path.file_name().and_then(OsStr::to_str) {
            Some(name) => Ok(name.to_owned()),
            None => Err(Error::ClassNameNotText { folder: path }),
        })
        .collect()
}

/// The path without links.
fn real(folder: &Path) -> Result<PathBuf, Error> {
    fs_err::canonicalize(folder).map_err(Error::Io)
}

/// The id of what is called `name` in the folder with the id `folder`. A name that is no UTF-8 is escaped and
/// stands behind two strokes, which no path has, so that it is no other file's id.
pub(super) fn below(folder: &str, name: Option<&OsStr>) -> String {
    let is_text = name.is_some_and(|name| name.to_str().is_some());
    let stroke = match (folder, is_text) {
        (_, false) => "//",
        ("", true) => "",
        (_, true) => "/",
    };
    format!("{folder}{stroke}{}", shown(name))
}

/// A name as text; bytes that are no UTF-8 are escaped.
pub(super) fn shown(name: Option<&OsStr>) -> String {
    let name = name.unwrap_or_default();
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => name.as_encoded_bytes().escape_ascii().to_string(),
    }
}
