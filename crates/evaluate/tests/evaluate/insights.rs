//! What evaluate finds in features: wrong labels, near duplicates, outliers, a map.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipeline_evaluate::Evaluate;
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::similarity::principal_plane;
use pipeline_nn::{Device, Head, Sizes, weights};
use pipeline_photo::Preprocessing;
use pipeline_stage::random::{Stream, below};
use pipeline_stage::{AnyStage, Artifact, Digest};
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, PredictionsReader, Split};
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

const CLASSES: [&str; 2] = ["cats", "dogs, \"big\""];

/// Split, name, class and features of a photo.
type Photo = (Split, String, Option<u32>, Vec<f32>);

fn artifact(dir: &Path, stage: &str) -> Artifact {
    let (stage, dir) = (stage.to_owned(), dir.join(stage));
    Artifact { stage, dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

/// Runs evaluate on these photos. Each has a second view too, which nobody should look at.
fn run(bench: &StageBench, photos: &[Photo], params: &Value) -> Made {
    let root = bench.dir().join(format!("{}", photos.len()));
    let (table, model) = (artifact(&root, "precompute"), artifact(&root, "head"));
    let inputs = [("features", vec![&table]), ("models", vec![&model])];
    if !root.exists() {
        write(&table, &model, photos);
    }
    bench.run(&Evaluate, params, &inputs, &[]).unwrap()
}

fn write(table: &Artifact, model: &Artifact, photos: &[Photo]) {
    let dim = photos[0].3.len();
    let classes = CLASSES.map(str::to_owned).to_vec();
    let preprocessing = Preprocessing::new(64, [0.5; 3], [0.25; 3]);
    let meta = FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: Digest::of(b"trunk").to_string(),
        classes: classes.clone(),
        preprocessing: serde_json::to_value(preprocessing).unwrap(),
        dim,
        dtype: "f32".to_owned(),
        pool: pipeline_table::features::USUAL_POOL.to_owned(),
        logits: 0,
    };
    let mut writer = FeaturesWriter::create(&table.path("features"), meta).unwrap();
    let mut photos = photos.to_vec();
    photos.sort_by_key(|(split, name, ..)| format!("{split}/{name}"));
    for (split, name, label_id, emb) in photos {
        let label = label_id.map(|label| classes[label as usize].clone());
        for view in [0, 1] {
            let row =
                FeatureRow { id: format!("{split}/{name}"), split, label: label.clone(), label_id, view };
            let other: Vec<f32> = emb.iter().map(|v| 2.0 - v).collect();
            writer.write(&row, if view == 0 { &emb } else { &other }).unwrap();
        }
    }
    writer.finish().unwrap();

    fs_err::create_dir_all(&model.dir).unwrap();
    let head = Head::new(Sizes { features: dim, hidden: 512, classes: 2 }, 1, Device::Cpu).unwrap();
    let path = model.path("head.safetensors");
    weights::write_safetensors(&path, &head.named_tensors(), &BTreeMap::new()).unwrap();
    let digest = Digest::of(&fs_err::read(&path).unwrap());
    ModelRecord::new("resnet18".to_owned(), classes, preprocessing, dim, Digest::of(b"trunk"), digest)
        .write(&model.path("model.json"))
        .unwrap();
}

fn lines(made: &Made, file: &str) -> Vec<String> {
    let text = fs_err::read_to_string(made.artifact.path(file)).unwrap();
    text.lines().map(str::to_owned).collect()
}

const FLIPPED: usize = 8;

/// Two clouds of 60 photos in 6 dimensions, six deviations apart, a quarter of them of valid; 8 have the wrong label, and
/// their names say so. And ten photos of test without labels.
fn clouds() -> Vec<Photo> {
    let mut random = Stream { seed: 3, purpose: "clouds", ..Stream::default() }.start();
    // Twelve uniform numbers have a sum of variance 1, which is nearly normal.
    let mut normal = || (0..12).map(|_| below(1_000_001, &mut random) as f32 / 1e6).sum::<f32>() - 6.0;
    let mut cloud = |class: u32| -> Vec<f32> {
        (0..6).map(|d| normal() + if d < 4 { 3.0 * class as f32 } else { 0.0 }).collect()
    };
    let mut photos = vec![];
    for i in 0..120 {
        let class = i % 2;
        let is_flipped = i % 15 == 7;
        let split = if i % 4 == 0 { Split::Valid } else { Split::Train };
        let (kind, label) = if is_flipped { ("flipped", 1 - class) } else { ("right", class) };
        photos.push((split, format!("{kind}{i:03}.jpg"), Some(label), cloud(class)));
    }
    photos.extend((0..10).map(|i| (Split::Test, format!("{i}.jpg"), None, cloud(i % 2))));
    photos
}

#[test]
fn labels_that_were_flipped_on_purpose_are_found() {
    let bench = StageBench::default();
    let clouds = clouds();
    let flipped: BTreeSet<String> =
        clouds.iter().filter(|p| p.1.starts_with("flipped")).map(|p| format!("{}/{}", p.0, p.1)).collect();
    assert_eq!(flipped.len(), FLIPPED);
    let made = run(&bench, &clouds, &json!({}));
    let lines = lines(&made, "label_issues.csv");
    assert_eq!(lines[0], "id,split,label,suggested,label_probability,suggested_probability");
    let named: Vec<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    let found = named.iter().filter(|id| flipped.contains(**id)).count();
    let (precision, recall) = (found as f64 / named.len() as f64, found as f64 / FLIPPED as f64);
    println!("{found} of {FLIPPED} among {}: precision {precision:.3}, recall {recall:.3}", named.len());
    assert!(recall >= 0.8 && precision >= 0.5, "precision {precision}, recall {recall}: {lines:#?}");
    for line in lines[1..].iter().filter(|line| line.contains("flipped")) {
        // Photos of even numbers are cats.
        let is_cat = line[..line.find(".jpg").unwrap()].ends_with(['0', '2', '4', '6', '8']);
        let expected =
            if is_cat { ",\"dogs, \"\"big\"\"\",cats,0.0" } else { ",cats,\"dogs, \"\"big\"\"\",0.0" };
        assert!(line.contains(expected), "{line}, expected {expected}");
    }
}

#[test]
fn what_is_found_has_the_same_bytes_for_any_number_of_threads_and_the_seed_draws_the_folds() {
    let mut bench = StageBench::default();
    let mut files = |threads, seed| {
        (bench.threads, bench.seed) = (threads, seed);
        run(&bench, &clouds(), &json!({"label_issues": 3})).artifact.files
    };
    let [one, three, other] = [files(1, 7), files(3, 7), files(1, 8)];
    for file in ["label_issues.csv", "near_duplicates.csv", "outliers.csv", "map.csv"] {
        assert!(one.contains_key(file), "{file}: {:?}", one.keys());
        assert_eq!(one[file], three[file], "{file}");
        assert_eq!(one[file] == other[file], file != "label_issues.csv", "{file}");
    }
}

#[test]
fn labels_are_not_checked_where_nobody_asks_or_a_class_has_fewer_photos_than_folds() {
    let bench = StageBench::default();
    let photos = orthogonal();
    for params in [json!({"label_issues": 0}), json!({"label_issues": 6})] {
        let files = run(&bench, &photos, &params).artifact.files;
        assert!(!files.contains_key("label_issues.csv"), "{params}: {:?}", files.keys());
        assert!(files.contains_key("map.csv"), "{params}: {:?}", files.keys());
    }
    let problems = Evaluate.resolve(&json!({"label_issues": 1})).unwrap_err();
    assert_eq!(problems[0].path, ["label_issues"]);
    assert_eq!(problems[0].message, "expected 0, or 2 to 20 folds, found 1");
}

#[test]
fn every_wrong_photo_is_listed_with_its_four_nearest_training_photos() {
    let bench = StageBench::default();
    let made = run(&bench, &orthogonal(), &json!({"label_issues": 0}));
    let predictions = PredictionsReader::open(&made.artifact.path("predictions.parquet")).unwrap();
    let wrong = predictions.map(Result::unwrap).filter(|row| row.label_id != Some(row.predicted_id));
    let wrong: Vec<String> = wrong.map(|row| row.id).collect();
    assert!(!wrong.is_empty());
    let listed = lines(&made, "neighbours.csv");
    assert_eq!(listed[0], "id,label,predicted,neighbour,neighbour_label,similarity");
    let ids: Vec<&str> = listed[1..].iter().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids, wrong.iter().flat_map(|id| [id.as_str(); 4]).collect::<Vec<_>>());
    // By hand: b has a cosine of 0.96 with a, e one of 0.936 with e4, and z the same with all along one direction.
    for (photo, nearest) in [("b", "\"train/a,1.jpg\",cats,0.960000"), ("e", "train/e4.jpg,cats,0.936000")] {
        if let Some(first) = listed.iter().find(|line| line.starts_with(&format!("valid/{photo}.jpg,"))) {
            assert!(first.ends_with(nearest), "{first}");
        }
    }
}

/// Photos of which one shows along each of ten directions, `e0` to `e9`, but `e1` and `e3`.
///
/// Six are cats and five dogs.
fn orthogonal() -> Vec<Photo> {
    let along = |parts: &[(usize, f32)]| {
        let mut emb = vec![0.0; 10];
        parts.iter().for_each(|(d, v)| emb[*d] = *v);
        emb
    };
    let photo = |split, name: &str, label, emb| (split, name.to_owned(), label, emb);
    let mut photos = vec![
        photo(Split::Train, "a,1.jpg", Some(0), along(&[(0, 2.0)])),
        // (24/25, 7/25): a cosine of 0.96 with `e0`.
        photo(Split::Valid, "b.jpg", Some(1), along(&[(0, 0.96), (1, 0.28)])),
        photo(Split::Train, "c.jpg", Some(1), along(&[(2, 1.0)])),
        photo(Split::Train, "d.jpg", None, along(&[(2, 3.0)])),
        // (117/125, 44/125): 0.936 is not near enough.
        photo(Split::Valid, "e.jpg", Some(0), along(&[(4, 0.936), (3, 0.352)])),
        // Far from all: -1/sqrt(10) = -0.316228 from those along one direction, of which its five nearest are.
        photo(Split::Valid, "z.jpg", Some(0), vec![-1.0; 10]),
    ];
    photos.extend(
        (4..10).map(|d| photo(Split::Train, &format!("e{d}.jpg"), Some(d as u32 % 2), along(&[(d, 0.5)]))),
    );
    photos
}

#[test]
fn near_duplicates_and_outliers_are_those_computed_by_hand() {
    let bench = StageBench::default();
    let made = run(&bench, &orthogonal(), &json!({}));
    assert_eq!(
        lines(&made, "near_duplicates.csv"),
        [
            "id,other_id,split,other_split,label,other_label,similarity",
            "\"train/a,1.jpg\",valid/b.jpg,train,valid,cats,\"dogs, \"\"big\"\"\",0.960000",
            "train/c.jpg,train/d.jpg,train,train,\"dogs, \"\"big\"\"\",,1.000000",
        ],
        "the pair across train and valid first"
    );
    assert_eq!(
        lines(&made, "outliers.csv"),
        ["id,split,label,similarity", "valid/z.jpg,valid,cats,-0.316228"],
        "one of twelve photos"
    );
}

#[test]
fn the_map_has_every_photo_on_the_principal_plane() {
    let bench = StageBench::default();
    let mut photos = clouds();
    let made = run(&bench, &photos, &json!({"label_issues": 0}));
    photos.sort_by_key(|(split, name, ..)| format!("{split}/{name}"));
    let features: Vec<f32> = photos.iter().flat_map(|photo| photo.3.clone()).collect();
    let (points, shares) = principal_plane(&features, 6).unwrap();
    assert!(shares[0] > 0.5, "the clouds lie along one direction: {shares:?}");
    let lines = lines(&made, "map.csv");
    assert_eq!((lines[0].as_str(), lines.len()), ("id,split,label,x,y", 131));
    for (line, ((split, name, label, _), [x, y])) in lines[1..].iter().zip(photos.iter().zip(points)) {
        let label = label.map_or("", |label| ["cats", "\"dogs, \"\"big\"\"\""][label as usize]);
        assert_eq!(*line, format!("{split}/{name},{split},{label},{x:.4},{y:.4}"));
    }
}
