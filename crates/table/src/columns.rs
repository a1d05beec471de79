//! [`Columns`]: typed access to the columns of a batch whose schema was checked when the file was opened.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{
    Array, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};

use crate::{Error, Result};

/// A batch of rows of the file at `path`.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) path: &'a Path,
    pub(crate) batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    pub(crate) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn text(&self, column: &str) -> Result<&'a StringArray> {
        self.typed(column, "string", |array| array.as_string_opt::<i32>())
    }

    pub(crate) fn numbers<T: ArrowPrimitiveType>(&self, column: &str) -> Result<&'a PrimitiveArray<T>> {
        self.typed(column, "number", |array| array.as_primitive_opt::<T>())
    }

    pub(crate) fn flags(&self, column: &str) -> Result<&'a BooleanArray> {
        self.typed(column, "boolean", |array| array.as_boolean_opt())
    }

    pub(crate) fn vectors(&self, column: &str) -> Result<&'a FixedSizeListArray> {
        self.typed(column, "fixed-size list", |array| array.as_fixed_size_list_opt())
    }

    pub(crate) fn lists(&self, column: &str) -> Result<&'a ListArray> {
        self.typed(column, "list", |array| array.as_list_opt::<i32>())
    }

    fn typed<T>(
        &self,
        column: &str,
        expected: &str,
        cast: impl Fn(&'a dyn Array) -> Option<&'a T>,
    ) -> Result<&'a T> {
        let array = self.batch.column_by_name(column).map(|array| array.as_ref());
        array.and_then(cast).ok_or_else(|| Error::MissingColumn {
            path: self.path.to_owned(),
            column: column.to_owned(),
            expected: expected.to_owned(),
        })
    }
}

/// The text of a row, `None` where it is null.
pub(crate) fn text_at(array: &StringArray, row: usize) -> Option<String> {
    array.is_valid(row).then(|| array.value(row).to_owned())
}

/// The number of a row, `None` where it is null.
pub(crate) fn number_at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}
