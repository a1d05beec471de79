//! The table of views: numbers by name, the policy beside them, and nothing of either where all views are plain.

use pipeline_table::{Error, ViewRow, ViewsReader, ViewsWriter};
use serde_json::json;

use crate::rows::*;

#[test]
fn views_come_back_with_their_numbers_in_the_order_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.parquet");
    let rows = views(700);
    write_views(&path, &rows).unwrap();
    let reader = ViewsReader::open(&path).unwrap();
    assert_eq!(reader.policy(), Some(&view_policy()));
    let read = |names: &[&str]| -> Vec<ViewRow> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        reader.rows(&names).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(read(&["scale", "flip"]), rows);
    let turned: Vec<ViewRow> = rows
        .iter()
        .cloned()
        .map(|row| ViewRow { numbers: vec![row.numbers[1], row.numbers[0]], ..row })
        .collect();
    assert_eq!(read(&["flip", "scale"]), turned);
}

#[test]
fn a_table_of_plain_views_says_nothing_of_a_policy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.parquet");
    let mut writer = ViewsWriter::create(&path, None, &[]).unwrap();
    writer.write(ViewRow { id: "a.jpg".to_owned(), view: 0, numbers: vec![] }).unwrap();
    writer.finish().unwrap();
    let reader = ViewsReader::open(&path).unwrap();
    assert_eq!(reader.policy(), None);
    assert_eq!(reader.rows(&[]).unwrap().count(), 1);
    let missing = reader.rows(&["scale".to_owned()]).err().unwrap();
    assert!(
        missing.to_string().contains("found no column `scale`, expected one of type float32"),
        "{missing}"
    );
}

#[test]
fn rows_that_are_out_of_order_or_not_finite_or_too_short_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.parquet");
    let row =
        |id: &str, view, numbers: &[f32]| ViewRow { id: id.to_owned(), view, numbers: numbers.to_vec() };
    let after = |second: ViewRow| {
        let names = ["scale".to_owned(), "flip".to_owned()];
        let mut writer = ViewsWriter::create(&path, Some(&json!({})), &names).unwrap();
        writer.write(row("b.jpg", 1, &[1.0, 0.0])).unwrap();
        writer.write(second).unwrap_err()
    };
    assert!(matches!(after(row("b.jpg", 1, &[1.0, 0.0])), Error::Twice { .. }));
    assert!(matches!(after(row("a.jpg", 1, &[1.0, 0.0])), Error::Order { .. }));
    assert!(matches!(after(row("b.jpg", 2, &[1.0, f32::NAN])), Error::NotFinite { .. }));
    assert!(matches!(after(row("b.jpg", 2, &[1.0])), Error::Dim { found: 1, expected: 2, .. }));
}

#[test]
fn the_same_views_are_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = dir.path().join(name);
        write_views(&path, &views(300)).unwrap();
        fs_err::read(path).unwrap()
    };
    assert_eq!(bytes("a"), bytes("b"));
}
