//! The class told by a table.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path, PathBuf};

use pipeline_stage::Failure;
use pipeline_table::Split;

use super::by_folder::{photo, split_of};
use super::guess::tables;
use super::label_table::{LabelTable, Row};
use super::notes::{MOST_LISTED, TableNotes};
use super::walk::{Seen, Walk, entries, shown};
use super::{Draw, Found, LayoutError, Misplaced, Notes, Photo, SplitsFrom};
use crate::Params;

/// What a row of a table with splits should have.
const A_SPLIT: &str = "`train`, `valid` (also `val`, `validation`) or `test`";

/// A row of `labels.csv`.
pub(super) fn find(root: &Path, params: &Params, walk: &mut Walk<'_>) -> Result<Found, Failure> {
    let columns = params.table.clone().unwrap_or_default();
    let name = match &columns.file {
        Some(file) => plain(file).unwrap_or_else(|| file.clone()),
        None => only_table(root)?,
    };
    let file = root.join(&name);
    if plain(&name).is_none() || !file.is_file() {
        return Err(no_table(root, Some(name))?.into());
    }
    let draw = params.split.as_ref();
    let table = LabelTable::open(&file, &name, &columns, draw)?;
    let splits_from = splits_from(&table, &name, draw)?;

    let seen: BTreeMap<String, PathBuf> =
        walk.all(root, "")?.into_iter().map(|seen| (seen.id, seen.path)).collect();
    let (photos, notes) = (BTreeMap::new(), TableNotes::default());
    let groups = BTreeMap::new();
    let mut reading =
        Reading { root, table: name.clone(), splits_from, seen, photos, found: 0, groups, notes };
    table.each(|row| reading.take(row))?;
    let (photos, notes) = reading.finish()?;
    let notes = Notes { table: Some(notes), ..Notes::default() };
    Ok(Found { photos, classes: None, splits_from, from: name.into(), beside: vec![], notes })
}

/// Whether the table says the splits or `split` draws them; one of them must.
fn splits_from(table: &LabelTable<'_>, name: &str, draw: Option<&Draw>) -> Result<SplitsFrom, LayoutError> {
    let from = PathBuf::from(name);
    match (table.has_splits(), draw) {
        (true, None) => Ok(SplitsFrom::Table),
        (false, Some(_)) => Ok(SplitsFrom::Draw),
        (false, None) => Err(LayoutError::NoSplits { from }),
        (true, Some(_)) => {
            let choice = "remove `split` to use the table's column, or remove or rename that column";
            Err(LayoutError::SplitsTwice { from, found: vec!["a column of splits".to_owned()], choice })
        }
    }
}

/// Rows as they become photos.
struct Reading<'a> {
    root: &'a Path,
    table: String,
    splits_from: SplitsFrom,
    /// Every file of the data root by its id.
    seen: BTreeMap<String, PathBuf>,
    photos: BTreeMap<String, Photo>,
    /// Rows whose file is there.
    found: u64,
    /// Where the table says the splits: that of the first photo of each group, `None` once there is another.
    groups: BTreeMap<String, Option<Split>>,
    notes: TableNotes,
}

impl Reading<'_> {
    fn take(&mut self, row: Row) -> Result<(), LayoutError> {
        self.notes.rows += 1;
        let number = row.number;
        let wrong = |found, expected| LayoutError::Row { table: self.table.clone(), number, found, expected };
        let Some(text) = row.path else {
            self.notes.without_path += 1;
            return Ok(());
        };
        let leads_out = || wrong(format!("the path `{text}`"), "one that stays in `root`");
        let below_root = plain(&text).ok_or_else(leads_out)?;
        let split = match row.split.as_deref() {
            Some(word) => Some(
                split_of(&word.to_lowercase())
                    .ok_or_else(|| wrong(format!("the split `{word}`"), A_SPLIT))?,
            ),
            None if self.splits_from == SplitsFrom::Table => {
                return Err(wrong("no split".to_owned(), A_SPLIT));
            }
            None => None,
        };
        let id = self.resolve(below_root);
        let path = self.seen.get(&id).cloned();
        self.found += u64::from(path.is_some());
        let is_there = path.is_some();
        let mut new = photo(Seen { path: path.unwrap_or_else(|| self.root.join(&id)), id }, row.label, None);
        new.split = split;
        match (row.group, split) {
            // Where splits are said, groups draw nothing, and a row that has another one contradicts nothing.
            (Some(group), Some(split)) => self.note_group(group, split),
            (group, _) => new.group = group,
        }
        let is_lost = new.label.is_none() && matches!(split, Some(Split::Train | Split::Valid));
        new.misplaced = match () {
            () if !is_there => Some(Misplaced::Missing),
            () if is_lost => Some(Misplaced::NoLabel),
            () => new.misplaced,
        };
        match self.photos.entry(new.id.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(new)),
            Entry::Occupied(mut entry) => {
                let old = entry.get_mut();
                if (&old.label, old.split, &old.group) == (&new.label, new.split, &new.group) {
                    self.notes.repeated += 1;
                } else if old.misplaced != Some(Misplaced::Missing) {
                    old.misplaced = Some(Misplaced::Contradiction);
                }
            }
        }
        Ok(())
    }

    fn note_group(&mut self, group: String, split: Split) {
        match self.groups.entry(group) {
            Entry::Vacant(entry) => drop(entry.insert(Some(split))),
            Entry::Occupied(mut entry) if entry.get().is_some_and(|first| first != split) => {
                entry.insert(None);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// The id of a path: relative to the data root, else to the table's folder, whichever has the file.
    fn resolve(&self, path: String) -> String {
        let beside_table = self.table.rsplit_once('/').map(|(folder, _)| format!("{folder}/{path}"));
        match beside_table {
            Some(beside) if !self.seen.contains_key(&path) && self.seen.contains_key(&beside) => beside,
            _ => path,
        }
    }

    fn finish(mut self) -> Result<(Vec<Photo>, TableNotes), LayoutError> {
        if let (0, Some(first)) = (self.found, self.photos.keys().next()) {
            return Err(LayoutError::NoFileOfTable {
                table: self.table,
                rows: self.notes.rows,
                root: self.root.to_owned(),
                first: first.clone(),
            });
        }
        let unlisted = self.seen.into_keys().filter(|id| !self.photos.contains_key(id) && *id != self.table);
        for id in unlisted {
            self.notes.unlisted += 1;
            if self.notes.first_unlisted.len() < MOST_LISTED {
                self.notes.first_unlisted.push(id);
            }
        }
        for (group, _) in self.groups.into_iter().filter(|(_, split)| split.is_none()) {
            self.notes.groups_across_splits += 1;
            if self.notes.first_groups.len() < MOST_LISTED {
                self.notes.first_groups.push(group);
            }
        }
        self.notes.file = self.table;
        Ok((self.photos.into_values().collect(), self.notes))
    }
}

/// A path as an id, without `./`; `None` where it is absolute or leads out.
fn plain(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The only table of labels in the root.
fn only_table(root: &Path) -> Result<String, LayoutError> {
    let mut found = tables(root)?;
    match found.len() {
        0 => Err(no_table(root, None)?),
        1 => Ok(found.remove(0)),
        _ => Err(LayoutError::Ambiguous {
            root: root.to_owned(),
            choice: format!("`table: {{file: {}}}`", found[0]),
            found,
        }),
    }
}

fn no_table(root: &Path, name: Option<String>) -> Result<LayoutError, LayoutError> {
    let found = entries(root).map_err(super::guess::io)?.iter().map(|path| shown(path.file_name())).collect();
    Ok(LayoutError::NoTable { name, root: root.to_owned(), found })
}
