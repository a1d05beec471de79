//! The `views` table: which views of each photo there are, with the numbers that an augmentation policy drew for them.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | the photo; rows ascend by it, then by `view` |
//! | `view` | uint32 | 0 is the plain view |
//! | `scale`, `angle_deg`, ... | float32 | what the policy drew, a column for each number; in the plain view what changes nothing |
//!
//! The metadata [`pipeline.policy`](crate::metadata::POLICY) is the policy that the numbers belong to. A table of plain
//! views only has neither numbers nor policy, so that it does not depend on one.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{ArrayRef, Float32Array, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use pipeline_stage::digest::canonical_json;
use serde_json::Value;

use crate::columns::Columns;
use crate::order::Order;
use crate::reader::{Rows, TableFile};
use crate::writer::{BATCH_ROWS, TableWriter, check_vector};
use crate::{Result, metadata};

/// The file's name inside an artifact.
pub const VIEWS_FILE: &str = "views.parquet";

const TABLE: &str = "views";

/// One view of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRow {
    /// The photo.
    pub id: String,
    /// 0 is the plain view.
    pub view: u32,
    /// What the policy drew, one value for each of the table's numbers.
    pub numbers: Vec<f32>,
}

/// Writes a views table.
pub struct ViewsWriter {
    file: TableWriter,
    path: std::path::PathBuf,
    numbers: usize,
    order: Order,
    rows: Vec<ViewRow>,
}

impl ViewsWriter {
    /// Creates the file of a table with these numbers, drawn by `policy`; without a policy there are none.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, policy: Option<&Value>, numbers: &[String]) -> Result<Self> {
        let extra: Vec<_> =
            policy.map(|policy| (metadata::POLICY, canonical_json(policy))).into_iter().collect();
        let file = TableWriter::create(path, TABLE, schema(numbers), &extra, &["id", "view"])?;
        Ok(ViewsWriter {
            file,
            path: path.to_owned(),
            numbers: numbers.len(),
            order: Order::default(),
            rows: Vec::with_capacity(BATCH_ROWS),
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A row that is not greater, by (id, view), than the one before; another count of numbers; NaN or an infinity; a
    /// full disk.
    pub fn write(&mut self, row: ViewRow) -> Result<()> {
        check_vector(&self.path, &row.id, "numbers", &row.numbers, self.numbers)?;
        self.order.next(&self.path, &row.id, row.view)?;
        self.rows.push(row);
        if self.rows.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is left. Without it the file is not a table.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.file.finish()
    }

    fn flush(&mut self) -> Result<()> {
        let number = |at: usize| -> ArrayRef {
            Arc::new(Float32Array::from_iter_values(self.rows.iter().map(|row| row.numbers[at])))
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(self.rows.iter().map(|row| &row.id))),
            Arc::new(UInt32Array::from_iter_values(self.rows.iter().map(|row| row.view))),
        ];
        columns.extend((0..self.numbers).map(number));
        self.file.write(columns)?;
        self.rows.clear();
        Ok(())
    }
}

/// A views table, opened: its rows are not in memory.
pub struct ViewsReader {
    file: TableFile,
    policy: Option<Value>,
}

impl ViewsReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no views table, or one of another version; its policy is no JSON.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        let policy = file.metadata(metadata::POLICY).map(serde_json::from_str).transpose();
        let policy = policy.map_err(|_| file.unexpected(metadata::POLICY, "JSON".to_owned()))?;
        Ok(ViewsReader { file, policy })
    }

    /// The policy that the numbers belong to; `None` where all views are plain.
    pub fn policy(&self) -> Option<&Value> {
        self.policy.as_ref()
    }

    /// The rows in order, each with these numbers.
    ///
    /// # Errors
    /// A column is missing, or of another type.
    pub fn rows(&self, numbers: &[String]) -> Result<ViewRows> {
        let names = numbers.to_vec();
        Rows::open(&self.file, &schema(numbers), move |columns| decode(columns, &names)).map(ViewRows)
    }
}

/// The rows of a views table in order, with a batch of them in memory.
pub struct ViewRows(Rows<ViewRow>);

impl Iterator for ViewRows {
    type Item = Result<ViewRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn schema(numbers: &[String]) -> SchemaRef {
    let mut fields =
        vec![Field::new("id", DataType::Utf8, false), Field::new("view", DataType::UInt32, false)];
    fields.extend(numbers.iter().map(|name| Field::new(name, DataType::Float32, false)));
    Arc::new(Schema::new(fields))
}

fn decode(columns: Columns<'_>, numbers: &[String]) -> Result<Vec<ViewRow>> {
    let id = columns.text("id")?;
    let view = columns.numbers::<UInt32Type>("view")?;
    let numbers: Vec<_> =
        numbers.iter().map(|name| columns.numbers::<Float32Type>(name)).collect::<Result<_>>()?;
    let row = |row: usize| ViewRow {
        id: id.value(row).to_owned(),
        view: view.value(row),
        numbers: numbers.iter().map(|column| column.value(row)).collect(),
    };
    Ok((0..columns.rows()).map(row).collect())
}
