//! The folder of drawn pictures, as other crates read it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_sample::{Error, Options, draw_all};
use pipeline_stage::Cancel;
use pipeline_stage::progress::{Event, Report, Silent};

const FEW: Options = Options { seed: 5, train_per_class: 3, valid_per_class: 2, test: 4 };

/// Every file below `dir` by its path with `/`.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs_err::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, fs_err::read(path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

fn drawn(options: &Options, threads: usize) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| draw_all(&folder.path().join("data"), options, &Silent, &Cancel::default())).unwrap();
    files(&folder.path().join("data"))
}

#[test]
fn the_layout_is_that_of_the_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new/data");
    let written = draw_all(&dir, &FEW, &Silent, &Cancel::default()).unwrap();

    let found = files(&dir);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "test1/1.jpg",
            "test1/2.jpg",
            "test1/3.jpg",
            "test1/4.jpg",
            "train/cats/cat.1.jpg",
            "train/cats/cat.2.jpg",
            "train/cats/cat.3.jpg",
            "train/dogs/dog.1.jpg",
            "train/dogs/dog.2.jpg",
            "train/dogs/dog.3.jpg",
            "valid/cats/cat.1.jpg",
            "valid/cats/cat.2.jpg",
            "valid/dogs/dog.1.jpg",
            "valid/dogs/dog.2.jpg",
        ]
    );
    let bytes: usize = found.values().map(Vec::len).sum();
    assert_eq!((written.train, written.valid, written.test, written.bytes), (6, 4, 4, bytes as u64));
    for (name, jpeg) in &found {
        let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap();
        let (width, height) = (picture.width(), picture.height());
        assert!((180..=420).contains(&width) && (180..=420).contains(&height), "{name}: {width} x {height}");
    }
    // Nothing is left beside it.
    assert_eq!(fs_err::read_dir(folder.path().join("new")).unwrap().count(), 1);
}

#[test]
fn bytes_are_the_same_for_one_and_for_many_threads() {
    assert_eq!(drawn(&FEW, 1), drawn(&FEW, 3));
}

#[test]
fn another_seed_draws_other_pictures() {
    let (one, other) = (drawn(&FEW, 2), drawn(&Options { seed: 6, ..FEW }, 2));
    assert!(one.keys().eq(other.keys()));
    assert!(one.iter().all(|(name, jpeg)| other[name] != *jpeg));
}

#[test]
fn more_pictures_leave_the_others_as_they_are() {
    let (few, more) = (drawn(&FEW, 2), drawn(&Options { train_per_class: 4, ..FEW }, 2));
    assert_eq!(more.len(), few.len() + 2);
    assert!(few.iter().all(|(name, jpeg)| more[name] == *jpeg));
}

#[test]
fn no_two_pictures_are_the_same() {
    let pictures = drawn(&FEW, 2);
    let distinct: std::collections::BTreeSet<&Vec<u8>> = pictures.values().collect();
    assert_eq!(distinct.len(), pictures.len());
}

#[test]
fn a_folder_with_content_is_refused_and_left_alone_and_an_empty_one_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    fs_err::create_dir(&dir).unwrap();
    draw_all(&dir, &FEW, &Silent, &Cancel::default()).unwrap();
    let before = files(&dir);

    let error = draw_all(&dir, &Options { seed: 6, ..FEW }, &Silent, &Cancel::default()).unwrap_err();
    assert!(matches!(&error, Error::NotEmpty { dir: named } if *named == dir), "found: {error}");
    assert_eq!(files(&dir), before);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs_err::write(&file, "mine").unwrap();
    let error = draw_all(&file, &FEW, &Silent, &Cancel::default()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "found: {error}");
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn no_pictures_to_measure_on_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { valid_per_class: 0, ..FEW };
    let error = draw_all(&folder.path().join("data"), &options, &Silent, &Cancel::default()).unwrap_err();
    assert!(matches!(error, Error::TooFew { split: "valid", count: 0 }), "found: {error}");
}

/// Cancels as soon as the first picture is done.
struct CancelAtFirst(Cancel);

impl Report for CancelAtFirst {
    fn emit(&self, event: Event) {
        if matches!(event, Event::Done(_)) {
            self.0.cancel();
        }
    }
}

#[test]
fn cancelling_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let report = CancelAtFirst(cancel.clone());
    let error = draw_all(&folder.path().join("data"), &FEW, &report, &cancel).unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "found: {error}");
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
}
