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

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::RowSelection;
use pipeline_stage::digest::canonical_json;
use rayon::prelude::*;

use crate::columns::{Columns, number_at, text_at};
use crate::order::Order;
use crate::reader::{Slice, TableFile};
use crate::split::Split;
use crate::writer::{
    BATCH_ROWS, PAGE_ROWS, ROW_GROUP_ROWS, TableWriter, check_label, check_vector, vector_element,
    vector_type,
};
use crate::{Error, Result, metadata};

pub use batches::FeatureBatches;

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

/// Rows in each part file but the last: as many whole row groups as hold about 256 MiB of floats. A function
/// of `dim` alone, so that the cut does not depend on how rows arrive.
pub fn rows_per_part(dim: usize) -> usize {
    let group_bytes = ROW_GROUP_ROWS.saturating_mul(dim).saturating_mul(size_of::<f32>()).max(1);
    let groups = (PART_BYTES + group_bytes / 2) / group_bytes; // rounded to the nearest
    groups.clamp(1, PART_BYTES / (ROW_GROUP_ROWS * size_of::<f32>())) * ROW_GROUP_ROWS
}

/// Writes the part files of a features table. The same rows give the same bytes.
pub struct FeaturesWriter {
    dir: PathBuf,
    meta: FeaturesMeta,
    schema: SchemaRef,
    rows_per_part: usize,
    order: Order,
    rows: Vec<FeatureRow>,
    emb: Vec<f32>,
    logits: Vec<f32>,
    part: Option<TableWriter>,
    parts: usize,
    rows_in_part: usize,
}

impl FeaturesWriter {
    /// Creates the folder `dir` where it is not there yet.
    ///
    /// # Errors
    /// The folder cannot be made or has part files already; `meta.dim` is 0 or more than 2^31 - 1.
    pub fn create(dir: &Path, meta: FeaturesMeta) -> Result<Self> {
        let rows_per_part = rows_per_part(meta.dim);
        Self::with_rows_per_part(dir, meta, rows_per_part)
    }

    /// `rows_per_part` is a multiple of [`BATCH_ROWS`].
    fn with_rows_per_part(dir: &Path, meta: FeaturesMeta, rows_per_part: usize) -> Result<Self> {
        let schema = schema(&meta, dir)?;
        fs_err::create_dir_all(dir)?;
        if let Some(found) = part_files(dir)?.into_iter().next() {
            return Err(Error::NotEmpty { dir: dir.to_owned(), found });
        }
        Ok(FeaturesWriter {
            dir: dir.to_owned(),
            schema,
            rows_per_part,
            order: Order::default(),
            rows: Vec::with_capacity(BATCH_ROWS),
            emb: Vec::with_capacity(BATCH_ROWS * meta.dim),
            logits: Vec::with_capacity(BATCH_ROWS * meta.logits),
            meta,
            part: None,
            parts: 0,
            rows_in_part: 0,
        })
    }

    /// Appends a row with its features and then its logits, `[D + L]`.
    ///
    /// # Errors
    /// A row that is not greater, by (id, view), than the one before; other counts than D and L; NaN
    /// or an infinity; a label without number or the reverse; a full disk.
    pub fn write(&mut self, row: &FeatureRow, numbers: &[f32]) -> Result<()> {
        let (emb, logits) = match self.meta.logits {
            0 => (numbers, [].as_slice()),
            _ => numbers.split_at(self.meta.dim.min(numbers.len())),
        };
        check_vector(&self.dir, &row.id, EMB, emb, self.meta.dim)?;
        check_vector(&self.dir, &row.id, LOGITS, logits, self.meta.logits)?;
        check_label(&self.dir, &row.id, row.label.as_deref(), row.label_id)?;
        self.order.next(&self.dir, &row.id, row.view)?;
        self.rows.push(row.clone());
        self.emb.extend_from_slice(emb);
        self.logits.extend_from_slice(logits);
        if self.rows.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is left. A table of no rows has one part without rows.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self) -> Result<()> {
        if !self.rows.is_empty() || self.parts == 0 {
            self.flush()?;
        }
        self.close_part()
    }

    /// Writes the collected rows. [`BATCH_ROWS`] divides the rows of a part, so they never span two.
    fn flush(&mut self) -> Result<()> {
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.next_part()?,
        };
        let take = |numbers: &mut Vec<f32>| {
            let capacity = numbers.capacity();
            std::mem::replace(numbers, Vec::with_capacity(capacity))
        };
        let mut columns = encode(&self.rows);
        columns.push(vectors(take(&mut self.emb), &self.dir, self.meta.dim)?);
        if self.meta.logits > 0 {
            columns.push(vectors(take(&mut self.logits), &self.dir, self.meta.logits)?);
        }
        part.write(columns)?;
        self.part = Some(part);
        self.rows_in_part += self.rows.len();
        self.rows.clear();
        if self.rows_in_part == self.rows_per_part { self.close_part() } else { Ok(()) }
    }

    fn next_part(&mut self) -> Result<TableWriter> {
        let path = self.dir.join(part_name(self.parts));
        self.parts += 1;
        self.rows_in_part = 0;
        TableWriter::create(&path, TABLE, Arc::clone(&self.schema), &self.meta.pairs(), &["id", "view"])
    }

    fn close_part(&mut self) -> Result<()> {
        self.part.take().map_or(Ok(()), TableWriter::finish)
    }
}

/// A features table, opened: metadata and footers are in memory, rows are not.
pub struct FeaturesReader {
    meta: FeaturesMeta,
    schema: SchemaRef,
    parts: Vec<TableFile>,
}

impl FeaturesReader {
    /// Opens all parts in the folder `dir`.
    ///
    /// # Errors
    /// The folder cannot be read or lacks a part; a part is cut short or damaged, is no features table or
    /// one of another version, has other columns, or was made in another way than the first.
    pub fn open(dir: &Path) -> Result<Self> {
        let names = part_files(dir)?;
        let mut parts = Vec::with_capacity(names.len());
        for number in 0..names.len().max(1) {
            let expected = part_name(number);
            if names.get(number) != Some(&expected) {
                return Err(Error::MissingPart { dir: dir.to_owned(), expected });
            }
            parts.push(TableFile::open(&dir.join(expected), TABLE)?);
        }
        let meta = FeaturesMeta::read(&parts[0])?;
        let schema = schema(&meta, &parts[0].path)?;
        for part in &parts {
            if let Some(key) = KEYS.into_iter().find(|key| part.metadata(key) != parts[0].metadata(key)) {
                return Err(Error::PartsDiffer { path: part.path.clone(), key });
            }
            part.check_columns(&schema)?;
        }
        Ok(FeaturesReader { meta, schema, parts })
    }

    /// What made the features.
    pub fn meta(&self) -> &FeaturesMeta {
        &self.meta
    }

    /// Number of rows in all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().flat_map(TableFile::row_groups).sum()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows in order, at most `rows` (at least 1) at a time and in memory. A batch does not span parts.
    pub fn batches(&self, rows: usize) -> FeatureBatches<'_> {
        FeatureBatches::new(self, Some(EMB), self.meta.dim, rows)
    }

    /// The same with the logits in place of the features: `dim` of a batch is L. Of a table without logits the first
    /// batch is an error.
    pub fn logits(&self, rows: usize) -> FeatureBatches<'_> {
        FeatureBatches::new(self, Some(LOGITS), self.meta.logits, rows)
    }

    /// The same without features, which are not read: `dim` of a batch is 0.
    pub fn keys(&self, rows: usize) -> FeatureBatches<'_> {
        FeatureBatches::new(self, None, 0, rows)
    }

    /// Whose features the rows are, without the features, in order.
    ///
    /// # Errors
    /// A part that cannot be read.
    pub fn rows(&self) -> Result<Vec<FeatureRow>> {
        let mut rows = Vec::with_capacity(self.len());
        for batch in self.keys(ROW_GROUP_ROWS) {
            rows.append(&mut batch?.rows);
        }
        Ok(rows)
    }

    /// The features of the row `at`, `[D]`, whose page alone is read; `None` where there are not so many rows.
    ///
    /// # Errors
    /// A part that cannot be read.
    pub fn at(&self, at: usize) -> Result<Option<Vec<f32>>> {
        let mut emb = vec![0.0; self.meta.dim];
        let Some(piece) = self.pieces(|row| row == at).pop() else { return Ok(None) };
        self.read_piece(piece, &mut emb)?;
        Ok(Some(emb))
    }

    /// The part files, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.parts.iter().map(|file| Part {
            path: file.path.clone(),
            rows: file.row_groups().sum(),
            row_groups: file.row_groups().count(),
        })
    }

    /// Names and types of all columns, in order.
    pub fn columns(&self) -> Vec<(String, String)> {
        self.parts[0].columns()
    }

    /// The rows that are wanted, in order, with their features, in memory; the others' features are not read. Uses the
    /// current rayon threads.
    ///
    /// # Errors
    /// A part that cannot be read.
    pub fn load(&self, wanted: impl Fn(&FeatureRow) -> bool) -> Result<Features> {
        let dim = self.meta.dim;
        let all = self.rows()?;
        let pieces = self.pieces(|row| wanted(&all[row]));
        let rows: Vec<FeatureRow> = all.into_iter().filter(|row| wanted(row)).collect();

        let mut emb = vec![0.0; rows.len() * dim]; // [N, D]
        let mut rest = emb.as_mut_slice();
        let mut jobs = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let (own, others) = rest.split_at_mut(piece.rows * dim);
            jobs.push((piece, own));
            rest = others;
        }
        jobs.into_par_iter().try_for_each(|(piece, own)| self.read_piece(piece, own))?;
        Ok(Features { dim, rows, emb })
    }

    /// The wanted rows, cut where a reader can start without decoding the rows before: at pages.
    fn pieces(&self, wanted: impl Fn(usize) -> bool) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut before = 0; // rows in earlier groups and parts
        for part in &self.parts {
            for (row_group, group_rows) in part.row_groups().enumerate() {
                for start in (0..group_rows).step_by(PAGE_ROWS) {
                    let end = (start + PAGE_ROWS).min(group_rows);
                    let runs = runs((start..end).filter(|row| wanted(before + row)));
                    let rows = runs.iter().map(Range::len).sum();
                    if rows > 0 {
                        let selection = RowSelection::from_consecutive_ranges(runs.into_iter(), group_rows);
                        pieces.push(Piece { part, row_group, selection, rows });
                    }
                }
                before += group_rows;
            }
        }
        pieces
    }

    fn read_piece(&self, piece: Piece<'_>, mut emb: &mut [f32]) -> Result<()> {
        let slice = Slice { row_group: Some(piece.row_group), rows: Some(piece.selection) };
        let mut batches = piece.part.batches(&self.emb_column(), slice, PAGE_ROWS)?;
        while let Some(copied) = batches.next(|columns| {
            let values = vector_values(columns, EMB)?;
            let Some((own, others)) = std::mem::take(&mut emb).split_at_mut_checked(values.len()) else {
                return Err(piece.part.miscounted());
            };
            own.copy_from_slice(values);
            emb = others;
            Ok(())
        }) {
            copied?;
        }
        if emb.is_empty() { Ok(()) } else { Err(piece.part.miscounted()) }
    }

    /// The columns that are no vectors, and the vectors named `vector`.
    fn key_columns_and(&self, vector: Option<&str>) -> Schema {
        let fields = self.schema.fields().iter();
        let is_wanted = |name: &str| ![EMB, LOGITS].contains(&name) || Some(name) == vector;
        Schema::new(fields.filter(|field| is_wanted(field.name())).cloned().collect::<Vec<_>>())
    }

    fn emb_column(&self) -> Schema {
        Schema::new(self.schema.fields().iter().filter(|f| f.name() == EMB).cloned().collect::<Vec<_>>())
    }
}

/// A part file of a features table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub rows: usize,
    /// Its row groups.
    pub row_groups: usize,
}

/// Rows that one thread reads.
struct Piece<'a> {
    part: &'a TableFile,
    row_group: usize,
    /// Within the row group.
    selection: RowSelection,
    rows: usize,
}

/// Ascending numbers as runs of neighbours.
fn runs(numbers: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs
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

/// The columns that are no vectors.
fn encode(rows: &[FeatureRow]) -> Vec<ArrayRef> {
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.split.as_str()))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.label.as_deref()))),
        Arc::new(UInt32Array::from_iter(rows.iter().map(|r| r.label_id))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.view))),
    ]
}

/// A column of vectors, of `[rows, length]`, row-major.
fn vectors(numbers: Vec<f32>, dir: &Path, length: usize) -> Result<ArrayRef> {
    let numbers = Arc::new(Float32Array::from(numbers));
    let vectors = FixedSizeListArray::try_new(vector_element(), length as i32, numbers, None)
        .map_err(|source| Error::Layout { path: dir.to_owned(), source })?;
    Ok(Arc::new(vectors))
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
    fn a_full_part_holds_128_to_512_mib_of_floats_for_any_usual_dim() {
        // 1,024, 2,560 and 4,096 are those of the backbones; 1,000 are the classes of ImageNet.
        for dim in [1, 3, 512, 1_000, 1_024, 2_560, 4_096, 16_384] {
            let mib = (rows_per_part(dim) * dim * size_of::<f32>()) as f64 / f64::from(1 << 20);
            assert!((128.0..=512.0).contains(&mib), "dim {dim}: {mib} MiB");
            assert_eq!(rows_per_part(dim) % ROW_GROUP_ROWS, 0, "dim {dim}");
        }
    }

    #[test]
    fn a_part_that_is_full_is_closed_and_the_next_begins_and_they_read_as_one_table() {
        let dir = tempfile::tempdir().unwrap();
        let rows_per_part = 2 * BATCH_ROWS;
        for rows in [2 * rows_per_part, 2 * rows_per_part + 5] {
            let dir = dir.path().join(rows.to_string());
            let meta = FeaturesMeta {
                arch: "resnet18".to_owned(),
                weights: "ab".to_owned(),
                classes: vec!["cats".to_owned()],
                preprocessing: serde_json::json!({}),
                dim: 3,
                dtype: "f32".to_owned(),
                pool: USUAL_POOL.to_owned(),
                logits: 0,
            };
            let mut writer = FeaturesWriter::with_rows_per_part(&dir, meta, rows_per_part).unwrap();
            for row in 0..rows {
                let id = format!("{row:08}");
                let row = FeatureRow { id, split: Split::Train, label: None, label_id: None, view: 0 };
                let x: f32 = row.id.parse().unwrap();
                writer.write(&row, &[x, -x, 0.5]).unwrap();
            }
            writer.finish().unwrap();

            let parts = part_files(&dir).unwrap();
            assert_eq!(parts.len(), rows.div_ceil(rows_per_part), "no empty part at the end: {parts:?}");
            let reader = FeaturesReader::open(&dir).unwrap();
            assert_eq!(reader.len(), rows);
            let mut next = 0;
            // Batches that end elsewhere than the parts do.
            for batch in reader.batches(1_000) {
                let batch = batch.unwrap();
                for (row, emb) in batch.rows.iter().zip(batch.emb.chunks_exact(3)) {
                    assert_eq!(row.id, format!("{next:08}"));
                    assert_eq!(emb, [next as f32, -(next as f32), 0.5]);
                    next += 1;
                }
            }
            assert_eq!(next, rows);
        }
    }
}
