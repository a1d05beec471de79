//! [`Texts`]: columns of a Parquet file that someone else wrote, as text: a table of labels from pandas, polars or DuckDB.
//!
//! | type in the file | text |
//! |---|---|
//! | string, category | as it is |
//! | whole number | in decimal digits |
//! | boolean | `true`, `false` |
//! | null | none |
//!
//! Other types are refused: there is more than one way to write 0.1.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use fs_err::File;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::reader::{check_ends, damaged, type_name};
use crate::writer::BATCH_ROWS;
use crate::{Error, Result};

/// A Parquet file of any columns.
pub struct Texts {
    path: PathBuf,
    footer: ArrowReaderMetadata,
}

impl Texts {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, or is no Parquet file.
    pub fn open(path: &Path) -> Result<Texts> {
        let mut file = File::open(path)?;
        check_ends(&mut file, path)?;
        // Without the types that the writer thought in, strings are one type, whatever pandas calls them.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::load(file.file(), options).map_err(damaged(path))?;
        Ok(Texts { path: path.to_owned(), footer })
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> Vec<String> {
        self.footer.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The rows, each with the texts of `columns` in this order, with a batch of them in memory.
    ///
    /// # Errors
    /// [`Error::MissingColumn`]; [`Error::ColumnType`] for a type that is none of those above.
    pub fn rows(&self, columns: &[&str]) -> Result<TextRows> {
        let schema = self.footer.schema();
        let mut roots = Vec::new();
        for column in columns {
            let (path, column) = (self.path.clone(), (*column).to_owned());
            let expected = "string".to_owned();
            let Ok(index) = schema.index_of(&column) else {
                return Err(Error::MissingColumn { path, column, expected });
            };
            if !is_readable(schema.field(index).data_type()) {
                let found = type_name(schema.field(index).data_type());
                return Err(Error::ColumnType { path, column, found, expected });
            }
            roots.push(index);
        }
        let file = File::open(&self.path)?.into_parts().0;
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), roots);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(damaged(&self.path))?;
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Ok(TextRows { path: self.path.clone(), columns, batches, current: Vec::new().into_iter() })
    }
}

/// Rows of some columns as text; see [`Texts::rows`].
pub struct TextRows {
    path: PathBuf,
    columns: Vec<String>,
    batches: ParquetRecordBatchReader,
    current: std::vec::IntoIter<Vec<Option<String>>>,
}

impl TextRows {
    fn texts(&self, batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
        let arrays: Vec<&ArrayRef> =
            self.columns.iter().filter_map(|column| batch.column_by_name(column)).collect();
        (0..batch.num_rows()).map(|row| arrays.iter().map(|array| text(array, row)).collect()).collect()
    }
}

impl Iterator for TextRows {
    type Item = Result<Vec<Option<String>>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.current.next() {
                return Some(Ok(row));
            }
            match self.batches.next()? {
                Ok(batch) => self.current = self.texts(&batch).into_iter(),
                Err(error) => return Some(Err(damaged(&self.path)(error))),
            }
        }
    }
}

fn is_readable(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Utf8 | DataType::Boolean)
}

/// The value of a row as text; `None` where it is null. The type [is readable](is_readable).
fn text(array: &ArrayRef, row: usize) -> Option<String> {
    fn digits<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> Option<String>
    where
        T::Native: ToString,
    {
        array.as_primitive_opt::<T>().map(|numbers| numbers.value(row).to_string())
    }
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string_opt::<i32>().map(|texts| texts.value(row).to_owned()),
        DataType::Boolean => array.as_boolean_opt().map(|truths| truths.value(row).to_string()),
        DataType::Int8 => digits::<Int8Type>(array, row),
        DataType::Int16 => digits::<Int16Type>(array, row),
        DataType::Int32 => digits::<Int32Type>(array, row),
        DataType::Int64 => digits::<Int64Type>(array, row),
        DataType::UInt8 => digits::<UInt8Type>(array, row),
        DataType::UInt16 => digits::<UInt16Type>(array, row),
        DataType::UInt32 => digits::<UInt32Type>(array, row),
        DataType::UInt64 => digits::<UInt64Type>(array, row),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plain::{self, Column};

    #[test]
    fn columns_of_any_table_are_texts_in_the_order_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let text = |text: &str| Some(text.to_owned());
        let columns = [
            ("path".to_owned(), Column::Text(vec![text("b.jpg"), text("a.jpg"), None])),
            ("share".to_owned(), Column::Number(vec![Some(0.1), None, None])),
            ("label".to_owned(), Column::Whole(vec![Some(7), None, Some(-1)])),
            ("kept".to_owned(), Column::Truth(vec![true, false, true])),
        ];
        plain::write(&path, "labels", &columns).unwrap();
        let table = Texts::open(&path).unwrap();
        assert_eq!(table.columns(), ["path", "share", "label", "kept"]);
        let rows: Vec<_> = table.rows(&["kept", "label", "path"]).unwrap().map(Result::unwrap).collect();
        assert_eq!(
            rows,
            [
                [text("true"), text("7"), text("b.jpg")],
                [text("false"), None, text("a.jpg")],
                [text("true"), text("-1"), None],
            ]
        );
        let refused = |column: &str| {
            table.rows(&[column]).err().unwrap().to_string().replace(&path.display().to_string(), "F")
        };
        assert_eq!(refused("share"), "cannot read `F`: column `share` is of type float64, expected string");
        assert_eq!(
            refused("weight"),
            "cannot read `F`: found no column `weight`, expected one of type string"
        );
    }

    /// `tests/labels_by_pandas.py` wrote it: snappy, a category, strings, an index.
    #[test]
    fn a_table_by_pandas_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labels_by_pandas.parquet");
        let table = Texts::open(&path).unwrap();
        let rows: Vec<_> = table.rows(&["path", "label", "fold"]).unwrap().map(Result::unwrap).collect();
        let row = |path: &str, label: Option<&str>, fold: &str| {
            vec![Some(path.to_owned()), label.map(str::to_owned), Some(fold.to_owned())]
        };
        assert_eq!(
            rows,
            [row("a.jpg", Some("cat"), "3"), row("b c.jpg", Some("dog"), "0"), row("é.jpg", None, "3")]
        );
    }
}
