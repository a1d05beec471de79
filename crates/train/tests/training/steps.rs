//! What one optimiser step does, and what an epoch shows.

use pipeline_fit::Recipe;
use pipeline_stage::random::{Stream, below};
use pipeline_table::history::TRAIN_PHASE;
use serde_json::json;

use crate::{Bench, Numbers, Quadratic, assert_near, recipe, train};

/// Mean 4, so that the gradient at a + b = 1 is 2 (1 - 4) = -6.
const NUMBERS: [f32; 4] = [1.0, 2.0, 4.0, 9.0];

/// Train losses of the steps, as averaged.
fn train_losses(recipe: &Recipe, data: &Numbers) -> Vec<f64> {
    let (_, trained) = train(recipe, data);
    trained.history.iter().filter(|row| row.phase == TRAIN_PHASE).map(|row| row.train_loss).collect()
}

#[test]
fn a_step_moves_each_layer_group_by_its_own_rate_and_momentum_carries_it_on() {
    let data = Numbers::new(&NUMBERS, &[]);
    let one = recipe(json!({"lr": [0.1, 0.01], "epochs": 1, "momentum": 0.9}));
    // By hand: a = .25 + .6, b = .75 + .06.
    assert_near(&train(&one, &data).0.numbers(), &[0.85, 0.81, 4.0]);
    // The second gradient is 2 (1.66 - 4) = -4.68, the velocity -.9 · 6 - 4.68 = -10.08.
    let two = recipe(json!({"lr": [0.1, 0.01], "epochs": 2, "momentum": 0.9}));
    assert_near(&train(&two, &data).0.numbers(), &[1.858, 0.9108, 8.0]);
    // Losses before each step: (0 + 1 + 9 + 64) / 4 = 18.5, then ((.66² + .34² + 2.34² + 7.34²) / 4 = 14.9756; the
    // average is (.98 · .02 · 18.5 + .02 · 14.9756) / (1 - .98²).
    let averaged = (0.0196 * 18.5 + 0.02 * 14.9756) / 0.0396;
    assert_near(&train_losses(&two, &data), &[18.5, averaged]);
}

#[test]
fn weight_decay_pulls_each_group_by_its_own() {
    let data = Numbers::new(&NUMBERS, &[]);
    let decayed = recipe(json!({"epochs": 1, "weight_decay": [0.4, 0.8]}));
    // By hand: gradients -6 + .4 · .25 = -5.9 and -6 + .8 · .75 = -5.4, at a rate of .1.
    assert_near(&train(&decayed, &data).0.numbers(), &[0.84, 1.29, 4.0]);
}

#[test]
fn adamw_moves_both_by_the_rate_at_first_whatever_the_gradient() {
    let data = Numbers::new(&NUMBERS, &[]);
    let adamw = recipe(json!({"epochs": 1, "optimizer": "adamw", "lr": [0.1, 0.01], "momentum": 0.9}));
    // By hand: m / sqrt(s) = -6 / 6 once the biases are taken out.
    assert_near(&train(&adamw, &data).0.numbers(), &[0.35, 0.76, 4.0]);
}

#[test]
fn clip_scales_the_gradient_of_all_groups_together() {
    let data = Numbers::new(&NUMBERS, &[]);
    // By hand: the gradient (-6, -6) has the norm 6 sqrt(2), so it becomes (-1, -1) / sqrt(2).
    let moved = 0.1 / 2_f64.sqrt();
    let clipped = recipe(json!({"epochs": 1, "clip": 1.0}));
    assert_near(&train(&clipped, &data).0.numbers(), &[0.25 + moved, 0.75 + moved, 4.0]);
    // A shorter one stays as it is.
    let roomy = recipe(json!({"epochs": 1, "clip": 8.5}));
    assert_near(&train(&roomy, &data).0.numbers(), &[0.85, 1.35, 4.0]);
}

#[test]
fn accumulated_batches_are_one_big_batch_each_photo_alike() {
    let data = Numbers::new(&[1.0, 2.0, 4.0, 9.0, -3.0, 0.5, 11.0], &[]);
    let rows = |more: serde_json::Value| {
        let (net, trained) = train(&recipe(more), &data);
        let losses: Vec<f64> = trained.history.iter().map(|row| row.train_loss).collect();
        (net.numbers().to_vec(), losses)
    };
    // Batches of 3 and 4 photos: the one that is left over joins the second.
    let (parts, losses) = rows(json!({"epochs": 3, "batch_size": 3, "accumulate": 2, "momentum": 0.9}));
    let (whole, expected) = rows(json!({"epochs": 3, "batch_size": 7, "momentum": 0.9}));
    assert_near(&parts, &whole);
    assert_near(&losses, &expected);
    // More than an epoch has: an epoch's end ends the step.
    let (more, _) = rows(json!({"epochs": 3, "batch_size": 3, "accumulate": 9, "momentum": 0.9}));
    assert_near(&more, &whole);
    // Of three batches, two and one: two steps an epoch.
    let (_, trained) = train(&recipe(json!({"epochs": 2, "batch_size": 2, "accumulate": 2})), &data);
    let steps: Vec<(u32, u64, &str)> =
        trained.history.iter().map(|row| (row.epoch, row.step, row.phase.as_str())).collect();
    let expected = [
        (1, 1, "train"),
        (1, 2, "train"),
        (1, 2, "valid"),
        (2, 3, "train"),
        (2, 4, "train"),
        (2, 4, "valid"),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn each_step_has_the_rate_of_the_schedule_in_every_group() {
    let data = Numbers::new(&NUMBERS, &[]);
    for written in [
        json!({"epochs": 3, "batch_size": 2, "schedule": "cosine"}),
        json!({"epochs": 3, "batch_size": 2, "schedule": "one_cycle", "warmup_steps": 3}),
        json!({"cycles": 2, "cycle_len": 1, "cycle_mult": 2, "batch_size": 2}),
    ] {
        let mut written = written;
        written["lr"] = json!([0.01, 0.001]);
        let recipe = recipe(written);
        let (_, trained) = train(&recipe, &data);
        let schedule = recipe.schedule(2);
        let of_steps: Vec<_> = trained.history.iter().filter(|row| row.phase == TRAIN_PHASE).collect();
        assert_eq!(of_steps.len(), 6);
        for (at, row) in of_steps.iter().enumerate() {
            assert_eq!(row.lr, schedule.rates(&[0.01, 0.001], at as u64), "step {at}");
        }
    }
}

#[test]
fn an_epoch_shows_each_photo_once_in_another_order_and_a_balanced_one_classes_alike() {
    let mut data = Numbers::new(&[0.5; 100], &[&[0.5]]);
    train(&recipe(json!({"batch_size": 30})), &data);
    let orders = data.orders.take();
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
    assert_ne!(orders[0], orders[1]);

    // 90 of class 0 and 10 of class 1: the share of class 1 in 10 epochs of 100 draws has a deviation of .016.
    data.labels.iter_mut().skip(90).for_each(|label| *label = 1);
    data.classes = 2;
    train(&recipe(json!({"epochs": 10, "sampler": "balanced"})), &data);
    let orders = data.orders.take();
    let rare = orders.iter().flatten().filter(|photo| **photo >= 90).count();
    assert!((440..=560).contains(&rare), "{rare} of 1000");
    assert!(orders.iter().all(|order| order.len() == 100));
}

#[test]
fn too_few_photos_are_refused_with_the_way_out() {
    let message = |data: &Numbers| {
        let failure = Bench::new().fit(&recipe(json!({})), &Quadratic::new(0.0, 0.0), data).unwrap_err();
        failure.to_string()
    };
    assert_eq!(message(&Numbers::new(&[1.0], &[])), "expected at least 2 photos to train on, found 1");
    let mut data = Numbers::new(&NUMBERS, &[]);
    data.classes = 5;
    let text = "expected at least one photo to train on for each class, found 4 photos for 5 classes";
    assert_eq!(message(&data), text);
}

#[test]
fn each_batch_of_the_fit_draws_its_masks_from_a_stream_of_its_own_number() {
    let data = Numbers::new(&[0.5; 6], &[]);
    let of_batch = |number| {
        let stream = Stream { seed: 42, purpose: "dropout", epoch: number, ..Stream::default() };
        below(u64::MAX, &mut stream.start())
    };
    // Three batches an epoch, two of them in the first step.
    let (net, _) = train(&recipe(json!({"epochs": 2, "batch_size": 2, "accumulate": 2})), &data);
    assert_eq!(*net.draws.borrow(), (0..6).map(of_batch).collect::<Vec<_>>());
}
