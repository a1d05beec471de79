//! What is measured, when training stops, which weights are published.

use pipeline_fit::Recipe;
use pipeline_nn::weights;
use pipeline_stage::{CheckpointEvery, Failure};
use pipeline_table::history::VALID_PHASE;
use pipeline_train::Trained;
use serde_json::json;

use crate::{Bench, Numbers, Quadratic, assert_near, recipe, train};

/// Mean 4 again, measured at 4 too, so that (a + b - 4)² is what training leaves.
fn data() -> Numbers {
    Numbers::new(&[1.0, 2.0, 4.0, 9.0], &[&[4.0]])
}

/// Each step takes a + b - 4 times 1 - 4 · .52 = -1.08: from -3 to 3.24, then -3.4992, ...
fn diverging(more: serde_json::Value) -> Recipe {
    let mut written = json!({"lr": 0.52, "epochs": 6});
    written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    recipe(written)
}

fn valid_losses(trained: &Trained) -> Vec<f64> {
    trained.history.iter().filter(|row| row.phase == VALID_PHASE).filter_map(|row| row.valid_loss).collect()
}

#[test]
fn the_valid_loss_is_a_mean_over_photos_not_over_batches() {
    let data = Numbers::new(&[1.0, 2.0, 4.0, 9.0], &[&[10.0], &[1.0, 2.0, 3.0]]);
    let (net, trained) = train(&recipe(json!({"epochs": 1})), &data);
    // By hand: a + b = 2.2 after the step; (7.8² + 1.2² + .2² + .8²) / 4.
    assert_near(&net.numbers()[..2], &[0.85, 1.35]);
    assert_near(&valid_losses(&trained), &[15.74]);
    assert_eq!(trained.published.unwrap().accuracy, Some(1.0));
}

#[test]
fn training_stops_after_so_many_epochs_that_are_no_better_and_says_so() {
    for patience in [1, 3] {
        let bench = Bench::new();
        let net = Quadratic::new(0.25, 0.75);
        let recipe = diverging(json!({"early_stopping": patience}));
        let trained = bench.fit(&recipe, &net, &data()).unwrap();
        let losses = valid_losses(&trained);
        assert_eq!(losses.len(), 1 + patience, "{losses:?}");
        let note = format!("stopped early: the valid loss has not fallen for {patience} epochs");
        assert!(bench.said().contains(&note), "{:?}", bench.said());
    }
}

#[test]
fn the_best_epochs_weights_are_published_or_the_lasts() {
    let run = |more| train(&diverging(more), &data());
    let (net, trained) = run(json!({"keep": "best"}));
    let sum = |net: &Quadratic| net.numbers()[0] + net.numbers()[1];
    // By hand: 4 + 3.24 after the first epoch, whose 4 photos were seen; 4 - 3 · 1.08⁶ in the end.
    assert_near(&[sum(&net), net.numbers()[2]], &[7.24, 4.0]);
    assert_eq!(trained.published.unwrap().epoch, 1);
    assert_near(&valid_losses(&Trained { published: None, ..run(json!({})).1 })[..1], &[10.4976]);
    let (net, trained) = run(json!({}));
    assert_near(&[sum(&net), net.numbers()[2]], &[4.0 - 3.0 * 1.08_f64.powi(6), 24.0]);
    assert_eq!(trained.published.unwrap().epoch, 6);
}

#[test]
fn without_photos_to_measure_on_the_last_weights_are_published_and_what_needs_them_is_refused() {
    let data = Numbers::new(&[1.0, 2.0, 4.0, 9.0], &[]);
    for needs in [json!({"keep": "best"}), json!({"early_stopping": 1})] {
        let failure =
            Bench::new().fit(&diverging(needs), &Quadratic::new(0.25, 0.75), &data).map(drop).unwrap_err();
        let expected =
            "`keep: best` and `early_stopping` need photos to measure on, found no labelled valid photo";
        assert_eq!(failure.to_string(), expected);
    }
    let (net, trained) = train(&diverging(json!({})), &data);
    assert_eq!(net.numbers()[2], 24.0);
    let published = trained.published.unwrap();
    assert_eq!((published.epoch, published.valid_loss, published.accuracy), (6, None, None));
}

#[test]
fn moving_averages_are_measured_and_published_while_training_goes_on_with_the_weights() {
    // By hand, decay min(.5, (1 + t) / (10 + t)): weights a + b 1, 2.2, 2.92 (each step takes the distance to 4 times
    // .6), averages 2/11 · 1 + 9/11 · 2.2 and then 3/12 of that + 9/12 · 2.92.
    let first = 2.0 / 11.0 + 9.0 / 11.0 * 2.2;
    let second = 0.25 * first + 0.75 * 2.92;
    let (net, trained) = train(&recipe(json!({"ema": 0.5})), &data());
    assert_near(&[net.numbers()[0] + net.numbers()[1]], &[second]);
    assert_near(&valid_losses(&trained), &[(first - 4.0).powi(2), (second - 4.0).powi(2)]);
}

#[test]
fn a_loss_that_is_no_number_names_step_and_rates_and_a_checkpoint_that_is_good() {
    // By hand: each gradient is 2 (1 - 4) = -6 at first, so the first step takes b to 6e38, beyond float32; at 1e20 to
    // 6e20, which is a number, but not its square.
    let data = Numbers::new(&[4.0; 4], &[&[4.0]]);
    for lr in [1e38, 1e20] {
        let mut bench = Bench::new();
        bench.every = CheckpointEvery::Steps(1);
        let recipe = recipe(json!({"lr": [0.1, lr], "batch_size": 2}));
        let failure = bench.fit(&recipe, &Quadratic::new(0.25, 0.75), &data).unwrap_err();
        let Failure::Failed { message, hint, .. } = failure else { panic!("{failure}") };
        let at = format!(" in epoch 1, step 2, at learning rate [0.1, {lr:?}]");
        assert!(message.starts_with("the loss became ") && message.ends_with(&at), "{message}");
        let hint = hint.unwrap();
        assert!(hint.starts_with("try a lower rate: the lesson's is 0.01, or `clip: 1.0`"), "{hint}");
        let path = bench.partial().join("checkpoint.safetensors");
        assert_eq!(path.exists(), hint.contains("; the last good weights are in `"), "{lr:e}: {hint}");
        if path.exists() {
            let kept = weights::read(&path).unwrap();
            let numbers = ["net/a", "net/b"].map(|name| kept.get(name).unwrap().double_value(&[0]));
            assert!(numbers.iter().all(|number| number.is_finite()), "at {lr:e}: {numbers:?}");
        }
    }
}
