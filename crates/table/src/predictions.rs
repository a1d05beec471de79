//! The `predictions` table: what each model says of each photo.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | the photo; rows ascend by it |
//! | `split` | string | `train`, `valid`, `test` |
//! | `label`, `label_id` | string, uint32 | actual class and its number; null where unlabelled |
//! | `model` | string | name of the stage that trained the model |
//! | `mode` | string | `plain`, or `tta` (mean over views) |
//! | `predicted`, `predicted_id` | string, uint32 | the class with the largest probability, and its number |
//! | `confidence` | float32 | its probability |
//! | `loss` | float32 | negative log likelihood of the actual class; null where unlabelled |
//! | `probs` | `FixedSizeList<float32>[classes]` | probability of each class, in order of their numbers |
//! | `view_probs` | `List<FixedSizeList<float32>[classes]>` | only where asked for: the same for each view that was averaged, in order; null in rows of mode `plain` |
//!
//! The class names are in the metadata [`pipeline.classes`](crate::metadata::CLASSES). Where several models
//! or modes speak of a photo, its rows stand together in the order in which they were written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::columns::{Columns, number_at, text_at};
use crate::reader::{Rows, TableFile};
use crate::split::Split;
use crate::writer::{BATCH_ROWS, TableWriter, check_label, check_vector, vector_element, vector_type};
use crate::{Error, Result, metadata};

/// The file's name inside an artifact.
pub const PREDICTIONS_FILE: &str = "predictions.parquet";

const TABLE: &str = "predictions";

/// What one model says of one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// Path of the photo relative to the data root.
    pub id: String,
    /// Part of the data set.
    pub split: Split,
    /// Actual class; `None` where unlabelled.
    pub label: Option<String>,
    /// Number of the actual class; `None` where unlabelled.
    pub label_id: Option<u32>,
    /// Name of the stage that trained the model.
    pub model: String,
    /// How the model was asked.
    pub mode: Mode,
    /// Predicted class.
    pub predicted: String,
    /// Number of the predicted class.
    pub predicted_id: u32,
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f32,
    /// Negative log likelihood of the actual class; `None` where unlabelled.
    pub loss: Option<f32>,
    /// Probability of each class: `[classes]`, 0 to 1.
    pub probs: Vec<f32>,
    /// The same for each view that was averaged, in order: `[views][classes]`; `None` in mode plain, and where the table has
    /// no such column.
    pub view_probs: Option<Vec<Vec<f32>>>,
}

/// How a model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Once, on the plain view.
    Plain,
    /// On several views, the mean of whose probabilities counts (test-time augmentation).
    Tta,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 2] = [Mode::Plain, Mode::Tta];

    /// The word in tables and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Plain => "plain",
            Mode::Tta => "tta",
        }
    }

    fn from_word(word: &str, path: &Path) -> Result<Self> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| Error::Word {
            path: path.to_owned(),
            column: "mode",
            found: word.to_owned(),
            expected: "`plain` or `tta`",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes a predictions table. The same rows give the same bytes.
pub struct PredictionsWriter {
    path: PathBuf,
    file: TableWriter,
    classes: Vec<String>,
    has_view_probs: bool,
    rows: Vec<PredictionRow>,
    /// The photo of the last row, and what was said of it so far.
    last_id: Option<String>,
    said: Vec<(String, Mode)>,
}

impl PredictionsWriter {
    /// Creates the file for models of these classes.
    ///
    /// # Errors
    /// The file cannot be created, or there are no classes.
    pub fn create(path: &Path, classes: &[String]) -> Result<Self> {
        Self::with_columns(path, classes, false)
    }

    /// As [`PredictionsWriter::create`], with the column `view_probs`.
    ///
    /// # Errors
    /// As there.
    pub fn create_with_view_probs(path: &Path, classes: &[String]) -> Result<Self> {
        Self::with_columns(path, classes, true)
    }

    fn with_columns(path: &Path, classes: &[String], has_view_probs: bool) -> Result<Self> {
        let schema = schema(vector_type(path, classes.len())?, has_view_probs);
        let names = serde_json::Value::from(classes).to_string();
        let file = TableWriter::create(path, TABLE, schema, &[(metadata::CLASSES, names)], &["id"])?;
        Ok(PredictionsWriter {
            path: path.to_owned(),
            file,
            classes: classes.to_vec(),
            has_view_probs,
            rows: Vec::new(),
            last_id: None,
            said: Vec::new(),
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// An id smaller than the one before; a photo twice for one model and mode; a label without number or
    /// the reverse; a predicted name that is not that of its number; probabilities of another number than
    /// the classes; those of views where the table has no column for them; NaN or an infinity; a full disk.
    pub fn write(&mut self, row: &PredictionRow) -> Result<()> {
        self.check(row)?;
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

    fn check(&mut self, row: &PredictionRow) -> Result<()> {
        let (path, id) = (&self.path, &row.id);
        match self.last_id.as_ref().map_or(std::cmp::Ordering::Less, |last| last.cmp(id)) {
            std::cmp::Ordering::Greater => {
                let previous = self.last_id.clone().unwrap_or_default();
                return Err(Error::Order { path: path.clone(), previous, id: id.clone() });
            }
            std::cmp::Ordering::Less => {
                self.last_id = Some(id.clone());
                self.said.clear();
            }
            std::cmp::Ordering::Equal => {}
        }
        if self.said.iter().any(|(model, mode)| (model, *mode) == (&row.model, row.mode)) {
            let id = format!("{id} of model {}, {}", row.model, row.mode);
            return Err(Error::Twice { path: path.clone(), id });
        }
        self.said.push((row.model.clone(), row.mode));

        check_label(path, id, row.label.as_deref(), row.label_id)?;
        check_vector(path, id, "probs", &row.probs, self.classes.len())?;
        for view in row.view_probs.iter().flatten() {
            check_vector(path, id, "view_probs", view, self.classes.len())?;
        }
        if row.view_probs.is_some() && !self.has_view_probs {
            return Err(Error::Row {
                path: path.clone(),
                id: id.clone(),
                found: "probabilities of views".to_owned(),
                expected: "none in a table without the column `view_probs`".to_owned(),
            });
        }
        for (column, value) in [("confidence", row.confidence), ("loss", row.loss.unwrap_or(0.0))] {
            if !value.is_finite() {
                let (path, id) = (path.clone(), id.clone());
                return Err(Error::NotFinite { path, id, column: column.to_owned(), value });
            }
        }
        let expected = self.classes.get(row.predicted_id as usize);
        if expected != Some(&row.predicted) {
            let name = expected.map_or_else(
                || format!("a number below {}", self.classes.len()),
                |name| format!("the class `{name}`"),
            );
            return Err(Error::Row {
                path: path.clone(),
                id: id.clone(),
                found: format!("the predicted class `{}` with number {}", row.predicted, row.predicted_id),
                expected: name,
            });
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let columns = encode(&self.rows, &self.path, self.classes.len(), self.has_view_probs)?;
        self.rows.clear();
        self.file.write(columns)
    }
}

/// The rows of a predictions table in order, with a batch of them in memory.
pub struct PredictionsReader {
    classes: Vec<String>,
    rows: Rows<PredictionRow>,
}

impl PredictionsReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no predictions table, or one of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        const EXPECTED: &str = "class names as a JSON list";
        let classes: Vec<String> = serde_json::from_str(file.required_metadata(metadata::CLASSES, EXPECTED)?)
            .map_err(|_| file.unexpected(metadata::CLASSES, EXPECTED.to_owned()))?;
        let has_view_probs = file.has_column("view_probs");
        let schema = schema(vector_type(path, classes.len())?, has_view_probs);
        let rows = Rows::open(&file, &schema, move |columns| decode(columns, has_view_probs))?;
        Ok(PredictionsReader { classes, rows })
    }

    /// Class names in order of their numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }
}

impl Iterator for PredictionsReader {
    type Item = Result<PredictionRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

fn schema(probs: DataType, has_view_probs: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("split", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, true),
        Field::new("label_id", DataType::UInt32, true),
        Field::new("model", DataType::Utf8, false),
        Field::new("mode", DataType::Utf8, false),
        Field::new("predicted", DataType::Utf8, false),
        Field::new("predicted_id", DataType::UInt32, false),
        Field::new("confidence", DataType::Float32, false),
        Field::new("loss", DataType::Float32, true),
        Field::new("probs", probs.clone(), false),
    ];
    if has_view_probs {
        fields.push(Field::new("view_probs", DataType::List(view_element(probs)), true));
    }
    Arc::new(Schema::new(fields))
}

/// The child of `view_probs`: a vector of this type for each view.
fn view_element(probs: DataType) -> FieldRef {
    Arc::new(Field::new("element", probs, false))
}

fn encode(
    rows: &[PredictionRow],
    path: &Path,
    classes: usize,
    has_view_probs: bool,
) -> Result<Vec<ArrayRef>> {
    let probs: Float32Array = rows.iter().flat_map(|r| &r.probs).copied().collect::<Vec<f32>>().into();
    let probs = FixedSizeListArray::try_new(vector_element(), classes as i32, Arc::new(probs), None)
        .map_err(|source| Error::Layout { path: path.to_owned(), source })?;
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.split.as_str()))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.label.as_deref()))),
        Arc::new(UInt32Array::from_iter(rows.iter().map(|r| r.label_id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.model))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.mode.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.predicted))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.predicted_id))),
        Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.confidence))),
        Arc::new(Float32Array::from_iter(rows.iter().map(|r| r.loss))),
        Arc::new(probs),
    ];
    if has_view_probs {
        columns.push(Arc::new(views(rows, classes)));
    }
    Ok(columns)
}

/// The column `view_probs`.
fn views(rows: &[PredictionRow], classes: usize) -> ListArray {
    let vectors = FixedSizeListBuilder::new(Float32Builder::new(), classes as i32);
    let vectors = vectors.with_field(vector_element());
    let probs = DataType::FixedSizeList(vector_element(), classes as i32);
    let mut lists = ListBuilder::new(vectors).with_field(view_element(probs));
    for row in rows {
        for view in row.view_probs.iter().flatten() {
            lists.values().values().append_slice(view);
            lists.values().append(true);
        }
        lists.append(row.view_probs.is_some());
    }
    lists.finish()
}

fn decode(columns: Columns<'_>, has_view_probs: bool) -> Result<Vec<PredictionRow>> {
    let id = columns.text("id")?;
    let split = columns.text("split")?;
    let label = columns.text("label")?;
    let label_id = columns.numbers::<UInt32Type>("label_id")?;
    let model = columns.text("model")?;
    let mode = columns.text("mode")?;
    let predicted = columns.text("predicted")?;
    let predicted_id = columns.numbers::<UInt32Type>("predicted_id")?;
    let confidence = columns.numbers::<Float32Type>("confidence")?;
    let loss = columns.numbers::<Float32Type>("loss")?;
    let probs = columns.vectors("probs")?;
    let view_probs = if has_view_probs { Some(columns.lists("view_probs")?) } else { None };
    let numbers = |vector: ArrayRef| vector.as_primitive::<Float32Type>().values().to_vec();
    let views = |lists: &ListArray, row| {
        lists
            .is_valid(row)
            .then(|| lists.value(row).as_fixed_size_list().iter().flatten().map(numbers).collect())
    };
    let row = |row: usize| {
        Ok(PredictionRow {
            id: id.value(row).to_owned(),
            split: Split::from_word(split.value(row), columns.path)?,
            label: text_at(label, row),
            label_id: number_at(label_id, row),
            model: model.value(row).to_owned(),
            mode: Mode::from_word(mode.value(row), columns.path)?,
            predicted: predicted.value(row).to_owned(),
            predicted_id: predicted_id.value(row),
            confidence: confidence.value(row),
            loss: number_at(loss, row),
            probs: numbers(probs.value(row)),
            view_probs: view_probs.and_then(|lists| views(lists, row)),
        })
    };
    (0..columns.rows()).map(row).collect()
}
