//! What policies draw: ranges and probabilities are what they say, and a draw depends on its name only.

use pipeline_photo::{Border, Policy, TRANSFORMS, policy};
use pipeline_stage::random::Stream;
use serde_json::{Value, json};

const DRAWS: usize = 20_000;

fn policy(steps: Value) -> Policy {
    Policy { border: Border::Reflect, steps: policy::steps_from_json(&steps).unwrap() }
}

/// The numbers of `DRAWS` photos of 3 : 2, a column each.
fn columns(policy: &Policy) -> Vec<(String, Vec<f64>)> {
    let rows: Vec<Vec<f32>> = (0..DRAWS)
        .map(|photo| {
            let item = format!("{photo}.jpg");
            let stream = Stream { seed: 5, purpose: "augment", item: &item, view: 1, ..Stream::default() };
            policy.draw(&mut stream.start(), 600, 400)
        })
        .collect();
    let column = |at: usize| rows.iter().map(|row| f64::from(row[at])).collect();
    policy.columns().into_iter().enumerate().map(|(at, named)| (named.name, column(at))).collect()
}

/// Expects a share of `values` within 4 standard errors of `p` (two-sided, 1 in 16,000 by chance).
fn expect_share(what: &str, values: &[f64], wanted: impl Fn(f64) -> bool, p: f64) {
    let share = values.iter().filter(|value| wanted(**value)).count() as f64 / values.len() as f64;
    let most = 4.0 * (p * (1.0 - p) / values.len() as f64).sqrt();
    assert!((share - p).abs() <= most, "{what}: share {share}, expected {p} within {most}");
}

/// Expects `values` to be uniform in `low` to `high`: Kolmogorov and Smirnov's distance, whose critical value at 1 in
/// 1,000 is 1.95 / sqrt(n).
fn expect_uniform(what: &str, values: &[f64], low: f64, high: f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().map(|(rank, value)| {
        let expected = (value - low) / (high - low);
        (expected - rank as f64 / n).abs().max((expected - (rank + 1) as f64 / n).abs())
    });
    let distance = distance.fold(0.0, f64::max);
    assert!(distance < 1.95 / n.sqrt(), "{what}: distance {distance} of {n} values from U({low}, {high})");
}

fn applied(values: &[f64], neutral: f64) -> Vec<f64> {
    values.iter().copied().filter(|value| *value != neutral).collect()
}

#[test]
fn the_lessons_transforms_have_its_probabilities_and_ranges() {
    let columns = columns(&policy(json!(["scale", "rotate", "lighting", "flip"])));
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["scale", "angle_deg", "brightness", "contrast", "flip", "crop_x", "crop_y"]);
    let of = |name: &str| columns.iter().find(|(found, _)| found == name).unwrap().1.as_slice();

    expect_share("scale", of("scale"), |value| value != 1.0, 0.75);
    expect_uniform("scale", &applied(of("scale"), 1.0), 1.0, 1.1);
    expect_share("angle", of("angle_deg"), |value| value != 0.0, 0.75);
    expect_uniform("angle", &applied(of("angle_deg"), 0.0), -10.0, 10.0);
    expect_share("flip", of("flip"), |value| value == 1.0, 0.5);
    assert!(of("flip").iter().all(|value| [0.0, 1.0].contains(value)));
    expect_uniform("brightness", of("brightness"), -0.05, 0.05);
    // Back to c0: c = -1 / (c0 - 1) below 1, c0 + 1 above.
    let c0: Vec<f64> =
        of("contrast").iter().map(|c| if *c < 1.0 { 1.0 - 1.0 / c } else { c - 1.0 }).collect();
    expect_uniform("contrast", &c0, -0.05, 0.05);
    expect_uniform("crop x", of("crop_x"), 0.0, 1.0);
    expect_uniform("crop y", of("crop_y"), 0.0, 1.0);
    // Independent: the correlation of n pairs has standard error 1 / sqrt(n).
    let (x, y) = (of("crop_x"), of("crop_y"));
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum::<f64>() / DRAWS as f64;
    assert!((product * 12.0).abs() < 4.0 / (DRAWS as f64).sqrt(), "correlation {}", product * 12.0);
}

#[test]
fn the_eight_symmetries_are_alike() {
    let columns = columns(&policy(json!(["dihedral"])));
    for symmetry in 0..8 {
        expect_share("symmetry", &columns[0].1, |value| value == f64::from(symmetry), 0.125);
    }
}

#[test]
fn resized_crops_have_their_area_and_ratio_and_lie_inside() {
    let columns = columns(&policy(json!([{"random_resized_crop": {"area": [0.1, 0.4]}}])));
    let [x, y, width, height] = [0, 1, 2, 3].map(|at| columns[at].1.as_slice());
    // Of photos of 3 : 2, none of whose parts of at most 0.4 of the area can be too wide or too high:
    // width at most sqrt(0.4 * 1.5 * 4/3) = 0.9 of 1.5, height sqrt(0.4 * 1.5 * 4/3) = 0.9 of 1.
    let areas: Vec<f64> = width.iter().zip(height).map(|(w, h)| w * h).collect();
    let ratios: Vec<f64> = width.iter().zip(height).map(|(w, h)| (1.5 * w / h).ln()).collect();
    expect_uniform("area", &areas, 0.1, 0.4);
    expect_uniform("logarithm of the ratio", &ratios, (3.0_f64 / 4.0).ln(), (4.0_f64 / 3.0).ln());
    let places = |starts: &[f64], lengths: &[f64]| -> Vec<f64> {
        starts.iter().zip(lengths).map(|(start, length)| start / (1.0 - length)).collect()
    };
    expect_uniform("x", &places(x, width), 0.0, 1.0);
    expect_uniform("y", &places(y, height), 0.0, 1.0);
}

#[test]
fn a_part_that_never_fits_becomes_the_largest_centred_one_of_an_allowed_ratio() {
    // The whole area at a ratio of 3 : 4 does not fit a photo of 3 : 2; 4 : 3 of it is 8/9 of the width.
    let policy = policy(json!([{"random_resized_crop": {"area": [1.0, 1.0]}}]));
    let numbers = policy.draw(&mut Stream::default().start(), 600, 400);
    for (found, expected) in numbers.iter().zip([1.0 / 18.0, 0.0, 8.0 / 9.0, 1.0]) {
        assert!((found - expected).abs() < 1e-6, "{numbers:?}");
    }
}

#[test]
fn parts_of_a_turned_photo_have_their_ratio_as_it_lies_then() {
    let columns = columns(&policy(json!(["dihedral", {"random_resized_crop": {"area": [0.1, 0.4]}}])));
    let column = |name: &str| columns.iter().find(|(found, _)| found == name).unwrap().1.as_slice();
    let parts = column("dihedral").iter().zip(column("part_width")).zip(column("part_height"));
    // Of 3 : 2, or 2 : 3 after an odd number of quarter turns; the rounding to whole pixels is below a hundredth.
    let ratios = parts.map(|((symmetry, w), h)| w / h * if symmetry % 2.0 == 0.0 { 1.5 } else { 1.0 / 1.5 });
    let ratios: Vec<f64> = ratios.collect();
    let off = ratios.iter().find(|ratio| !(0.74..=1.35).contains(*ratio));
    assert_eq!(off, None);
}

#[test]
fn corners_move_inwards_by_at_most_the_distortion() {
    let columns = columns(&policy(json!([{"perspective": {"distortion": 0.3}}])));
    expect_share("perspective", &columns[0].1, |value| value != 0.0, 0.5);
    for (name, values) in &columns[..8] {
        expect_uniform(name, &applied(values, 0.0), 0.0, 0.3);
    }
}

#[test]
fn a_draw_depends_on_seed_purpose_epoch_photo_and_view_only() {
    let policy = policy(json!(["scale", "rotate", "lighting", "flip"]));
    let base = Stream { seed: 1, purpose: "augment", epoch: 3, item: "a.jpg", view: 2 };
    let draw = |stream: Stream<'_>| policy.draw(&mut stream.start(), 500, 375);
    assert_eq!(draw(base), draw(base));
    let others = [
        Stream { seed: 2, ..base },
        Stream { purpose: "tta", ..base },
        Stream { epoch: 4, ..base },
        Stream { item: "b.jpg", ..base },
        Stream { view: 1, ..base },
    ];
    for other in others {
        assert_ne!(draw(other), draw(base), "{other:?}");
    }
    // In any order, on any thread.
    let mut views: Vec<u32> = (0..64).collect();
    let expected: Vec<_> = views.iter().map(|view| draw(Stream { view: *view, ..base })).collect();
    views.reverse();
    let found = std::thread::scope(|scope| {
        let threads: Vec<_> =
            views.iter().map(|view| scope.spawn(|| draw(Stream { view: *view, ..base }))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(found.into_iter().rev().collect::<Vec<_>>(), expected);
}

#[test]
fn every_transform_has_defaults_documents_and_columns_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in TRANSFORMS {
        let transform =
            kind.parse(&Value::Null).unwrap_or_else(|problems| panic!("{}: {problems:?}", kind.name));
        assert_eq!(transform.name(), kind.name);
        assert!(!kind.summary.is_empty() && (0.0..=1.0).contains(&transform.p()), "{}", kind.name);
        for (name, property) in kind.schema()["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{}.{name} is not documented", kind.name);
            assert!(property.get("default").is_some(), "{}.{name} has no default", kind.name);
        }
        assert!(
            !transform.numbers().is_empty(),
            "{}: a view could not tell whether it was applied",
            kind.name
        );
        for number in transform.numbers() {
            assert!(seen.insert(number.name), "the column {} has two meanings", number.name);
            assert!(number.neutral.is_finite() && !number.doc.is_empty(), "{}", number.name);
        }
        // Always applied, it draws finite numbers that are not all neutral, in most draws.
        let always = policy(json!([{ kind.name: { "p": 1.0 } }]));
        let drawn = columns(&always);
        let neutral = always.neutral();
        let moved = (0..DRAWS)
            .filter(|row| (0..transform.numbers().len()).any(|at| drawn[at].1[*row] as f32 != neutral[at]));
        assert!(moved.count() > DRAWS / 2, "{} draws nothing", kind.name);
        assert!(
            drawn.iter().all(|(_, values)| values.iter().all(|value| value.is_finite())),
            "{}",
            kind.name
        );
    }
}

#[test]
fn a_policy_comes_back_from_its_json_with_every_default_written_out() {
    let written = json!(["flip", { "rotate": { "max_deg": 20 } }, "flip"]);
    let policy = policy(written);
    let json = policy.to_json();
    assert_eq!(json["border"], "reflect");
    assert_eq!(json["steps"][1], json!({ "rotate": { "p": 0.75, "max_deg": 20.0 } }));
    assert_eq!(Policy::from_json(&json).unwrap().to_json(), json);
    let names: Vec<String> = policy.columns().into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["flip", "angle_deg", "flip_2", "crop_x", "crop_y"]);
}

#[test]
fn what_is_wrong_in_a_list_is_told_with_its_place() {
    let faults = |steps: Value| -> Vec<String> {
        let problems = policy::steps_from_json(&steps).err().unwrap();
        let tell = |problem: pipeline_stage::params::Problem| {
            let hint = problem.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}: {}{hint}", problem.path.join("."), problem.message.lines().next().unwrap())
        };
        problems.into_iter().map(tell).collect()
    };
    assert_eq!(
        faults(json!(["flip", "rotat", { "scale": { "max": 0.5 } }])),
        [
            "1: unknown transform `rotat` (did you mean `rotate`?)",
            "2.scale.max: expected at least `min`, 1, found 0.5 (set both `min` and `max`)",
        ]
    );
    assert_eq!(faults(json!([{ "rotate": { "deg": 5 } }])), ["0.rotate.deg: unknown key `deg`"]);
    assert_eq!(
        faults(json!([{ "flip": { "p": 2 } }, 7])),
        [
            "0.flip.p: expected a probability from 0 to 1, found 2",
            "1: expected the name of a transform, alone or with its parameters, found the number 7 \
             (write for example `- flip` or `- rotate: { max_deg: 20 }`)",
        ]
    );
    assert_eq!(faults(json!({ "flip": {} })), [": expected a list of transforms, found a map"]);
    assert_eq!(
        faults(json!([{ "rotate": null, "max_deg": 20 }, "basic"])),
        [
            "0: expected the name of a transform, alone or with its parameters, found a map of `max_deg`, `rotate` \
             (indent parameters below the name, and begin each transform with a dash)",
            "1: unknown transform `basic` (it is a policy: write `policy: basic`, or the transforms that you want)",
        ]
    );
    assert_eq!(faults(json!(vec!["flip"; 33])), [": expected at most 32 transforms, found 33"]);
    assert_eq!(
        faults(json!([{ "scale": { "min": 1.2 } }])),
        ["0.scale.max: expected at least `min`, 1.2, found 1.1 (set both `min` and `max`)"]
    );
}
