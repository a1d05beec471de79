//! The `history` table: how a training went, in the order in which it happened. While training goes on, the same rows
//! stand in a text file, [`HISTORY_LINES_FILE`], one JSON object a line: [`HistoryRow::to_json_line`].
//!
//! | column | type | |
//! |---|---|---|
//! | `stage` | string | name of the stage in the pipeline |
//! | `phase` | string | [`TRAIN_PHASE`], a step while training, or [`VALID_PHASE`], an epoch's end, measured |
//! | `epoch` | uint32 | counted from 1 over the whole fit |
//! | `step` | uint64 | optimiser steps done since the fit began |
//! | `lr` | `List<float64>` | learning rate of each layer group |
//! | `train_loss` | float64 | debiased running average; NaN when training diverged |
//! | `valid_loss`, `accuracy` | float64 | on the valid split, accuracy 0 to 1; null in `train` rows, and without a valid split |
//! | `seconds` | float64 | since the fit began |
//!
//! In JSON, numbers are written so that they come back to the bit. What JSON has no number for is text: `"NaN"`,
//! `"inf"`, `"-inf"`. Where nothing was measured stands `null`.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, Float64Array, ListArray, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::columns::{Columns, number_at};
use crate::reader::{Rows, TableFile};
use crate::writer::{BATCH_ROWS, TableWriter};
use crate::{Error, Result, number};

/// The rows' text file while training goes on.
pub const HISTORY_LINES_FILE: &str = "history.jsonl";
/// `phase` of a step while training: valid loss and accuracy are not measured.
pub const TRAIN_PHASE: &str = "train";
/// `phase` of an epoch's end: valid loss and accuracy are measured, where there is a valid split.
pub const VALID_PHASE: &str = "valid";

const TABLE: &str = "history";

/// One line of a training's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Name of the stage in the pipeline.
    pub stage: String,
    /// [`TRAIN_PHASE`] or [`VALID_PHASE`].
    pub phase: String,
    /// Epoch, from 1.
    pub epoch: u32,
    /// Optimiser steps done since the fit began.
    pub step: u64,
    /// Learning rate of each layer group: `[groups]`.
    #[serde(with = "number::list")]
    pub lr: Vec<f64>,
    /// Debiased running average of the training loss.
    #[serde(with = "number::one")]
    pub train_loss: f64,
    /// Mean loss on the valid split, where measured.
    #[serde(with = "number::optional")]
    pub valid_loss: Option<f64>,
    /// Share of right answers on the valid split, 0 to 1, where measured.
    #[serde(with = "number::optional")]
    pub accuracy: Option<f64>,
    /// Wall time since the fit began.
    #[serde(with = "number::one")]
    pub seconds: f64,
}

impl HistoryRow {
    /// The row as one JSON object on one line, without the line's end.
    pub fn to_json_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|e| unreachable!("a row is plain data: {e}"))
    }

    /// The row that [`HistoryRow::to_json_line`] wrote.
    ///
    /// # Errors
    /// The line is no such object; as a rule it was cut short when the process was killed.
    pub fn from_json_line(line: &str) -> Result<Self> {
        serde_json::from_str(line).map_err(|source| Error::line(TABLE, line, source))
    }
}

/// Writes a history table.
pub struct HistoryWriter {
    file: TableWriter,
    rows: Vec<HistoryRow>,
}

impl HistoryWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(HistoryWriter { file: TableWriter::create(path, TABLE, schema(), &[], &[])?, rows: Vec::new() })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, row: &HistoryRow) -> Result<()> {
        self.rows.push(row.clone());
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
        let columns = encode(&self.rows);
        self.rows.clear();
        self.file.write(columns)
    }
}

/// The rows of a history table in order, with a batch of them in memory.
pub struct HistoryReader(Rows<HistoryRow>);

impl HistoryReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no history table, or one of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        Rows::open(&file, &schema(), decode).map(HistoryReader)
    }
}

impl Iterator for HistoryReader {
    type Item = Result<HistoryRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn rate_element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Float64, false))
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("stage", DataType::Utf8, false),
        Field::new("phase", DataType::Utf8, false),
        Field::new("epoch", DataType::UInt32, false),
        Field::new("step", DataType::UInt64, false),
        Field::new("lr", DataType::List(rate_element()), false),
        Field::new("train_loss", DataType::Float64, false),
        Field::new("valid_loss", DataType::Float64, true),
        Field::new("accuracy", DataType::Float64, true),
        Field::new("seconds", DataType::Float64, false),
    ]))
}

fn encode(rows: &[HistoryRow]) -> Vec<ArrayRef> {
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.stage))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.phase))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.epoch))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.step))),
        Arc::new(rates(rows)),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.train_loss))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.valid_loss))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.accuracy))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.seconds))),
    ]
}

fn rates(rows: &[HistoryRow]) -> ListArray {
    let mut lists = ListBuilder::new(Float64Builder::new()).with_field(rate_element());
    for row in rows {
        lists.values().append_slice(&row.lr);
        lists.append(true);
    }
    lists.finish()
}

fn decode(columns: Columns<'_>) -> Result<Vec<HistoryRow>> {
    let stage = columns.text("stage")?;
    let phase = columns.text("phase")?;
    let epoch = columns.numbers::<UInt32Type>("epoch")?;
    let step = columns.numbers::<UInt64Type>("step")?;
    let lr = columns.lists("lr")?;
    let train_loss = columns.numbers::<Float64Type>("train_loss")?;
    let valid_loss = columns.numbers::<Float64Type>("valid_loss")?;
    let accuracy = columns.numbers::<Float64Type>("accuracy")?;
    let seconds = columns.numbers::<Float64Type>("seconds")?;
    let row = |row: usize| HistoryRow {
        stage: stage.value(row).to_owned(),
        phase: phase.value(row).to_owned(),
        epoch: epoch.value(row),
        step: step.value(row),
        lr: lr.value(row).as_primitive::<Float64Type>().values().to_vec(),
        train_loss: train_loss.value(row),
        valid_loss: number_at(valid_loss, row),
        accuracy: number_at(accuracy, row),
        seconds: seconds.value(row),
    };
    Ok((0..columns.rows()).map(row).collect())
}
