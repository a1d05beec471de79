//! [`LabelTable`]: a CSV or Parquet file that names the photos and their classes.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};
use fs_err::File;
use pipeline_table::Texts;
use pipeline_table::texts::TextRows;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draw::GroupBy;
use super::{Draw, LayoutError};

/// The table of labels, and its columns. A column that is not given is found by name, whatever its case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// CSV (with commas, semicolons or tabs, UTF-8, a first line of names) or Parquet, relative to `root`. Without it the only table there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Column of the photo's path, relative to `root` or to the table's folder: `path`, `file`, `filename`, `file_name`, `filepath`, `image`, `image_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Column of the class: `label`, `class`, `category`, `class_name`. Photos without one are for test only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Column of the split, with `train`, `valid` (also `val`, `validation`) and `test`: `split`, `subset`, `set`. Without it `split` draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

/// Names by which columns are found.
const PATH: &[&str] = &["path", "file", "filename", "file_name", "filepath", "image", "image_path"];
const LABEL: &[&str] = &["label", "class", "category", "class_name"];
const SPLIT: &[&str] = &["split", "subset", "set"];
const GROUP: &[&str] = &["group", "group_id"];

/// A row of the table. Empty cells are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number, as a spreadsheet counts: in a CSV the names of the columns are row 1. Empty lines do not count.
    pub(super) number: u64,
    pub(super) path: Option<String>,
    pub(super) label: Option<String>,
    pub(super) split: Option<String>,
    pub(super) group: Option<String>,
}

impl Row {
    /// A row of these cells: path, label, split, group.
    fn of(number: u64, [path, label, split, group]: [Option<String>; 4]) -> Row {
        Row { number, path, label, split, group }
    }
}

/// An opened table whose columns are known.
pub(super) struct LabelTable<'a> {
    file: &'a Path,
    /// Its path relative to the data root, for messages.
    shown: &'a str,
    /// Names of the columns of path, label, split and group.
    columns: [Option<String>; 4],
}

impl<'a> LabelTable<'a> {
    /// Opens a table whose photos are drawn by `draw`, if they are: by groups then. Else groups only tell of leaks.
    pub(super) fn open(
        file: &'a Path,
        shown: &'a str,
        columns: &Columns,
        draw: Option<&Draw>,
    ) -> Result<Self, LayoutError> {
        let header = header(file, shown)?;
        let find = |role, given, names: &'static [&'static str]| find(shown, &header, role, given, names);
        let needed = |role, given, names: &'static [&'static str]| {
            find(role, given, names)?.ok_or_else(|| LayoutError::NoColumn {
                table: shown.to_owned(),
                role,
                found: header.clone(),
                expected: names.iter().map(|name| (*name).to_owned()).collect(),
            })
        };
        let path = needed("path", columns.path.as_ref(), PATH)?;
        let label = needed("label", columns.label.as_ref(), LABEL)?;
        let split = find("split", columns.split.as_ref(), SPLIT)?;
        let group_by = draw.and_then(|draw| draw.group_by.as_ref());
        let group = match group_by {
            Some(GroupBy::Column(column)) => find("group", Some(column), GROUP)?,
            // Which of several is meant is of no matter where nothing is drawn: none of them tells of leaks then.
            _ if draw.is_none() => find("group", None, GROUP).unwrap_or(None),
            _ => find("group", None, GROUP)?,
        };
        Ok(LabelTable { file, shown, columns: [Some(path), Some(label), split, group] })
    }

    /// Whether it says the split of each photo.
    pub(super) fn has_splits(&self) -> bool {
        self.columns[2].is_some()
    }

    /// Calls `take` with each row in order.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(Row) -> Result<(), LayoutError>,
    ) -> Result<(), LayoutError> {
        let mut rows = Rows::open(self.file, self.shown, &self.columns)?;
        while let Some(row) = rows.next(self.shown)? {
            take(row)?;
        }
        Ok(())
    }
}

/// Whether a file is called like a table.
pub(super) fn is_table(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("csv" | "tsv" | "parquet"))
}

/// Whether the table has a column of paths and one of labels, as far as their names tell.
pub(super) fn has_labels(file: &Path) -> bool {
    // With two columns that may be meant, whoever reads the table says so.
    matches!(
        LabelTable::open(file, "", &Columns::default(), None),
        Ok(_) | Err(LayoutError::ManyColumns { .. })
    )
}

fn is_parquet(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// The column of a role: the one given, else the only one of these names.
fn find(
    table: &str,
    header: &[String],
    role: &'static str,
    given: Option<&String>,
    names: &[&str],
) -> Result<Option<String>, LayoutError> {
    let (table, found) = (table.to_owned(), header.to_vec());
    let fits = |name: &&String| match given {
        Some(given) => *name == given,
        None => names.contains(&name.to_lowercase().as_str()),
    };
    let fitting: Vec<&String> = header.iter().filter(fits).collect();
    match (fitting.as_slice(), given) {
        ([], None) => Ok(None),
        ([], Some(given)) => Err(LayoutError::NoColumn { table, role, found, expected: vec![given.clone()] }),
        ([only], _) => Ok(Some((*only).clone())),
        (several, _) => {
            let found = several.iter().map(|name| (*name).clone()).collect();
            Err(LayoutError::ManyColumns { table, role, found })
        }
    }
}

/// Names of the columns.
fn header(file: &Path, shown: &str) -> Result<Vec<String>, LayoutError> {
    if is_parquet(file) {
        return Ok(Texts::open(file)?.columns());
    }
    let mut reader = csv(file)?;
    let header = reader.byte_headers().map_err(|source| LayoutError::csv(shown, source))?;
    header.iter().map(|name| utf8(name, shown, 1)).collect()
}

/// Rows of either kind of file.
enum Rows {
    Csv { reader: Box<csv::Reader<File>>, record: ByteRecord, number: u64, places: [Option<usize>; 4] },
    Parquet { rows: Box<TextRows>, number: u64, places: [Option<usize>; 4] },
}

impl Rows {
    fn open(file: &Path, shown: &str, columns: &[Option<String>; 4]) -> Result<Rows, LayoutError> {
        if is_parquet(file) {
            let names: Vec<&str> = columns.iter().flatten().map(String::as_str).collect();
            let place = |name: &Option<String>| {
                name.as_deref().and_then(|name| names.iter().position(|other| *other == name))
            };
            let places = columns.each_ref().map(place);
            return Ok(Rows::Parquet { rows: Box::new(Texts::open(file)?.rows(&names)?), number: 0, places });
        }
        let header = header(file, shown)?;
        let place =
            |name: &Option<String>| name.as_ref().and_then(|n| header.iter().position(|other| other == n));
        let places = columns.each_ref().map(place);
        Ok(Rows::Csv { reader: Box::new(csv(file)?), record: ByteRecord::new(), number: 1, places })
    }

    /// The next row.
    fn next(&mut self, shown: &str) -> Result<Option<Row>, LayoutError> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        match self {
            Rows::Csv { reader, record, number, places } => {
                if !reader.read_byte_record(record).map_err(|source| LayoutError::csv(shown, source))? {
                    return Ok(None);
                }
                *number += 1;
                let mut cells = [const { None }; 4];
                for (cell, place) in cells.iter_mut().zip(places) {
                    let bytes = place.and_then(|place| record.get(place));
                    *cell = filled(bytes.map(|bytes| utf8(bytes, shown, *number)).transpose()?);
                }
                Ok(Some(Row::of(*number, cells)))
            }
            Rows::Parquet { rows, number, places } => {
                let Some(row) = rows.next().transpose()? else { return Ok(None) };
                *number += 1;
                let cell = |place: &Option<usize>| filled(place.and_then(|place| row.get(place).cloned()?));
                Ok(Some(Row::of(*number, places.each_ref().map(cell))))
            }
        }
    }
}

/// A reader of the file, whose cells are separated as its first line says.
fn csv(file: &Path) -> Result<csv::Reader<File>, LayoutError> {
    let mut start = Vec::new();
    File::open(file)?.take(64 << 10).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    // The last of equals: a line without any has one column, which is refused for want of another.
    let separator = [b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator));
    let separator = separator.unwrap_or(b',');
    // A byte order mark is skipped by the reader.
    Ok(ReaderBuilder::new().delimiter(separator).trim(Trim::All).from_reader(File::open(file)?))
}

fn utf8(bytes: &[u8], shown: &str, number: u64) -> Result<String, LayoutError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(LayoutError::NotText {
            table: shown.to_owned(),
            number,
            found: bytes.escape_ascii().to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
