//! The `answers` table: what one model says of photos that are in no data set.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | the photo, by its path as it was given; rows are in the order in which photos were asked about |
//! | `predicted` | string | the class with the largest probability, or the word for none that is large enough; null where bad |
//! | `predicted_id` | uint32 | number of the class; null where bad, and where none is large enough |
//! | `confidence` | float32 | the largest probability; null where bad |
//! | `probs` | `FixedSizeList<float32>[classes]` | probability of each class, in order of their numbers; null where bad |
//! | `reason` | string | why the photo is bad, one of the words of the `images` table; else null |
//! | `detail` | string | what was found, for people; null where the photo is not bad |
//!
//! Columns are called as in [`predictions`](crate::predictions), and hold the same. The class names are in the metadata
//! [`pipeline.classes`](crate::metadata::CLASSES).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::columns::{Columns, number_at, text_at};
use crate::reader::{Rows, TableFile};
use crate::writer::{BATCH_ROWS, TableWriter, check_vector, vector_element, vector_type};
use crate::{Error, Result, metadata};

const TABLE: &str = "answers";

/// What a model says of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerRow {
    /// The photo.
    pub id: String,
    /// What it says; why it says nothing of a photo that is bad.
    pub answer: std::result::Result<Said, Refused>,
}

/// What a model says of a photo that can be decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Predicted class, or the word for none that is large enough.
    pub predicted: String,
    /// Number of the predicted class; `None` where none is large enough.
    pub predicted_id: Option<u32>,
    /// The largest probability, 0 to 1.
    pub confidence: f32,
    /// Probability of each class: `[classes]`, 0 to 1.
    pub probs: Vec<f32>,
}

/// Why a photo is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As one of a fixed list.
    pub reason: String,
    /// What was found, for people.
    pub detail: String,
}

/// Writes an answers table, some rows at a time. The same rows give the same bytes.
pub struct AnswersWriter {
    path: PathBuf,
    file: TableWriter,
    classes: usize,
    rows: Vec<AnswerRow>,
}

impl AnswersWriter {
    /// Creates the file for a model of these classes.
    ///
    /// # Errors
    /// The file cannot be created, or there are no classes.
    pub fn create(path: &Path, classes: &[String]) -> Result<Self> {
        let schema = schema(vector_type(path, classes.len())?);
        let names = serde_json::Value::from(classes).to_string();
        let file = TableWriter::create(path, TABLE, schema, &[(metadata::CLASSES, names)], &[])?;
        Ok(AnswersWriter { path: path.to_owned(), file, classes: classes.len(), rows: vec![] })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// Probabilities of another number than the classes, NaN or an infinity; a full disk.
    pub fn write(&mut self, row: &AnswerRow) -> Result<()> {
        if let Ok(said) = &row.answer {
            check_vector(&self.path, &row.id, "probs", &said.probs, self.classes)?;
            check_vector(&self.path, &row.id, "confidence", &[said.confidence], 1)?;
        }
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
        let columns = encode(&self.rows, self.classes);
        self.rows.clear();
        self.file.write(columns)
    }
}

/// The rows of an answers table in order, with a batch of them in memory.
pub struct AnswersReader {
    classes: Vec<String>,
    rows: Rows<AnswerRow>,
}

impl AnswersReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no answers table, or one of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        const EXPECTED: &str = "class names as a JSON list";
        let classes: Vec<String> = serde_json::from_str(file.required_metadata(metadata::CLASSES, EXPECTED)?)
            .map_err(|_| file.unexpected(metadata::CLASSES, EXPECTED.to_owned()))?;
        let rows = Rows::open(&file, &schema(vector_type(path, classes.len())?), decode)?;
        Ok(AnswersReader { classes, rows })
    }

    /// Class names in order of their numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }
}

impl Iterator for AnswersReader {
    type Item = Result<AnswerRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

fn schema(probs: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("predicted", DataType::Utf8, true),
        Field::new("predicted_id", DataType::UInt32, true),
        Field::new("confidence", DataType::Float32, true),
        Field::new("probs", probs, true),
        Field::new("reason", DataType::Utf8, true),
        Field::new("detail", DataType::Utf8, true),
    ]))
}

fn encode(rows: &[AnswerRow], classes: usize) -> Vec<ArrayRef> {
    let said = || rows.iter().map(|row| row.answer.as_ref().ok());
    let refused = || rows.iter().map(|row| row.answer.as_ref().err());
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.id))),
        Arc::new(StringArray::from_iter(said().map(|said| said.map(|said| &said.predicted)))),
        Arc::new(UInt32Array::from_iter(said().map(|said| said?.predicted_id))),
        Arc::new(Float32Array::from_iter(said().map(|said| said.map(|said| said.confidence)))),
        Arc::new(vectors(said().map(|said| said.map(|said| said.probs.as_slice())), classes)),
        Arc::new(StringArray::from_iter(refused().map(|refused| refused.map(|refused| &refused.reason)))),
        Arc::new(StringArray::from_iter(refused().map(|refused| refused.map(|refused| &refused.detail)))),
    ]
}

/// The column `probs`. What is null has zeros below it, as the format wants.
fn vectors<'a>(rows: impl Iterator<Item = Option<&'a [f32]>>, classes: usize) -> FixedSizeListArray {
    let builder = FixedSizeListBuilder::new(Float32Builder::new(), classes as i32);
    let mut builder = builder.with_field(vector_element());
    for row in rows {
        match row {
            Some(probs) => builder.values().append_slice(probs),
            None => builder.values().append_value_n(0.0, classes),
        }
        builder.append(row.is_some());
    }
    builder.finish()
}

fn decode(columns: Columns<'_>) -> Result<Vec<AnswerRow>> {
    let id = columns.text("id")?;
    let predicted = columns.text("predicted")?;
    let predicted_id = columns.numbers::<UInt32Type>("predicted_id")?;
    let confidence = columns.numbers::<Float32Type>("confidence")?;
    let probs = columns.vectors("probs")?;
    let (reason, detail) = (columns.text("reason")?, columns.text("detail")?);
    let row = |row: usize| {
        let id = id.value(row).to_owned();
        let missing = || Error::Row {
            path: columns.path.to_owned(),
            id: id.clone(),
            found: "nulls".to_owned(),
            expected: "a prediction or a reason".to_owned(),
        };
        let answer = if probs.is_valid(row) {
            Ok(Said {
                predicted: text_at(predicted, row).ok_or_else(missing)?,
                predicted_id: number_at(predicted_id, row),
                confidence: number_at(confidence, row).ok_or_else(missing)?,
                probs: probs.value(row).as_primitive::<Float32Type>().values().to_vec(),
            })
        } else {
            Err(Refused {
                reason: text_at(reason, row).ok_or_else(missing)?,
                detail: text_at(detail, row).ok_or_else(missing)?,
            })
        };
        Ok(AnswerRow { id, answer })
    };
    (0..columns.rows()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        ["cats", "dogs", "emus"].map(str::to_owned).to_vec()
    }

    fn said(
        predicted: &str,
        predicted_id: Option<u32>,
        probs: [f32; 3],
    ) -> std::result::Result<Said, Refused> {
        let confidence = probs.iter().copied().fold(0.0, f32::max);
        Ok(Said { predicted: predicted.to_owned(), predicted_id, confidence, probs: probs.to_vec() })
    }

    fn rows() -> Vec<AnswerRow> {
        let row = |id: &str, answer| AnswerRow { id: id.to_owned(), answer };
        let refused = Refused { reason: "truncated".to_owned(), detail: "it ends in a block".to_owned() };
        vec![
            row("z.jpg", said("dogs", Some(1), [0.125, 0.75, 0.125])),
            row("a.jpg", Err(refused)),
            // The same photo again, and one below: the order is that of the question.
            row("a.jpg", said("unsure", None, [0.25, 0.375, 0.375])),
        ]
    }

    #[test]
    fn rows_come_back_in_their_order_with_nulls_and_the_bytes_are_the_same_again() {
        let dir = tempfile::tempdir().unwrap();
        let many: Vec<AnswerRow> = rows().into_iter().cycle().take(3 * BATCH_ROWS + 1).collect();
        let write = |name: &str| {
            let path = dir.path().join(name);
            let mut writer = AnswersWriter::create(&path, &classes()).unwrap();
            many.iter().for_each(|row| writer.write(row).unwrap());
            writer.finish().unwrap();
            path
        };
        let [a, b] = ["a.parquet", "b.parquet"].map(write);
        assert!(fs_err::read(&a).unwrap() == fs_err::read(&b).unwrap());
        let reader = AnswersReader::open(&a).unwrap();
        assert_eq!(reader.classes(), classes());
        assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), many);
    }

    #[test]
    fn probabilities_that_are_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let mut writer = AnswersWriter::create(&path, &classes()).unwrap();
        let row = AnswerRow { id: "a.jpg".to_owned(), answer: said("cats", Some(0), [0.5, f32::NAN, 0.5]) };
        let error = writer.write(&row).unwrap_err();
        assert!(error.to_string().contains("probs[1]"), "{error}");
        let Ok(short) = said("cats", Some(0), [1.0, 0.0, 0.0]) else { panic!() };
        let short = Said { probs: vec![1.0], ..short };
        assert!(writer.write(&AnswerRow { id: "a.jpg".to_owned(), answer: Ok(short) }).is_err());
    }
}
