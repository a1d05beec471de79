//! The `lr_curve` table: the learning-rate finder's losses at growing rates.
//!
//! | column | type | |
//! |---|---|---|
//! | `step` | uint64 | from 0; rows ascend by it |
//! | `lr` | float64 | learning rate of the step, of the last layer group where there are several; finite, above 0 |
//! | `loss` | float64 | of the step's batch; NaN or infinite where training diverged |
//! | `smoothed` | float64 | debiased running average of the losses; NaN or infinite where training diverged |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{ArrayRef, Float64Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::columns::Columns;
use crate::reader::{Rows, TableFile};
use crate::writer::{BATCH_ROWS, TableWriter};
use crate::{Error, Result};

/// The file's name inside an artifact.
pub const CURVE_FILE: &str = "lr_curve.parquet";

const TABLE: &str = "lr_curve";

/// One step of the finder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveRow {
    /// From 0.
    pub step: u64,
    /// Learning rate of the step, of the last layer group where there are several: above 0.
    pub lr: f64,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Debiased running average of the losses.
    pub smoothed: f64,
}

/// Writes a curve table.
pub struct CurveWriter {
    file: TableWriter,
    path: PathBuf,
    last: Option<u64>,
    rows: Vec<CurveRow>,
}

impl CurveWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = TableWriter::create(path, TABLE, schema(), &[], &["step"])?;
        Ok(CurveWriter { file, path: path.to_owned(), last: None, rows: Vec::new() })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A step that is not greater than the one before; a rate that is not finite or not above 0; a full disk.
    pub fn write(&mut self, row: CurveRow) -> Result<()> {
        self.check(row)?;
        self.last = Some(row.step);
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

    fn check(&self, row: CurveRow) -> Result<()> {
        let (path, id) = (self.path.clone(), format!("step {}", row.step));
        match self.last {
            Some(last) if last == row.step => return Err(Error::Twice { path, id }),
            Some(last) if last > row.step => {
                return Err(Error::Order { path, previous: format!("step {last}"), id });
            }
            _ => {}
        }
        if row.lr.is_finite() && row.lr > 0.0 {
            return Ok(());
        }
        let (found, expected) = (format!("the learning rate {}", row.lr), "a finite one above 0".to_owned());
        Err(Error::Row { path, id, found, expected })
    }

    fn flush(&mut self) -> Result<()> {
        let numbers = |of: fn(&CurveRow) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(self.rows.iter().map(of)))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(self.rows.iter().map(|row| row.step))),
            numbers(|row| row.lr),
            numbers(|row| row.loss),
            numbers(|row| row.smoothed),
        ];
        self.rows.clear();
        self.file.write(columns)
    }
}

/// The rows of a curve table in order, with a batch of them in memory.
pub struct CurveReader(Rows<CurveRow>);

impl CurveReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no curve table, or one of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        Rows::open(&file, &schema(), decode).map(CurveReader)
    }
}

impl Iterator for CurveReader {
    type Item = Result<CurveRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("step", DataType::UInt64, false),
        Field::new("lr", DataType::Float64, false),
        Field::new("loss", DataType::Float64, false),
        Field::new("smoothed", DataType::Float64, false),
    ]))
}

fn decode(columns: Columns<'_>) -> Result<Vec<CurveRow>> {
    let step = columns.numbers::<UInt64Type>("step")?;
    let lr = columns.numbers::<Float64Type>("lr")?;
    let loss = columns.numbers::<Float64Type>("loss")?;
    let smoothed = columns.numbers::<Float64Type>("smoothed")?;
    let row = |row: usize| CurveRow {
        step: step.value(row),
        lr: lr.value(row),
        loss: loss.value(row),
        smoothed: smoothed.value(row),
    };
    Ok((0..columns.rows()).map(row).collect())
}
