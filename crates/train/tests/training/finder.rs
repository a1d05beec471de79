//! The learning-rate finder, and that it leaves nothing behind.

use pipeline_fit::{Suggestion, spread};
use pipeline_stage::Failure;
use pipeline_train::find;
use serde_json::json;

use crate::{Bench, Numbers, Quadratic, assert_near, recipe};

fn data() -> Numbers {
    Numbers::new(&[1.0, 2.0, 4.0, 9.0, 3.0, 5.0], &[&[4.0]])
}

#[test]
fn rates_grow_from_step_to_step_past_the_epochs_end_until_the_loss_explodes() {
    let bench = Bench::new();
    let recipe = recipe(json!({"batch_size": 3, "momentum": 0.9}));
    let curve = bench.with(|cx| find(&recipe, &Quadratic::new(0.25, 0.75), &data(), cx)).unwrap();
    let points = curve.points();
    // Two batches an epoch; at least 50 steps were to be made: 1e-5 · 10^(6 k / 50).
    for point in points {
        let rate = 1e-5 * 10_f64.powf(6.0 * point.step as f64 / 50.0);
        assert!((point.lr / rate - 1.0).abs() < 1e-9, "{point:?}, expected a rate of {rate}");
    }
    assert!(curve.diverged() && (20..50).contains(&points.len()), "{points:?}");
}

#[test]
fn the_last_group_has_the_rate_and_the_one_before_a_tenth() {
    // By hand, the first step at 1e-5 and the one before at 1e-6; both gradients are 2 (0 - 4) = -8.
    let net = Quadratic::new(0.0, 0.0);
    let data = Numbers::new(&[4.0; 2], &[]);
    let recipe = recipe(json!({}));
    let curve = Bench::new().with(|cx| find(&recipe, &net, &data, cx)).unwrap();
    let [first, second] = [0, 1].map(|at| curve.points()[at].loss);
    // The loss is 16 and then (4 - 8 · 1.1e-5)².
    assert!((first - second - 8.0 * 8.0 * 1.1e-5).abs() < 3e-6, "{first}, {second}");
}

#[test]
fn the_network_is_as_before_and_later_training_is_that_without_a_finder() {
    let data = data();
    let recipe = recipe(json!({"batch_size": 3, "momentum": 0.9, "weight_decay": 0.1, "epochs": 3}));
    let (plain, found) = (Quadratic::new(0.25, 0.75), Quadratic::new(0.25, 0.75));
    Bench::new().with(|cx| find(&recipe, &found, &data, cx)).unwrap();
    assert_eq!(found.numbers(), [0.25, 0.75, 0.0], "weights, and photos seen");
    let rows = |net: &Quadratic| {
        let trained = Bench::new().fit(&recipe, net, &data).unwrap();
        trained.history.iter().map(|row| (row.train_loss, row.valid_loss)).collect::<Vec<_>>()
    };
    assert_eq!(rows(&plain), rows(&found));
    assert_eq!(plain.numbers(), found.numbers(), "to the bit");
}

#[test]
fn a_finder_that_is_stopped_puts_the_network_back_too() {
    let mut bench = Bench::new();
    bench.stop_after = Some((30, "steps"));
    let net = Quadratic::new(0.25, 0.75);
    let recipe = recipe(json!({}));
    let stopped = bench.with(|cx| find(&recipe, &net, &data(), cx)).unwrap_err();
    assert!(matches!(stopped, Failure::Cancelled), "{stopped}");
    assert_eq!(net.numbers(), [0.25, 0.75, 0.0]);
}

#[test]
fn a_recipe_that_asks_for_it_trains_at_the_suggested_rates_and_says_which() {
    let data = data();
    let bench = Bench::new();
    let found = recipe(json!({"lr": {"find": "minimum"}, "momentum": 0.9}));
    let curve = bench.with(|cx| find(&found, &Quadratic::new(0.25, 0.75), &data, cx)).unwrap();
    let rate = Suggestion::Minimum.suggest(&curve).unwrap();
    let by_finder = Quadratic::new(0.25, 0.75);
    let trained = bench.fit(&found, &by_finder, &data).unwrap();
    assert!(trained.history.iter().all(|row| row.lr == spread(rate, 2)), "{:?}", trained.history);
    assert!(
        bench.said().contains(&format!("the learning-rate finder suggests {rate:.2e}")),
        "{:?}",
        bench.said()
    );
    let by_hand = Quadratic::new(0.25, 0.75);
    let given = recipe(json!({"lr": spread(rate, 2), "momentum": 0.9}));
    Bench::new().fit(&given, &by_hand, &data).unwrap();
    assert_near(&by_finder.numbers(), &by_hand.numbers());
}

#[test]
fn a_curve_that_suggests_nothing_fails_with_the_way_out() {
    // Nothing to learn: a + b is where all numbers are, so the loss never falls.
    let data = Numbers::new(&[1.0; 4], &[]);
    let recipe = recipe(json!({"lr": {"find": "valley"}}));
    let failure = Bench::new().fit(&recipe, &Quadratic::new(0.25, 0.75), &data).unwrap_err();
    let Failure::Failed { message, hint, .. } = failure else { panic!("{failure}") };
    let expected =
        "cannot suggest a learning rate: the loss never falls from one rate to the next, by `valley`";
    assert_eq!(message, expected);
    assert_eq!(hint.unwrap(), "look at the curve with `pipeline lr-find`, and give a number as `lr`");
}
