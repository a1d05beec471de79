//! [`FeaturesReader`]: a features table, read in order, in part, or whole on all threads.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::arrow_reader::RowSelection;
use rayon::prelude::*;

use super::{
    EMB, FeatureBatches, FeatureRow, Features, FeaturesMeta, KEYS, LOGITS, TABLE, part_files, part_name,
    schema, vector_values,
};
use crate::reader::{Slice, TableFile};
use crate::writer::{PAGE_ROWS, ROW_GROUP_ROWS};
use crate::{Error, Result};

/// A features table, opened: metadata and footers are in memory, rows are not.
pub struct FeaturesReader {
    pub(super) meta: FeaturesMeta,
    schema: SchemaRef,
    pub(super) parts: Vec<TableFile>,
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
    pub(super) fn key_columns_and(&self, vector: Option<&str>) -> Schema {
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
