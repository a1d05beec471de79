//! [`FeaturesWriter`]: rows with their features into part files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, StringArray, UInt32Array};
use arrow_schema::SchemaRef;

use super::{EMB, FeatureRow, FeaturesMeta, LOGITS, TABLE, part_files, part_name, rows_per_part, schema};
use crate::order::Order;
use crate::writer::{BATCH_ROWS, TableWriter, check_label, check_vector, vector_element};
use crate::{Error, Result};

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
        let rows_per_part = rows_per_part(meta.width());
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

#[cfg(test)]
mod tests {
    use super::super::{FeaturesReader, USUAL_POOL};
    use super::*;
    use crate::Split;

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
