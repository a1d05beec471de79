//! Operations on colours against torchvision's (`colour/make_fixtures.py` made the numbers) and by hand.

use pipeline_photo::{Planes, colour};
use serde_json::Value;

const WIDTH: usize = 29;
const HEIGHT: usize = 23;
/// Every fifth number of the flattened output is in the fixtures.
const KEPT: usize = 5;
/// In levels of 255. Measured: 0.0020, which is the fixtures' own rounding to multiples of 1/65535.
const TOLERANCE: f64 = 0.005;

/// The formula of `make_fixtures.py`: 8-bit levels.
fn picture() -> Planes {
    let mut planes = Planes::new(WIDTH, HEIGHT);
    for (i, value) in planes.pixels_chw.iter_mut().enumerate() {
        let (x, y, c) = (i % WIDTH, i / WIDTH % HEIGHT, i / WIDTH / HEIGHT);
        let c = if x == y { 0 } else { c };
        let level = 16 + (x * (5 + 3 * c) + y * (11 - 4 * c) + x * y * (c + 1)) % (200 + 10 * c);
        *value = level as f32 / 255.0;
    }
    planes
}

fn apply(name: &str, parameter: &Value, planes: &mut Planes) {
    let number = parameter.as_f64().unwrap_or(f64::NAN) as f32;
    match name {
        "brightness" => colour::brightness(planes, number),
        "contrast" => colour::contrast(planes, number),
        "saturation" => colour::saturation(planes, number),
        "hue" => colour::hue(planes, number),
        "grayscale" => colour::grayscale(planes),
        "solarize" => colour::solarize(planes, number),
        "posterize" => colour::posterize(planes, number as u32),
        "autocontrast" => colour::autocontrast(planes),
        "equalize" => colour::equalize(planes),
        "sharpness" => colour::sharpness(planes, number, &mut Vec::new()),
        _ => panic!("{name} is not known"),
    }
}

#[test]
fn every_operation_gives_torchvisions_pixels() {
    let fixtures: Value = serde_json::from_str(include_str!("colour/colour.json")).unwrap();
    let rows = fixtures["outputs"].as_array().unwrap();
    assert_eq!(rows.len(), 29);
    for row in rows {
        let (name, parameter) = (row[0].as_str().unwrap(), &row[1]);
        let mut planes = picture();
        apply(name, parameter, &mut planes);
        let expected: Vec<f64> =
            row[2].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() / 65535.0).collect();
        let found: Vec<f64> = planes.pixels_chw.iter().step_by(KEPT).map(|v| f64::from(*v)).collect();
        assert_eq!(found.len(), expected.len());
        let off = found.iter().zip(&expected).map(|(f, e)| (f - e).abs() * 255.0).fold(0.0, f64::max);
        println!("{name} {parameter}: off by {off:.4} levels");
        assert!(off <= TOLERANCE, "{name} {parameter}: off by {off} levels of 255");
    }
}

#[test]
fn neutral_parameters_change_no_bit() {
    let before = picture();
    for (name, neutral) in
        [("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0), ("sharpness", 1)]
    {
        let mut planes = before.clone();
        apply(name, &Value::from(neutral), &mut planes);
        assert_eq!(planes, before, "{name}");
    }
}

/// Two pixels beside each other: their R, their G, their B.
fn two_pixels(pixels_chw: [f32; 6]) -> Planes {
    Planes { width: 2, height: 1, pixels_chw: pixels_chw.to_vec() }
}

fn assert_close(found: &Planes, expected: [f32; 6]) {
    let off = found.pixels_chw.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
    assert!(off < 1e-6, "expected {expected:?}, found {:?}", found.pixels_chw);
}

#[test]
fn a_sixth_of_a_turn_makes_red_yellow_and_blue_magenta() {
    let mut planes = two_pixels([1.0, 0.2, 0.0, 0.2, 0.0, 0.6]);
    colour::hue(&mut planes, 1.0 / 6.0);
    assert_close(&planes, [1.0, 0.6, 1.0, 0.2, 0.0, 0.6]);
}

#[test]
fn greys_black_among_them_have_no_hue_and_no_saturation() {
    let before = two_pixels([0.0, 0.4, 0.0, 0.4, 0.0, 0.4]);
    for turns in [-0.5, 0.3] {
        let mut planes = before.clone();
        colour::hue(&mut planes, turns);
        assert_eq!(planes, before);
    }
    let mut planes = before.clone();
    colour::saturation(&mut planes, 3.0);
    // The weights' sum is 0.9999: 3 * 0.4 - 2 * 0.39996.
    let grey = 0.40008;
    assert_close(&planes, [0.0, grey, 0.0, grey, 0.0, grey]);
}

#[test]
fn a_value_at_the_threshold_is_inverted() {
    let mut planes = two_pixels([0.25, 0.75, 0.5, 0.0, 1.0, 0.625]);
    colour::solarize(&mut planes, 0.625);
    assert_eq!(planes.pixels_chw, [0.25, 0.25, 0.5, 0.0, 0.0, 0.375]);
}

#[test]
fn posterize_rounds_to_the_nearest_level_first() {
    // 127.6 and 127.4 of 255: levels 128 and 127, whose highest bits are 1 and 0.
    let mut planes = two_pixels([127.6 / 255.0, 127.4 / 255.0, 0.0, 1.0, 0.0, 1.0]);
    colour::posterize(&mut planes, 1);
    let top = 128.0 / 255.0;
    assert_eq!(planes.pixels_chw, [top, 0.0, 0.0, top, 0.0, top]);
    colour::posterize(&mut planes, 0);
    assert_eq!(planes.pixels_chw, [0.0; 6]);
}

#[test]
fn channels_are_stretched_each_for_itself_and_one_value_alone_stays() {
    let mut planes = two_pixels([0.25, 0.5, 0.3, 0.3, 1.0, 0.75]);
    colour::autocontrast(&mut planes);
    assert_eq!(planes.pixels_chw, [0.0, 1.0, 0.3, 0.3, 1.0, 0.0]);
    // Fewer than 255 pixels besides the brightest: Pillow's step is 0.
    colour::equalize(&mut planes);
    assert_eq!(planes.pixels_chw, [0.0, 1.0, 0.3, 0.3, 1.0, 0.0]);
}

#[test]
fn sharpness_keeps_edges_and_thin_pictures_and_overwrites_its_scratch() {
    // One white pixel in the middle of 4 x 3: the mean there is 5/13, beside it 1/13.
    let mut planes = Planes::new(4, 3);
    planes.channels_mut()[1][5] = 1.0;
    colour::sharpness(&mut planes, 0.0, &mut vec![9.0; 50]);
    let mut expected = Planes::new(4, 3);
    expected.channels_mut()[1][5] = 5.0 / 13.0;
    expected.channels_mut()[1][6] = 1.0 / 13.0;
    assert_eq!(planes, expected);
    let mut thin = two_pixels([0.1, 0.9, 0.2, 0.8, 0.3, 0.7]);
    let before = thin.clone();
    colour::sharpness(&mut thin, 0.0, &mut Vec::new());
    assert_eq!(thin, before);
}

#[test]
fn no_pixels_are_no_trouble() {
    for name in ["contrast", "autocontrast", "equalize", "hue"] {
        let mut planes = Planes::new(0, 0);
        apply(name, &Value::from(0.25), &mut planes);
        assert_eq!(planes, Planes::new(0, 0), "{name}");
    }
}
