//! The `images` table: every file of the data set, with the verdict on it. Bad files are in it and are
//! used nowhere else.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | path relative to the data root, with `/`; rows ascend by it |
//! | `split` | string | `train`, `valid`, `test` |
//! | `label`, `label_id` | string, uint32 | class and its number; null where unlabelled |
//! | `width`, `height` | uint32 | pixels, upright; null where it was not decoded |
//! | `aspect_ratio` | float32 | width / height; null where it was not decoded |
//! | `format` | string | `jpeg`, `png`...; null where not recognised |
//! | `orientation` | uint8 | EXIF orientation 1 to 8 that was applied; null where it was not decoded |
//! | `bytes` | uint64 | size of the file |
//! | `digest` | string | BLAKE3 of the file, 64 hexadecimal digits |
//! | `phash` | string | perceptual hash, 16 hexadecimal digits; null where it was not decoded or is of one colour |
//! | `mean_red`, `mean_green`, `mean_blue` | float32 | mean over all pixels, 0 to 255; null where it was not decoded |
//! | `is_grey` | bool | no pixel has a colour; null where it was not decoded |
//! | `verdict` | string | `ok`, `warn` (used, with a remark), `bad` (set aside) |
//! | `reason` | string | why; null where ok |

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::{Float32Type, UInt8Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, StringArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::appearance::{Appearance, hash_from_text, hash_to_text};
use crate::columns::{Columns, number_at, text_at};
use crate::order::Order;
use crate::reader::{Rows, TableFile};
use crate::split::Split;
use crate::writer::{BATCH_ROWS, TableWriter, check_label};
use crate::{Error, Result};

/// The file's name inside an artifact.
pub const IMAGES_FILE: &str = "images.parquet";

/// The source of the stage that writes the table: the folder in which ids are paths of photos.
pub const PHOTOS: &str = "photos";

const TABLE: &str = "images";

/// One file of the data set.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRow {
    /// Path relative to the data root, with `/`.
    pub id: String,
    /// Part of the data set.
    pub split: Split,
    /// Class; `None` where unlabelled.
    pub label: Option<String>,
    /// Number of the class; `None` where unlabelled.
    pub label_id: Option<u32>,
    /// Width in pixels, upright; `None` where it was not decoded.
    pub width: Option<u32>,
    /// Height in pixels, upright; `None` where it was not decoded.
    pub height: Option<u32>,
    /// Format by content; `None` where not recognised.
    pub format: Option<String>,
    /// EXIF orientation, 1 to 8; `None` where it was not decoded.
    pub orientation: Option<u8>,
    /// Size of the file.
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// What it looks like; `None` where it was not decoded.
    pub appearance: Option<Appearance>,
    /// Whether it can be used.
    pub verdict: Verdict,
    /// Why not, or with which remark; `None` where ok.
    pub reason: Option<String>,
}

impl ImageRow {
    /// Width / height; `None` where it was not decoded.
    pub fn aspect_ratio(&self) -> Option<f32> {
        Some((f64::from(self.width?) / f64::from(self.height?)) as f32)
    }
}

/// Whether a photo can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Used.
    Ok,
    /// Used, and remarked on.
    Warn,
    /// Set aside.
    Bad,
}

impl Verdict {
    /// Every verdict, from best to worst.
    pub const ALL: [Verdict; 3] = [Verdict::Ok, Verdict::Warn, Verdict::Bad];

    /// The word in tables and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Bad => "bad",
        }
    }

    fn from_word(word: &str, path: &Path) -> Result<Self> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word).ok_or_else(|| Error::Word {
            path: path.to_owned(),
            column: "verdict",
            found: word.to_owned(),
            expected: "`ok`, `warn` or `bad`",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes an images table. The same rows give the same bytes.
pub struct ImagesWriter {
    path: PathBuf,
    file: TableWriter,
    order: Order,
    rows: Vec<ImageRow>,
}

impl ImagesWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = TableWriter::create(path, TABLE, schema(), &[], &["id"])?;
        Ok(ImagesWriter { path: path.to_owned(), file, order: Order::default(), rows: Vec::new() })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// An id that is not greater than the one before; a label without number or the reverse; a reason where
    /// ok or none where not; a full disk.
    pub fn write(&mut self, row: &ImageRow) -> Result<()> {
        self.order.next(&self.path, &row.id, 0)?;
        check_label(&self.path, &row.id, row.label.as_deref(), row.label_id)?;
        if row.reason.is_none() != (row.verdict == Verdict::Ok) {
            let reason = row.reason.as_ref().map_or("no reason".to_owned(), |r| format!("the reason `{r}`"));
            return Err(Error::Row {
                path: self.path.clone(),
                id: row.id.clone(),
                found: format!("the verdict `{}` and {reason}", row.verdict),
                expected: "a reason for `warn` and `bad` and none for `ok`".to_owned(),
            });
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
        let columns = encode(&self.rows);
        self.rows.clear();
        self.file.write(columns)
    }
}

/// The rows of an images table in order, with a batch of them in memory.
pub struct ImagesReader(Rows<ImageRow>);

impl ImagesReader {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be read, is no images table, or one of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(path, TABLE)?;
        Rows::open(&file, &schema(), decode).map(ImagesReader)
    }
}

impl Iterator for ImagesReader {
    type Item = Result<ImageRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("split", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, true),
        Field::new("label_id", DataType::UInt32, true),
        Field::new("width", DataType::UInt32, true),
        Field::new("height", DataType::UInt32, true),
        Field::new("aspect_ratio", DataType::Float32, true),
        Field::new("format", DataType::Utf8, true),
        Field::new("orientation", DataType::UInt8, true),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("digest", DataType::Utf8, false),
        Field::new("phash", DataType::Utf8, true),
        Field::new("mean_red", DataType::Float32, true),
        Field::new("mean_green", DataType::Float32, true),
        Field::new("mean_blue", DataType::Float32, true),
        Field::new("is_grey", DataType::Boolean, true),
        Field::new("verdict", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, true),
    ]))
}

fn encode(rows: &[ImageRow]) -> Vec<ArrayRef> {
    let mean = |channel: usize| -> ArrayRef {
        Arc::new(Float32Array::from_iter(rows.iter().map(|r| r.appearance.map(|a| a.mean[channel]))))
    };
    let hash = |r: &ImageRow| r.appearance.and_then(|a| a.phash).map(hash_to_text);
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.split.as_str()))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.label.as_deref()))),
        Arc::new(UInt32Array::from_iter(rows.iter().map(|r| r.label_id))),
        Arc::new(UInt32Array::from_iter(rows.iter().map(|r| r.width))),
        Arc::new(UInt32Array::from_iter(rows.iter().map(|r| r.height))),
        Arc::new(Float32Array::from_iter(rows.iter().map(ImageRow::aspect_ratio))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.format.as_deref()))),
        Arc::new(UInt8Array::from_iter(rows.iter().map(|r| r.orientation))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.bytes))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.digest))),
        Arc::new(StringArray::from_iter(rows.iter().map(hash))),
        mean(0),
        mean(1),
        mean(2),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.appearance.map(|a| a.is_grey)))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.verdict.as_str()))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.reason.as_deref()))),
    ]
}

fn decode(columns: Columns<'_>) -> Result<Vec<ImageRow>> {
    let id = columns.text("id")?;
    let split = columns.text("split")?;
    let label = columns.text("label")?;
    let label_id = columns.numbers::<UInt32Type>("label_id")?;
    let width = columns.numbers::<UInt32Type>("width")?;
    let height = columns.numbers::<UInt32Type>("height")?;
    let format = columns.text("format")?;
    let orientation = columns.numbers::<UInt8Type>("orientation")?;
    let bytes = columns.numbers::<UInt64Type>("bytes")?;
    let digest = columns.text("digest")?;
    let phash = columns.text("phash")?;
    let red = columns.numbers::<Float32Type>("mean_red")?;
    let green = columns.numbers::<Float32Type>("mean_green")?;
    let blue = columns.numbers::<Float32Type>("mean_blue")?;
    let is_grey = columns.flags("is_grey")?;
    let verdict = columns.text("verdict")?;
    let reason = columns.text("reason")?;
    let appearance = |row: usize| -> Result<Option<Appearance>> {
        if is_grey.is_null(row) {
            return Ok(None);
        }
        let hash = text_at(phash, row).map(|text| hash_from_text(&text, columns.path)).transpose()?;
        let mean = [red, green, blue].map(|channel| channel.value(row));
        Ok(Some(Appearance { phash: hash, mean, is_grey: is_grey.value(row) }))
    };
    let row = |row: usize| {
        Ok(ImageRow {
            id: id.value(row).to_owned(),
            split: Split::from_word(split.value(row), columns.path)?,
            label: text_at(label, row),
            label_id: number_at(label_id, row),
            width: number_at(width, row),
            height: number_at(height, row),
            format: text_at(format, row),
            orientation: number_at(orientation, row),
            bytes: bytes.value(row),
            digest: digest.value(row).to_owned(),
            appearance: appearance(row)?,
            verdict: Verdict::from_word(verdict.value(row), columns.path)?,
            reason: text_at(reason, row),
        })
    };
    (0..columns.rows()).map(row).collect()
}
