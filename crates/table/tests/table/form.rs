//! The form of a file, as a foreign Parquet reader sees it.

use std::path::Path;

use parquet::basic::{Compression, Encoding};
use parquet::file::reader::{FileReader, SerializedFileReader};
use pipeline_table::metadata;

use crate::rows::*;

fn open(path: &Path) -> SerializedFileReader<std::fs::File> {
    SerializedFileReader::new(fs_err::File::open(path).unwrap().into_parts().0).unwrap()
}

#[test]
fn features_are_written_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    write_features(dir.path(), &features(8_192 + 100, 6)).unwrap();
    let file = open(&dir.path().join("part-00000.parquet"));
    let footer = file.metadata();

    let rows: Vec<i64> = footer.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [8_192, 100]);
    let schema = footer.file_metadata().schema_descr();
    let columns: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    assert_eq!(columns, ["id", "split", "label", "label_id", "view", "emb.list.element"]);

    let group = footer.row_group(0);
    assert!(group.columns().iter().all(|c| matches!(c.compression(), Compression::ZSTD(_))));
    let emb = group.column(5);
    let encodings: Vec<Encoding> = emb.encodings().collect();
    assert!(encodings.contains(&Encoding::BYTE_STREAM_SPLIT), "{encodings:?}");
    assert!(emb.dictionary_page_offset().is_none());
    assert!(emb.statistics().is_none());
    assert!(group.column(0).statistics().is_some());
    let sorted: Vec<i32> = group.sorting_columns().unwrap().iter().map(|s| s.column_idx).collect();
    assert_eq!(sorted, [0, 4]); // id, view
}

#[test]
fn metadata_holds_content_only() {
    let dir = tempfile::tempdir().unwrap();
    write_features(dir.path(), &features(2, 6)).unwrap();
    let file = open(&dir.path().join("part-00000.parquet"));
    let about = file.metadata().file_metadata();
    assert_eq!(about.created_by(), Some(metadata::CREATED_BY));
    let pairs = about.key_value_metadata().unwrap();
    let own: Vec<(&str, &str)> = pairs
        .iter()
        .filter(|pair| pair.key != "ARROW:schema")
        .map(|pair| (pair.key.as_str(), pair.value.as_deref().unwrap()))
        .collect();
    let weights = "ab".repeat(32);
    let expected = [
        ("pipeline.table", "features"),
        ("pipeline.schema", "1"),
        ("pipeline.arch", "resnet18"),
        ("pipeline.weights", weights.as_str()),
        ("pipeline.classes", r#"["cats","dogs"]"#),
        ("pipeline.preprocessing", r#"{"crop":"center","mean":[0.485,0.456,0.406],"size":224}"#),
        ("pipeline.dim", "6"),
        ("pipeline.dtype", "f32"),
    ];
    assert_eq!(own, expected);
}

#[test]
fn predictions_name_their_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("predictions.parquet");
    write_predictions(&path, &[]).unwrap();
    let file = open(&path);
    let pairs = file.metadata().file_metadata().key_value_metadata().unwrap();
    let classes = pairs.iter().find(|pair| pair.key == metadata::CLASSES).unwrap();
    assert_eq!(classes.value.as_deref(), Some(r#"["cats","dogs","über \"große\" Tiere"]"#));
}
