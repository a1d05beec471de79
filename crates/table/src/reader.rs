//! [`TableFile`]: an opened Parquet file whose kind, version and columns have been checked, and
//! [`Rows`], its rows one by one with one batch in memory.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field, Schema};
use fs_err::File;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;

use crate::columns::Columns;
use crate::writer::PAGE_ROWS;
use crate::{Error, Result, metadata};

const MAGIC: [u8; 4] = *b"PAR1";

/// An opened table.
#[derive(Clone)]
pub(crate) struct TableFile {
    pub(crate) path: PathBuf,
    footer: ArrowReaderMetadata,
}

/// Which rows of a file to read; all of them by default.
#[derive(Default)]
pub(crate) struct Slice {
    pub(crate) row_group: Option<usize>,
    /// Rows within the row group.
    pub(crate) rows: Option<RowSelection>,
}

impl TableFile {
    /// Opens the file and checks that it holds `table` in a version known here.
    pub(crate) fn open(path: &Path, table: &'static str) -> Result<Self> {
        let mut file = File::open(path)?;
        check_ends(&mut file, path)?;
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(file.file(), options).map_err(damaged(path))?;
        let opened = TableFile { path: path.to_owned(), footer };

        let kind = opened.metadata(metadata::TABLE);
        if kind != Some(table) {
            return Err(opened.unexpected(metadata::TABLE, format!("`{table}`")));
        }
        let version = opened.metadata(metadata::SCHEMA).and_then(|text| text.parse::<u32>().ok());
        if !version.is_some_and(|version| (1..=metadata::SCHEMA_VERSION).contains(&version)) {
            let newest = metadata::SCHEMA_VERSION;
            return Err(opened.unexpected(metadata::SCHEMA, format!("a version up to {newest}")));
        }
        Ok(opened)
    }

    /// The value of a metadata key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let pairs = self.footer.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// The value of a metadata key that must be there; `expected` says what it holds.
    pub(crate) fn required_metadata(&self, key: &'static str, expected: &str) -> Result<&str> {
        self.metadata(key).ok_or_else(|| self.unexpected(key, expected.to_owned()))
    }

    /// The error for a metadata value that is missing or wrong.
    pub(crate) fn unexpected(&self, key: &'static str, expected: String) -> Error {
        let found = self.metadata(key).map(str::to_owned);
        Error::Metadata { path: self.path.clone(), key, found, expected }
    }

    /// The error for a file that holds another number of rows than its footer says.
    pub(crate) fn miscounted(&self) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            source: "its footer counts other rows than it holds".into(),
        }
    }

    /// Rows in each row group.
    pub(crate) fn row_groups(&self) -> impl Iterator<Item = usize> + '_ {
        self.footer.metadata().row_groups().iter().map(|group| group.num_rows() as usize)
    }

    /// Names and types of the columns, in order.
    pub(crate) fn columns(&self) -> Vec<(String, String)> {
        let fields = self.footer.schema().fields().iter();
        fields.map(|field| (field.name().clone(), type_name(field.data_type()))).collect()
    }

    /// Whether there is a column of this name, for those that a table may lack.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.footer.schema().field_with_name(name).is_ok()
    }

    /// Checks that the file has the columns of `expected` with their types. Others are ignored, so that a
    /// table can gain columns.
    pub(crate) fn check_columns(&self, expected: &Schema) -> Result<()> {
        for field in expected.fields() {
            let (path, column) = (self.path.clone(), field.name().clone());
            let expected = type_name(field.data_type());
            match self.footer.schema().field_with_name(field.name()) {
                Err(_) => return Err(Error::MissingColumn { path, column, expected }),
                Ok(found) if found.data_type() != field.data_type() => {
                    let found = type_name(found.data_type());
                    return Err(Error::ColumnType { path, column, found, expected });
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Reads the columns of `wanted`, at most `batch_rows` rows at a time.
    pub(crate) fn batches(&self, wanted: &Schema, slice: Slice, batch_rows: usize) -> Result<Batches> {
        // Each reader has a file of its own: the offset of a cloned handle is shared between threads.
        let file = File::open(&self.path)?.into_parts().0;
        let roots = self.footer.schema().fields().iter().enumerate();
        let roots = roots.filter(|(_, f)| wanted.field_with_name(f.name()).is_ok()).map(|(index, _)| index);
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), roots);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if let Some(row_group) = slice.row_group {
            builder = builder.with_row_groups(vec![row_group]);
        }
        if let Some(rows) = slice.rows {
            builder = builder.with_row_selection(rows);
        }
        let batches = builder.build().map_err(damaged(&self.path))?;
        let required =
            wanted.fields().iter().filter(|f| !f.is_nullable()).map(|f| f.name().clone()).collect();
        Ok(Batches { path: self.path.clone(), required, batches })
    }
}

/// Checks that the file begins and ends as Parquet does.
pub(crate) fn check_ends(file: &mut File, path: &Path) -> Result<()> {
    let size_bytes = file.metadata()?.len();
    let path = path.to_owned();
    let mut ends = [[0; 4]; 2];
    if size_bytes >= 4 {
        file.read_exact(&mut ends[0])?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut ends[1])?;
    }
    if ends[0] != MAGIC {
        return Err(Error::NotParquet { path, size_bytes });
    }
    // The shortest table has both magics, an empty footer and its length.
    if ends[1] != MAGIC || size_bytes < 12 {
        return Err(Error::Truncated { path, size_bytes });
    }
    Ok(())
}

/// Puts what a decoder says of the file at `path` into an error.
pub(crate) fn damaged<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl Fn(E) -> Error {
    let path = path.to_owned();
    move |source| Error::Damaged { path: path.clone(), source: Box::new(source) }
}

/// Batches of a file in order.
pub(crate) struct Batches {
    path: PathBuf,
    required: Vec<String>,
    batches: ParquetRecordBatchReader,
}

impl Batches {
    /// The next batch, decoded by `decode`; `None` after the last.
    pub(crate) fn next<R>(&mut self, decode: impl FnOnce(Columns<'_>) -> Result<R>) -> Option<Result<R>> {
        let batch = match self.batches.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(damaged(&self.path)(error))),
        };
        for column in &self.required {
            let count = batch.column_by_name(column).map_or(0, |array| array.null_count());
            if count > 0 {
                let (path, column) = (self.path.clone(), column.clone());
                return Some(Err(Error::Nulls { path, column, count }));
            }
        }
        Some(decode(Columns { path: &self.path, batch: &batch }))
    }
}

/// Makes rows of a batch.
type Decode<R> = Box<dyn Fn(Columns<'_>) -> Result<Vec<R>> + Send>;

/// The rows of a file, one by one. After an error there are no more.
pub(crate) struct Rows<R> {
    batches: Option<Batches>,
    decode: Decode<R>,
    current: std::vec::IntoIter<R>,
}

impl<R> Rows<R> {
    pub(crate) fn open(
        file: &TableFile,
        schema: &Schema,
        decode: impl Fn(Columns<'_>) -> Result<Vec<R>> + Send + 'static,
    ) -> Result<Self> {
        file.check_columns(schema)?;
        let batches = file.batches(schema, Slice::default(), PAGE_ROWS)?;
        Ok(Rows { batches: Some(batches), decode: Box::new(decode), current: Vec::new().into_iter() })
    }
}

impl<R> Iterator for Rows<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            if let Some(row) = self.current.next() {
                return Some(Ok(row));
            }
            match self.batches.as_mut()?.next(&self.decode) {
                Some(Ok(rows)) => self.current = rows.into_iter(),
                Some(Err(error)) => {
                    self.batches = None;
                    return Some(Err(error));
                }
                None => self.batches = None,
            }
        }
    }
}

/// A type as documentation and messages write it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    let element = |field: &Field| {
        let null = if field.is_nullable() { " or null" } else { "" };
        format!("{}{null}", type_name(field.data_type()))
    };
    match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::FixedSizeList(field, size) => format!("FixedSizeList<{}>[{size}]", element(field)),
        DataType::List(field) => format!("List<{}>", element(field)),
        other => other.to_string().to_lowercase(),
    }
}
