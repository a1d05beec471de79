use pipeline_table::Split::{Test, Train, Valid};

use super::*;

/// A folder with these files, empty but for tables.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        write(&dir, file, "");
    }
    dir
}

fn write(dir: &tempfile::TempDir, file: &str, text: &str) {
    let path = dir.path().join(file);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

/// So many photos with this name, where `#` stands for a number from 1.
fn photos(dir: &tempfile::TempDir, name: &str, count: usize) {
    (1..=count).for_each(|n| write(dir, &name.replace('#', &n.to_string()), ""));
}

fn outline(dir: &tempfile::TempDir) -> Outline {
    Outline::of(dir.path(), &Cancel::default()).unwrap()
}

fn refusal(dir: &tempfile::TempDir) -> String {
    let why = Outline::of(dir.path(), &Cancel::default()).unwrap_err();
    why.to_string().replace(dir.path().to_str().unwrap(), "<root>")
}

/// Photos of each class in train, valid and test.
fn counts(outline: &Outline) -> Vec<(&str, [u64; 3])> {
    let of = |class: &ClassOutline| [Train, Valid, Test].map(|split| class.of(split));
    outline.classes.iter().map(|class| (class.name.as_str(), of(class))).collect()
}

#[test]
fn split_folders_are_taken_as_they_are_with_unlabelled_photos_and_what_lies_beside() {
    let dir = folder(&["train/.DS_Store", "train/cats/read me.txt", "models/a.bin", "test1/x.jpg"]);
    photos(&dir, "train/cats/#.jpg", 3);
    photos(&dir, "train/dogs/#.JPG", 4);
    photos(&dir, "valid/dogs/#.jpg", 2);
    let found = outline(&dir);
    assert_eq!(counts(&found), [("cats", [3, 0, 0]), ("dogs", [4, 2, 0])]);
    assert_eq!((found.layout, found.splits_from), (LayoutKind::SplitFolders, SplitsFrom::Folders));
    assert!(found.params.split.is_none() && found.params.layout.is_none());
    assert_eq!((found.unlabelled, found.others, found.misplaced), (1, 1, 0));
    assert_eq!(found.first_other.as_deref(), Some("train/cats/read me.txt"));
    assert_eq!((found.beside.as_slice(), &found.clutter[".DS_Store"]), (&["models".to_owned()][..], &1));
    assert_eq!((found.photos.len(), found.labelled(Train)), (9, 7));
}

#[test]
fn without_valid_a_fifth_is_drawn_and_a_half_where_a_fifth_is_nothing() {
    let dir = folder(&[]);
    photos(&dir, "train/cats/#.jpg", 10);
    photos(&dir, "train/dogs/#.jpg", 20);
    let found = outline(&dir);
    assert_eq!(counts(&found), [("cats", [8, 2, 0]), ("dogs", [16, 4, 0])]);
    let few = folder(&["cats/1.jpg", "cats/2.jpg", "dogs/1.jpg", "dogs/2.jpg"]);
    let found = outline(&few);
    assert_eq!(counts(&found), [("cats", [1, 1, 0]), ("dogs", [1, 1, 0])]);
    assert_eq!(found.params.split.map(|draw| draw.valid), Some(0.5));
}

#[test]
fn class_folders_names_and_tables_are_told_apart() {
    let classes = folder(&[]);
    photos(&classes, "leaf: ä/#.png", 5);
    photos(&classes, "bark/deep/#.png", 5);
    let found = outline(&classes);
    assert_eq!((found.layout, counts(&found)[1]), (LayoutKind::ClassFolders, ("leaf: ä", [4, 1, 0])));

    let names = folder(&["notes.txt"]);
    photos(&names, "cat.#.jpg", 5);
    photos(&names, "dog.#.jpg", 10);
    let found = outline(&names);
    assert_eq!(
        (found.layout, counts(&found)),
        (LayoutKind::NamePattern, vec![("cat", [4, 1, 0]), ("dog", [8, 2, 0])])
    );
    assert_eq!((found.params.label_pattern.as_deref(), found.others), (Some(r"^(?<label>[a-z]+)\.\d+\."), 1));

    let table = folder(&[]);
    photos(&table, "img/#.jpg", 4);
    write(
        &table,
        "labels.csv",
        "path,label,split\nimg/1.jpg,a,train\nimg/2.jpg,b,train\nimg/3.jpg,b,valid\n",
    );
    let found = outline(&table);
    assert_eq!((found.layout, found.splits_from), (LayoutKind::Table, SplitsFrom::Table));
    assert_eq!(counts(&found), [("a", [1, 0, 0]), ("b", [1, 1, 0])]);
    assert!(found.params.table.is_none(), "the only table is found by itself");
    assert!(found.notes[0].contains("labels.csv does not name them: 1 (`img/4.jpg`)"), "{:?}", found.notes);
}

#[test]
fn kaggles_folders_of_names_are_split_folders_with_a_pattern() {
    let dir = folder(&["test1/1.jpg"]);
    photos(&dir, "train/cat.#.jpg", 10);
    photos(&dir, "train/dog.#.jpg", 10);
    let found = outline(&dir);
    assert_eq!(counts(&found), [("cat", [8, 2, 0]), ("dog", [8, 2, 0])]);
    assert_eq!((found.layout, found.unlabelled), (LayoutKind::NamePattern, 1));
}

#[test]
fn a_table_beside_class_folders_is_named_and_one_that_names_no_photo_is_passed_over() {
    let dir = folder(&[]);
    photos(&dir, "cats/#.jpg", 5);
    photos(&dir, "dogs/#.jpg", 5);
    let rows = |folders: [&str; 2]| -> String {
        let row = |folder: &str| (1..6).map(|n| format!("{folder}/{n}.jpg,{folder}\n")).collect::<String>();
        format!("path,label\n{}{}", row(folders[0]), row(folders[1]))
    };
    write(&dir, "labels.csv", &rows(["cats", "dogs"]));
    let found = outline(&dir);
    assert_eq!(found.params.table.and_then(|table| table.file).as_deref(), Some("labels.csv"));
    write(&dir, "labels.csv", &rows(["no", "where"]));
    let found = outline(&dir);
    assert_eq!(
        (found.layout, found.params.layout),
        (LayoutKind::ClassFolders, Some(LayoutKind::ClassFolders))
    );
}

#[test]
fn folders_around_the_photos_are_looked_through() {
    let dir = folder(&["a/b/readme.txt"]);
    photos(&dir, "a/b/cats/#.jpg", 5);
    photos(&dir, "a/b/dogs/#.jpg", 5);
    assert_eq!(outline(&dir).classes.len(), 3 - 1);
    assert_eq!(outline(&dir).params.root.0, dir.path().join("a/b"));
    let whole = folder(&["models/a.bin"]);
    for split in ["train", "valid"] {
        photos(&whole, &format!("set/{split}/cats/#.jpg"), 2);
        photos(&whole, &format!("set/{split}/dogs/#.jpg"), 2);
    }
    assert_eq!(outline(&whole).params.root.0, whole.path().join("set"));
}

#[test]
fn what_cannot_be_learned_from_is_refused_with_what_was_found() {
    assert_eq!(refusal(&folder(&[])), "found no photos in <root>: it is empty");
    let texts = folder(&["a/1.txt", "a/2.txt", "b/1.txt"]);
    assert_eq!(refusal(&texts), "found no photos in <root>: 3 files, the first is `a/1.txt`");
    let one = folder(&["cats/1.jpg", "cats/2.jpg"]);
    assert_eq!(refusal(&one), "expected at least 2 class folders in <root>, found cats");
    let one = folder(&["train/cats/1.jpg", "valid/cats/2.jpg"]);
    assert_eq!(refusal(&one), "expected at least 2 class folders in <root>/train, found cats");
    let numbers = folder(&["1.jpg", "2.jpg"]);
    assert_eq!(
        refusal(&numbers),
        "nothing says the classes of the photos in <root>: found 1.jpg, 2.jpg and no folders"
    );
    let empty = folder(&["cats/1.jpg", "cats/2.jpg", "cats/3.jpg", "docs/a.txt"]);
    assert_eq!(refusal(&empty), "class `docs` has no usable photo in train (1 set aside)");
    let missing = Outline::of(Path::new("/nowhere"), &Cancel::default()).unwrap_err().to_string();
    assert!(missing.contains("/nowhere"), "{missing}");
}
