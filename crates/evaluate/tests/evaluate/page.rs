//! `report.html`: what of the inputs is on it. How it looks is tested in `report`.

use std::time::Instant;

use pipeline_evaluate::Evaluate;
use pipeline_testkit::{Made, StageBench};
use serde_json::json;

use crate::fixtures::{features, images, images_of, model, predictions};

fn page(made: &Made) -> String {
    fs_err::read_to_string(made.artifact.path("report.html")).unwrap()
}

#[test]
fn charts_of_a_training_and_what_ingest_found_are_on_the_page_where_they_are_there() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 6), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let run = || page(&bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap());
    let findings = json!({
        "photos": {"valid": {"cats": 2, "dogs": 2}}, "verdicts": {"bad": 1},
        "set_aside": [{"id": "valid/002.png", "reason": "truncated"}],
    });
    // In base64.
    let charts = [("lr.png", "rates", "cmF0ZXM="), ("loss.png", "losses", "bG9zc2Vz")];
    let found = ["valid: 4 photos (2 cats, 2 dogs).", "1 file set aside: 1 truncated; valid"];

    let without = run();
    assert!(without.contains("pipeline: again") && without.contains("finetune"));
    fs_err::write(images.path("ingest.json"), findings.to_string()).unwrap();
    for (file, bytes, _) in charts {
        fs_err::write(model.path(file), bytes).unwrap();
    }
    let with = run();
    for part in charts.map(|(_, _, base64)| base64).into_iter().chain(found) {
        assert!(with.contains(part) && !without.contains(part), "{part}");
    }
}

#[test]
fn the_page_shows_every_photo_with_its_name_and_both_modes() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 6), model(bench.dir(), "finetune", 1, 1, 36));
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let made = bench.run(&Evaluate, &json!({"tta": "flip"}), &inputs, &[]).unwrap();
    let page = page(&made);
    for row in predictions(&made) {
        let name = row.id.rsplit('/').next().unwrap().to_owned();
        assert!(page.contains(&name), "{name}");
    }
    assert!(page.contains("mean of plain and mirrored"));
    let sheets = made.artifact.files.keys().filter(|file| file.starts_with("sheets/")).count();
    assert!(sheets > 2, "{:?}", made.artifact.files);
}

#[test]
fn findings_that_cannot_be_read_name_their_file() {
    let bench = StageBench::default();
    let (images, model) = (images(bench.dir(), 4), model(bench.dir(), "finetune", 1, 1, 36));
    fs_err::write(images.path("ingest.json"), "{").unwrap();
    let inputs = [("images", vec![&images]), ("models", vec![&model])];
    let message = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap_err().to_string();
    assert!(message.starts_with("cannot read what ingest found, "), "{message}");
    assert!(message.contains("ingest/ingest.json: EOF while parsing"), "{message}");
}

#[test]
fn a_page_of_1000_photos_and_3_models_is_made_in_time_and_shows_each_of_them_in_5_mb() {
    let bench = StageBench::default();
    let images = images_of(bench.dir(), 1000, |i| [240 + i % 7, 180 + i % 5]);
    let models = [1, 2, 3].map(|head| model(bench.dir(), &format!("head-{head}"), 1, head, 64));
    // By the photo's number; three classes lie apart.
    let emb = |photo: usize| {
        (0..2560).map(|k| ((photo % 3 * k) as f32).sin() + ((photo * k) as f32).cos()).collect()
    };
    let features = features(bench.dir(), &models[0], &images, Some(emb));
    let inputs =
        [("features", vec![&features]), ("images", vec![&images]), ("models", models.iter().collect())];
    let start = Instant::now();
    let made = bench.run(&Evaluate, &json!({}), &inputs, &[]).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let page = page(&made);
    eprintln!("evaluate of 1,000 photos and 3 models: {seconds:.1} s, {} bytes", page.len());
    // 20 seconds are for a machine that does nothing else; here other tests run beside it.
    let most = if std::env::var_os("PIPELINE_NIGHTLY").is_some() { 20.0 } else { 60.0 };
    assert!(seconds < most, "{seconds} s");
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("\"valid/999.png\""), "the last is listed");
    assert!(!page.contains("no small picture"), "some photo has no thumbnail");
    assert!(page.contains("efficientnet_lite0 as pretrained"), "whose features neighbours are nearest by");
}
