//! What `ingest` finds in photos that were made to be found.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use pipeline_ingest::Ingest;
use pipeline_stage::Failure;
use pipeline_table::{ImageRow, ImagesReader, Verdict};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

/// A picture that looks like none with another number: waves, whose lengths and directions follow from the number.
fn scene(number: u32) -> RgbImage {
    let draw = |at: u32| {
        let h = (number * 64 + at + 1).wrapping_mul(2_654_435_761);
        f64::from((h ^ h >> 15).wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 24)
    };
    RgbImage::from_fn(320, 240, |x, y| {
        let wave = |w: u32| {
            let (across, down) = (draw(4 * w) - 0.5, draw(4 * w + 1) - 0.5);
            (0.12 * (across * f64::from(x) + down * f64::from(y)) + std::f64::consts::TAU * draw(4 * w + 2))
                .sin()
        };
        let of =
            |first: u32| (128.0 + 30.0 * (first..first + 5).map(wave).sum::<f64>()).clamp(0.0, 255.0) as u8;
        Rgb([of(0), of(1), of(2)])
    })
}

fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = vec![];
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
    bytes
}

fn smaller(picture: &RgbImage) -> RgbImage {
    imageops::resize(picture, picture.width() / 2, picture.height() / 2, imageops::FilterType::Lanczos3)
}

/// Two classes with two photos of their own in train and one in valid.
fn tree(bench: &StageBench) -> PathBuf {
    let root = bench.dir().join("photos");
    let ids = [
        "train/cats/1.jpg",
        "train/cats/2.jpg",
        "train/dogs/3.jpg",
        "train/dogs/4.jpg",
        "valid/cats/5.jpg",
        "valid/dogs/6.jpg",
    ];
    for (number, id) in (1..).zip(ids) {
        put(&root, id, &jpeg(&scene(number), 90));
    }
    root
}

fn put(root: &Path, id: &str, bytes: &[u8]) {
    let path = root.join(id);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

fn ingest(bench: &StageBench, root: &Path, params: Value) -> Result<Made, Failure> {
    let mut all = json!({"root": "photos"});
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    bench.run(&Ingest, &all, &[], &[("photos", root)])
}

fn findings(made: &Made) -> Value {
    serde_json::from_str(&fs_err::read_to_string(made.artifact.path("ingest.json")).unwrap()).unwrap()
}

fn rows(made: &Made) -> BTreeMap<String, ImageRow> {
    let rows = ImagesReader::open(&made.artifact.path("images.parquet")).unwrap();
    rows.map(Result::unwrap).map(|row| (row.id.clone(), row)).collect()
}

fn strings(pairs: &[[&str; 2]]) -> Vec<[String; 2]> {
    pairs.iter().map(|pair| pair.map(str::to_owned)).collect()
}

/// The ids in a list of pairs.
fn pairs(list: &Value) -> Vec<[String; 2]> {
    let id = |photo: &Value| photo["id"].as_str().unwrap().to_owned();
    let pair = |pair: &Value| match pair["photos"].as_array() {
        Some(photos) => [id(&photos[0]), id(&photos[1])],
        None => [id(&pair["photo"]), id(&pair["twin"])],
    };
    list["listed"].as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn photos_of_their_own_are_no_duplicates() {
    let bench = StageBench::default();
    let root = tree(&bench);
    let made = ingest(&bench, &root, json!({"near_duplicates": 8})).unwrap();
    let repeated = &findings(&made)["repeated"];
    for kind in ["leaks", "identical", "conflicting", "near_duplicates"] {
        assert_eq!(repeated[kind]["count"], 0, "{kind}: {repeated:#}");
    }
    assert!(made.summary.notes.is_empty(), "{:?}", made.summary.notes);
    assert_eq!(made.summary.metrics["leaks"], 0.0);
}

#[test]
fn a_photo_saved_again_smaller_is_a_near_duplicate_and_a_mirrored_or_cropped_one_is_not() {
    let bench = StageBench::default();
    let root = tree(&bench);
    let first = scene(1);
    put(&root, "train/cats/again.jpg", &jpeg(&smaller(&first), 40));
    put(&root, "train/cats/mirrored.jpg", &jpeg(&imageops::flip_horizontal(&first), 90));
    let crop = imageops::crop_imm(&first, 0, 0, 270, 200).to_image();
    put(&root, "train/cats/crop.jpg", &jpeg(&crop, 90));
    let made = ingest(&bench, &root, json!({})).unwrap();
    let repeated = &findings(&made)["repeated"];
    assert_eq!(pairs(&repeated["near_duplicates"]), [["train/cats/1.jpg", "train/cats/again.jpg"]]);
    assert_eq!(
        (&repeated["near_duplicate_photos"], &repeated["near_duplicates_bits"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(repeated["leaks"]["count"], 0);
}

#[test]
fn a_photo_of_train_in_valid_is_a_leak_that_is_warned_of_loudly() {
    let bench = StageBench::default();
    let root = tree(&bench);
    put(&root, "valid/cats/same.jpg", &jpeg(&scene(1), 90));
    put(&root, "valid/dogs/again.jpg", &jpeg(&smaller(&scene(4)), 40));
    let made = ingest(&bench, &root, json!({})).unwrap();
    let repeated = &findings(&made)["repeated"];
    let expected =
        [["train/cats/1.jpg", "valid/cats/same.jpg"], ["train/dogs/4.jpg", "valid/dogs/again.jpg"]];
    assert_eq!(pairs(&repeated["leaks"]), expected);
    let bits = |at: usize| &repeated["leaks"]["listed"][at]["bits"];
    assert!(bits(0).is_null() && bits(1).as_u64().unwrap() <= 4, "{} {}", bits(0), bits(1));
    assert_eq!(
        made.summary.notes,
        [
            "LEAK: 2 photos of train are in valid or test too (train/cats/1.jpg identical to valid/cats/same.jpg); what is measured on them flatters the model; ingest.html shows them, `on_leak: drop_from_train` leaves them out"
        ]
    );
    assert_eq!(made.summary.metrics["leaks"], 2.0);
    assert!(rows(&made).values().all(|row| row.verdict == Verdict::Ok), "a warning changes no verdict");
}

#[test]
fn on_leak_drop_from_train_sets_the_photos_of_train_aside() {
    let bench = StageBench::default();
    let root = tree(&bench);
    put(&root, "valid/cats/same.jpg", &jpeg(&scene(1), 90));
    put(&root, "train/cats/misnamed.png", &jpeg(&scene(1), 90));
    put(&root, "test/same.jpg", &jpeg(&scene(5), 90));
    let made = ingest(&bench, &root, json!({"on_leak": "drop_from_train"})).unwrap();
    let rows = rows(&made);
    let dropped: Vec<_> = rows
        .values()
        .filter(|row| row.verdict == Verdict::Bad)
        .map(|row| (row.id.as_str(), row.reason.as_deref().unwrap(), row.width))
        .collect();
    assert_eq!(
        dropped,
        [("train/cats/1.jpg", "leak", Some(320)), ("train/cats/misnamed.png", "leak", Some(320))]
    );
    let found = findings(&made);
    assert_eq!(
        found["photos"],
        json!({"train": {"cats": 1, "dogs": 2}, "valid": {"cats": 2, "dogs": 1}, "test": {"unlabelled": 1}})
    );
    assert_eq!((&found["verdicts"], &found["reasons"]), (&json!({"ok": 7, "bad": 2}), &json!({"leak": 2})));
    assert_eq!(found["remarks"], json!([]), "it was misnamed before it was dropped");
    assert_eq!(found["statistics"]["train"]["photos"], 3, "what was dropped is in no statistics");
    let hint = "leave it out, or out of the other split";
    let aside = |id| json!({"id": id, "reason": "leak", "detail": "it is identical to valid/cats/same.jpg", "hint": hint});
    assert_eq!(found["set_aside"], json!([aside("train/cats/1.jpg"), aside("train/cats/misnamed.png")]));
    assert_eq!(
        made.summary.notes,
        [
            "LEAK: 2 photos of train are in valid or test too, 1 photo of valid is in test too (train/cats/1.jpg identical to valid/cats/same.jpg); those of train were set aside",
            "2 files were set aside (ingest.json lists them): 2 of train in valid or test too",
        ]
    );
    let mut files: Vec<_> = made.artifact.files.keys().map(|path| path.to_string()).collect();
    files.sort();
    assert_eq!(files, ["classes.json", "images.parquet", "ingest.html", "ingest.json"]);
}

#[test]
fn a_class_whose_photos_are_all_dropped_is_an_error() {
    let bench = StageBench::default();
    let root = tree(&bench);
    for number in [1, 2] {
        put(&root, &format!("valid/cats/same-{number}.jpg"), &jpeg(&scene(number), 90));
    }
    let failure = ingest(&bench, &root, json!({"on_leak": "drop_from_train"})).unwrap_err();
    assert_eq!(failure.to_string(), "class `cats` has no usable photo in train (2 set aside)");
}

#[test]
fn on_leak_fail_stops_at_the_first_leak() {
    let bench = StageBench::default();
    let root = tree(&bench);
    ingest(&bench, &root, json!({"on_leak": "fail"})).unwrap();
    put(&root, "valid/cats/same.jpg", &jpeg(&scene(2), 90));
    let failure = ingest(&bench, &root, json!({"on_leak": "fail"})).unwrap_err();
    assert_eq!(failure.to_string(), "`train/cats/2.jpg` is identical to `valid/cats/same.jpg` in valid");
}

#[test]
fn the_same_photo_in_two_classes_is_a_conflict() {
    let bench = StageBench::default();
    let root = tree(&bench);
    put(&root, "train/dogs/is a cat.jpg", &jpeg(&scene(1), 90));
    put(&root, "train/dogs/3 again.jpg", &jpeg(&scene(3), 90));
    let made = ingest(&bench, &root, json!({})).unwrap();
    let repeated = &findings(&made)["repeated"];
    let ids = |list: &Value| -> Vec<Vec<String>> {
        let id = |photo: &Value| photo["id"].as_str().unwrap().to_owned();
        let group = |group: &Value| group["photos"]["listed"].as_array().unwrap().iter().map(id).collect();
        list["listed"].as_array().unwrap().iter().map(group).collect()
    };
    let conflict = ["train/cats/1.jpg", "train/dogs/is a cat.jpg"];
    assert_eq!(ids(&repeated["conflicting"]), [conflict]);
    assert_eq!(ids(&repeated["identical"]), [conflict, ["train/dogs/3 again.jpg", "train/dogs/3.jpg"]]);
    assert_eq!(
        made.summary.notes,
        [
            "1 photo is in more than one class, byte by byte the same: train/cats/1.jpg and train/dogs/is a cat.jpg"
        ]
    );
}

#[test]
fn photos_of_one_colour_are_no_duplicates_of_each_other() {
    let bench = StageBench::default();
    let root = tree(&bench);
    for (id, level) in
        [("train/cats/black.jpg", 0), ("train/cats/grey.jpg", 90), ("valid/cats/white.jpg", 255)]
    {
        put(&root, id, &jpeg(&RgbImage::from_pixel(100, 80, Rgb([level; 3])), 75));
    }
    let made = ingest(&bench, &root, json!({"near_duplicates": 16})).unwrap();
    let found = findings(&made);
    assert_eq!(found["repeated"]["near_duplicates"]["count"], 0);
    assert_eq!(found["repeated"]["leaks"]["count"], 0);
    assert_eq!(found["grey"]["count"], 3);
    let look = rows(&made)["train/cats/grey.jpg"].appearance.unwrap();
    assert_eq!((look.phash, look.mean, look.is_grey), (None, [90.0; 3], true));
}

#[test]
fn tiny_extreme_and_grey_photos_are_listed_and_classes_counted() {
    let bench = StageBench::default();
    let root = tree(&bench);
    let sized = |number, width, height| {
        jpeg(&imageops::resize(&scene(number), width, height, imageops::FilterType::Triangle), 90)
    };
    put(&root, "valid/cats/tiny.jpg", &sized(9, 63, 80));
    put(&root, "train/dogs/wide.jpg", &sized(10, 300, 100));
    fs_err::create_dir_all(root.join("valid/emus")).unwrap();
    for number in 0..21 {
        put(&root, &format!("train/emus/{number}.jpg"), &jpeg(&scene(20 + number), 90));
    }
    fs_err::remove_file(root.join("train/cats/1.jpg")).unwrap();
    let made = ingest(&bench, &root, json!({})).unwrap();
    let found = findings(&made);
    assert_eq!(
        found["tiny"],
        json!({"count": 1, "listed": [{"id": "valid/cats/tiny.jpg", "width": 63, "height": 80}], "more": 0})
    );
    assert_eq!(
        found["extreme"]["listed"],
        json!([{"id": "train/dogs/wide.jpg", "width": 300, "height": 100}])
    );
    assert_eq!(found["statistics"]["valid"]["width"], json!({"least": 63, "median": 320, "greatest": 320}));
    assert_eq!(
        found["balance"],
        json!({
            "largest": {"class": "emus", "photos": 21}, "smallest": {"class": "cats", "photos": 1},
            "ratio": 21.0, "missing_from_valid": ["emus"],
        })
    );
    assert_eq!(
        made.summary.notes,
        [
            "the largest class of train has 21 times the photos of the smallest: `emus` with 21, `cats` with 1",
            "no photo in valid, so nothing is measured, of the class `emus`",
        ]
    );
}

/// Content and time of change of every file and folder.
fn state(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let changed = fs_err::metadata(&path).unwrap().modified().unwrap();
        if path.is_dir() {
            all.extend(state(&path));
            all.insert(path, (vec![], changed));
        } else {
            all.insert(path.clone(), (fs_err::read(&path).unwrap(), changed));
        }
    }
    all
}

#[test]
fn the_users_files_are_never_moved_changed_or_deleted() {
    let bench = StageBench::default();
    let root = tree(&bench);
    put(&root, "valid/cats/same.jpg", &jpeg(&scene(1), 90));
    put(&root, "train/cats/notes.txt", b"the cats of 2026");
    put(&root, "train/cats/zero.jpg", b"");
    let before = state(&root);
    for params in [
        json!({}),
        json!({"on_leak": "drop_from_train"}),
        json!({"on_bad": "fail"}),
        json!({"on_leak": "fail"}),
    ] {
        let made = ingest(&bench, &root, params.clone());
        assert_eq!(made.is_err(), params.to_string().contains("fail"));
        assert!(state(&root) == before, "{params}");
    }
}

#[test]
fn the_page_shows_what_was_found_and_is_bounded_whatever_that_is() {
    let bench = StageBench::default();
    let root = tree(&bench);
    let name = "\"><img src=x onerror=alert(1)>.jpg";
    put(&root, &format!("train/cats/{name}"), &jpeg(&scene(5), 90));
    let small = imageops::resize(&scene(7), 40, 30, imageops::FilterType::Triangle);
    for number in 0..300 {
        let mut photo = jpeg(&small, 80);
        // Other bytes after the end of the picture: near duplicates in pairs of identical ones.
        photo.extend_from_slice(format!("{}", number / 2).as_bytes());
        put(&root, &format!("train/dogs/{number}.jpg"), &photo);
        put(&root, &format!("train/dogs/{number}.txt"), b"no photo");
    }
    let made = ingest(&bench, &root, json!({})).unwrap();
    let html = fs_err::read_to_string(made.artifact.path("ingest.html")).unwrap();
    // One leak is two pictures; 20 groups of 2, 30 pairs, 24 tiny ones.
    assert_eq!(html.matches("<img src=\"data:image/jpeg").count(), 2 + 2 * 20 + 2 * 30 + 24);
    assert_eq!(
        html.matches("<img").count(),
        html.matches("<img src=\"data:").count(),
        "a name is an element"
    );
    assert!(html.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;.jpg"));
    for part in [
        "131 more. ingest.json lists the first 100.",
        "119 more",
        "276 more",
        "100 more; ingest.json lists them",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert!(!html.contains(root.to_str().unwrap()), "paths are no content");
    assert_eq!(findings(&made)["repeated"]["identical"]["more"], 51);
}

/// Photos of the lesson's cats and dogs. The three pairs are all that there are: Pillow's `phash` of all 5,200 photos, each
/// compared with each, has these at 0 bits, and the next of its 13 million pairs, of other motifs, at 10.
#[test]
fn the_pairs_among_real_photos_are_found_and_no_others() {
    let Some(photos) = pipeline_testkit::shared("data/dogscats") else { return };
    let bench = StageBench::default();
    let root = bench.dir().join("photos");
    let pairs_there = [
        "test1/184",
        "valid/cats/cat.4126",
        "train/dogs/dog.1273",
        "train/dogs/dog.980",
        "train/dogs/dog.180",
        "train/dogs/dog.74",
    ];
    let mut ids: Vec<String> = pairs_there.iter().map(|id| format!("{id}.jpg")).collect();
    for folder in ["train/cats", "train/dogs", "valid/cats", "valid/dogs", "test1"] {
        let entries = fs_err::read_dir(photos.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| format!("{folder}/{}", name.to_string_lossy())).collect();
        names.sort();
        ids.extend(names.into_iter().take(40));
    }
    for id in &ids {
        put(&root, id, &fs_err::read(photos.join(id)).unwrap());
    }
    let made = ingest(&bench, &root, json!({"near_duplicates": 8})).unwrap();
    let repeated = &findings(&made)["repeated"];
    let near = [
        ["train/dogs/dog.1273.jpg", "train/dogs/dog.980.jpg"],
        ["train/dogs/dog.180.jpg", "train/dogs/dog.74.jpg"],
    ];
    let leak = [["valid/cats/cat.4126.jpg", "test1/184.jpg"]];
    let identical = repeated["identical"]["count"].as_u64().unwrap();
    assert_eq!(
        (pairs(&repeated["near_duplicates"]), pairs(&repeated["leaks"])),
        (strings(&near), strings(&leak)),
        "{identical}"
    );
}
