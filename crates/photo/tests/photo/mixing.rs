//! Mixup and CutMix against slow and obvious computations, and their draws against theory.

use pipeline_photo::{BatchMix, Mixing};
use pipeline_stage::params;
use pipeline_stage::random::{Random, Stream};
use serde_json::{Value, json};

use crate::statistics::{assert_even, assert_mean};

const DRAWS: usize = 20_000;

fn parsed(given: &Value) -> BatchMix {
    params::parse(given).unwrap()
}

fn stream(epoch: u64) -> Random {
    Stream { seed: 5, purpose: "mix", epoch, ..Stream::default() }.start()
}

/// A batch in which no two values are alike.
fn batch([n, c, h, w]: [usize; 4]) -> Vec<f32> {
    (0..n * c * h * w).map(|i| i as f32 / 4096.0 - 1.0).collect()
}

/// For each row its partner.
fn partners(mixing: &Mixing) -> Vec<usize> {
    mixing.label_weights().map(|(partner, _)| partner).collect()
}

#[test]
fn mixup_gives_the_weighted_mean_of_a_row_and_its_partner() {
    let shape = [9, 2, 5, 3];
    let row = 2 * 5 * 3;
    let mix = parsed(&json!({"mixup": {"p": 1.0}}));
    let mut moved = 0;
    for epoch in 0..50 {
        let mixing = mix.draw(&mut stream(epoch), shape).unwrap();
        let before = batch(shape);
        let mut after = before.clone();
        mixing.apply(&mut after);
        for (i, (partner, lambda)) in mixing.label_weights().enumerate() {
            moved += usize::from(partner != i);
            for k in 0..row {
                let (own, other) = (f64::from(before[i * row + k]), f64::from(before[partner * row + k]));
                let (found, expected) =
                    (f64::from(after[i * row + k]), lambda * own + (1.0 - lambda) * other);
                assert!((found - expected).abs() < 1e-6, "row {i}, value {k}: {found}, expected {expected}");
            }
        }
    }
    // One row in nine is its own partner, on average.
    assert!((350..450).contains(&moved), "{moved} of 450 rows have another partner");
}

#[test]
fn cutmix_takes_one_rectangle_of_the_partner_and_lambda_is_what_is_left_of_the_area() {
    let shape @ [n, c, h, w] = [6, 3, 11, 17];
    let mix = parsed(&json!({"cutmix": {"p": 1.0}}));
    let (mut at_edge, mut inside) = (0, 0);
    for epoch in 0..400 {
        let mixing = mix.draw(&mut stream(epoch), shape).unwrap();
        let before = batch(shape);
        let mut after = before.clone();
        mixing.apply(&mut after);
        let at = |n: usize, c_: usize, y: usize, x: usize| ((n * c + c_) * h + y) * w + x;
        // Which pixels come from the partner, by a row that has another one.
        let partners = partners(&mixing);
        let Some(other) = (0..n).find(|i| partners[*i] != *i) else { continue };
        let is_cut = |y, x| after[at(other, 0, y, x)] != before[at(other, 0, y, x)];
        let cut: Vec<(usize, usize)> =
            (0..h).flat_map(|y| (0..w).map(move |x| (y, x))).filter(|(y, x)| is_cut(*y, *x)).collect();
        for (i, partner) in partners.iter().enumerate() {
            for (k, y, x) in (0..c).flat_map(|k| (0..h).flat_map(move |y| (0..w).map(move |x| (k, y, x)))) {
                let from = if cut.contains(&(y, x)) { *partner } else { i };
                assert_eq!(after[at(i, k, y, x)], before[at(from, k, y, x)], "row {i}, ({k}, {y}, {x})");
            }
        }
        let lambda = 1.0 - cut.len() as f64 / (h * w) as f64;
        assert!((mixing.lambda() - lambda).abs() < 1e-12, "lambda {}, expected {lambda}", mixing.lambda());
        let (Some(top), Some(bottom)) = (cut.iter().map(|p| p.0).min(), cut.iter().map(|p| p.0).max()) else {
            continue;
        };
        let (left, right) = (cut.iter().map(|p| p.1).min().unwrap(), cut.iter().map(|p| p.1).max().unwrap());
        let (height, width) = (bottom - top + 1, right - left + 1);
        assert_eq!(cut.len(), height * width, "not a rectangle: {cut:?}");
        if top == 0 || left == 0 || bottom == h - 1 || right == w - 1 {
            at_edge += 1;
        } else {
            inside += 1;
            // The photo's shape: the same share of both sides, but for half a pixel at each of two edges.
            let share = width as f64 / w as f64;
            assert!(
                (height as f64 - share * h as f64).abs() < 1.0 + h as f64 / w as f64,
                "{height} x {width}"
            );
        }
    }
    assert!(at_edge > 20 && inside > 20, "{at_edge} at the edge, {inside} inside");
}

/// Lambda of each draw; photos of these sides are never made.
fn lambdas(given: &Value) -> Vec<f64> {
    let (mix, mut random) = (parsed(given), stream(0));
    (0..DRAWS).map(|_| mix.draw(&mut random, [2, 3, 3001, 2003]).unwrap().lambda()).collect()
}

#[test]
fn lambda_of_mixup_has_the_mean_and_variance_of_its_beta_distribution() {
    for alpha in [0.01, 0.2, 0.4, 1.0, 2.0, 100.0] {
        let lambdas = lambdas(&json!({"mixup": {"p": 1.0, "alpha": alpha}}));
        assert!(lambdas.iter().all(|lambda| (0.0..=1.0).contains(lambda)), "alpha {alpha}");
        let squares: Vec<f64> = lambdas.iter().map(|lambda| (lambda - 0.5).powi(2)).collect();
        assert_mean(&lambdas, 0.5);
        assert_mean(&squares, 1.0 / (4.0 * (2.0 * alpha + 1.0)));
    }
}

#[test]
fn the_area_that_cutmix_takes_has_the_mean_that_theory_gives() {
    // 1 - lambda is uniform before the cut, the side s its root. Of s, what hangs over is s / 4 of s on average (s² / 8
    // at each end), so E[area] = E[(s - s² / 4)²] = E[s²] - E[s³] / 2 + E[s⁴] / 16 = 1/2 - 1/5 + 1/48.
    let areas: Vec<f64> = lambdas(&json!({"cutmix": {"p": 1.0}})).iter().map(|lambda| 1.0 - lambda).collect();
    assert_mean(&areas, 0.5 - 0.2 + 1.0 / 48.0);
}

#[test]
fn every_order_of_partners_is_as_likely() {
    let (mix, mut random) = (parsed(&json!({"mixup": {"p": 1.0}})), stream(1));
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..DRAWS {
        let mixing = mix.draw(&mut random, [4, 1, 2, 3]).unwrap();
        *counts.entry(partners(&mixing)).or_insert(0) += 1;
    }
    assert_even(&counts.into_values().collect::<Vec<usize>>());
}

#[test]
fn a_batch_has_mixup_cutmix_or_neither_with_the_stated_probabilities() {
    let (mix, mut random) = (parsed(&json!({"mixup": {"p": 0.2}, "cutmix": {"p": 0.5}})), stream(2));
    // On one pixel CutMix takes all or nothing, and mixup's lambda is in between.
    let (mut mixup, mut cutmix, mut neither) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..DRAWS {
        let lambda = mix.draw(&mut random, [2, 1, 1, 1]).map(|mixing| mixing.lambda());
        let is_whole = lambda.map(|lambda| lambda == 0.0 || lambda == 1.0);
        mixup.push(f64::from(is_whole == Some(false)));
        cutmix.push(f64::from(is_whole == Some(true)));
        neither.push(f64::from(is_whole.is_none()));
    }
    assert_mean(&mixup, 0.2);
    assert_mean(&cutmix, 0.5);
    assert_mean(&neither, 0.3);
}

#[test]
fn the_same_stream_gives_the_same_mixing_and_another_gives_another() {
    let mix = parsed(&json!({"mixup": {}, "cutmix": {}}));
    let draw = |epoch| mix.draw(&mut stream(epoch), [8, 3, 7, 5]);
    assert_eq!(draw(4), draw(4));
    assert_ne!(draw(4), draw(5));
}

#[test]
fn nothing_given_is_nothing_mixed_and_empty_batches_are_fine() {
    assert_eq!(parsed(&Value::Null).draw(&mut stream(0), [2, 3, 4, 5]), None);
    assert_eq!(parsed(&json!({"mixup": {"p": 0.0}})).draw(&mut stream(0), [2, 3, 4, 5]), None);
    for shape in [[0, 3, 4, 5], [2, 3, 0, 5], [1, 3, 4, 5]] {
        for given in [json!({"mixup": {"p": 1.0}}), json!({"cutmix": {"p": 1.0}})] {
            let mut pixels = batch(shape);
            parsed(&given).draw(&mut stream(0), shape).unwrap().apply(&mut pixels);
            for (found, expected) in pixels.iter().zip(batch(shape)) {
                assert!((found - expected).abs() < 1e-6, "{shape:?} {given}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn defaults_are_filled_in_and_problems_stand_where_they_are() {
    let whole = params::to_value(&parsed(&json!({"mixup": {}, "cutmix": {}})));
    assert_eq!(whole, json!({"mixup": {"p": 0.5, "alpha": 0.4}, "cutmix": {"p": 0.5, "alpha": 1.0}}));
    // 0.1 + 0.2 + ... : decimals that miss 1 by rounding alone are not refused.
    parsed(&json!({"mixup": {"p": 0.1 + 0.2}, "cutmix": {"p": 0.7}}));
    for (given, path, message) in [
        (json!({"mixup": {"p": 1.5}}), "mixup.p", "expected a probability from 0 to 1, found 1.5"),
        (
            json!({"cutmix": {"alpha": 0}}),
            "cutmix.alpha",
            "expected a parameter of the beta distribution from 0.01 to 100, found 0",
        ),
        (
            json!({"mixup": {"p": 0.6}, "cutmix": {}}),
            "cutmix.p",
            "expected `mixup.p` and `cutmix.p` to add up to at most 1, found 0.6 and 0.5",
        ),
    ] {
        let problems = params::parse::<BatchMix>(&given).unwrap_err();
        assert_eq!((problems[0].path.join("."), problems[0].message.as_str()), (path.to_owned(), message));
        assert_eq!(problems.len(), 1);
    }
}
