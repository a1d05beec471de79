//! [`LayoutError`]: why nothing, or more than one thing, says which photos there are, of which class, in which split.

use std::path::PathBuf;

use pipeline_stage::Hint;
use pipeline_stage::suggest::nearest;

use crate::error::list;
use crate::layout::collisions::twin;

/// An error of the layout of the photos.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Nothing says the classes.
    #[error("nothing says the classes of the photos in {}: found {} and no folders", root.display(), list(found))]
    NoLabels {
        /// The data root.
        root: PathBuf,
        /// What is there.
        found: Vec<String>,
    },
    /// Folders may be the classes, or a table may say them; or several tables may.
    #[error("more than one thing may say the classes of the photos in {}: found {}", root.display(), list(found))]
    Ambiguous {
        /// The data root.
        root: PathBuf,
        /// What may say them.
        found: Vec<String>,
        /// The way out.
        choice: String,
    },
    /// Nothing says which photos are held out.
    #[error("nothing says which photos of {} are in train and which in valid", from.display())]
    NoSplits {
        /// The data root or the table.
        from: PathBuf,
    },
    /// The data has splits, and `split` would draw them.
    #[error("`split` draws the splits, and {} has them: {}", from.display(), list(found))]
    SplitsTwice {
        /// The data root or the table.
        from: PathBuf,
        /// The folders or the column.
        found: Vec<String>,
        /// The way out.
        choice: &'static str,
    },
    /// No table, or another than is named.
    #[error("no table {} in {}: found {}", name.as_ref().map_or_else(|| "of labels".to_owned(), |name| format!("`{name}`")), root.display(), list(found))]
    NoTable {
        /// The one that is named.
        name: Option<String>,
        /// The data root.
        root: PathBuf,
        /// What is there instead.
        found: Vec<String>,
    },
    /// The table has no column for something.
    #[error("no column for the {role} in `{table}`: found {}, expected {}", list(found), list(expected))]
    NoColumn {
        /// The table.
        table: String,
        /// What the column would say.
        role: &'static str,
        /// The table's columns.
        found: Vec<String>,
        /// Names that it may have.
        expected: Vec<String>,
    },
    /// The table has several columns for something.
    #[error("more than one column of `{table}` may be the {role}: {}", list(found))]
    ManyColumns {
        /// The table.
        table: String,
        /// What the column would say.
        role: &'static str,
        /// The columns.
        found: Vec<String>,
    },
    /// A row makes no sense.
    #[error("row {number} of `{table}` has {found}, expected {expected}")]
    Row {
        /// The table.
        table: String,
        /// Its number, as a spreadsheet counts.
        number: u64,
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// No row names a file that is there.
    #[error("none of the {rows} rows of `{table}` names a file in {}: the first is `{first}`", root.display())]
    NoFileOfTable {
        /// The table.
        table: String,
        /// How many rows it has.
        rows: u64,
        /// The data root.
        root: PathBuf,
        /// The first path.
        first: String,
    },
    /// Text that is not UTF-8.
    #[error("row {number} of `{table}` is not UTF-8: found `{found}`")]
    NotText {
        /// The table.
        table: String,
        /// Its number, as a spreadsheet counts.
        number: u64,
        /// The cell, escaped.
        found: String,
    },
    /// A CSV that cannot be read.
    #[error("cannot read `{table}` as CSV")]
    Csv {
        /// The table.
        table: String,
        /// What the reader says.
        source: csv::Error,
    },
    /// A Parquet file that cannot be read.
    #[error(transparent)]
    Parquet(#[from] pipeline_table::Error),
    /// Fewer than two classes.
    #[error("expected at least 2 labels in {}, found {}", from.display(), list(found))]
    TooFewLabels {
        /// The data root or the table.
        from: PathBuf,
        /// The labels.
        found: Vec<String>,
    },
    /// A photo of valid whose class cannot be learned.
    #[error("`{id}` in valid is of the class `{label}`, which train lacks: its classes are {}", list(known))]
    UnknownLabel {
        /// The photo.
        id: String,
        /// The class.
        label: String,
        /// The classes of train.
        known: Vec<String>,
    },
    /// The pattern of labels fits no name.
    #[error(
        "`label_pattern` {pattern} fits no name of the {files} files to train on: the first is `{first}`"
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// How many files there are.
        files: usize,
        /// The first.
        first: String,
    },
    /// The pattern of groups fits no id.
    #[error("`split.group_by.regex` {pattern} fits no id: the first is `{first}`")]
    NoGroup {
        /// The pattern.
        pattern: String,
        /// The first id.
        first: String,
    },
    /// A pattern that is none; the check of the parameters says so before.
    #[error("{reason}")]
    Pattern {
        /// What is wrong.
        reason: String,
    },
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl LayoutError {
    pub(super) fn csv(table: &str, source: csv::Error) -> Self {
        LayoutError::Csv { table: table.to_owned(), source }
    }
}

impl Hint for LayoutError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            LayoutError::NoLabels { .. } => {
                r"set `label_pattern` where names say the class, as '^(?<label>[a-z]+)\.' for cat.123.jpg; or make a folder for each class; or put a table with the columns path and label beside the photos".to_owned()
            }
            LayoutError::Ambiguous { choice, .. } => format!("set {choice}"),
            LayoutError::NoSplits { .. } => {
                "set `split: {valid: 0.2}` to draw a fifth of each class for valid".to_owned()
            }
            LayoutError::SplitsTwice { choice, .. } => (*choice).to_owned(),
            LayoutError::NoTable { .. } => {
                "set `table: {file: NAME}` to a CSV or Parquet file, relative to `root`".to_owned()
            }
            LayoutError::NoColumn { found, expected, .. } if expected.len() == 1 => {
                let known = found.iter().map(String::as_str);
                return nearest(&expected[0], known).map(|name| format!("did you mean `{name}`?"));
            }
            LayoutError::NoColumn { role, .. } => format!("name it: `table: {{{role}: COLUMN}}`"),
            LayoutError::ManyColumns { role: "group", found, .. } => {
                format!("choose one: `split: {{group_by: {{column: {}}}}}`", found[0])
            }
            LayoutError::ManyColumns { role, found, .. } => {
                format!("choose one: `table: {{{role}: {}}}`", found[0])
            }
            LayoutError::Row { .. } => "correct or remove the row".to_owned(),
            LayoutError::NoFileOfTable { .. } => {
                "write paths relative to `root` or to the table's folder, with the ending".to_owned()
            }
            LayoutError::NotText { .. } => "save the table as UTF-8".to_owned(),
            LayoutError::Csv { .. } => {
                "save the table as CSV with a first line of names and as many cells in each line".to_owned()
            }
            LayoutError::Parquet(error) => return error.hint(),
            LayoutError::TooFewLabels { .. } => "label photos of each class".to_owned(),
            LayoutError::UnknownLabel { label, known, .. } => match twin(label, known) {
                Some(twin) => format!("write it as `{twin}`, if that is meant"),
                None => format!("label photos of `{label}` in train, or take them out of valid"),
            },
            LayoutError::NoMatch { .. } => {
                r"`^(?<label>[a-z]+)\.` finds `cat` in `cat.123.jpg`".to_owned()
            }
            LayoutError::NoGroup { .. } => {
                r"an id is the path relative to `root`, with `/`; `([^/]+)_\d+\.jpg$` finds `rex` in `dogs/rex_12.jpg`"
                    .to_owned()
            }
            LayoutError::Pattern { .. } | LayoutError::Io(_) => return None,
        })
    }
}
