//! The `ingest` stage on small folders of pictures made here.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "ingest/hard_images.rs"]
mod hard_images;
#[path = "ingest/layouts.rs"]
mod layouts;
#[path = "ingest/memo.rs"]
mod memo;

use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use pipeline_ingest::Ingest;
use pipeline_stage::{Digest, Failure};
use pipeline_table::{ImageRow, ImagesReader, Split, Verdict};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

/// A picture of unequal sides that depends on `shade`.
fn png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, shade]));
    let mut bytes = std::io::Cursor::new(vec![]);
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn write(root: &Path, id: &str, bytes: &[u8]) {
    let path = root.join(id);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

/// Two classes with a photo in train and valid each, and an unlabelled one.
fn photos(bench: &StageBench) -> std::path::PathBuf {
    let root = bench.dir().join("photos");
    for (i, id) in
        ["train/cats/a.png", "train/dogs/b.png", "valid/cats/c.png", "valid/dogs/d.png", "test1/e.png"]
            .into_iter()
            .enumerate()
    {
        write(&root, id, &png(7 + i as u32, 5, i as u8));
    }
    root
}

fn ingest(bench: &StageBench, root: &Path) -> Result<Made, Failure> {
    bench.run(&Ingest, &json!({"root": "photos"}), &[], &[("photos", root)])
}

fn rows(made: &Made) -> Vec<ImageRow> {
    ImagesReader::open(&made.artifact.path("images.parquet")).unwrap().map(Result::unwrap).collect()
}

fn findings(made: &Made) -> Value {
    serde_json::from_str(&fs_err::read_to_string(made.artifact.path("ingest.json")).unwrap()).unwrap()
}

fn failure(bench: &StageBench, root: &Path) -> (String, String) {
    match ingest(bench, root).unwrap_err() {
        Failure::Failed { message, hint, .. } => {
            (message.replace(&root.display().to_string(), "<root>"), hint.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_photo_becomes_a_row_in_order_of_its_id() {
    let bench = StageBench::default();
    let root = photos(&bench);
    let made = ingest(&bench, &root).unwrap();
    let rows = rows(&made);
    let seen: Vec<_> =
        rows.iter().map(|r| (r.id.as_str(), r.split, r.label.as_deref(), r.label_id)).collect();
    assert_eq!(
        seen,
        [
            ("test1/e.png", Split::Test, None, None),
            ("train/cats/a.png", Split::Train, Some("cats"), Some(0)),
            ("train/dogs/b.png", Split::Train, Some("dogs"), Some(1)),
            ("valid/cats/c.png", Split::Valid, Some("cats"), Some(0)),
            ("valid/dogs/d.png", Split::Valid, Some("dogs"), Some(1)),
        ]
    );
    let bytes = fs_err::read(root.join("train/dogs/b.png")).unwrap();
    assert_eq!((rows[2].width, rows[2].height, rows[2].orientation), (Some(8), Some(5), Some(1)));
    assert_eq!((rows[2].bytes, rows[2].digest.clone()), (bytes.len() as u64, Digest::of(&bytes).to_string()));
    assert_eq!((rows[2].format.as_deref(), rows[2].verdict), (Some("png"), Verdict::Ok));
    assert_eq!(made.summary.line, "5 photos (2 train, 2 valid, 1 test), 2 classes");
    assert!(made.summary.notes.is_empty());
    let classes = fs_err::read_to_string(made.artifact.path("classes.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&classes).unwrap(), json!({"classes": ["cats", "dogs"]}));
}

#[test]
fn bad_files_are_rows_with_a_reason_and_are_listed_and_counted() {
    let bench = StageBench::default();
    let root = photos(&bench);
    let whole = png(40, 30, 9);
    write(&root, "train/cats/cut.png", &whole[..whole.len() / 2]);
    write(&root, "train/cats/notes.txt", b"the cats of 2026");
    write(&root, "train/cats/zero.jpg", b"");
    write(&root, "train/loose.png", &whole);
    write(&root, "valid/dogs/png.jpg", &whole);
    write(&root, "train/cats/Thumbs.db", b"litter");
    write(&root, "train/cats/.hidden.png", &whole);
    write(&root, "sample/train/cats/f.png", &whole);
    let made = ingest(&bench, &root).unwrap();

    let rows = rows(&made);
    let of = |id: &str| {
        rows.iter().find(|r| r.id == id).map(|r| (r.verdict, r.reason.clone().unwrap_or_default()))
    };
    assert_eq!(of("train/cats/cut.png"), Some((Verdict::Bad, "truncated".to_owned())));
    assert_eq!(of("train/cats/notes.txt"), Some((Verdict::Bad, "not_an_image".to_owned())));
    assert_eq!(of("train/cats/zero.jpg"), Some((Verdict::Bad, "empty".to_owned())));
    assert_eq!(of("train/loose.png"), Some((Verdict::Bad, "no_class".to_owned())));
    assert_eq!(of("valid/dogs/png.jpg"), Some((Verdict::Warn, "name_ending".to_owned())));
    assert_eq!(rows.len(), 5 + 5, "clutter and other folders are no rows");

    let findings = findings(&made);
    assert_eq!(
        findings["photos"],
        json!({"train": {"cats": 1, "dogs": 1}, "valid": {"cats": 1, "dogs": 2}, "test": {"unlabelled": 1}})
    );
    assert_eq!(findings["verdicts"], json!({"ok": 5, "warn": 1, "bad": 4}));
    assert_eq!(findings["beside"], json!(["sample"]));
    let listed: Vec<&str> =
        findings["set_aside"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert_eq!(
        listed,
        ["train/cats/cut.png", "train/cats/notes.txt", "train/cats/zero.jpg", "train/loose.png"]
    );
    assert!(!findings.to_string().contains(root.to_str().unwrap()), "paths are no content");
    assert_eq!(made.summary.line, "6 photos (2 train, 3 valid, 1 test), 2 classes, 4 set aside");
    assert_eq!(
        made.summary.notes,
        [
            "4 files were set aside (ingest.json lists them): 1 empty file, 1 in no class folder, 1 not an image, 1 truncated",
            "not part of the data, since they are no split: `sample`",
        ]
    );
}

#[test]
fn on_bad_fail_stops_at_the_first_bad_file() {
    let bench = StageBench::default();
    let root = photos(&bench);
    write(&root, "train/cats/notes.txt", b"the cats of 2026");
    let failure = bench
        .run(&Ingest, &json!({"root": "photos", "on_bad": "fail"}), &[], &[("photos", &root)])
        .unwrap_err();
    assert!(failure.to_string().starts_with("`train/cats/notes.txt` cannot be used: "), "{failure}");
}

#[test]
fn the_artifact_has_the_same_bytes_for_any_number_of_threads_and_any_place() {
    let mut bench = StageBench::default();
    let root = photos(&bench);
    for i in 0..40u8 {
        write(&root, &format!("train/cats/more-{i}.png"), &png(3 + u32::from(i), 4, i));
    }
    write(&root, "train/cats/notes.txt", b"the cats of 2026");
    let elsewhere = bench.dir().join("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&root, elsewhere.join("photos")).unwrap();
    let mut files = vec![];
    for (threads, root) in [(1, root.clone()), (2, root), (3, elsewhere.join("photos"))] {
        bench.threads = threads;
        files.push(ingest(&bench, &root).unwrap().artifact.files);
    }
    assert_eq!(files[0], files[1]);
    assert_eq!(files[0], files[2]);
}

/// Raise `Ingest::VERSION` when this fails for a reason other than a new compressor.
#[test]
fn version_3_writes_these_bytes() {
    let bench = StageBench::default();
    let root = bench.dir().join("photos");
    // A PNG of one red pixel, written out so that no encoder plays a part.
    const RED: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";
    for id in ["train/a/1.png", "train/b/2.png", "valid/a/3.jpg", "valid/b/4.png"] {
        write(&root, id, RED);
    }
    write(&root, "train/a/5.png", b"<html>");
    let made = ingest(&bench, &root).unwrap();
    // Not the page, which no stage reads.
    let read = made.artifact.files.iter().filter(|(file, _)| !file.ends_with(".html"));
    let digests: Vec<String> = read.map(|(f, d)| format!("{f} {}", &d.to_string()[..16])).collect();
    assert_eq!(digests, GOLDEN);
}

const GOLDEN: [&str; 3] =
    ["classes.json f5c7ac58ae3757e5", "images.parquet cbab5e7ce298b952", "ingest.json 6e3a1537740922e9"];

#[test]
fn photos_in_a_folder_whose_name_is_no_text_are_set_aside_under_ids_of_their_own() {
    use std::os::unix::ffi::OsStrExt;
    let bench = StageBench::default();
    let root = photos(&bench);
    let folder = root.join("train/cats").join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs_err::create_dir(&folder).unwrap();
    fs_err::write(folder.join("a.png"), png(9, 4, 1)).unwrap();
    // Its name looks like the other's when escaped.
    write(&root, r"train/cats/\xff/a.png", &png(8, 4, 1));
    let made = ingest(&bench, &root).unwrap();
    let rows = rows(&made);
    let verdict = |id: &str| rows.iter().find(|row| row.id == id).unwrap().verdict;
    assert_eq!(verdict(r"train/cats//\xff/a.png"), Verdict::Bad);
    assert_eq!(verdict(r"train/cats/\xff/a.png"), Verdict::Ok);
}

#[test]
fn a_missing_valid_beside_the_lessons_sample_does_not_point_to_the_sample() {
    let bench = StageBench::default();
    let root = photos(&bench);
    fs_err::remove_dir_all(root.join("valid")).unwrap();
    write(&root, "sample/train/cats/a.png", &png(7, 5, 1));
    let (message, hint) = failure(&bench, &root);
    assert!(message.starts_with("no folder `valid` in <root>"), "{message}");
    assert_eq!(
        hint,
        "move a part of the photos of each class from train/ to valid/, or set `split: {valid: 0.2}` to draw them"
    );
}

#[test]
fn links_are_followed_and_those_that_lead_back_are_not() {
    let bench = StageBench::default();
    let root = photos(&bench);
    let outside = bench.dir().join("outside");
    write(&outside, "deep/g.png", &png(9, 4, 1));
    std::os::unix::fs::symlink(&outside, root.join("train/cats/linked")).unwrap();
    std::os::unix::fs::symlink(root.join("train/cats"), root.join("train/cats/back")).unwrap();
    // Above the class: its photos would count as cats.
    std::os::unix::fs::symlink(&root, root.join("train/cats/up")).unwrap();
    std::os::unix::fs::symlink(bench.dir().join("nowhere"), root.join("train/cats/broken.png")).unwrap();
    let made = ingest(&bench, &root).unwrap();
    let rows = rows(&made);
    assert!(rows.iter().any(|r| r.id == "train/cats/linked/deep/g.png" && r.verdict == Verdict::Ok));
    let broken = rows.iter().find(|r| r.id == "train/cats/broken.png").unwrap();
    assert_eq!((broken.verdict, broken.reason.as_deref()), (Verdict::Bad, Some("unreadable")));
    assert_eq!(findings(&made)["loops"], json!(["train/cats/back", "train/cats/up"]));
    assert_eq!(rows.len(), 5 + 2);
}

/// The same case as in the digest of a tree, which the runner tests under the same name.
#[test]
fn links_to_folders_on_the_way_or_above_are_left_out() {
    let bench = StageBench::default();
    let root = bench.dir().join("data/photos");
    let beside = bench.dir().join("data/beside");
    for id in ["train/cats/x.png", "train/dogs/x.png", "valid/cats/x.png", "valid/dogs/x.png"] {
        write(&root, id, &png(9, 4, 1));
    }
    write(&beside, "y.png", &png(9, 4, 2));
    let link = |to: &Path, from: std::path::PathBuf| std::os::unix::fs::symlink(to, from).unwrap();
    link(&bench.dir().join("data"), root.join("train/cats/above"));
    link(&root, root.join("train/cats/root"));
    link(&root.join("train"), root.join("train/cats/split"));
    link(&root.join("train/cats"), root.join("train/cats/self"));
    link(&beside, root.join("train/cats/linked"));
    link(&root.join("train"), beside.join("back"));
    link(&bench.dir().join("data"), root.join("test"));
    let made = ingest(&bench, &root).unwrap();
    let ids: Vec<String> = rows(&made).into_iter().map(|r| r.id).collect();
    let expected = [
        "train/cats/linked/y.png",
        "train/cats/x.png",
        "train/dogs/x.png",
        "valid/cats/x.png",
        "valid/dogs/x.png",
    ];
    assert_eq!(ids, expected);
    let loops = ["test", "train/cats/above", "train/cats/linked/back", "train/cats/root", "train/cats/self"];
    let mut found: Vec<String> = serde_json::from_value(findings(&made)["loops"].clone()).unwrap();
    found.sort();
    assert_eq!(found[..5], loops);
    assert_eq!(found[5..], ["train/cats/split"]);
}

#[test]
fn names_that_are_no_text_are_reported_and_stay_apart() {
    use std::os::unix::ffi::OsStrExt;
    let bench = StageBench::default();
    let root = photos(&bench);
    for name in [b"\xff.png", b"\xfe.png"] {
        fs_err::write(root.join("train/cats").join(std::ffi::OsStr::from_bytes(name)), png(4, 3, 1)).unwrap();
    }
    let made = ingest(&bench, &root).unwrap();
    let odd: Vec<_> =
        rows(&made).into_iter().filter(|r| r.reason.as_deref() == Some("name_not_text")).collect();
    assert_eq!(
        odd.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(),
        ["train/cats//\\xfe.png", "train/cats//\\xff.png"]
    );
}

#[test]
fn a_labelled_test_split_has_labels_and_other_folders_of_it_have_none() {
    let bench = StageBench::default();
    let root = photos(&bench);
    write(&root, "test1/dogs/h.png", &png(9, 4, 1));
    write(&root, "test1/unknown/i.png", &png(9, 4, 2));
    let rows = rows(&ingest(&bench, &root).unwrap());
    let label = |id: &str| rows.iter().find(|r| r.id == id).unwrap().label.clone();
    assert_eq!(label("test1/dogs/h.png").as_deref(), Some("dogs"));
    assert_eq!(label("test1/unknown/i.png"), None);
}

#[test]
fn what_is_wrong_with_the_folders_is_one_clear_error() {
    let bench = StageBench::default();
    let root = photos(&bench);
    let moved = |from: &str, to: &str| fs_err::rename(root.join(from), root.join(to)).unwrap();

    moved("valid", "checks");
    let (message, hint) = failure(&bench, &root);
    assert_eq!(message, "no folder `valid` in <root>: found checks, test1, train");
    assert_eq!(
        hint,
        "move a part of the photos of each class from train/ to valid/, or set `split: {valid: 0.2}` to draw them"
    );
    moved("checks", "validation");
    ingest(&bench, &root).unwrap();
    fs_err::create_dir(root.join("val")).unwrap();
    assert_eq!(failure(&bench, &root).0, "two folders for the split valid: <root>/val and <root>/validation");
    fs_err::remove_dir(root.join("val")).unwrap();

    let (message, hint) = failure(&bench, bench.dir());
    assert!(message.starts_with("no folder `train` in <root>"), "{message}");
    assert_eq!(hint, format!("set `root` to {}", root.display()));

    fs_err::create_dir(root.join("train/emus")).unwrap();
    assert_eq!(failure(&bench, &root).0, "class `emus` has no usable photo in train (0 set aside)");
    moved("train/emus", "validation/emus");
    let (message, hint) = failure(&bench, &root);
    assert_eq!(
        message,
        "class `emus` is in <root>/validation but not in train, whose classes are cats, dogs"
    );
    assert_eq!(hint, "put photos of `emus` into train/emus/, or remove the folder from valid");
    fs_err::remove_dir(root.join("validation/emus")).unwrap();

    fs_err::remove_dir_all(root.join("train/dogs")).unwrap();
    let (message, _) = failure(&bench, &root);
    assert_eq!(message, "expected at least 2 class folders in <root>/train, found cats");
}

#[test]
fn it_stops_when_cancelled() {
    let bench = StageBench::default();
    let root = photos(&bench);
    bench.cancel.cancel();
    assert!(matches!(ingest(&bench, &root), Err(Failure::Cancelled)));
}
