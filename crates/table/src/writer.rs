//! [`TableWriter`]: one Parquet file as all tables have it. What makes a file the same bytes every time is
//! here: fixed properties, a constant `created_by`, and batches cut by row number (the tables' own buffers
//! hold [`BATCH_ROWS`] rows, however the caller hands them over).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use fs_err::File;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{Error, Result, metadata};

/// Rows in a row group: a reader decodes one at a time.
pub(crate) const ROW_GROUP_ROWS: usize = 8_192;
/// Rows that a writer collects before it encodes them. Divides [`ROW_GROUP_ROWS`].
pub(crate) const BATCH_ROWS: usize = 256;
/// Most rows in a page: what a reader can skip, and what threads share out among them.
pub(crate) const PAGE_ROWS: usize = 1_024;

/// Writes record batches to a file.
pub(crate) struct TableWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
}

impl TableWriter {
    /// Creates the file of `table`, with the metadata `extra`; the first `sorted` columns are its order.
    pub(crate) fn create(
        path: &Path,
        table: &str,
        schema: SchemaRef,
        extra: &[(&str, String)],
        sorted: &[&str],
    ) -> Result<Self> {
        let file = File::create(path)?;
        let properties = properties(table, &schema, extra, sorted);
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(TableWriter { path: path.to_owned(), schema, writer })
    }

    /// Appends rows, given as one array for each column.
    pub(crate) fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|source| Error::Layout { path: self.path.clone(), source })?;
        self.writer.write(&batch).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Writes what is left and the footer. Without it the file is not a table.
    pub(crate) fn finish(self) -> Result<()> {
        self.writer.close().map_err(|source| Error::Write { path: self.path, source })?;
        Ok(())
    }
}

fn properties(table: &str, schema: &Schema, extra: &[(&str, String)], sorted: &[&str]) -> WriterProperties {
    let own = [(metadata::TABLE, table.to_owned()), (metadata::SCHEMA, metadata::SCHEMA_VERSION.to_string())];
    let key_values =
        own.iter().chain(extra).map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let sorting = sorted
        .iter()
        .filter_map(|column| schema.index_of(column).ok())
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: false })
        .collect::<Vec<_>>();

    let mut properties = WriterProperties::builder()
        .set_created_by(metadata::CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default())) // level 1
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_key_value_metadata(Some(key_values))
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting));
    for field in schema.fields() {
        if let Some(values) = vector_values(field).map(ColumnPath::from) {
            // The bytes of like floats are alike place by place: split, they compress. Each value is new, so
            // a dictionary only costs, and the least and greatest of all places say nothing.
            properties = properties
                .set_column_encoding(values.clone(), Encoding::BYTE_STREAM_SPLIT)
                .set_column_dictionary_enabled(values.clone(), false)
                .set_column_statistics_enabled(values, EnabledStatistics::None);
        }
    }
    properties.build()
}

/// Where the numbers of a column of vectors, or of lists of them, are in the file.
fn vector_values(field: &Field) -> Option<Vec<String>> {
    let inner = match field.data_type() {
        DataType::FixedSizeList(element, _) => vec![element.name().clone()],
        DataType::List(element) => vector_values(element)?,
        _ => return None,
    };
    Some([vec![field.name().clone(), "list".to_owned()], inner].concat())
}

/// The type of a vector column: `FixedSizeList<float32>[dim]`, without nulls, child named `element`.
pub(crate) fn vector_type(path: &Path, dim: usize) -> Result<DataType> {
    let impossible = || Error::ImpossibleDim { path: path.to_owned(), found: dim };
    let size = i32::try_from(dim).ok().filter(|size| *size > 0).ok_or_else(impossible)?;
    Ok(DataType::FixedSizeList(vector_element(), size))
}

/// The child of a vector column.
pub(crate) fn vector_element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float32, false))
}

/// Checks the length and the values of a vector of the row `id`.
pub(crate) fn check_vector(
    path: &Path,
    id: &str,
    column: &'static str,
    vector: &[f32],
    dim: usize,
) -> Result<()> {
    if vector.len() != dim {
        let (path, id) = (path.to_owned(), id.to_owned());
        return Err(Error::Dim { path, id, column, found: vector.len(), expected: dim });
    }
    match vector.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(Error::NotFinite {
            path: path.to_owned(),
            id: id.to_owned(),
            column: format!("{column}[{place}]"),
            value: vector[place],
        }),
    }
}

/// Checks that a label has a number and a number a label.
pub(crate) fn check_label(path: &Path, id: &str, label: Option<&str>, label_id: Option<u32>) -> Result<()> {
    if label.is_some() == label_id.is_some() {
        return Ok(());
    }
    let (found, expected) = match label {
        Some(label) => (format!("the label `{label}` and no `label_id`"), "both or none"),
        None => ("a `label_id` and no label".to_owned(), "both or none"),
    };
    Err(Error::Row { path: path.to_owned(), id: id.to_owned(), found, expected: expected.to_owned() })
}
