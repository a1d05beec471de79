//! [`FeatureBatches`]: the rows of a features table with one of its vectors, some at a time.

use arrow_schema::Schema;

use super::{Features, FeaturesReader, decode_rows, vector_values};
use crate::Result;
use crate::columns::Columns;
use crate::reader::{Batches, Slice};

/// The rows of a features table in order, one batch in memory at a time. After an error there are no more.
pub struct FeatureBatches<'a> {
    table: &'a FeaturesReader,
    columns: Schema,
    /// The column of vectors that is read.
    vector: Option<&'static str>,
    /// Length of a vector.
    dim: usize,
    rows: usize,
    next_part: usize,
    current: Option<Batches>,
}

impl<'a> FeatureBatches<'a> {
    pub(super) fn new(
        table: &'a FeaturesReader,
        vector: Option<&'static str>,
        dim: usize,
        rows: usize,
    ) -> Self {
        let columns = table.key_columns_and(vector);
        FeatureBatches { table, columns, vector, dim, rows: rows.max(1), next_part: 0, current: None }
    }

    fn stop(&mut self) {
        self.next_part = self.table.parts.len();
        self.current = None;
    }
}

impl Iterator for FeatureBatches<'_> {
    type Item = Result<Features>;

    fn next(&mut self) -> Option<Self::Item> {
        let (dim, vector) = (self.dim, self.vector);
        loop {
            let decode = |columns: Columns<'_>| {
                let emb = vector.map(|vector| vector_values(columns, vector)).transpose()?;
                let emb = emb.map(<[f32]>::to_vec).unwrap_or_default();
                Ok(Features { dim, rows: decode_rows(columns)?, emb })
            };
            let next = match &mut self.current {
                Some(batches) => batches.next(decode),
                None => None,
            };
            if let Some(batch) = next {
                if batch.is_err() {
                    self.stop();
                }
                return Some(batch);
            }
            let part = self.table.parts.get(self.next_part)?;
            self.next_part += 1;
            match part.batches(&self.columns, Slice::default(), self.rows) {
                Ok(batches) => self.current = Some(batches),
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
    }
}
