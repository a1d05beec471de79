//! The numbers that transforms of colour and the automatic ones draw: their ranges, shares and columns.

use pipeline_photo::transform::{AnyTransform, Draw, Palette, TRANSFORMS, automatic::Op};
use pipeline_photo::{Planes, colour};
use pipeline_stage::random::Stream;
use serde_json::{Value, json};

const DRAWS: usize = 20_000;

fn transform(name: &str, params: Value) -> Box<dyn AnyTransform> {
    TRANSFORMS.iter().find(|kind| kind.name == name).unwrap().parse(&params).unwrap()
}

/// `[count, numbers]`, each row one draw.
fn draws(transform: &dyn AnyTransform, count: usize) -> Vec<Vec<f32>> {
    let mut random = Stream { seed: 7, purpose: "augment", ..Stream::default() }.start();
    let mut row = || {
        let mut numbers = vec![f32::NAN; transform.numbers().len()];
        transform.draw(&mut Draw { random: &mut random, aspect: 1.0 }, &mut numbers);
        numbers
    };
    (0..count).map(|_| row()).collect()
}

/// All in `low` to `high`, reaching within a hundredth of the range from both ends, and on average as near to the
/// middle: the mean of 20,000 uniform numbers has the standard deviation range / sqrt(12 * 20000), 0.002 of it.
fn assert_fills(name: &str, values: &[f32], low: f32, high: f32) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let near = (high - low) / 100.0;
    let is_inside = low <= least && most <= high;
    let is_full = least <= low + near && most >= high - near && (mean - (low + high) / 2.0).abs() <= near;
    assert!(is_inside && is_full, "{name}: {least} to {most}, mean {mean}; expected {low} to {high}");
}

/// Chi-squared of counts that are expected to be alike.
fn assert_alike(what: &str, counts: &[usize], critical: f64) {
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    let chi: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(chi < critical, "{what}: chi-squared {chi} of {critical}, {counts:?}");
}

/// NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, upper tail of 0.001: 13 and 30 degrees of freedom.
const CRITICAL_13: f64 = 34.528;
const CRITICAL_30: f64 = 59.703;

#[test]
fn color_jitter_fills_the_ranges_it_states() {
    let cases = [
        (json!({}), [[0.8, 1.2], [0.8, 1.2], [0.8, 1.2], [-0.02, 0.02]]),
        // No factor is below 0.
        (
            json!({ "brightness": 0.5, "contrast": 0.0, "saturation": 1.5, "hue": 0.5 }),
            [[0.5, 1.5], [1.0, 1.0], [0.0, 2.5], [-0.5, 0.5]],
        ),
    ];
    for (params, ranges) in cases {
        let jitter = transform("color_jitter", params);
        let rows = draws(&*jitter, DRAWS);
        for (i, (number, [low, high])) in jitter.numbers().iter().zip(ranges).enumerate() {
            let values: Vec<f32> = rows.iter().map(|row| row[i]).collect();
            if low == high {
                assert!(values.iter().all(|value| *value == low), "{}", number.name);
            } else {
                assert_fills(number.name, &values, low, high);
            }
        }
    }
}

/// The pairs of operation and magnitude that torchvision does not have at one of `levels`, with either sign where
/// it draws one.
fn strangers(fixture: &Value, numbers: &[f32], levels: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let is_known = |pair: &[f32]| {
        let row = &fixture[pair[0] as usize];
        assert_eq!(row[0], format!("{:?}", Op::ALL[pair[0] as usize]));
        let signed = row[1].as_bool().unwrap();
        let found = f64::from(if signed { pair[1].abs() } else { pair[1] });
        levels.clone().any(|level| (row[2][level].as_f64().unwrap() - found).abs() < 2e-6)
    };
    numbers.chunks_exact(2).filter(|pair| !is_known(pair)).map(|pair| format!("{pair:?}")).collect()
}

fn fixtures() -> Value {
    serde_json::from_str(include_str!("colour/colour.json")).unwrap()
}

#[test]
fn rand_augment_has_torchvisions_magnitude_at_every_strength() {
    let fixture = &fixtures()["rand_augment"];
    for magnitude in 0..=30 {
        let augment = transform("rand_augment", json!({ "ops": 4, "magnitude": magnitude }));
        for row in draws(&*augment, 300) {
            let strangers = strangers(fixture, &row, magnitude..=magnitude);
            assert!(strangers.is_empty(), "magnitude {magnitude}: {strangers:?}");
        }
    }
}

#[test]
fn rand_augment_draws_every_operation_alike_at_each_place_with_both_signs() {
    let augment = transform("rand_augment", json!({}));
    assert_eq!(augment.numbers().len(), 4);
    let rows = draws(&*augment, DRAWS);
    for place in 0..2 {
        let mut counts = [0; 14];
        let mut signs = [0; 2];
        for pair in rows.iter().map(|row| &row[2 * place..][..2]) {
            counts[pair[0] as usize] += 1;
            // ShearX to Sharpness.
            if (1.0..=9.0).contains(&pair[0]) {
                signs[usize::from(pair[1] > 0.0)] += 1;
            }
        }
        assert_alike("operations", &counts, CRITICAL_13);
        // 10.828: the same table, one degree of freedom.
        assert_alike("signs", &signs, 10.828);
    }
}

#[test]
fn trivial_augment_draws_every_operation_and_every_magnitude_of_torchvision_alike() {
    let fixture = &fixtures()["trivial_augment"];
    let rows = draws(&*transform("trivial_augment", json!({})), DRAWS);
    let mut counts = [0; 14];
    let mut levels = [0; 31];
    for row in &rows {
        let strangers = strangers(fixture, row, 0..=30);
        assert!(strangers.is_empty(), "{strangers:?}");
        counts[row[0] as usize] += 1;
        // Of a rotation the level can be told: 4.5 degrees each.
        if Op::ALL[row[0] as usize] == Op::Rotate {
            levels[(row[1].abs() / 4.5).round() as usize] += 1;
        }
    }
    assert_alike("operations", &counts, CRITICAL_13);
    assert_alike("levels", &levels, CRITICAL_30);
}

#[test]
fn painting_applies_the_numbers_in_order() {
    let mut before = Planes::new(29, 23);
    for (i, value) in before.pixels_chw.iter_mut().enumerate() {
        *value = (5 + i * 37 % 89) as f32 / 100.0;
    }
    let painted = |name: &str, params: Value, numbers: &[f32]| {
        let mut planes = before.clone();
        transform(name, params).paint(numbers, &mut planes, &mut Palette::default());
        planes
    };
    let by_hand = |change: &dyn Fn(&mut Planes)| {
        let mut planes = before.clone();
        change(&mut planes);
        assert_ne!(planes, before);
        planes
    };
    assert_eq!(
        painted("color_jitter", json!({}), &[1.3, 0.6, 1.7, 0.2]),
        by_hand(&|planes| {
            colour::brightness(planes, 1.3);
            colour::contrast(planes, 0.6);
            colour::saturation(planes, 1.7);
            colour::hue(planes, 0.2);
        })
    );
    assert_eq!(painted("grayscale", json!({}), &[1.0]), by_hand(&colour::grayscale));
    let solarized_then_dark = by_hand(&|planes| {
        colour::solarize(planes, 0.5);
        colour::brightness(planes, 0.75);
    });
    assert_eq!(painted("rand_augment", json!({}), &[11.0, 0.5, 6.0, -0.25]), solarized_then_dark);
    type Change<'a> = &'a dyn Fn(&mut Planes);
    let alone: [(Op, f32, Change<'_>); 7] = [
        (Op::Color, 0.5, &|planes| colour::saturation(planes, 1.5)),
        (Op::Contrast, -0.5, &|planes| colour::contrast(planes, 0.5)),
        (Op::Sharpness, -0.5, &|planes| colour::sharpness(planes, 0.5, &mut Vec::new())),
        (Op::Posterize, 3.0, &|planes| colour::posterize(planes, 3)),
        (Op::Solarize, 0.25, &|planes| colour::solarize(planes, 0.25)),
        (Op::AutoContrast, 0.0, &colour::autocontrast),
        (Op::Equalize, 0.0, &colour::equalize),
    ];
    for (op, magnitude, change) in alone {
        let index = Op::ALL.iter().position(|o| *o == op).unwrap() as f32;
        assert_eq!(painted("trivial_augment", json!({}), &[index, magnitude]), by_hand(change), "{op:?}");
    }
}

#[test]
fn no_two_transforms_share_a_column() {
    let all = TRANSFORMS.iter().map(|kind| match kind.name {
        "rand_augment" => transform(kind.name, json!({ "ops": 4 })),
        name => transform(name, Value::Null),
    });
    let mut names: Vec<&str> =
        all.flat_map(|transform| transform.numbers()).map(|number| number.name).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn what_is_out_of_range_is_named() {
    let cases = [
        (
            "color_jitter",
            json!({ "hue": 0.6 }),
            "expected a share of the colour circle from 0 to 0.5, found 0.6",
        ),
        (
            "color_jitter",
            json!({ "saturation": -1 }),
            "expected a change of the factor from 0 to 2, found -1",
        ),
        ("grayscale", json!({ "p": 1.5 }), "expected a probability from 0 to 1, found 1.5"),
        ("rand_augment", json!({ "ops": 5 }), "expected a number of operations from 1 to 4, found 5"),
        ("rand_augment", json!({ "magnitude": 31 }), "expected a strength from 0 to 30, found 31"),
        ("trivial_augment", json!({ "p": -1 }), "expected a probability from 0 to 1, found -1"),
    ];
    for (name, params, expected) in cases {
        let kind = TRANSFORMS.iter().find(|kind| kind.name == name).unwrap();
        let messages: Vec<String> = kind.parse(&params).unwrap_err().into_iter().map(|p| p.message).collect();
        assert_eq!(messages, [expected], "{name} {params}");
    }
}
