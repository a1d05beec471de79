//! Pairs of small tables, whose counts are made by hand.

use pipeline_table::{PredictionsWriter, Split};

use super::super::report_artifact;
use super::*;

/// id, label, and for each model in each mode what it predicts; probabilities are 0.75 and the rest.
type Row<'a> = (&'a str, Option<&'a str>, &'a [&'a str]);

struct Table<'a> {
    classes: &'a [&'a str],
    split: Split,
    models: &'a [(&'a str, Mode)],
}

const TABLE: Table<'_> =
    Table { classes: &["cats", "dogs", "emus"], split: Split::Valid, models: &[("head", Mode::Plain)] };

/// An artifact with these predictions.
fn written(table: &Table<'_>, rows: &[Row<'_>]) -> (tempfile::TempDir, ReportArtifact) {
    let dir = tempfile::tempdir().unwrap();
    let classes: Vec<String> = table.classes.iter().map(|class| (*class).to_owned()).collect();
    let number = |class: &str| table.classes.iter().position(|known| *known == class).unwrap() as u32;
    let mut writer = PredictionsWriter::create(&dir.path().join(PREDICTIONS_FILE), &classes).unwrap();
    for (id, label, said) in rows {
        for ((model, mode), predicted) in table.models.iter().zip(*said) {
            let rest = 0.25 / (classes.len() - 1) as f32;
            let prob = |class: &String| if class == predicted { 0.75 } else { rest };
            let loss = label.map(|label| -prob(&label.to_owned()).ln());
            let row = PredictionRow {
                id: (*id).to_owned(),
                split: table.split,
                label: label.map(str::to_owned),
                label_id: label.map(number),
                model: (*model).to_owned(),
                mode: *mode,
                predicted: (*predicted).to_owned(),
                predicted_id: number(predicted),
                confidence: 0.75,
                loss,
                probs: classes.iter().map(prob).collect(),
                view_probs: None,
            };
            writer.write(&row).unwrap();
        }
    }
    writer.finish().unwrap();
    let key = pipeline_stage::Digest::of(dir.path().as_os_str().as_encoded_bytes());
    let manifest = serde_json::json!({
        "format": 1, "key": key, "files": [], "summary": {"line": ""},
        "parts": {"kind": "evaluate", "version": 2, "params": {}, "seed": 1, "sources": {}, "inputs": {}},
        "made": {"unix_seconds": 1, "wall_seconds": 1.0, "host": "", "seed": 1, "threads": 1, "device": "cpu",
                 "pipeline_version": ""},
    });
    fs_err::write(dir.path().join("artifact.json"), manifest.to_string()).unwrap();
    let evaluation = report_artifact::of_folder(dir.path()).unwrap();
    (dir, evaluation)
}

fn compared(this: &ReportArtifact, that: &ReportArtifact) -> Result<Comparison, String> {
    compare(this, that, &mut Contents::Unknown, || None).map_err(|stop| match stop {
        Stop::Error { message, .. } => message,
        Stop::Config(_) => "config".to_owned(),
    })
}

fn ids(turned: &[Turned]) -> Vec<&str> {
    turned.iter().map(|photo| photo.id.as_str()).collect()
}

#[test]
fn photos_are_counted_by_who_has_them_right() {
    let (_a, this) = written(
        &TABLE,
        &[
            ("a", Some("cats"), &["cats"]),
            ("b", Some("cats"), &["cats"]),
            ("c", Some("dogs"), &["dogs"]),
            ("d", Some("dogs"), &["cats"]),
            ("e", Some("dogs"), &["cats"]),
            ("f", Some("dogs"), &["emus"]),
            ("g", None, &["emus"]),
        ],
    );
    let (_b, that) = written(
        &TABLE,
        &[
            ("a", Some("cats"), &["cats"]),
            ("b", Some("cats"), &["dogs"]),
            ("c", Some("dogs"), &["cats"]),
            ("d", Some("dogs"), &["dogs"]),
            ("e", Some("dogs"), &["cats"]),
            ("f", Some("dogs"), &["cats"]),
            ("g", None, &["cats"]),
        ],
    );
    let comparison = compared(&this, &that).unwrap();
    let [pair] = comparison.pairs.as_slice() else { panic!("{:?}", comparison.pairs) };
    assert_eq!((pair.photos, pair.this_right, pair.that_right), (6, 3, 2));
    assert_eq!((pair.test.only_first, pair.test.only_second, pair.otherwise_wrong), (2, 1, 1));
    // Two-sided binomial of 1 of 3: 2 * (1 + 3) / 8.
    assert!((pair.test.p_value - 1.0).abs() < 1e-12, "{}", pair.test.p_value);
    assert_eq!((ids(&pair.fixed), ids(&pair.broken)), (vec!["b", "c"], vec!["d"]));
    let expected = Turned {
        id: "d".to_owned(),
        label: "dogs".to_owned(),
        this: ("cats".to_owned(), 0.75),
        that: ("dogs".to_owned(), 0.75),
    };
    assert_eq!(pair.broken, [expected]);
    // -ln 0.75 where right, -ln 0.125 where wrong.
    let log_loss = |right: f64| -(right * 0.75f64.ln() + (6.0 - right) * 0.125f64.ln()) / 6.0;
    assert!((pair.this_log_loss - log_loss(3.0)).abs() < 1e-6, "{}", pair.this_log_loss);
    assert!((pair.that_log_loss - log_loss(2.0)).abs() < 1e-6, "{}", pair.that_log_loss);
    assert_eq!((comparison.split.as_str(), comparison.warnings.len()), ("valid", 0));
}

#[test]
fn other_photos_and_other_labels_are_left_out_and_said() {
    let rows = |ids: &[&'static str], label: &'static str| -> Vec<Row<'static>> {
        ids.iter()
            .map(|id| (*id, Some(if *id == "k" { label } else { "cats" }), ["cats"].as_slice()))
            .collect()
    };
    let (_a, this) = written(&TABLE, &rows(&["a", "b", "c", "d", "e", "k", "m"], "cats"));
    let (_b, that) = written(&TABLE, &rows(&["a", "k", "m", "z"], "dogs"));
    let comparison = compared(&this, &that).unwrap();
    assert_eq!(comparison.pairs[0].photos, 2);
    assert_eq!(
        comparison.warnings,
        [
            "4 photos are measured by this alone and left out: b, c, d, …",
            "1 photo is measured by that alone and left out: z",
            "1 photo is of another class in that and left out: k",
        ]
    );
}

#[test]
fn a_photo_that_is_labelled_or_answered_on_one_side_alone_is_counted_and_said() {
    let two = Table { models: &[("head", Mode::Plain), ("tail", Mode::Plain)], ..TABLE };
    let both: &[&str] = &["cats", "cats"];
    let (_a, this) = written(
        &two,
        &[("a", Some("cats"), both), ("b", Some("cats"), both), ("c", None, both), ("d", None, both)],
    );
    // `tail` says nothing of b.
    let (_b, that) = written(
        &two,
        &[
            ("a", Some("cats"), both),
            ("b", Some("cats"), &["cats"]),
            ("c", Some("dogs"), both),
            ("d", None, both),
        ],
    );
    let comparison = compared(&this, &that).unwrap();
    let photos: Vec<u64> = comparison.pairs.iter().map(|pair| pair.photos).collect();
    assert_eq!(photos, [2, 1]);
    assert_eq!(
        comparison.warnings,
        [
            "1 photo is labelled in that alone and left out: c",
            "1 photo is without an answer of `tail` on one side and left out of its numbers: b",
        ]
    );
}

#[test]
fn models_are_paired_by_name_and_mode_or_else_the_last_of_each() {
    let names = |this: &[(&str, Mode)], that: &[(&str, Mode)]| {
        let said = ["cats"; 9];
        let table = |models| Table { models, ..TABLE };
        let [(_a, this), (_b, that)] =
            [this, that].map(|models| written(&table(models), &[("a", Some("cats"), &said[..models.len()])]));
        let pairs = compared(&this, &that).unwrap().pairs;
        pairs.into_iter().map(|pair| (pair.this, pair.that)).collect::<Vec<_>>()
    };
    let own = |names: &[(&str, &str)]| -> Vec<(String, String)> {
        names.iter().map(|(this, that)| ((*this).to_owned(), (*that).to_owned())).collect()
    };
    let (plain, tta) = (Mode::Plain, Mode::Tta);
    assert_eq!(
        names(
            &[("head", plain), ("head", tta), ("finetune", plain), ("finetune", tta)],
            &[("finetune", plain), ("head", plain), ("head", tta)],
        ),
        own(&[("head", "head"), ("head.tta", "head.tta"), ("finetune", "finetune")])
    );
    assert_eq!(
        names(&[("a", plain), ("b", plain), ("b", tta)], &[("c", plain), ("c", tta), ("d", plain)]),
        own(&[("b", "d"), ("b.tta", "c.tta")])
    );
}

#[test]
fn no_more_are_listed_than_fit_and_all_are_counted() {
    let ids: Vec<String> = (0..3000).map(|n| format!("{n:05}")).collect();
    let rows = |said: &'static [&'static str]| -> Vec<Row<'_>> {
        ids.iter().map(|id| (id.as_str(), Some("cats"), said)).collect()
    };
    let ((_a, this), (_b, that)) = (written(&TABLE, &rows(&["cats"])), written(&TABLE, &rows(&["dogs"])));
    let comparison = compared(&this, &that).unwrap();
    let pair = &comparison.pairs[0];
    assert_eq!((pair.test.only_first, pair.fixed.len(), pair.broken.len()), (3000, 1000, 0));
    assert_eq!(pair.fixed[999].id, "00999");
}

#[test]
fn other_splits_other_classes_and_no_photo_in_common_are_refused() {
    let one = |table: &Table<'_>, id: &str, label: Option<&str>| {
        let class = table.classes[0];
        written(table, &[(id, label, &[class])])
    };
    let fault = |that: &(tempfile::TempDir, ReportArtifact)| {
        let (_a, this) = one(&TABLE, "a", Some("cats"));
        compared(&this, &that.1).unwrap_err()
    };
    assert_eq!(
        fault(&one(&Table { split: Split::Test, ..TABLE }, "a", Some("cats"))),
        "cannot compare: this was measured on valid photos, that on test photos"
    );
    assert_eq!(
        fault(&one(&Table { classes: &["cats", "dogs"], ..TABLE }, "a", Some("cats"))),
        "cannot compare models of other classes: this knows 3, that 2; only this knows `emus`"
    );
    let many = ["ant", "bee", "cats", "dogs", "emus", "fox", "gnu", "hen"];
    assert_eq!(
        fault(&one(&Table { classes: &many, ..TABLE }, "a", None)),
        "cannot compare models of other classes: this knows 3, that 8; only that knows `ant`, `bee`, `fox` and 2 more"
    );
    let none =
        "cannot compare: found no labelled photo that both measured, expected one at least; 1 photo is ";
    let alone = "measured by this alone and left out: a";
    assert_eq!(fault(&one(&TABLE, "b", Some("cats"))), format!("{none}{alone}"));
    assert_eq!(fault(&one(&TABLE, "a", None)), format!("{none}labelled in this alone and left out: a"));
    // Another order is no other classes.
    let (_a, this) = one(&TABLE, "a", Some("cats"));
    let (_b, that) = one(&Table { classes: &["emus", "cats", "dogs"], ..TABLE }, "a", Some("cats"));
    assert_eq!(compared(&this, &that).unwrap().pairs[0].test.only_first, 1);
}

#[test]
fn a_damaged_table_is_named() {
    let (_a, this) = written(&TABLE, &[("a", Some("cats"), &["cats"])]);
    let (dir, that) = written(&TABLE, &[("a", Some("cats"), &["cats"])]);
    let path = dir.path().join(PREDICTIONS_FILE);
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let fault = compared(&this, &that).unwrap_err();
    let expected = format!("cannot read `{}`: it is cut short, ", path.display());
    assert!(fault.starts_with(&expected), "{fault}");
    fs_err::remove_file(&path).unwrap();
    let Err(Stop::Error { message, hint, code }) = compare(&this, &that, &mut Contents::Unknown, || None)
    else {
        panic!("compared")
    };
    let expected = format!("has no predictions.parquet in {}", dir.path().display());
    assert!(message.starts_with("cannot compare: ") && message.ends_with(&expected), "{message}");
    let way = "copy the whole folder, or make the evaluation again with `--force evaluate`";
    assert_eq!((hint.as_deref(), code), (Some(way), 1));
}
