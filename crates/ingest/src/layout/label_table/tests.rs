use pipeline_stage::Hint;

use super::*;

/// The rows of a CSV with this content as `number path label split group`, `-` where empty; or the error.
fn rows(content: &[u8], columns: &Columns) -> Result<Vec<String>, LayoutError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("labels.csv");
    fs_err::write(&file, content).unwrap();
    let mut rows = Vec::new();
    let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
    LabelTable::open(&file, "labels.csv", columns, Some(&Draw::default()))?.each(|row| {
        let cells = [&row.path, &row.label, &row.split, &row.group].map(text);
        rows.push(format!("{} {}", row.number, cells.join(" ")));
        Ok(())
    })?;
    Ok(rows)
}

fn found(content: &str) -> Vec<String> {
    rows(content.as_bytes(), &Columns::default()).unwrap()
}

fn refused(content: &[u8], columns: &Columns) -> (String, String) {
    let error = rows(content, columns).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn columns_are_found_by_name_in_any_order_and_case() {
    let content =
        "Label,seen,FileName,group,Split\ncat,7,a.jpg,x,train\n\"a, b\",8,c d.jpg,,\n,9,e.jpg,y,test\n";
    assert_eq!(found(content), ["2 a.jpg cat train x", "3 c d.jpg a, b - -", "4 e.jpg - test y"]);
}

#[test]
fn semicolons_tabs_a_byte_order_mark_and_windows_lines_are_read() {
    assert_eq!(
        found("\u{feff}path;label\r\na.jpg; cat\r\n\r\nb.jpg;dog"),
        ["2 a.jpg cat - -", "3 b.jpg dog - -"]
    );
    assert_eq!(found("path\tlabel\na, b.jpg\tcat\n"), ["2 a, b.jpg cat - -"]);
}

#[test]
fn given_columns_go_before_found_ones() {
    let columns =
        Columns { label: Some("breed".to_owned()), path: Some("id".to_owned()), ..Columns::default() };
    let read = rows(b"id,path,label,breed\n1.jpg,x,y,pug\n", &columns).unwrap();
    assert_eq!(read, ["2 1.jpg pug - -"]);
}

#[test]
fn a_column_that_is_missing_or_not_the_only_one_is_named() {
    let (message, hint) = refused(b"id,breed\n1,pug\n", &Columns::default());
    assert_eq!(
        message,
        "no column for the path in `labels.csv`: found id, breed, expected path, file, filename, file_name, filepath, image, image_path"
    );
    assert_eq!(hint, "name it: `table: {path: COLUMN}`");
    let columns = Columns { label: Some("bred".to_owned()), ..Columns::default() };
    let (message, hint) = refused(b"path,breed\n1,pug\n", &columns);
    assert_eq!(message, "no column for the label in `labels.csv`: found path, breed, expected bred");
    assert_eq!(hint, "did you mean `breed`?");
    let (message, hint) = refused(b"path,label,class\n1,pug,dog\n", &Columns::default());
    assert_eq!(message, "more than one column of `labels.csv` may be the label: label, class");
    assert_eq!(hint, "choose one: `table: {label: label}`");
}

#[test]
fn what_is_no_text_and_no_csv_is_named_with_its_line() {
    let (message, hint) = refused(b"path,label\na.jpg,cat\nb.jpg,ch\xe9vre\n", &Columns::default());
    assert_eq!(message, r"row 3 of `labels.csv` is not UTF-8: found `ch\xe9vre`");
    assert_eq!(hint, "save the table as UTF-8");
    let (message, _) = refused(b"path,label\na.jpg,cat,more\n", &Columns::default());
    assert_eq!(message, "cannot read `labels.csv` as CSV");
}

#[test]
fn a_parquet_file_gives_the_same_rows() {
    use pipeline_table::plain::{Column, write};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("labels.parquet");
    let text = |texts: &[&str]| {
        Column::Text(texts.iter().map(|t| (!t.is_empty()).then(|| (*t).to_owned())).collect())
    };
    let columns = [
        ("label".to_owned(), Column::Whole(vec![Some(3), None])),
        ("path".to_owned(), text(&["a.jpg", "b.jpg"])),
    ];
    write(&file, "labels", &columns).unwrap();
    let mut rows = Vec::new();
    let table = LabelTable::open(&file, "labels.parquet", &Columns::default(), None).unwrap();
    let mut take = |row: Row| {
        rows.push((row.number, row.path, row.label));
        Ok(())
    };
    table.each(&mut take).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(rows, [(1, some("a.jpg"), some("3")), (2, some("b.jpg"), None)]);
}
