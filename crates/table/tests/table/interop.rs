//! Small tables opened in DuckDB, polars, pandas and pyarrow by the scripts in `tests/interop`, through a
//! linked folder as `out/` has them. The Python is that of `PIPELINE_PYTHON`, or the one that
//! `cargo xtask test` sets up.

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_table::{
    Column, Features, FeaturesMeta, FeaturesWriter, Mode, PredictionRow, Split, Verdict, plain,
};
use serde_json::{Value, json};

use crate::rows::*;

fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("PIPELINE_PYTHON") {
        return Some(python.into());
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    if own.exists() {
        return Some(own);
    }
    eprintln!(
        "skipped: no Python with DuckDB, polars and pandas; run `cargo xtask test`, or set PIPELINE_PYTHON"
    );
    None
}

/// Lets the script look at the artifact in `store`, through a link, and compare it with `rows`.
fn check(script: &str, store: &Path, rows: Vec<Value>) {
    let Some(python) = python() else { return };
    let link = store.with_extension("link");
    std::os::unix::fs::symlink(store, &link).unwrap();
    let expected = store.with_extension("json");
    fs_err::write(&expected, Value::from(rows).to_string()).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop");
    let output = Command::new(python)
        .args([scripts.join(script), link, expected])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.matches("ok ").count() >= 3, "{script}: {text}");
}

fn feature_values(features: &Features) -> Vec<Value> {
    let value = |(row, emb): (&pipeline_table::FeatureRow, &[f32])| {
        json!({
            "id": row.id, "split": row.split, "label": row.label, "label_id": row.label_id, "view": row.view,
            "emb": emb,
        })
    };
    features.rows.iter().zip(features.emb.chunks_exact(features.dim)).map(value).collect()
}

#[test]
fn features_in_two_parts_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("precompute");
    let all = features(320, 7);
    let split_at = 300;
    let half = |rows: std::ops::Range<usize>| Features {
        dim: 7,
        rows: all.rows[rows.clone()].to_vec(),
        emb: all.emb[rows.start * 7..rows.end * 7].to_vec(),
    };
    write_features(&store.join("features"), &half(0..split_at)).unwrap();
    // What a table of more than 256 MiB looks like, in small.
    write_features(&dir.path().join("second"), &half(split_at..320)).unwrap();
    let second = dir.path().join("second/part-00000.parquet");
    fs_err::rename(second, store.join("features/part-00001.parquet")).unwrap();

    assert_eq!(read_features(&store.join("features"), 64).unwrap(), all);
    check("features.py", &store, feature_values(&all));
}

#[test]
fn features_with_logits_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("precompute");
    let (emb, logits) = (features(30, 5), features(30, 3));
    let meta = FeaturesMeta { logits: 3, pool: "avg".to_owned(), ..meta(5) };
    let mut writer = FeaturesWriter::create(&store.join("features"), meta).unwrap();
    for (at, row) in emb.rows.iter().enumerate() {
        writer.write(row, &[emb.of(at), logits.of(at)].concat()).unwrap();
    }
    writer.finish().unwrap();
    let mut rows = feature_values(&emb);
    rows.iter_mut().enumerate().for_each(|(at, row)| row["logits"] = json!(logits.of(at)));
    check("features.py", &store, rows);
}

#[test]
fn images_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("ingest");
    fs_err::create_dir(&store).unwrap();
    let mut rows: Vec<_> = ["a 'b'.jpg", "c.jpg", "é/猫.jpg"]
        .iter()
        .zip(Verdict::ALL)
        .map(|(id, verdict)| image_row(id, verdict))
        .collect();
    (rows[1].label, rows[1].label_id, rows[1].split) = (None, None, Split::Test);
    write_images(&store.join("images.parquet"), &rows).unwrap();
    let value = |row: &pipeline_table::ImageRow| {
        json!({
            "id": row.id, "split": row.split, "label": row.label, "label_id": row.label_id, "width": row.width,
            "height": row.height, "aspect_ratio": row.aspect_ratio(), "format": row.format, "orientation": row.orientation, "bytes": row.bytes,
            "digest": row.digest, "phash": row.appearance.map(|_| "0123456789abcdef"),
            "mean_red": row.appearance.map(|a| a.mean[0]), "mean_green": row.appearance.map(|a| a.mean[1]),
            "mean_blue": row.appearance.map(|a| a.mean[2]), "is_grey": row.appearance.map(|a| a.is_grey),
            "verdict": row.verdict, "reason": row.reason,
        })
    };
    check("images.py", &store, rows.iter().map(value).collect());
}

#[test]
fn predictions_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("evaluate");
    fs_err::create_dir(&store).unwrap();
    let unlabelled = PredictionRow {
        split: Split::Test,
        label: None,
        label_id: None,
        loss: None,
        ..prediction_row("c.jpg", "head", Mode::Plain, [0.0625, 0.125, 0.8125])
    };
    let rows = [
        prediction_row("a.jpg", "head", Mode::Plain, [0.25, 0.5, 0.25]),
        prediction_row("a.jpg", "head", Mode::Tta, [0.75, 0.125, 0.125]),
        prediction_row("b.jpg", "head", Mode::Plain, [0.1, 0.7, 0.2]),
        unlabelled,
    ];
    write_predictions(&store.join("predictions.parquet"), &rows).unwrap();
    check("predictions.py", &store, rows.iter().map(prediction_value).collect());
}

fn prediction_value(row: &PredictionRow) -> Value {
    json!({
        "id": row.id, "split": row.split, "label": row.label, "label_id": row.label_id, "model": row.model,
        "mode": row.mode, "predicted": row.predicted, "predicted_id": row.predicted_id,
        "confidence": row.confidence, "loss": row.loss, "probs": row.probs, "view_probs": row.view_probs,
    })
}

#[test]
fn predictions_of_each_view_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("evaluate");
    fs_err::create_dir(&store).unwrap();
    let views = |id: &str| PredictionRow {
        view_probs: Some(vec![vec![0.5, 0.25, 0.25], vec![1.0, 0.0, 0.0]]),
        ..prediction_row(id, "head", Mode::Tta, [0.75, 0.125, 0.125])
    };
    let plain = |id: &str| prediction_row(id, "head", Mode::Plain, [0.25, 0.5, 0.25]);
    let rows = [plain("a.jpg"), views("a.jpg"), plain("b.jpg"), views("b.jpg")];
    write_predictions(&store.join("predictions.parquet"), &rows).unwrap();
    check("predictions.py", &store, rows.iter().map(prediction_value).collect());
}

#[test]
fn history_opens_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("head");
    fs_err::create_dir(&store).unwrap();
    let rows: Vec<_> = (1..5).map(|epoch| history_row(epoch, 3)).collect();
    write_history(&store.join("history.parquet"), &rows).unwrap();
    check("history.py", &store, rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect());
}

#[test]
fn views_open_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("augment");
    fs_err::create_dir(&store).unwrap();
    let rows = views(50);
    write_views(&store.join("views.parquet"), &rows).unwrap();
    let value = |row: &pipeline_table::ViewRow| json!({"id": row.id, "view": row.view, "scale": row.numbers[0], "flip": row.numbers[1]});
    check("views.py", &store, rows.iter().map(value).collect());
}

#[test]
fn a_learning_rate_curve_opens_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("finder");
    fs_err::create_dir(&store).unwrap();
    let rows = curve(70);
    write_curve(&store.join("lr_curve.parquet"), &rows).unwrap();
    let value = |row: &pipeline_table::CurveRow| json!({"step": row.step, "lr": row.lr, "loss": row.loss, "smoothed": row.smoothed});
    check("lr_curve.py", &store, rows.iter().map(value).collect());
}

#[test]
fn a_plain_table_opens_in_other_tools() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("sweep");
    fs_err::create_dir(&store).unwrap();
    let rows = [
        json!({"combination": "c@seed=-1", "head.lr": 1e-4, "seed": -1, "finetune.lr": "[0.1, 0.2]", "evaluate.head.accuracy": 0.5, "is_best": false}),
        json!({"combination": "c@seed=2", "head.lr": 0.3, "seed": 2, "finetune.lr": "grün", "evaluate.head.accuracy": 0.75, "is_best": true}),
        json!({"combination": "c@seed=3", "head.lr": 0.2, "seed": 3, "finetune.lr": "[]", "evaluate.head.accuracy": null, "is_best": false}),
    ];
    let text =
        |name: &str| Column::Text(rows.iter().map(|row| row[name].as_str().map(str::to_owned)).collect());
    let number = |name: &str| Column::Number(rows.iter().map(|row| row[name].as_f64()).collect());
    let columns = [
        ("combination".to_owned(), text("combination")),
        ("head.lr".to_owned(), number("head.lr")),
        ("seed".to_owned(), Column::Whole(rows.iter().map(|row| row["seed"].as_i64()).collect())),
        ("finetune.lr".to_owned(), text("finetune.lr")),
        ("evaluate.head.accuracy".to_owned(), number("evaluate.head.accuracy")),
        ("is_best".to_owned(), Column::Truth(rows.iter().map(|row| row["is_best"] == true).collect())),
    ];
    plain::write(&store.join("sweep.parquet"), "sweep", &columns).unwrap();
    check("plain.py", &store, rows.to_vec());
}
