//! The learning-rate finder, alone and as part of a training.

use pipeline_head::HeadLrFind;
use pipeline_table::CurveReader;
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::{Inputs, features, history, matching};

#[test]
fn the_finder_leaves_curve_picture_and_suggestions_and_training_takes_the_one_it_is_told() {
    let bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    let params = json!({"batch_size": 16});
    let made = inputs.run(&bench, &HeadLrFind, &params).unwrap();
    let suggestions: Value =
        serde_json::from_str(&fs_err::read_to_string(made.artifact.path("suggestions.json")).unwrap())
            .unwrap();
    let curve: Vec<_> =
        CurveReader::open(&made.artifact.path("lr_curve.parquet")).unwrap().map(Result::unwrap).collect();
    assert!(curve[0].lr == 1e-5 && (20..=50).contains(&curve.len()), "{curve:?}");
    assert!(fs_err::read(made.artifact.path("lr_find.png")).unwrap().starts_with(b"\x89PNG\r\n"));
    assert!(fs_err::read(made.artifact.path("lr_find.svg")).unwrap().starts_with(b"<svg"));
    for name in ["valley", "slide", "minimum", "steep"] {
        let suggested = &suggestions[name];
        let text = made.summary.text.as_ref().unwrap();
        assert!(text.contains(name), "{text}");
        let params = json!({"batch_size": 16, "lr": {"find": name}});
        match suggested["lr"].as_f64() {
            Some(rate) => {
                let history = history(&inputs.train(&bench, &params));
                assert!(history.iter().all(|row| row.lr == [rate]), "{name}: {suggested}, {history:?}");
            }
            None => {
                let why = suggested["why"].as_str().unwrap();
                let (message, _) = inputs.fail(&bench, &params);
                assert!(message.ends_with(why), "{message}, expected {why}");
            }
        }
    }
    assert!(suggestions["valley"]["lr"].is_number(), "{suggestions}");
}

#[test]
fn training_at_the_found_rate_is_training_at_that_rate() {
    let bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    let found = inputs.train(&bench, &json!({"batch_size": 16, "lr": {"find": "valley"}}));
    let rate = history(&found)[0].lr.clone();
    let given = inputs.train(&bench, &json!({"batch_size": 16, "lr": rate}));
    assert_eq!(found.artifact.files["head.safetensors"], given.artifact.files["head.safetensors"]);
}

#[test]
fn a_finder_without_a_rate_fails_the_training_with_the_way_out_and_is_no_failure_alone() {
    let bench = StageBench::default();
    // The sum of so large a feature is no number of float32, nor is any loss: there is no curve.
    let inputs = Inputs::new(&bench, features(bench.dir(), 50, 20, 3e38, &matching()));
    let params = json!({"lr": {"find": "valley"}});
    let (message, hint) = inputs.fail(&bench, &params);
    let expected = "cannot suggest a learning rate: found 0 usable points";
    assert!(message.starts_with(expected) && message.ends_with(", by `valley`"), "{message}");
    assert_eq!(hint, "look at the curve with `pipeline lr-find`, and give a number as `lr`");
    let made = inputs.run(&bench, &HeadLrFind, &params).unwrap();
    assert_eq!(made.summary.line, "the curve suggests no rate");
}
