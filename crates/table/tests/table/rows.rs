//! Rows to write, and helpers that write whole tables.

use std::path::Path;

use pipeline_table::{
    Appearance, CurveRow, CurveWriter, FeatureRow, Features, FeaturesMeta, FeaturesReader, FeaturesWriter,
    HistoryRow, HistoryWriter, ImageRow, ImagesWriter, Mode, PredictionRow, PredictionsWriter, Result, Split,
    Verdict, ViewRow, ViewsWriter,
};

pub(crate) fn meta(dim: usize) -> FeaturesMeta {
    FeaturesMeta {
        arch: "resnet18".to_owned(),
        weights: "ab".repeat(32),
        classes: vec!["cats".to_owned(), "dogs".to_owned()],
        preprocessing: serde_json::json!({"size": 224, "crop": "center", "mean": [0.485, 0.456, 0.406]}),
        dim,
        dtype: "f32".to_owned(),
        pool: pipeline_table::features::USUAL_POOL.to_owned(),
        logits: 0,
    }
}

pub(crate) fn feature_row(id: &str, split: Split, view: u32) -> FeatureRow {
    let labelled = split != Split::Test;
    FeatureRow {
        id: id.to_owned(),
        split,
        label: labelled.then(|| if id.len().is_multiple_of(3) { "cats" } else { "dogs" }.to_owned()),
        label_id: labelled.then(|| u32::from(!id.len().is_multiple_of(3))),
        view,
    }
}

/// `n` rows of `dim` numbers, no two alike; splits in runs of 100, 7 and 3.
pub(crate) fn features(n: usize, dim: usize) -> Features {
    let split = |row: usize| match row % 110 {
        0..100 => Split::Train,
        100..107 => Split::Valid,
        _ => Split::Test,
    };
    let rows = (0..n).map(|row| feature_row(&format!("{row:08}é.jpg"), split(row), 0)).collect();
    let emb = (0..n * dim).map(|place| (place as f32 * 0.37).sin() * 3.0).collect();
    Features { dim, rows, emb }
}

pub(crate) fn write_features(dir: &Path, features: &Features) -> Result<()> {
    let mut writer = FeaturesWriter::create(dir, meta(features.dim))?;
    for (row, emb) in features.rows.iter().zip(features.emb.chunks_exact(features.dim)) {
        writer.write(row, emb)?;
    }
    writer.finish()
}

pub(crate) fn read_features(dir: &Path, batch_rows: usize) -> Result<Features> {
    let reader = FeaturesReader::open(dir)?;
    let mut all = Features { dim: reader.meta().dim, rows: Vec::new(), emb: Vec::new() };
    for batch in reader.batches(batch_rows) {
        let batch = batch?;
        assert!((1..=batch_rows).contains(&batch.rows.len()), "{} rows in a batch", batch.rows.len());
        all.rows.extend(batch.rows);
        all.emb.extend(batch.emb);
    }
    Ok(all)
}

pub(crate) fn image_row(id: &str, verdict: Verdict) -> ImageRow {
    let good = verdict != Verdict::Bad;
    ImageRow {
        id: id.to_owned(),
        split: Split::Valid,
        label: Some("dogs".to_owned()),
        label_id: Some(1),
        width: good.then_some(640),
        height: good.then_some(427),
        format: good.then(|| "jpeg".to_owned()),
        orientation: good.then_some(6),
        bytes: 1 << 33,
        digest: "0f".repeat(32),
        appearance: good.then_some(Appearance {
            phash: Some(0x0123_4567_89ab_cdef),
            mean: [127.25, 0.0, 255.0],
            is_grey: false,
        }),
        verdict,
        reason: (verdict != Verdict::Ok).then(|| "truncated".to_owned()),
    }
}

pub(crate) fn write_images(path: &Path, rows: &[ImageRow]) -> Result<()> {
    let mut writer = ImagesWriter::create(path)?;
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.finish()
}

pub(crate) fn classes() -> Vec<String> {
    ["cats", "dogs", "über \"große\" Tiere"].map(str::to_owned).to_vec()
}

pub(crate) fn prediction_row(id: &str, model: &str, mode: Mode, probs: [f32; 3]) -> PredictionRow {
    let best = if probs[0] >= probs[1].max(probs[2]) { 0 } else { 1 + usize::from(probs[2] > probs[1]) };
    PredictionRow {
        id: id.to_owned(),
        split: Split::Valid,
        label: Some("dogs".to_owned()),
        label_id: Some(1),
        model: model.to_owned(),
        mode,
        predicted: classes()[best].clone(),
        predicted_id: best as u32,
        confidence: probs[best],
        loss: Some(-probs[1].ln()),
        probs: probs.to_vec(),
        view_probs: None,
    }
}

pub(crate) fn write_predictions(path: &Path, rows: &[PredictionRow]) -> Result<()> {
    let has_view_probs = rows.iter().any(|row| row.view_probs.is_some());
    let mut writer = if has_view_probs {
        PredictionsWriter::create_with_view_probs(path, &classes())?
    } else {
        PredictionsWriter::create(path, &classes())?
    };
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.finish()
}

pub(crate) fn history_row(epoch: u32, groups: usize) -> HistoryRow {
    HistoryRow {
        stage: "head".to_owned(),
        phase: "valid".to_owned(),
        epoch,
        step: u64::from(epoch) * 63,
        lr: (0..groups).map(|group| 1e-4 * 10_f64.powi(group as i32)).collect(),
        train_loss: 0.7 / f64::from(epoch),
        valid_loss: (epoch > 1).then_some(0.0625),
        accuracy: (epoch > 1).then(|| 1.0 - 0.1 / f64::from(epoch)),
        seconds: f64::from(epoch) * 1.5,
    }
}

pub(crate) fn write_history(path: &Path, rows: &[HistoryRow]) -> Result<()> {
    let mut writer = HistoryWriter::create(path)?;
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.finish()
}

/// A curve that falls and rises again.
pub(crate) fn curve(steps: u64) -> Vec<CurveRow> {
    let row = |step| {
        let part = step as f64 / steps as f64;
        let loss = 1.0 + (part - 0.7).powi(2) / 3.0;
        CurveRow { step, lr: 1e-5 * 1e6_f64.powf(part), loss, smoothed: loss + 0.125 }
    };
    (0..steps).map(row).collect()
}

pub(crate) fn write_curve(path: &Path, rows: &[CurveRow]) -> Result<()> {
    let mut writer = CurveWriter::create(path)?;
    rows.iter().try_for_each(|row| writer.write(*row))?;
    writer.finish()
}

/// The policy of [`views`], which draws `scale` and `flip`.
pub(crate) fn view_policy() -> serde_json::Value {
    serde_json::json!({"border": "reflect", "steps": [{"scale": {"max": 1.1}}, {"flip": {"p": 0.5}}]})
}

/// `n` rows, three views of a photo.
pub(crate) fn views(n: usize) -> Vec<ViewRow> {
    let row = |row: usize| {
        let scale = if row.is_multiple_of(3) { 1.0 } else { 1.0 + row as f32 / 10_000.0 };
        ViewRow {
            id: format!("{:06}é.jpg", row / 3),
            view: row as u32 % 3,
            numbers: vec![scale, (row % 3 / 2) as f32],
        }
    };
    (0..n).map(row).collect()
}

pub(crate) fn write_views(path: &Path, rows: &[ViewRow]) -> Result<()> {
    let numbers = ["scale".to_owned(), "flip".to_owned()];
    let mut writer = ViewsWriter::create(path, Some(&view_policy()), &numbers)?;
    rows.iter().try_for_each(|row| writer.write(row.clone()))?;
    writer.finish()
}
