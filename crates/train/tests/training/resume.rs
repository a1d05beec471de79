//! A training that was stopped anywhere ends as one that was not, to the bit.

use pipeline_fit::Recipe;
use pipeline_stage::{Cancel, CheckpointEvery, Event, Failure};
use pipeline_table::HistoryRow;
use serde_json::{Value, json};

use crate::{Bench, Numbers, Quadratic, recipe};

fn data() -> Numbers {
    Numbers::new(&[1.0, 2.0, 4.0, 9.0, 3.0, 5.0, -2.0], &[&[4.0, 3.5], &[2.0]])
}

/// What a training leaves, times left out.
fn left(net: &Quadratic, history: Vec<HistoryRow>) -> ([f64; 3], Vec<HistoryRow>) {
    (net.numbers(), history.into_iter().map(|row| HistoryRow { seconds: 0.0, ..row }).collect())
}

fn undisturbed(recipe: &Recipe) -> ([f64; 3], Vec<HistoryRow>) {
    let net = Quadratic::new(0.25, 0.75);
    let trained = Bench::new().fit(recipe, &net, &data()).unwrap();
    left(&net, trained.history)
}

/// Trains, told to stop whenever so many photos are done, each time in a new process: with a fresh network.
fn stopped(recipe: &Recipe, every: CheckpointEvery, stops: &[u64]) -> ([f64; 3], Vec<HistoryRow>) {
    let mut bench = Bench::new();
    bench.every = every;
    for stop in stops {
        (bench.stop_after, bench.cancel) = (Some((*stop, "photos")), Cancel::default());
        let failure = bench.fit(recipe, &Quadratic::new(0.25, 0.75), &data()).unwrap_err();
        assert!(matches!(failure, Failure::Cancelled), "{failure}");
    }
    (bench.stop_after, bench.cancel) = (None, Cancel::default());
    let net = Quadratic::new(0.25, 0.75);
    let trained = bench.fit(recipe, &net, &data()).unwrap();
    left(&net, trained.history)
}

/// Four epochs, of 7 photos in batches of 2, 2 and 3.
fn recipes() -> Vec<Value> {
    let mut all = vec![
        json!({"momentum": 0.9}),
        json!({"accumulate": 2, "momentum": 0.9, "clip": 3.0}),
        json!({"optimizer": "adamw", "ema": 0.9, "weight_decay": 0.1}),
        json!({"keep": "best", "lr": 0.6}),
        json!({"keep": "best", "lr": 0.6, "early_stopping": 2, "ema": 0.2}),
        json!({"lr": {"find": "minimum"}, "momentum": 0.9}),
        json!({"sampler": "balanced", "schedule": "one_cycle"}),
    ];
    for recipe in &mut all {
        recipe["epochs"] = json!(4);
        recipe["batch_size"] = json!(2);
    }
    all
}

#[test]
fn stopped_after_any_step_it_ends_with_the_same_bits() {
    for written in recipes() {
        let recipe = recipe(written.clone());
        let expected = undisturbed(&recipe);
        let ends = expected.1.last().unwrap().epoch as u64 * 7;
        // Photos after each batch of the training; where steps are of two it stops at the next step's end.
        let batches = (0..).flat_map(|epoch| [2, 4, 7].map(|photos| 7 * epoch + photos));
        for stop in batches.take_while(|photos| *photos < ends) {
            let found = stopped(&recipe, CheckpointEvery::default(), &[stop]);
            assert_eq!(found, expected, "{written} stopped after {stop} photos");
        }
    }
}

#[test]
fn stopped_again_and_again_with_checkpoints_of_any_rhythm_it_ends_with_the_same_bits() {
    for written in recipes() {
        let recipe = recipe(written.clone());
        let expected = undisturbed(&recipe);
        for every in [CheckpointEvery::Steps(1), CheckpointEvery::Steps(3), CheckpointEvery::Seconds(1e-9)] {
            // At the first step, within the first epoch, at its last step, and in the second and third.
            let found = stopped(&recipe, every, &[2, 4, 7, 9, 11, 16]);
            assert_eq!(found, expected, "{written}, a checkpoint every {every}");
        }
    }
}

#[test]
fn what_was_done_of_a_step_when_it_stopped_is_done_again() {
    let recipe = recipe(json!({"epochs": 4, "batch_size": 2, "accumulate": 3, "momentum": 0.9}));
    let expected = undisturbed(&recipe);
    for every in [CheckpointEvery::Steps(1), CheckpointEvery::default()] {
        let mut bench = Bench::new();
        bench.every = every;
        // In the first, second and third epoch, each one step, after one batch or two of three.
        for stop in [2, 11, 16] {
            bench.cancel = Cancel::default();
            let data = Numbers { stop: Some((stop, bench.cancel.clone())), ..data() };
            let failure = bench.fit(&recipe, &Quadratic::new(0.25, 0.75), &data).unwrap_err();
            assert!(matches!(failure, Failure::Cancelled), "{failure}");
        }
        bench.cancel = Cancel::default();
        let net = Quadratic::new(0.25, 0.75);
        let trained = bench.fit(&recipe, &net, &data()).unwrap();
        assert_eq!(left(&net, trained.history), expected, "a checkpoint every {every}");
    }
}

#[test]
fn told_to_stop_while_it_measures_it_stops_at_once_and_measures_again() {
    for written in [json!({"ema": 0.9, "keep": "best", "lr": 0.6}), json!({"momentum": 0.9})] {
        let recipe = recipe(written);
        let expected = undisturbed(&recipe);
        let mut bench = Bench::new();
        let data_that_stops = Numbers { stop_measuring: Some(bench.cancel.clone()), ..data() };
        let failure = bench.fit(&recipe, &Quadratic::new(0.25, 0.75), &data_that_stops).unwrap_err();
        assert!(matches!(failure, Failure::Cancelled), "{failure}");
        let done = bench.events.lock().unwrap().iter().rev().find_map(|event| match event {
            Event::Done(done) => Some(*done),
            _ => None,
        });
        assert_eq!(done, Some(7), "photos of the first epoch alone");
        bench.cancel = Cancel::default();
        let net = Quadratic::new(0.25, 0.75);
        let trained = bench.fit(&recipe, &net, &data()).unwrap();
        assert_eq!(left(&net, trained.history), expected);
        assert!(
            bench.said().iter().any(|text| text.starts_with("goes on after step 1 of 2,")),
            "{:?}",
            bench.said()
        );
    }
}
