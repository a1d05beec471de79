//! The `augment` stage on small drawn pictures.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use pipeline_augment::Augment;
use pipeline_photo::{Augmentation, Policy};
use pipeline_stage::params::Problem;
use pipeline_stage::random::Stream;
use pipeline_stage::{AnyStage, Artifact, Digest, Failure};
use pipeline_table::{ImageRow, ImagesWriter, Split, Verdict, ViewRow, ViewsReader};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

/// Photos of unequal sides of two classes in three splits; number 4 is bad.
fn images(dir: &Path, count: u32) -> Artifact {
    let photos = dir.join("photos");
    let artifact = dir.join("ingest");
    fs_err::create_dir_all(&artifact).unwrap();
    let mut writer = ImagesWriter::create(&artifact.join("images.parquet")).unwrap();
    let mut rows: Vec<(String, Split, u32)> = (0..count)
        .map(|i| {
            let split = [Split::Train, Split::Valid, Split::Test][i as usize % 3];
            (format!("{split}/{i:03}.png"), split, i)
        })
        .collect();
    rows.sort();
    for (id, split, i) in rows {
        let (width, height) = (60 + 3 * i, 47 + i);
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(7 * x + i) as u8, (5 * y) as u8, (x * y / 8) as u8])
        });
        let path = photos.join(&id);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(&path).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        let bad = i == 4;
        let labelled = split != Split::Test;
        writer
            .write(&ImageRow {
                id,
                split,
                label: labelled.then(|| ["cats", "<dogs>"][i as usize % 2].to_owned()),
                label_id: labelled.then_some(i % 2),
                width: (!bad).then_some(width),
                height: (!bad).then_some(height),
                format: Some("png".to_owned()),
                orientation: Some(1),
                bytes: bytes.len() as u64,
                digest: Digest::of(&bytes).to_string(),
                appearance: None,
                verdict: if bad { Verdict::Bad } else { Verdict::Ok },
                reason: bad.then(|| "truncated".to_owned()),
            })
            .unwrap();
    }
    writer.finish().unwrap();
    let sources = [("photos".to_owned(), photos)].into();
    Artifact { stage: "ingest".to_owned(), dir: artifact, files: BTreeMap::new(), sources }
}

fn augment(bench: &StageBench, images: &Artifact, params: Value) -> Result<Made, Failure> {
    bench.run(&Augment, &params, &[("images", vec![images])], &[])
}

fn policy_of(made: &Made) -> Policy {
    let text = fs_err::read_to_string(made.artifact.path("policy.json")).unwrap();
    Augmentation::from_json(&serde_json::from_str(&text).unwrap()).unwrap().policy
}

fn names(policy: &Policy) -> Vec<String> {
    policy.columns().into_iter().map(|column| column.name).collect()
}

fn views(made: &Made, numbers: &[String]) -> Vec<ViewRow> {
    let reader = ViewsReader::open(&made.artifact.path("views.parquet")).unwrap();
    reader.rows(numbers).unwrap().map(Result::unwrap).collect()
}

#[test]
fn each_usable_photo_has_the_plain_view_and_as_many_drawn_ones_as_asked_for() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 7);
    let made = augment(&bench, &images, json!({"cached_views": 2})).unwrap();
    let policy = policy_of(&made);
    let names = names(&policy);
    assert_eq!(names, ["scale", "angle_deg", "brightness", "contrast", "flip", "crop_x", "crop_y"]);
    let rows = views(&made, &names);
    let listed: Vec<(&str, u32)> = rows.iter().map(|row| (row.id.as_str(), row.view)).collect();
    let ids =
        ["test/002.png", "test/005.png", "train/000.png", "train/003.png", "train/006.png", "valid/001.png"];
    let expected: Vec<(&str, u32)> = ids.iter().flat_map(|id| (0..3).map(move |view| (*id, view))).collect();
    assert_eq!(listed, expected);
    for row in rows {
        let number: u32 = row.id[row.id.len() - 7..row.id.len() - 4].parse().unwrap();
        // Photos that are not trained on have the views of test-time augmentation.
        let purpose = if row.id.starts_with("train") { "augment" } else { "tta" };
        let stream = Stream { seed: 42, purpose, epoch: 0, item: &row.id, view: row.view };
        let expected = match row.view {
            0 => vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.5],
            _ => policy.draw(&mut stream.start(), 60 + 3 * number, 47 + number),
        };
        assert_eq!(row.numbers, expected, "{} view {}", row.id, row.view);
    }
    assert_eq!(made.summary.line, "side_on, max_zoom 1.1, 2 augmented views of each photo, preview.png");
}

#[test]
fn without_cached_views_the_table_does_not_depend_on_policy_or_seed() {
    let mut bench = StageBench::default();
    let images = images(bench.dir(), 7);
    let table = |bench: &StageBench, params: Value| augment(bench, &images, params).unwrap().artifact.files["views.parquet"];
    let first = table(&bench, json!({}));
    assert_eq!(table(&bench, json!({"policy": "top_down", "border": "black"})), first);
    assert_ne!(table(&bench, json!({"cached_views": 1})), first);
    bench.seed = 43;
    assert_eq!(table(&bench, json!({})), first);
}

#[test]
fn the_same_parameters_and_seed_give_the_same_bytes_for_any_number_of_threads() {
    let mut bench = StageBench::default();
    let images = images(bench.dir(), 9);
    let files =
        |bench: &StageBench| augment(bench, &images, json!({"cached_views": 3})).unwrap().artifact.files;
    let first = files(&bench);
    bench.threads = 5;
    assert_eq!(files(&bench), first);
    bench.seed = 43;
    let other = files(&bench);
    assert_eq!(other["policy.json"], first["policy.json"]);
    assert_ne!(other["views.parquet"], first["views.parquet"]);
}

#[test]
fn the_preview_shows_versions_photos_transforms_and_test_views_and_escapes_names() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 9);
    let made = augment(&bench, &images, json!({"policy": ["flip", {"rotate": {"max_deg": 20}}]})).unwrap();
    let page = fs_err::read_to_string(made.artifact.path("preview.html")).unwrap();
    for text in [
        "Six versions of one photo",
        "Several photos",
        "Each transform alone",
        "rotate: p 0.75, max_deg 20",
        "Test-time augmentation",
        "upper left",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // Three training photos: one in detail, two with the plain view and five more; two transforms; test views.
    assert_eq!(page.matches("data:image/jpeg").count(), 6 + 2 * 6 + 6 + 2 * 6 + 6 + 1 + 5 + 3);
    let sheet = image::open(made.artifact.path("preview.png")).unwrap();
    assert!(
        sheet.width() > 6 * 224 && sheet.height() > sheet.width(),
        "{} x {}",
        sheet.width(),
        sheet.height()
    );
}

#[test]
fn the_preview_is_of_what_the_policy_does() {
    // A policy that makes every photo black, but for the plain views.
    let bench = StageBench::default();
    let images = images(bench.dir(), 3);
    let black = json!([{"cutout": {"side": 1, "fill": "black"}}, {"cutout": {"side": 1, "fill": "black"}}]);
    let many = augment(&bench, &images, json!({"policy": vec!["flip"; 7]})).unwrap();
    assert_eq!(many.summary.line, "7 transforms, preview.png");
    let share = |params: Value| {
        let made = augment(&bench, &images, params).unwrap();
        let sheet = image::open(made.artifact.path("preview.png")).unwrap().into_rgb8();
        let dark = sheet.pixels().filter(|pixel| pixel.0 == [0, 0, 0]).count();
        dark as f64 / f64::from(sheet.width() * sheet.height())
    };
    let (blackened, plain) = (share(json!({"policy": black})), share(json!({"policy": "none"})));
    assert!(blackened > 0.15 && plain < 0.02, "black pixels: {blackened} with the policy, {plain} without");
}

#[test]
fn a_photo_that_changed_since_ingest_is_named_when_the_preview_shows_it() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 3);
    fs_err::write(images.sources["photos"].join("train/000.png"), b"another").unwrap();
    let Err(Failure::Failed { message, hint, .. }) = augment(&bench, &images, json!({})) else { panic!() };
    assert_eq!(message, "photo `train/000.png` changed since it was ingested");
    assert_eq!(hint.unwrap(), "run again: ingest will look at the folder anew");
}

#[test]
fn a_folder_without_usable_photos_is_refused() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 0);
    let failure = augment(&bench, &images, json!({})).unwrap_err();
    assert_eq!(failure.to_string(), "there is no usable photo");
}

#[test]
fn mixing_is_recorded_and_the_summary_says_who_does_not_mix() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 3);
    let made = augment(&bench, &images, json!({"mix": {"mixup": {"alpha": 0.2}}})).unwrap();
    let policy: Value =
        serde_json::from_slice(&fs_err::read(made.artifact.path("policy.json")).unwrap()).unwrap();
    assert_eq!(policy["mix"], json!({"mixup": {"p": 0.5, "alpha": 0.2}}));
    let [plain, unmixed] = made.summary.notes.as_slice() else { panic!("{:?}", made.summary) };
    assert!(plain.ends_with("train it on augmented ones too, set augment.cached_views"), "{plain}");
    assert!(unmixed.ends_with("the head, trained on features, does not mix"), "{unmixed}");
    let resolved = Augment.resolve(&json!({"mix": {"cutmix": null}})).unwrap();
    assert_eq!(resolved["mix"], json!({"cutmix": {"p": 0.5, "alpha": 1.0}}), "a name alone has its defaults");
}

#[test]
fn wrong_parameters_are_told_with_their_place() {
    let faults = |params: Value| -> Vec<String> {
        let problems: Vec<Problem> = Augment.resolve(&params).unwrap_err();
        problems.iter().map(|problem| format!("{}: {}", problem.path.join("."), problem.message)).collect()
    };
    assert_eq!(
        faults(json!({"max_zoom": 0.5, "cached_views": 101})),
        [
            "max_zoom: expected a factor from 1 to 10, found 0.5",
            "cached_views: expected 0 to 100 views, found 101"
        ]
    );
    assert_eq!(
        faults(json!({"policy": [{"flip": {"p": 3}}], "mix": {"mixup": {"alpha": 0}}})),
        [
            "policy.0.flip.p: expected a probability from 0 to 1, found 3",
            "mix.mixup.alpha: expected a parameter of the beta distribution from 0.01 to 100, found 0",
        ]
    );
    assert_eq!(
        faults(json!({"policy": ["flip"], "max_zoom": 1.2})),
        ["max_zoom: it belongs to named policies that scale, and `policy` is a list"]
    );
    assert_eq!(
        faults(json!({"policy": "none", "max_zoom": 1.2})),
        ["max_zoom: it belongs to named policies that scale, and `policy` does not"]
    );
    assert!(faults(json!({"border": "wrap"}))[0].starts_with("border: expected one of reflect, edge, black"));
}

#[test]
fn parameters_written_out_and_left_out_are_the_same() {
    let short = Augment.resolve(&json!({"policy": ["flip"]})).unwrap();
    let long = json!({
        "policy": [{"flip": {"p": 0.5}}], "max_zoom": 1.1, "border": "reflect", "cached_views": 0,
        "mix": {},
    });
    assert_eq!(Augment.resolve(&long).unwrap(), short);
    assert_eq!(short, long);
}

#[test]
fn the_page_about_the_stage_lists_every_policy_and_every_transform_with_its_parameters() {
    let page = fs_err::read_to_string("README.md").unwrap();
    for policy in pipeline_photo::POLICIES {
        assert!(page.contains(&format!("\n| `{}` | ", policy.name)), "policy {}", policy.name);
    }
    for kind in pipeline_photo::TRANSFORMS {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | ", kind.name)) && line.contains("`p` "));
        let line = line.unwrap_or_else(|| panic!("transform {}", kind.name));
        for (name, property) in kind.schema()["properties"].as_object().unwrap() {
            let default = match &property["default"] {
                Value::String(word) => word.clone(),
                Value::Array(_) if name == "ratio" && kind.name == "random_resized_crop" => {
                    "[3/4, 4/3]".to_owned()
                }
                Value::Array(values) => {
                    let values: Vec<String> =
                        values.iter().map(|value| value.as_f64().unwrap().to_string()).collect();
                    format!("[{}]", values.join(", "))
                }
                number => number.as_f64().unwrap().to_string(),
            };
            assert!(line.contains(&format!("`{name}` {default}")), "{}: `{name}` {default}", kind.name);
        }
    }
}

#[test]
fn the_page_about_the_stage_explains_every_column_of_the_table_of_views() {
    let page = fs_err::read_to_string("README.md").unwrap();
    let mut lines = String::new();
    for kind in pipeline_photo::TRANSFORMS {
        let params = if kind.name == "rand_augment" { json!({"ops": 1}) } else { Value::Null };
        for number in kind.parse(&params).unwrap().numbers() {
            let (name, neutral, doc) = (number.name, number.neutral, number.doc);
            lines.push_str(&format!("| `{name}` | `{}` | {neutral} | {doc} |\n", kind.name));
        }
    }
    lines.push_str("| `crop_x` | every policy | 0.5 | share of the room that is left of the square |\n");
    lines.push_str("| `crop_y` | every policy | 0.5 | share of the room that is above the square |\n");
    assert!(page.ends_with(&lines), "the page should end with\n{lines}");
}

/// Raise `Augment::VERSION` when this fails: the first numbers of each policy of version 1, to four places.
#[test]
fn version_1_draws_these_numbers_with_every_policy() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 1);
    let mut drawn = Vec::new();
    for policy in pipeline_photo::POLICIES {
        let made = augment(&bench, &images, json!({"policy": policy.name, "cached_views": 1})).unwrap();
        let rows = views(&made, &names(&policy_of(&made)));
        drawn.push((policy.name, rows[1].numbers.clone()));
    }
    let expected: [(&str, &[f32]); 6] = [
        ("none", &[0.770120, 0.888254]),
        ("basic", &[1.0, 0.0, -0.026706, 0.959097, 0.053154, 0.232567]),
        ("side_on", &[1.0, 0.0, -0.026706, 0.959097, 1.0, 0.232567, 0.493642]),
        ("top_down", &[1.0, 0.0, -0.026706, 0.959097, 1.0, 0.493642, 0.006764]),
        ("rand_augment", &[1.0, 13.0, 0.0, 3.0, -0.135952, 1.0, 0.232567, 0.493642]),
        ("trivial_augment", &[1.0, 3.0, -0.138095, 1.0, 0.232567, 0.493642]),
    ];
    assert_eq!(drawn.len(), expected.len());
    for ((name, found), (expected_name, expected)) in drawn.iter().zip(expected) {
        let near =
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4);
        assert!(near && *name == expected_name, "{name}: found {found:?}, expected {expected:?}");
    }
}

/// Raise `Augment::VERSION` when this fails: the numbers of version 1, to four places.
#[test]
fn version_1_draws_these_numbers() {
    let bench = StageBench::default();
    let images = images(bench.dir(), 2);
    let made = augment(&bench, &images, json!({"cached_views": 1})).unwrap();
    let rows = views(&made, &names(&policy_of(&made)));
    let found: Vec<Vec<f32>> = rows.into_iter().filter(|row| row.view == 1).map(|row| row.numbers).collect();
    let expected = [
        [1.0, 0.0, -0.026706, 0.959097, 1.0, 0.232567, 0.493642_f32],
        [1.098639, 9.935248, -0.021930, 0.997512, 0.0, 0.753789, 0.890282],
    ];
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4);
        assert!(near, "found {found:?}, expected {expected:?}");
    }
}
