//! Random erasing and cutout: which rectangles are drawn, and which pixels they take. That width and height follow
//! from area and shape as in torchvision is tested beside that function.

use pipeline_photo::Planes;
use pipeline_photo::transform::{AnyTransform, Draw, Palette, TRANSFORMS};
use pipeline_stage::random::Stream;
use serde_json::{Value, json};

use crate::statistics::{assert_even, assert_mean};

const DRAWS: usize = 20_000;

fn transform(name: &str, given: &Value) -> Box<dyn AnyTransform> {
    TRANSFORMS.iter().find(|kind| kind.name == name).unwrap().parse(given).unwrap()
}

/// The numbers of [`DRAWS`] views.
fn drawn<const N: usize>(transform: &dyn AnyTransform) -> Vec<[f64; N]> {
    let mut random = Stream { seed: 3, purpose: "augment", ..Stream::default() }.start();
    let mut numbers = [f32::NAN; N];
    let mut one = || {
        transform.draw(&mut Draw { random: &mut random, aspect: 1.0 }, &mut numbers);
        numbers.map(f64::from)
    };
    (0..DRAWS).map(|_| one()).collect()
}

/// Red of a white view of 20 x 8 pixels after painting, a line of digits for each row: 9 is white.
fn painted(transform: &dyn AnyTransform, numbers: &[f32]) -> Vec<String> {
    let mut planes = Planes { width: 20, height: 8, pixels_chw: vec![0.9; 3 * 20 * 8] };
    transform.paint(numbers, &mut planes, &mut Palette { photo_mean: [0.2, 0.3, 0.4], scratch: Vec::new() });
    let [red, green, blue] = planes.channels_mut();
    for (i, red) in red.iter().enumerate() {
        let mean = *red == 0.2 && green[i] == 0.3 && blue[i] == 0.4;
        assert!(mean || (*red == green[i] && *red == blue[i]), "pixel {i}: {red} {} {}", green[i], blue[i]);
    }
    let digits = |row: &[f32]| row.iter().map(|v| format!("{:.0}", v * 10.0)).collect();
    red.chunks(20).map(digits).collect()
}

#[test]
fn erased_rectangles_have_the_stated_area_and_ratio_and_lie_inside() {
    let erasing = transform("random_erasing", &Value::Null);
    let (mut areas, mut logs, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for [x, y, width, height] in drawn(&*erasing) {
        let (area, ratio) = (width * height, width / height);
        // Numbers are f32.
        assert!((0.02 - 1e-6..0.33 + 1e-6).contains(&area), "area {area}");
        assert!((0.3 - 1e-5..3.3333 + 1e-5).contains(&ratio), "ratio {ratio}");
        assert!(x >= 0.0 && x + width < 1.0 + 1e-6, "{x} + {width}");
        assert!(y >= 0.0 && y + height < 1.0 + 1e-6, "{y} + {height}");
        areas.push(area);
        logs.push(ratio.ln());
        places.extend([x / (1.0 - width), y / (1.0 - height)]);
    }
    for (values, least, most) in [(&areas, 0.021, 0.329), (&logs, -1.19, 1.19)] {
        let found = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        assert!(found.0 < least && found.1 > most, "{found:?} does not reach {least} and {most}");
    }
    // ln(0.3) and ln(3.3333) lie evenly about 0, and refusals treat both directions alike.
    assert_mean(&logs, 0.0);
    assert_mean(&places, 0.5);
}

#[test]
fn what_always_fits_has_a_uniform_area() {
    let erasing = transform("random_erasing", &json!({"area": [0.1, 0.2], "ratio": [0.5, 2.0]}));
    let areas: Vec<f64> = drawn(&*erasing).iter().map(|[_, _, width, height]| width * height).collect();
    assert_mean(&areas, 0.15);
    // (0.2 - 0.1)² / 12, the variance of a uniform number.
    let squares: Vec<f64> = areas.iter().map(|area| (area - 0.15).powi(2)).collect();
    assert_mean(&squares, 0.01 / 12.0);
}

#[test]
fn after_ten_rectangles_that_do_not_fit_nothing_is_erased() {
    // sqrt(0.5 * 4) > 1: never fits. sqrt(0.81 * r) < 1 and sqrt(0.81 / r) < 1 for |ln r| < 0.2107, so a try with
    // |ln r| < ln 100 = 4.605 fits with 0.04576, and ten fail with (1 - 0.04576)^10 = 0.6260.
    let never = transform("random_erasing", &json!({"area": [0.5, 0.5], "ratio": [4.0, 4.0]}));
    assert!(drawn::<4>(&*never).iter().all(|numbers| *numbers == [0.0; 4]));
    assert_eq!(painted(&*never, &[0.0; 4]), vec!["9".repeat(20); 8]);

    let seldom = transform("random_erasing", &json!({"area": [0.81, 0.81], "ratio": [0.01, 100.0]}));
    let nothing = drawn::<4>(&*seldom).iter().map(|n| f64::from(*n == [0.0; 4])).collect::<Vec<_>>();
    assert_mean(&nothing, 0.6260);
}

#[test]
fn erased_pixels_are_those_whose_centre_lies_inside_in_the_colour_asked_for() {
    // x 0.25 to 0.6 of 20: 5 to 12. y 0.5 to 0.75 of 8: 4 to 6.
    let numbers = [0.25, 0.5, 0.35, 0.25];
    for (fill, digit) in [("mean", "2"), ("black", "0"), ("gray", "5")] {
        let found = painted(&*transform("random_erasing", &json!({"fill": fill})), &numbers);
        for (y, row) in found.iter().enumerate() {
            let middle = if (4..6).contains(&y) { digit } else { "9" }.repeat(7);
            assert_eq!(*row, format!("99999{middle}99999999"), "{fill}, row {y}: {found:#?}");
        }
    }
    assert_eq!(transform("cutout", &Value::Null).params()["fill"], "mean");
}

#[test]
fn a_cut_square_hangs_over_the_edge() {
    // Centre (0.05, 0.875), side 0.5: x -0.2 to 0.3 of 20, y 0.625 to 1.125 of 8.
    let found = painted(&*transform("cutout", &json!({"side": 0.5})), &[0.05, 0.875, 0.5]);
    for (y, row) in found.iter().enumerate() {
        let start = if y >= 5 { "2" } else { "9" }.repeat(6);
        assert_eq!(*row, start + &"9".repeat(14), "row {y}: {found:#?}");
    }
}

#[test]
fn centres_of_cut_squares_are_uniform_over_the_view() {
    let mut counts = [0; 100];
    for [x, y, side] in drawn(&*transform("cutout", &json!({"side": 0.5}))) {
        assert_eq!(side, 0.5);
        counts[(x * 10.0) as usize * 10 + (y * 10.0) as usize] += 1;
    }
    assert_even(&counts);
}

#[test]
fn values_out_of_range_are_refused_where_they_stand() {
    for (name, given, at) in [
        ("random_erasing", json!({"p": 1.5}), "p"),
        ("random_erasing", json!({"area": [0.3, 0.2]}), "area"),
        ("random_erasing", json!({"area": [0.3, 1.1]}), "area"),
        ("random_erasing", json!({"ratio": [0.0, 1.0]}), "ratio"),
        ("random_erasing", json!({"fill": "red"}), "fill"),
        ("cutout", json!({"side": -0.1}), "side"),
        ("cutout", json!({"p": -0.5}), "p"),
    ] {
        let kind = TRANSFORMS.iter().find(|kind| kind.name == name).unwrap();
        assert_eq!(kind.parse(&given).unwrap_err()[0].path, [at], "{name} {given}");
    }
}
