//! Each layout on a tree made by hand, with the rows that it must give; and what is refused.

use std::path::{Path, PathBuf};

use pipeline_stage::Failure;
use pipeline_table::Split;
use pipeline_table::plain::{self, Column};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

use super::{Ingest, findings, png, rows, write};

/// A folder with a photo of its own at each id.
fn tree(bench: &StageBench, ids: &[&str]) -> PathBuf {
    let root = bench.dir().join("photos");
    for (i, id) in ids.iter().enumerate() {
        write(&root, id, &png(5 + i as u32, 3, i as u8));
    }
    root
}

fn try_ingest(bench: &StageBench, root: &Path, mut params: Value) -> Result<Made, Failure> {
    params["root"] = json!("photos");
    bench.run(&Ingest, &params, &[], &[("photos", root)])
}

/// Message and hint, with the root as `<root>`.
fn refused(bench: &StageBench, root: &Path, params: Value) -> (String, String) {
    let shown = |text: String| text.replace(&root.display().to_string(), "<root>");
    match try_ingest(bench, root, params).unwrap_err() {
        Failure::Failed { message, hint, .. } => (shown(message), shown(hint.unwrap_or_default())),
        other => panic!("{other:?}"),
    }
}

/// `id split label reason` of each row, `-` where there is none.
fn table(made: &Made) -> Vec<String> {
    let line = |row: pipeline_table::ImageRow| {
        let (label, reason) = (row.label.unwrap_or("-".into()), row.reason.unwrap_or("-".into()));
        format!("{} {} {label} {reason}", row.id, row.split)
    };
    rows(made).into_iter().map(line).collect()
}

/// Photos of each class in train, valid and test.
fn counts(made: &Made, class: &str) -> [usize; 3] {
    let rows = rows(made);
    Split::ALL.map(|split| {
        rows.iter().filter(|row| row.split == split && row.label.as_deref() == Some(class)).count()
    })
}

#[test]
fn a_folder_for_each_class_is_drawn_from_and_nested_folders_belong_to_the_top_one() {
    let bench = StageBench::default();
    let ids = [
        "cats/1.png",
        "cats/2.png",
        "cats/persian/x.png",
        "cats/persian/kitten/y.png",
        "cats/5.png",
        "dogs/1.png",
        "dogs/2.png",
        "dogs/3.png",
        "dogs/4.png",
        "dogs/5.png",
        "dogs/6.png",
        "dogs/7.png",
        "dogs/8.png",
        "loose.png",
    ];
    let root = tree(&bench, &ids);
    let params = || json!({"split": {"valid": 0.2, "test": 0.125, "seed": 3}});
    let made = try_ingest(&bench, &root, params()).unwrap();
    // 5 cats: test ends at 0.625 and valid at 1.625; 8 dogs: at 1 and at 2.6; photos stand at 0.5, 1.5, 2.5...
    assert_eq!(counts(&made, "cats"), [3, 1, 1]);
    assert_eq!(counts(&made, "dogs"), [5, 2, 1]);
    let rows = table(&made);
    assert_eq!(rows.len(), 14);
    assert!(rows.iter().any(|row| row.starts_with("cats/persian/kitten/y.png ") && row.ends_with(" cats -")));
    assert_eq!(rows[13], "loose.png train - no_class");
    let again =
        try_ingest(&bench, &root, json!({"layout": "class_folders", "split": params()["split"]})).unwrap();
    assert_eq!(again.artifact.files, made.artifact.files, "told or found, it is the same");
}

#[test]
fn a_folder_above_the_classes_is_pointed_into() {
    let bench = StageBench::default();
    let root = tree(&bench, &["animals/cats/1.png", "animals/dogs/1.png"]);
    let (message, hint) = refused(&bench, &root, json!({"split": {}}));
    assert_eq!(message, "expected at least 2 class folders in <root>, found animals");
    assert_eq!(hint, "set `root` to <root>/animals, if its folders are the classes");
}

#[test]
fn class_folders_without_a_split_are_told_how_to_draw_one() {
    let bench = StageBench::default();
    let root = tree(&bench, &["cats/1.png", "dogs/1.png"]);
    let (message, hint) = refused(&bench, &root, json!({}));
    assert_eq!(message, "no folder `train` in <root>: found cats, dogs");
    assert_eq!(
        hint,
        "set `root` to the folder that has train/ and valid/, with a folder per class in each; or, where each folder in `root` is a class, set `split: {valid: 0.2}`"
    );
    let (message, hint) = refused(&bench, &root, json!({"layout": "class_folders"}));
    assert_eq!(message, "nothing says which photos of <root> are in train and which in valid");
    assert_eq!(hint, "set `split: {valid: 0.2}` to draw a fifth of each class for valid");
}

#[test]
fn valid_is_drawn_from_train_where_there_is_none() {
    let bench = StageBench::default();
    let root = tree(
        &bench,
        &[
            "train/a/1.png",
            "train/a/2.png",
            "train/a/3.png",
            "train/b/1.png",
            "train/b/2.png",
            "train/b/3.png",
            "test1/x.png",
        ],
    );
    let made = try_ingest(&bench, &root, json!({"split": {"valid": 0.3}})).unwrap();
    assert_eq!((counts(&made, "a"), counts(&made, "b")), ([2, 1, 0], [2, 1, 0]));
    assert_eq!(table(&made)[0], "test1/x.png test - -");
    let (message, hint) = refused(&bench, &root, json!({"split": {"valid": 0.3, "test": 0.3}}));
    assert_eq!(message, "`split` draws the splits, and <root> has them: test1");
    assert!(hint.contains("set `split.test` to 0"), "{hint}");
    write(&root, "valid/a/1.png", &png(4, 3, 1));
    let (message, _) = refused(&bench, &root, json!({"split": {}}));
    assert_eq!(message, "`split` draws the splits, and <root> has them: valid");
}

/// As Kaggle's zip has it: `train/cat.0.jpg`, `test1/1.jpg`.
#[test]
fn names_say_the_class_in_train_and_drawn_photos_stay_in_their_group() {
    let bench = StageBench::default();
    let root = tree(
        &bench,
        &[
            "train/cat.0.png",
            "train/cat.1.png",
            "train/cat.2.png",
            "train/dog.0.png",
            "train/dog.1.png",
            "train/dog.2.png",
            "train/7.png",
            "test1/1.png",
            "test1/dog.9.png",
        ],
    );
    let params = json!({"label_pattern": r"^(?<label>[a-z]+)\.", "split": {"valid": 0.3}});
    let made = try_ingest(&bench, &root, params).unwrap();
    assert_eq!((counts(&made, "cat"), counts(&made, "dog")), ([2, 1, 0], [2, 1, 1]));
    let rows = table(&made);
    assert_eq!(
        rows[..3],
        ["test1/1.png test - -", "test1/dog.9.png test dog -", "train/7.png train - no_label"]
    );

    // Both classes in one group, `1`, whose photos hold together in each split.
    let group_by = json!({"regex": r"\.(\d)\."});
    let split = json!({"valid": 0.4, "stratify": false, "group_by": group_by});
    let made =
        try_ingest(&bench, &root, json!({"label_pattern": r"^(?<label>[a-z]+)\.", "split": split})).unwrap();
    let of = |id: &str| {
        table(&made)
            .into_iter()
            .find(|row| row.starts_with(id))
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    for number in 0..3 {
        assert_eq!(of(&format!("train/cat.{number}")), of(&format!("train/dog.{number}")), "{number}");
    }
    // Groups of 2 at 1, 3 and 5, and valid ends at 2.4.
    assert_eq!((counts(&made, "cat")[1], counts(&made, "dog")[1]), (1, 1));
}

#[test]
fn names_say_the_class_in_a_flat_folder() {
    let bench = StageBench::default();
    let root = tree(&bench, &["Cat_1.png", "Cat_2.png", "more/dog_1.png", "more/dog_2.png", "dog_3.png"]);
    let params = json!({"label_pattern": r"^(?<label>\w+)_\d", "split": {"valid": 0.5}});
    let made = try_ingest(&bench, &root, params).unwrap();
    // 3 dogs at 0.5, 1.5 and 2.5, and valid ends at 1.5.
    assert_eq!((counts(&made, "Cat"), counts(&made, "dog")), ([1, 1, 0], [2, 1, 0]));

    let pattern = json!({"label_pattern": r"^(?<label>emu)\.", "split": {}});
    let (message, hint) = refused(&bench, &root, pattern);
    assert_eq!(
        message,
        r"`label_pattern` ^(?<label>emu)\. fits no name of the 5 files to train on: the first is `Cat_1.png`"
    );
    assert_eq!(hint, r"`^(?<label>[a-z]+)\.` finds `cat` in `cat.123.jpg`");
    let (message, hint) = refused(&bench, &root, json!({"label_pattern": r"(?<label>dog)", "split": {}}));
    assert_eq!(message, "expected at least 2 labels in <root>, found dog");
    assert_eq!(hint, "label photos of each class");
    fs_err::remove_dir_all(root.join("more")).unwrap();
    let (message, hint) = refused(&bench, &root, json!({}));
    assert_eq!(
        message,
        "nothing says the classes of the photos in <root>: found Cat_1.png, Cat_2.png, dog_3.png and no folders"
    );
    assert!(hint.starts_with(r"set `label_pattern` where names say the class"), "{hint}");
}

#[test]
fn a_class_of_valid_that_train_lacks_is_named_with_its_photo() {
    let bench = StageBench::default();
    let root = tree(&bench, &["train/cat.0.png", "train/dog.0.png", "valid/dog.1.png", "valid/Cat.1.png"]);
    let (message, hint) = refused(&bench, &root, json!({"label_pattern": r"^(?<label>\w+)\."}));
    assert_eq!(
        message,
        "`valid/Cat.1.png` in valid is of the class `Cat`, which train lacks: its classes are cat, dog"
    );
    assert_eq!(hint, "write it as `cat`, if that is meant");
}

#[test]
fn a_table_says_path_label_and_split() {
    let bench = StageBench::default();
    let root = tree(
        &bench,
        &["img/1.png", "img/2 b.png", "img/3.png", "img/4.png", "img/5.png", "img/6.png", "img/7.png"],
    );
    let csv = "path,label,split\nimg/1.png,cat,train\n./img/2 b.png,dog,train\nimg/3.png,cat,val\nimg/4.png,dog,Valid\nimg/5.png,,test\nimg/5.png,,test\nimg/9.png,cat,train\nimg/6.png,,train\n,dog,train\nimg/1.png,dog,train\n";
    write(&root, "labels.csv", csv.as_bytes());
    write(&root, "img/.hidden.png", &png(4, 3, 1));
    // Without photo 1, cat has none in train.
    let (message, hint) = refused(&bench, &root, json!({}));
    assert_eq!(message, "class `cat` has no usable photo in train (2 set aside)");
    assert_eq!(hint, "give photos of `cat` the split train in the table");

    write(&root, "labels.csv", format!("{csv}img/7.png,cat,train\n").as_bytes());
    let made = try_ingest(&bench, &root, json!({})).unwrap();
    assert_eq!(
        table(&made),
        [
            "img/1.png train cat contradiction",
            "img/2 b.png train dog -",
            "img/3.png valid cat -",
            "img/4.png valid dog -",
            "img/5.png test - -",
            "img/6.png train - no_label",
            "img/7.png train cat -",
            "img/9.png train cat missing",
        ]
    );
    let findings = findings(&made);
    assert_eq!(
        findings["table"],
        json!({"file": "labels.csv", "rows": 11, "repeated": 1, "without_path": 1, "unlisted": 0, "first_unlisted": []})
    );
    assert_eq!(findings["clutter"], json!({"hidden": 1}));
    assert_eq!(
        made.summary.notes,
        [
            "3 files were set aside (ingest.json lists them): 1 named in the table and not there, 1 with rows of the table that contradict each other, 1 without a label",
            "rows of labels.csv that repeat another row: 1",
            "rows of labels.csv that have no path: 1",
        ]
    );
}

#[test]
fn a_parquet_table_beside_its_photos_is_drawn_from_by_its_column_of_groups() {
    let bench = StageBench::default();
    let ids: Vec<String> = (0..12).map(|i| format!("data/{i}.png")).collect();
    let root = tree(&bench, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let text = |texts: Vec<String>| Column::Text(texts.into_iter().map(Some).collect());
    let columns = [
        ("photo".to_owned(), text((0..10).map(|i| format!("{i}.png")).collect())),
        ("class".to_owned(), text((0..10).map(|i| ["cat", "dog"][i % 2].to_owned()).collect())),
        ("owner".to_owned(), Column::Whole((0..10).map(|i| Some(i / 2)).collect())),
    ];
    plain::write(&root.join("data/labels.parquet"), "labels", &columns).unwrap();
    let params = json!({
        "table": {"file": "data/labels.parquet", "path": "photo"},
        "split": {"valid": 0.4, "stratify": false, "group_by": {"column": "owner"}},
    });
    let made = try_ingest(&bench, &root, params).unwrap();
    let rows = table(&made);
    let split = |i: usize| {
        rows.iter().find(|r| r.starts_with(&format!("data/{i}.png "))).unwrap().split(' ').nth(1).unwrap()
    };
    assert_eq!(rows.len(), 10);
    for owner in 0..5 {
        assert_eq!(split(2 * owner), split(2 * owner + 1), "{owner}");
    }
    // Owners of 2 photos at 1, 3, 5..., and valid ends at 4.
    assert_eq!((counts(&made, "cat"), counts(&made, "dog")), ([3, 2, 0], [3, 2, 0]));
    assert_eq!(
        made.summary.notes,
        [
            "not part of the data, since data/labels.parquet does not name them: 2 (`data/10.png`, `data/11.png`)"
        ]
    );
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_the_row() {
    let bench = StageBench::default();
    let root = tree(&bench, &["img/1.png", "img/2.png"]);
    let error = |csv: &str, params: Value| {
        write(&root, "labels.csv", csv.as_bytes());
        refused(&bench, &root, params)
    };
    let split = || json!({"split": {}});
    assert_eq!(
        error("path,label\nimg/1.png,a\n../2.png,b\n", split()).0,
        "row 3 of `labels.csv` has the path `../2.png`, expected one that stays in `root`"
    );
    assert_eq!(
        error("path,label\n/img/1.png,a\n", split()),
        (
            "row 2 of `labels.csv` has the path `/img/1.png`, expected one that stays in `root`".to_owned(),
            "correct or remove the row".to_owned()
        )
    );
    assert_eq!(
        error("path,label,split\nimg/1.png,a,dev\n", json!({})).0,
        "row 2 of `labels.csv` has the split `dev`, expected `train`, `valid` (also `val`, `validation`) or `test`"
    );
    assert!(
        error("path,label,split\nimg/1.png,a,\n", json!({}))
            .0
            .starts_with("row 2 of `labels.csv` has no split")
    );
    assert_eq!(
        error("path,label\n1,a\n2,b\n", split()),
        (
            "none of the 2 rows of `labels.csv` names a file in <root>: the first is `1`".to_owned(),
            "write paths relative to `root` or to the table's folder, with the ending".to_owned()
        )
    );
    assert_eq!(
        error("path,label\nimg/1.png,a\n", json!({})).0,
        "nothing says which photos of labels.csv are in train and which in valid"
    );
    assert_eq!(
        error("path,label,split\nimg/1.png,a,train\n", split()).0,
        "`split` draws the splits, and labels.csv has them: a column of splits"
    );
    assert_eq!(
        error("path,label\nimg/1.png,a\n", json!({"table": {"file": "label.csv"}})),
        (
            "no table `label.csv` in <root>: found img, labels.csv".to_owned(),
            "set `table: {file: NAME}` to a CSV or Parquet file, relative to `root`".to_owned()
        )
    );
    assert_eq!(
        error("name,kind\n", json!({"layout": "table"})).0,
        "no table of labels in <root>: found img, labels.csv"
    );
}

#[test]
fn what_may_be_read_in_two_ways_is_refused_with_the_choice() {
    let bench = StageBench::default();
    let root = tree(&bench, &["cats/1.png", "dogs/1.png"]);
    write(&root, "notes.csv", b"day,weather\n1,rain\n");
    write(&root, "labels.csv", b"path,label\ncats/1.png,a\ndogs/1.png,b\n");
    assert_eq!(
        refused(&bench, &root, json!({"split": {}})),
        (
            "more than one thing may say the classes of the photos in <root>: found labels.csv, 2 folders"
                .to_owned(),
            "set `table: {file: labels.csv}`, or `layout: class_folders` where each folder is a class"
                .to_owned()
        )
    );
    write(&root, "other.csv", b"path,label\ncats/1.png,a\n");
    let (message, _) = refused(&bench, &root, json!({"layout": "table"}));
    assert_eq!(
        message,
        "more than one thing may say the classes of the photos in <root>: found labels.csv, other.csv"
    );
}

#[test]
fn classes_that_look_alike_are_reported() {
    let bench = StageBench::default();
    let ids = [
        "train/Cats/1.png",
        "train/caf\u{e9}/1.png",
        "train/cafe\u{301}/1.png",
        "train/cats/1.png",
        "valid/cats/1.png",
    ];
    let root = tree(&bench, &ids);
    let made = try_ingest(&bench, &root, json!({})).unwrap();
    assert_eq!(findings(&made)["alike"], json!([["cafe\u{301}", "caf\u{e9}"], ["Cats", "cats"]]));
    // The pictures are alike, too, which other notes say.
    let notes: Vec<_> =
        made.summary.notes.iter().filter(|note| note.starts_with("classes whose names ")).collect();
    assert_eq!(notes.len(), 2);
    assert_eq!(
        notes[0],
        "classes whose names differ only in case or in the composition of characters: `cafe\u{301}` (5 characters), `caf\u{e9}` (4 characters)"
    );
    fs_err::rename(root.join("valid/cats"), root.join("valid/CATS")).unwrap();
    assert_eq!(refused(&bench, &root, json!({})).1, "rename it to `Cats`, if that is meant");
}

#[test]
fn clutter_is_counted_by_name_and_hidden_files_together() {
    let bench = StageBench::default();
    let ids = ["train/a/1.png", "train/b/1.png", "valid/a/1.png", "valid/b/1.png"];
    let root = tree(&bench, &ids);
    for id in [
        ".DS_Store",
        "train/.DS_Store",
        "train/a/Thumbs.db",
        "train/b/desktop.ini",
        "__MACOSX/train/a/._1.png",
        "valid/a/.ipynb_checkpoints/1.png",
        "valid/a/.x",
        "valid/b/.y/z/1.png",
    ] {
        write(&root, id, b"litter");
    }
    let made = try_ingest(&bench, &root, json!({})).unwrap();
    assert_eq!(
        findings(&made)["clutter"],
        json!({".DS_Store": 2, ".ipynb_checkpoints": 1, "Thumbs.db": 1, "__MACOSX": 1, "desktop.ini": 1, "hidden": 2})
    );
    assert_eq!(table(&made).len(), 4);
}

#[test]
fn a_class_that_the_draw_leaves_no_photo_to_train_on_is_named_in_a_table_too() {
    let bench = StageBench::default();
    let ids: Vec<String> = (0..9).map(|i| format!("{i}.png")).collect();
    let root = tree(&bench, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    // Owner 0 has all dogs, one of each three photos; the largest share has room for one owner.
    let lines = (0..9).map(|i| format!("{i}.png,{},{}\n", if i < 3 { "dog" } else { "cat" }, i / 3));
    write(&root, "labels.csv", format!("path,label,owner\n{}", lines.collect::<String>()).as_bytes());
    let share = |seed: u64| {
        let group_by = json!({"column": "owner"});
        json!({"split": {"valid": 0.34, "seed": seed, "stratify": false, "group_by": group_by}})
    };
    // Some seed draws that owner: then it is an error, with any other there are two classes.
    let told: Vec<(String, String)> = (0..8)
        .filter_map(|seed| try_ingest(&bench, &root, share(seed)).err())
        .map(|failure| match failure {
            Failure::Failed { message, hint, .. } => (message, hint.unwrap_or_default()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(!told.is_empty() && told.len() < 8, "{told:?}");
    for (message, hint) in told {
        assert!(message.contains("dog") || message.contains("cat"), "{message}");
        assert!(hint.ends_with("or lower the shares in `split`"), "{hint}");
    }
}

#[test]
fn columns_of_groups_are_of_no_matter_where_the_table_says_the_splits() {
    let bench = StageBench::default();
    let root = tree(&bench, &["1.png", "2.png", "3.png", "4.png"]);
    let rows = "1.png,a,train,x,1\n2.png,b,train,y,2\n3.png,a,valid,x,3\n4.png,b,valid,y,4\n";
    write(&root, "labels.csv", format!("path,label,split,group,group_id\n{rows}").as_bytes());
    let made = try_ingest(&bench, &root, json!({})).unwrap();
    assert_eq!([counts(&made, "a"), counts(&made, "b")], [[1, 1, 0], [1, 1, 0]]);
}

#[test]
fn a_group_by_column_means_a_table_and_is_not_forgotten_where_there_is_none() {
    let bench = StageBench::default();
    let root = tree(&bench, &["cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png"]);
    let params = json!({"split": {"valid": 0.5, "group_by": {"column": "owner"}}});
    let (message, _) = refused(&bench, &root, params);
    assert!(message.contains("table"), "{message}");
}

#[test]
fn a_group_with_photos_in_two_splits_of_the_table_is_told_as_a_leak() {
    let bench = StageBench::default();
    let ids = ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png"];
    let root = tree(&bench, &ids);
    let rows = "1.png,cat,train,rex\n2.png,dog,train,bo\n3.png,cat,valid,rex\n4.png,dog,valid,kim\n5.png,cat,train,rex\n6.png,dog,train,\n6.png,dog,train,kim\n";
    super::write(&root, "labels.csv", format!("path,label,split,group\n{rows}").as_bytes());
    let made = try_ingest(&bench, &root, json!({})).unwrap();
    let leak = "LEAK: groups of labels.csv with photos in more than one split: 2 (`kim`, `rex`); what is measured on them flatters the model";
    assert!(made.summary.notes.iter().any(|note| note == leak), "{:?}", made.summary.notes);
    let table = &findings(&made)["table"];
    assert_eq!((&table["groups_across_splits"], &table["first_groups"]), (&json!(2), &json!(["kim", "rex"])));
    assert_eq!(findings(&made)["verdicts"], json!({"ok": 6}), "a row with another group contradicts nothing");
}
