use pipeline_ingest::Outline;
use pipeline_stage::Cancel;

use super::*;
use crate::command::init::sizes::Sizes;
use crate::command::init::weights::Weights;
use crate::config;
use crate::stages::STAGES;

/// What is seen of a project with these files in `photos`, each `count` times where `#` stands for a number, of `side` x 2 `side`.
fn seen(dir: &std::path::Path, files: &[(&str, usize)], side: u32) -> Seen {
    let root = dir.join("photos");
    for (name, count) in files {
        for n in 1..=*count {
            let path = root.join(name.replace('#', &n.to_string()));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            match n {
                1 => image::GrayImage::new(side, 2 * side).save(&path).unwrap(),
                _ => drop(fs_err::hard_link(root.join(name.replace('#', "1")), &path)),
            }
        }
    }
    let outline = Outline::of(&root, &Cancel::default()).unwrap();
    let sizes = Sizes::of(&outline.photos);
    Seen { root: "photos".to_owned(), outline, sizes, weights: Weights::of(dir) }
}

/// Checks a config as `pipeline validate` does.
fn validate(dir: &std::path::Path, text: &str) {
    let path = dir.join("configs/c.yaml");
    fs_err::create_dir_all(dir.join("configs")).unwrap();
    fs_err::write(&path, text).unwrap();
    if let Err(faults) = config::load(&path, &[], STAGES) {
        panic!("{faults:?}\n{text}");
    }
}

/// The config with the hint at line `at` in place of the value that it may replace.
fn followed(text: &str, at: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let hint = lines[at].replacen('#', "", 1);
    let key = hint.split_once(':').unwrap().0;
    let start = lines[..at].iter().rposition(|line| !line.starts_with(' ') && line.ends_with(':')).unwrap();
    let end = lines[at..].iter().position(|line| line.is_empty()).map_or(lines.len(), |place| at + place);
    let is_replaced =
        |place: usize| (start..end).contains(&place) && lines[place].starts_with(&format!("{key}:"));
    let kept = lines.iter().enumerate().filter(|(place, _)| !is_replaced(*place));
    kept.map(|(place, line)| if place == at { hint.clone() } else { (*line).to_owned() } + "\n").collect()
}

#[test]
fn each_value_and_each_hint_is_valid_in_every_case() {
    let cases: [&[(&str, usize)]; 4] = [
        &[("cats/#.png", 6), ("dogs/#.png", 5)],
        &[("train/cats/#.png", 900), ("train/dogs/#.png", 200), ("valid/dogs/#.png", 3), ("test/#.png", 2)],
        &[("cat.#.png", 40), ("dog.#.png", 3)],
        &[("cat: 'x'/#.png", 700), ("dog\n#2/#.png", 700)],
    ];
    for (case, side) in cases.into_iter().zip([3, 600, 40, 224]) {
        let dir = tempfile::tempdir().unwrap();
        let seen = seen(dir.path(), case, side);
        for lesson in [Lesson::Quick, Lesson::Lesson1] {
            let text = config(&seen, lesson, "configs/c.yaml");
            validate(dir.path(), &text);
            assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
            let is_hint = |line: &str| {
                line.trim_start().strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c != ' '))
            };
            let hints: Vec<usize> =
                text.lines().enumerate().filter(|(_, line)| is_hint(line)).map(|(at, _)| at).collect();
            assert!(hints.len() > 6, "{text}");
            for at in hints {
                validate(dir.path(), &followed(&text, at));
            }
            let is_reasoned = |line: &&str| {
                let line = line.trim();
                line.is_empty() || line.starts_with('#') || line.ends_with(':') || line.contains(" # ")
            };
            let silent: Vec<&str> = text.lines().filter(|line| !is_reasoned(line)).collect();
            for line in silent {
                let (before, _) = text.split_once(&format!("\n{line}\n")).unwrap();
                assert!(before.lines().last().unwrap().trim().starts_with('#'), "{line}\n{text}");
            }
        }
    }
}

/// What a config says of one key of a stage.
fn value(text: &str, stage: &str, key: &str) -> serde_json::Value {
    let read: serde_json::Value = serde_yaml::from_str(text).unwrap();
    read[stage][key].clone()
}

#[test]
fn few_photos_are_shown_more_often_and_changed_and_many_are_not() {
    let dir = tempfile::tempdir().unwrap();
    // 60 photos, a fifth of each class for valid: 48 to train on, 3 batches of 16; 60 steps are 20 passes.
    let few = config(&seen(dir.path(), &[("a/#.png", 30), ("b/#.png", 30)], 300), Lesson::Lesson1, "c.yaml");
    assert_eq!(value(&few, "head", "epochs"), 20, "{few}");
    assert_eq!(
        (value(&few, "head", "batch_size"), value(&few, "augment", "cached_views")),
        (16.into(), 3.into())
    );
    assert_eq!(value(&few, "finetune", "cycles"), 2);
    assert_eq!(
        value(&few, "ingest", "split"),
        serde_json::json!({"valid": 0.2, "test": 0.0, "seed": 42, "stratify": true})
    );
    let dir = tempfile::tempdir().unwrap();
    // 2,000 to train on: 32 batches of 64 in a pass, so 2 passes.
    let many =
        config(&seen(dir.path(), &[("a/#.png", 1250), ("b/#.png", 1250)], 300), Lesson::Lesson1, "c.yaml");
    assert_eq!(
        (value(&many, "head", "epochs"), value(&many, "head", "batch_size")),
        (2.into(), serde_json::Value::Null)
    );
    assert!(
        value(&many, "augment", "cached_views").is_null() && value(&many, "finetune", "cycles").is_null()
    );
    assert!(many.contains("#cached_views: 3"), "{many}");
}

#[test]
fn uneven_classes_count_alike_from_ten_times_on_and_from_three_it_is_said() {
    let at = |many: usize| {
        let dir = tempfile::tempdir().unwrap();
        config(
            &seen(dir.path(), &[("train/a/#.png", many), ("train/b/#.png", 4), ("valid/a/#.png", 1)], 300),
            Lesson::Quick,
            "c",
        )
    };
    let (even, some, very) = (at(12), at(13), at(41));
    assert!(!even.contains("class_weights"), "{even}");
    let some_of =
        "#class_weights: balanced     # all classes count alike: a has 13 photos to train on, b has 4";
    assert!(some.contains(some_of), "{some}");
    assert_eq!(value(&very, "head", "class_weights"), "balanced", "{very}");
}

#[test]
fn small_photos_are_computed_at_fewer_pixels() {
    let at = |side: u32| {
        let dir = tempfile::tempdir().unwrap();
        config(&seen(dir.path(), &[("a/#.png", 4), ("b/#.png", 4)], side), Lesson::Quick, "c.yaml")
    };
    assert_eq!(
        (value(&at(64), "precompute", "size"), value(&at(65), "precompute", "size")),
        (128.into(), 224.into())
    );
    assert!(at(448).contains("#decode: scaled") && !at(447).contains("#decode"));
}

#[test]
fn names_of_strangers_stay_in_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = seen(dir.path(), &[("a\npipeline: x/#.png", 5), ("b: c/#.png", 5)], 30);
    seen.root = "pho: 'tos'\n\"#1\"".to_owned();
    let text = config(&seen, Lesson::Quick, "configs/a\nb.yaml");
    assert_eq!(value(&text, "ingest", "root"), "pho: 'tos'\n\"#1\"");
    let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(read["pipeline"], "quick");
    assert!(text.contains("a\\u{a}pipeline: x (5), b: c (5)"), "{text}");
}
