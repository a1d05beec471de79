//! Small tables for people, whose columns are not known before: a sweep has one for each parameter that it varies. No
//! stage reads them, and all rows are in memory.
//!
//! | column | type in the file | null where |
//! |---|---|---|
//! | [`Column::Text`] | string | there is none |
//! | [`Column::Number`] | float64 | there is none |
//! | [`Column::Whole`] | int64 | there is none |
//! | [`Column::Truth`] | boolean | never |

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_schema::{DataType, Field, Schema};

use crate::writer::TableWriter;
use crate::{Error, Result};

/// The values of a column, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Text.
    Text(Vec<Option<String>>),
    /// Numbers of any size.
    Number(Vec<Option<f64>>),
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Yes or no.
    Truth(Vec<bool>),
}

impl Column {
    fn field(&self, name: &str) -> Field {
        let (data_type, has_nulls) = match self {
            Column::Text(_) => (DataType::Utf8, true),
            Column::Number(_) => (DataType::Float64, true),
            Column::Whole(_) => (DataType::Int64, true),
            Column::Truth(_) => (DataType::Boolean, false),
        };
        Field::new(name, data_type, has_nulls)
    }

    fn array(&self) -> ArrayRef {
        match self {
            Column::Text(values) => Arc::new(StringArray::from_iter(values)),
            Column::Number(values) => Arc::new(Float64Array::from(values.clone())),
            Column::Whole(values) => Arc::new(Int64Array::from(values.clone())),
            Column::Truth(values) => Arc::new(BooleanArray::from(values.clone())),
        }
    }
}

/// Writes the table `table` of these columns, which are equally long, to the file at `path`.
///
/// # Errors
/// [`Error::ColumnTwice`]; [`Error::Layout`] for columns of unequal lengths; a full disk.
pub fn write(path: &Path, table: &str, columns: &[(String, Column)]) -> Result<()> {
    let mut names = BTreeSet::new();
    if let Some((twice, _)) = columns.iter().find(|(name, _)| !names.insert(name)) {
        return Err(Error::ColumnTwice { path: path.to_owned(), column: twice.clone() });
    }
    let fields: Vec<Field> = columns.iter().map(|(name, column)| column.field(name)).collect();
    let mut file = TableWriter::create(path, table, Arc::new(Schema::new(fields)), &[], &[])?;
    file.write(columns.iter().map(|(_, column)| column.array()).collect())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn named(columns: Vec<(&str, Column)>) -> Vec<(String, Column)> {
        columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect()
    }

    #[test]
    fn every_kind_of_column_comes_back_with_its_nulls_and_the_bytes_are_the_same_again() {
        let dir = tempfile::tempdir().unwrap();
        let columns = named(vec![
            ("head.policy", Column::Text(vec![Some("[a, b]".to_owned()), None, Some("grün".to_owned())])),
            ("head.lr", Column::Number(vec![Some(1e-4), Some(-0.5), None])),
            ("seed", Column::Whole(vec![None, Some(i64::MAX), Some(-7)])),
            ("is_best", Column::Truth(vec![false, true, false])),
        ]);
        let paths = ["a.parquet", "b.parquet"].map(|name| dir.path().join(name));
        paths.iter().for_each(|path| write(path, "sweep", &columns).unwrap());
        assert!(fs_err::read(&paths[0]).unwrap() == fs_err::read(&paths[1]).unwrap());

        let file = fs_err::File::open(&paths[0]).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.into_file()).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(std::result::Result::unwrap).collect();
        assert_eq!((batches.len(), batches[0].num_rows()), (1, 3));
        let column = |name: &str| batches[0].column_by_name(name).unwrap();
        let text: Vec<_> = column("head.policy").as_string::<i32>().iter().collect();
        assert_eq!(text, [Some("[a, b]"), None, Some("grün")]);
        let numbers: Vec<_> = column("head.lr").as_primitive::<Float64Type>().iter().collect();
        assert_eq!(numbers, [Some(1e-4), Some(-0.5), None]);
        let whole: Vec<_> = column("seed").as_primitive::<Int64Type>().iter().collect();
        assert_eq!(whole, [None, Some(i64::MAX), Some(-7)]);
        let truth: Vec<_> = column("is_best").as_boolean().iter().collect();
        assert_eq!(truth, [Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn columns_of_one_name_or_of_unequal_lengths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let column = || Column::Number(vec![Some(1.0)]);
        let error = write(&path, "sweep", &named(vec![("x", column()), ("x", column())])).unwrap_err();
        let expected = format!("cannot write `{}`: two columns are named `x`", path.display());
        assert_eq!(error.to_string(), expected);
        let unequal = named(vec![("x", column()), ("y", Column::Truth(vec![]))]);
        let error = write(&path, "sweep", &unequal).unwrap_err();
        assert!(matches!(error, Error::Layout { .. }), "{error}");
    }
}
