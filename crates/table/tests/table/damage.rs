//! Files that a reader refuses.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use pipeline_stage::Hint;
use pipeline_table::{Error, FeaturesReader, HistoryReader, ImagesReader, PredictionsReader, Verdict};

use crate::rows::*;

fn text(error: &Error, dir: &Path) -> String {
    error.to_string().replace(&format!("{}/", dir.display()), "")
}

/// A history table's columns, changed by `change`, with this metadata.
fn foreign(path: &Path, pairs: &[(&str, &str)], change: impl Fn(&mut Vec<(Field, ArrayRef)>)) {
    let word = || Arc::new(StringArray::from(vec![Some("a"), None])) as ArrayRef;
    let mut columns = vec![
        (Field::new("stage", DataType::Utf8, true), word()),
        (Field::new("phase", DataType::Utf8, true), word()),
    ];
    change(&mut columns);
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let pairs =
        pairs.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
    let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs)).build();
    let file = fs_err::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

const HISTORY: [(&str, &str); 2] = [("pipeline.table", "history"), ("pipeline.schema", "1")];

#[test]
fn a_file_cut_short_anywhere_is_named_and_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("images.parquet");
    write_images(&path, &[image_row("a.jpg", Verdict::Ok)]).unwrap();
    let whole = fs_err::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs_err::write(&path, &whole[..length]).unwrap();
        let error = ImagesReader::open(&path).err().unwrap();
        let what = if length < 4 {
            format!("found {length} bytes that do not begin with `PAR1`, expected a Parquet file")
        } else {
            format!("it is cut short, found {length} bytes that do not end with `PAR1`")
        };
        assert_eq!(text(&error, dir.path()), format!("cannot read `images.parquet`: {what}"));
        assert_eq!(error.hint().unwrap(), "make the artifact again with `--force STAGE`");
    }
}

#[test]
fn a_footer_that_makes_no_sense_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("images.parquet");
    fs_err::write(&path, b"PAR1 garbage that is no footer\x08\0\0\0PAR1").unwrap();
    let error = ImagesReader::open(&path).err().unwrap();
    assert_eq!(text(&error, dir.path()), "cannot read the table `images.parquet`");
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[test]
fn another_table_another_version_and_no_table_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let refused = || text(&HistoryReader::open(&path).err().unwrap(), dir.path());
    write_images(&path, &[]).unwrap();
    assert_eq!(
        refused(),
        "cannot read `t.parquet`: found `images` as its metadata `pipeline.table`, expected `history`"
    );
    foreign(&path, &[], |_| {});
    assert_eq!(
        refused(),
        "cannot read `t.parquet`: found nothing as its metadata `pipeline.table`, expected `history`"
    );
    foreign(&path, &[("pipeline.table", "history"), ("pipeline.schema", "2")], |_| {});
    assert_eq!(
        refused(),
        "cannot read `t.parquet`: found `2` as its metadata `pipeline.schema`, expected a version up to 1"
    );
}

#[test]
fn a_column_that_is_missing_or_of_another_type_is_named_with_both_types() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let refused = || text(&HistoryReader::open(&path).err().unwrap(), dir.path());
    foreign(&path, &HISTORY, |_| {});
    assert_eq!(refused(), "cannot read `t.parquet`: found no column `epoch`, expected one of type uint32");
    foreign(&path, &HISTORY, |columns| {
        columns[1] = (Field::new("phase", DataType::Int64, false), Arc::new(Int64Array::from(vec![1, 2])));
    });
    assert_eq!(refused(), "cannot read `t.parquet`: column `phase` is of type int64, expected string");
}

#[test]
fn features_whose_width_is_not_that_of_the_metadata_are_refused_with_both_types() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = [
        ("pipeline.table", "features"),
        ("pipeline.schema", "1"),
        ("pipeline.arch", "resnet18"),
        ("pipeline.weights", "00"),
        ("pipeline.classes", "[]"),
        ("pipeline.preprocessing", "{}"),
        ("pipeline.dim", "4"),
        ("pipeline.dtype", "f32"),
    ];
    let number = |name: &str| {
        (
            Field::new(name, DataType::UInt32, true),
            Arc::new(arrow_array::UInt32Array::from(vec![0, 1])) as ArrayRef,
        )
    };
    foreign(&dir.path().join("part-00000.parquet"), &pairs, |columns| {
        let word = columns[0].1.clone();
        let element = Arc::new(Field::new("element", DataType::Float32, false));
        let values = Arc::new(arrow_array::Float32Array::from(vec![0.0; 6]));
        let emb = arrow_array::FixedSizeListArray::try_new(element, 3, values, None).unwrap();
        *columns =
            ["id", "split", "label"].map(|n| (Field::new(n, DataType::Utf8, true), word.clone())).to_vec();
        columns.extend([number("label_id"), number("view")]);
        columns.push((Field::new("emb", arrow_array::Array::data_type(&emb).clone(), false), Arc::new(emb)));
    });
    let error = FeaturesReader::open(dir.path()).err().unwrap();
    assert_eq!(
        text(&error, dir.path()),
        "cannot read `part-00000.parquet`: column `emb` is of type FixedSizeList<float32>[3], \
         expected FixedSizeList<float32>[4]"
    );
}

#[test]
fn nulls_and_unknown_words_are_refused_when_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.parquet");
    let classes =
        [("pipeline.table", "predictions"), ("pipeline.schema", "1"), ("pipeline.classes", r#"["a"]"#)];
    let table = |split: [Option<&str>; 2]| {
        let split = Arc::new(StringArray::from(split.to_vec())) as ArrayRef;
        foreign(&path, &classes, |columns| {
            let word = Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
            let text = |name: &str| (Field::new(name, DataType::Utf8, true), word.clone());
            let number = |name: &str| {
                let array = Arc::new(arrow_array::UInt32Array::from(vec![0, 0])) as ArrayRef;
                (Field::new(name, DataType::UInt32, true), array)
            };
            let float = |name: &str| {
                let array = Arc::new(arrow_array::Float32Array::from(vec![0.5, 0.5])) as ArrayRef;
                (Field::new(name, DataType::Float32, true), array)
            };
            let element = Arc::new(Field::new("element", DataType::Float32, false));
            let values = Arc::new(arrow_array::Float32Array::from(vec![1.0; 2]));
            let probs = arrow_array::FixedSizeListArray::try_new(element, 1, values, None).unwrap();
            *columns = vec![
                text("id"),
                (Field::new("split", DataType::Utf8, true), split.clone()),
                text("label"),
                number("label_id"),
                text("model"),
                text("mode"),
                text("predicted"),
                number("predicted_id"),
                float("confidence"),
                float("loss"),
                (Field::new("probs", arrow_array::Array::data_type(&probs).clone(), false), Arc::new(probs)),
            ];
        });
        let mut reader = PredictionsReader::open(&path).unwrap();
        let error = reader.next().unwrap().unwrap_err();
        assert!(reader.next().is_none(), "rows after an error");
        text(&error, dir.path())
    };
    assert_eq!(
        table([Some("train"), None]),
        "cannot read `p.parquet`: column `split` has 1 nulls, expected none"
    );
    assert_eq!(
        table([Some("dev"), Some("train")]),
        "cannot read `p.parquet`: column `split` has the value `dev`, expected `train`, `valid` or `test`"
    );
    assert_eq!(
        table([Some("train"), Some("test")]),
        "cannot read `p.parquet`: column `mode` has the value `a`, expected `plain` or `tta`"
    );
}

#[test]
fn a_features_folder_lacks_no_part_and_all_parts_are_of_one_table() {
    let dir = tempfile::tempdir().unwrap();
    let refused = || text(&FeaturesReader::open(dir.path()).err().unwrap(), dir.path());
    let name = dir.path().display().to_string();
    assert_eq!(refused(), format!("cannot read features from `{name}`: found no `part-00000.parquet`"));

    write_features(dir.path(), &features(3, 2)).unwrap();
    let other = tempfile::tempdir().unwrap();
    write_features(other.path(), &features(3, 5)).unwrap();
    let part = |number: usize| dir.path().join(pipeline_table::features::part_name(number));
    fs_err::copy(other.path().join("part-00000.parquet"), part(1)).unwrap();
    assert_eq!(
        refused(),
        "cannot read `part-00001.parquet`: its metadata `pipeline.dim` differs from that of `part-00000.parquet`"
    );
    fs_err::rename(part(1), part(2)).unwrap();
    assert_eq!(refused(), format!("cannot read features from `{name}`: found no `part-00001.parquet`"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = ImagesReader::open(Path::new("nowhere/images.parquet")).err().unwrap();
    assert!(error.to_string().contains("nowhere/images.parquet"), "{error}");
}
