//! [`Error`]: everything that can go wrong with a table, on write and on read.

use std::path::PathBuf;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use pipeline_stage::Hint;

/// Letters of a line that a message shows.
const MOST_SHOWN: usize = 100;

/// Why a table could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused; the message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Rows could not be written: as a rule the disk is full.
    #[error("cannot write the table `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the Parquet writer says.
        source: ParquetError,
    },
    /// The arrays of a batch do not fit the table's own schema.
    #[error("cannot lay out rows for the table `{}`", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What arrow says.
        source: ArrowError,
    },
    /// The file is something else.
    #[error("cannot read `{}`: found {size_bytes} bytes that do not begin with `PAR1`, expected a Parquet file", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
    },
    /// The file begins as Parquet and ends early.
    #[error("cannot read `{}`: it is cut short, found {size_bytes} bytes that do not end with `PAR1`", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
    },
    /// The inside of the file cannot be decoded.
    #[error("cannot read the table `{}`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Metadata of the file is missing or makes no sense.
    #[error("cannot read `{}`: found {} as its metadata `{key}`, expected {expected}", path.display(), or_nothing(.found))]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        found: Option<String>,
        /// What it should be.
        expected: String,
    },
    /// A column is not there.
    #[error("cannot read `{}`: found no column `{column}`, expected one of type {expected}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        expected: String,
    },
    /// A column has another type.
    #[error("cannot read `{}`: column `{column}` is of type {found}, expected {expected}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type in the file.
        found: String,
        /// The type that the table has.
        expected: String,
    },
    /// A value is missing in a column that has no nulls.
    #[error("cannot read `{}`: column `{column}` has {count} nulls, expected none", path.display())]
    Nulls {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// How many nulls the first batch that has any holds.
        count: usize,
    },
    /// A column of words has one that is not on the list.
    #[error("cannot read `{}`: column `{column}` has the value `{found}`, expected {expected}", path.display())]
    Word {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The word.
        found: String,
        /// The list.
        expected: &'static str,
    },
    /// A row came after one that should follow it.
    #[error("cannot write `{}`: row `{id}` came after row `{previous}`, expected ascending ids", path.display())]
    Order {
        /// The file or folder.
        path: PathBuf,
        /// The row before, with its view where that is not 0.
        previous: String,
        /// The row.
        id: String,
    },
    /// A row came twice.
    #[error("cannot write `{}`: row `{id}` came twice", path.display())]
    Twice {
        /// The file or folder.
        path: PathBuf,
        /// The row, with what tells it from others of the photo.
        id: String,
    },
    /// The values of a row contradict each other.
    #[error("cannot write `{}`: row `{id}` has {found}, expected {expected}", path.display())]
    Row {
        /// The file or folder.
        path: PathBuf,
        /// The row.
        id: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// Two columns of a plain table have one name.
    #[error("cannot write `{}`: two columns are named `{column}`", path.display())]
    ColumnTwice {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A vector has another length than the table's.
    #[error("cannot write `{}`: row `{id}` has {found} numbers in `{column}`, expected {expected}", path.display())]
    Dim {
        /// The file or folder.
        path: PathBuf,
        /// The row.
        id: String,
        /// The column.
        column: &'static str,
        /// Its length.
        found: usize,
        /// The table's.
        expected: usize,
    },
    /// A number is NaN or infinite.
    #[error("cannot write `{}`: row `{id}` has {value} in `{column}`, expected finite numbers", path.display())]
    NotFinite {
        /// The file or folder.
        path: PathBuf,
        /// The row: the photo that led to it.
        id: String,
        /// The column, with the position where it is a vector.
        column: String,
        /// The number.
        value: f32,
    },
    /// The length of vectors that a table was asked to have is impossible.
    #[error("cannot write `{}`: vectors of {found} numbers, expected 1 to {}", path.display(), i32::MAX)]
    ImpossibleDim {
        /// The file or folder.
        path: PathBuf,
        /// The length.
        found: usize,
    },
    /// A features folder that should be empty has parts of another table.
    #[error("cannot write features into `{}`: found `{found}`, expected no part files", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// A file in it.
        found: String,
    },
    /// A features folder lacks a part.
    #[error("cannot read features from `{}`: found no `{expected}`", dir.display())]
    MissingPart {
        /// The folder.
        dir: PathBuf,
        /// The file that should be there.
        expected: String,
    },
    /// Two parts of one features folder belong to different tables.
    #[error("cannot read `{}`: its metadata `{key}` differs from that of `part-00000.parquet`", path.display())]
    PartsDiffer {
        /// The part.
        path: PathBuf,
        /// The key of the first difference.
        key: &'static str,
    },
    /// A line of a text file is not a row.
    #[error("cannot read a line as a row of the {table}: found `{line}`, expected one JSON object")]
    Line {
        /// The table.
        table: &'static str,
        /// The line; its beginning where it is long.
        line: String,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
}

impl Error {
    /// The error for a line that is no row.
    pub(crate) fn line(table: &'static str, line: &str, source: serde_json::Error) -> Self {
        let mut shown: String = line.chars().take(MOST_SHOWN).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        Error::Line { table, line: shown, source }
    }
}

/// The text in backticks, or that there is none.
fn or_nothing(found: &Option<String>) -> String {
    found.as_ref().map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"))
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Write { .. } => "make room on the disk, or move the store with `--store DIR`",
            Error::NotParquet { .. }
            | Error::Truncated { .. }
            | Error::Damaged { .. }
            | Error::MissingPart { .. }
            | Error::PartsDiffer { .. } => "make the artifact again with `--force STAGE`",
            Error::Metadata { key: crate::metadata::SCHEMA, .. } => {
                "use the version of `pipeline` that wrote the table, or make the artifact again with `--force STAGE`"
            }
            Error::NotFinite { .. } => "look at this photo and at the weights of the backbone",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_of_writing_is_named() {
        let dir = PathBuf::from("features");
        let error = Error::NotEmpty { dir: dir.clone(), found: "part-00003.parquet".to_owned() };
        assert_eq!(
            error.to_string(),
            "cannot write features into `features`: found `part-00003.parquet`, expected no part files"
        );
        let source = ArrowError::InvalidArgumentError("lengths differ".to_owned());
        let error = Error::Layout { path: dir, source };
        assert_eq!(error.to_string(), "cannot lay out rows for the table `features`");
    }

    #[test]
    fn a_line_that_is_no_row_is_shown_up_to_100_letters() {
        let text = |line: &str| {
            let source = serde_json::from_str::<u8>("").unwrap_err();
            Error::line("history", line, source).to_string()
        };
        let cut =
            "cannot read a line as a row of the history: found `{\"stage\":\"he`, expected one JSON object";
        assert_eq!(text(r#"{"stage":"he"#), cut);
        assert!(text(&"é".repeat(100)).contains(&format!("found `{}`", "é".repeat(100))));
        assert!(text(&"é".repeat(101)).contains(&format!("found `{}…`", "é".repeat(100))));
    }
}
