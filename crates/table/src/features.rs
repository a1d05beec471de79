//! The `features` table: the features of each view of each photo, in part files of about 256 MiB.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | the photo; rows ascend by it, then by `view`, also from part to part |
//! | `split` | string | `train`, `valid`, `test` |
//! | `label`, `label_id` | string, uint32 | class and its number; null where unlabelled |
//! | `view` | uint32 | 0 is the plain view |
//! | `emb` | `FixedSizeList<float32>[D]` | the features |
//! | `logits` | `FixedSizeList<float32>[L]` | what the classifier says that the weights came with; only where that was asked for |
//!
//! The metadata of every part says what made them: [`pipeline.arch`](crate::metadata::ARCH),
//! [`pipeline.weights`](crate::metadata::WEIGHTS), [`pipeline.preprocessing`](crate::metadata::PREPROCESSING),
//! [`pipeline.dim`](crate::metadata::DIM), [`pipeline.dtype`](crate::metadata::DTYPE), and, where they are not the usual, [`pipeline.pool`](crate::metadata::POOL) and
//! [`pipeline.logits`](crate::metadata::LOGITS).

mod batches;
mod reader;
mod writer;

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use pipeline_stage::digest::canonical_json;

use crate::columns::{Columns, number_at, text_at};
use crate::reader::TableFile;
use crate::split::Split;
use crate::writer::{ROW_GROUP_ROWS, vector_type};
use crate::{Result, metadata};

pub use batches::FeatureBatches;
pub use reader::{FeaturesReader, Part};
pub use writer::FeaturesWriter;

const TABLE: &str = "features";

/// The column of the features.
const EMB: &str = "emb";

/// The column of the logits.
const LOGITS: &str = "logits";

/// The pooling of tables that do not name theirs, as in YAML.
pub const USUAL_POOL: &str = "max_avg";

/// Size of the floats in a part file, before compression.
const PART_BYTES: usize = 256 << 20;

/// What made the features of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeaturesMeta {
    /// Name of the backbone.
    pub arch: String,
    /// Digest of the trunk's weights, 64 hexadecimal digits.
    pub weights: String,
    /// Class names in order of their numbers.
    pub classes: Vec<String>,
    /// How photos became input of the trunk. Stored as canonical JSON.
    pub preprocessing: serde_json::Value,
    /// Length D of a row's features, at least 1.
    pub dim: usize,
    /// Numeric format in which the trunk computed: `f32` or `bf16`, as in YAML.
    pub dtype: String,
    /// How the trunk's last map was pooled, as in YAML: [`USUAL_POOL`] or `avg`.
    pub pool: String,
    /// Length L of a row's logits; 0 where the table has none.
    pub logits: usize,
}

/// Keys in which all parts of a table must agree.
const KEYS: [&str; 8] = [
    metadata::ARCH,
    metadata::WEIGHTS,
    metadata::CLASSES,
    metadata::PREPROCESSING,
    metadata::DIM,
    metadata::DTYPE,
    metadata::POOL,
    metadata::LOGITS,
];

impl FeaturesMeta {
    /// Numbers that a row has in all columns: D + L.
    pub fn width(&self) -> usize {
        self.dim + self.logits
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            (metadata::ARCH, self.arch.clone()),
            (metadata::WEIGHTS, self.weights.clone()),
            (metadata::CLASSES, serde_json::Value::from(self.classes.clone()).to_string()),
            (metadata::PREPROCESSING, canonical_json(&self.preprocessing)),
            (metadata::DIM, self.dim.to_string()),
            (metadata::DTYPE, self.dtype.clone()),
        ];
        // The usual is not said: tables are the same bytes as those of before there was a choice.
        if self.pool != USUAL_POOL {
            pairs.push((metadata::POOL, self.pool.clone()));
        }
        if self.logits > 0 {
            pairs.push((metadata::LOGITS, self.logits.to_string()));
        }
        pairs
    }

    fn read(file: &TableFile) -> Result<Self> {
        let text = |key, expected| file.required_metadata(key, expected).map(str::to_owned);
        let preprocessing = text(metadata::PREPROCESSING, "JSON")?;
        let classes = text(metadata::CLASSES, "a JSON list of names")?;
        let dim = text(metadata::DIM, "a number")?;
        Ok(FeaturesMeta {
            arch: text(metadata::ARCH, "the name of a backbone")?,
            weights: text(metadata::WEIGHTS, "a digest")?,
            classes: serde_json::from_str(&classes)
                .map_err(|_| file.unexpected(metadata::CLASSES, "a JSON list of names".to_owned()))?,
            preprocessing: serde_json::from_str(&preprocessing)
                .map_err(|_| file.unexpected(metadata::PREPROCESSING, "JSON".to_owned()))?,
            dim: dim.parse().map_err(|_| file.unexpected(metadata::DIM, "a number".to_owned()))?,
            dtype: text(metadata::DTYPE, "a numeric format")?,
            pool: file.metadata(metadata::POOL).unwrap_or(USUAL_POOL).to_owned(),
            logits: match file.metadata(metadata::LOGITS) {
                None => 0,
                Some(text) => {
                    text.parse().map_err(|_| file.unexpected(metadata::LOGITS, "a number".to_owned()))?
                }
            },
        })
    }
}

/// Whose features a row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureRow {
    /// Path of the photo relative to the data root.
    pub id: String,
    /// Part of the data set.
    pub split: Split,
    /// Class; `None` where unlabelled.
    pub label: Option<String>,
    /// Number of the class; `None` where unlabelled.
    pub label_id: Option<u32>,
    /// View of the photo; 0 is the plain one.
    pub view: u32,
}

/// Rows with their features, in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Length D of a row's features.
    pub dim: usize,
    /// N rows.
    pub rows: Vec<FeatureRow>,
    /// `[N, D]`, row-major, finite.
    pub emb: Vec<f32>,
}

impl Features {
    /// The features of one row: `[D]`.
    pub fn of(&self, row: usize) -> &[f32] {
        &self.emb[row * self.dim..(row + 1) * self.dim]
    }

    /// The rows that are wanted, in order.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&FeatureRow) -> bool) -> Features {
        let mut only = Features { dim: self.dim, rows: vec![], emb: vec![] };
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| wanted(row)) {
            only.rows.push(row.clone());
            only.emb.extend_from_slice(self.of(at));
        }
        only
    }
}

/// Name of a part file.
pub fn part_name(part: usize) -> String {
    format!("part-{part:05}.parquet")
}

/// Rows in each part file but the last, of rows of `width` numbers: as many whole row groups as hold about 256 MiB of
/// floats. A function of `width` alone, so that the cut does not depend on how rows arrive.
pub fn rows_per_part(width: usize) -> usize {
    let group_bytes = ROW_GROUP_ROWS.saturating_mul(width).saturating_mul(size_of::<f32>()).max(1);
    let groups = (PART_BYTES + group_bytes / 2) / group_bytes; // rounded to the nearest
    groups.clamp(1, PART_BYTES / (ROW_GROUP_ROWS * size_of::<f32>())) * ROW_GROUP_ROWS
}

/// Names of the part files in a folder, sorted.
fn part_files(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("part-") && name.ends_with(".parquet") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The columns of a table; an error names `path`.
fn schema(meta: &FeaturesMeta, path: &Path) -> Result<SchemaRef> {
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("split", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, true),
        Field::new("label_id", DataType::UInt32, true),
        Field::new("view", DataType::UInt32, false),
        Field::new(EMB, vector_type(path, meta.dim)?, false),
    ];
    if meta.logits > 0 {
        fields.push(Field::new(LOGITS, vector_type(path, meta.logits)?, false));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn decode_rows(columns: Columns<'_>) -> Result<Vec<FeatureRow>> {
    let id = columns.text("id")?;
    let split = columns.text("split")?;
    let label = columns.text("label")?;
    let label_id = columns.numbers::<UInt32Type>("label_id")?;
    let view = columns.numbers::<UInt32Type>("view")?;
    let row = |row: usize| {
        Ok(FeatureRow {
            id: id.value(row).to_owned(),
            split: Split::from_word(split.value(row), columns.path)?,
            label: text_at(label, row),
            label_id: number_at(label_id, row),
            view: view.value(row),
        })
    };
    (0..columns.rows()).map(row).collect()
}

/// The vectors of a column, `[rows, length]`, row-major.
fn vector_values<'a>(columns: Columns<'a>, column: &str) -> Result<&'a [f32]> {
    Ok(columns.vectors(column)?.values().as_primitive::<Float32Type>().values())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_part_holds_128_to_512_mib_of_floats_for_any_usual_width() {
        // 1,024, 2,560 and 4,096 are those of the backbones; with averages alone 512; 1,000 logits beside them.
        for width in [1, 3, 512, 1_000, 1_024, 1_512, 2_024, 2_560, 3_560, 4_096, 5_096, 16_384] {
            let mib = (rows_per_part(width) * width * size_of::<f32>()) as f64 / f64::from(1 << 20);
            assert!((128.0..=512.0).contains(&mib), "width {width}: {mib} MiB");
            assert_eq!(rows_per_part(width) % ROW_GROUP_ROWS, 0, "width {width}");
        }
    }
}
