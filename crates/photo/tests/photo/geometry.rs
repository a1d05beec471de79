//! Views against OpenCV, Pillow and torchvision on the same numbers (`geometry/make_fixtures.py`), where these define
//! the same operation. Theirs are rounded to 8 bits after each step and ours once, so edges differ by some levels.

use image::Rgb;
use pipeline_photo::{Augmenter, Border, Planes, Policy, RgbImage, policy};
use serde_json::{Value, json};

const SIDE: u32 = 48;

/// The formula of `make_fixtures.py`.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0_u32, 1, 2].map(|c| {
            let wave = ((3 * x + 2 * y + 11 * c) % 64).abs_diff(32) * 5;
            let board = ((x / 9 + y / 7 + c) % 2) * 60;
            (wave + board) as u8
        }))
    })
}

/// The view that `make_fixtures.py` made as case `number`.
fn expected(number: usize) -> Planes {
    let bytes = fs_err::read("tests/photo/geometry/fixtures.bin").unwrap();
    let len = (3 * SIDE * SIDE) as usize;
    Planes::of(&RgbImage::from_raw(SIDE, SIDE, bytes[number * len..][..len].to_vec()).unwrap())
}

fn view(photo: &RgbImage, steps: Value, numbers: &[f32]) -> Planes {
    let policy = Policy { border: Border::Reflect, steps: policy::steps_from_json(&steps).unwrap() };
    let mut view = Planes::default();
    Augmenter::new(policy).photo(photo).make(numbers, SIDE, &mut view);
    view
}

/// Expects the mean and the 99th percentile of the differences, in levels of 255, to be at most these.
fn close(number: usize, found: &Planes, mean: f32, percentile: f32) {
    let expected = expected(number);
    let pairs = found.pixels_chw.iter().zip(&expected.pixels_chw);
    let mut differences: Vec<f32> = pairs.map(|(f, e)| (f - e).abs() * 255.0).collect();
    differences.sort_by(f32::total_cmp);
    let found_mean = differences.iter().sum::<f32>() / differences.len() as f32;
    let found_percentile = differences[differences.len() * 99 / 100];
    let most = differences[differences.len() - 1];
    let text = format!("case {number}: mean {found_mean}, 99th percentile {found_percentile}, most {most}");
    assert!(found_mean <= mean && found_percentile <= percentile, "{text}");
}

#[test]
fn rotations_are_as_opencvs() {
    // Bilinear there; a turned triangle here, a little wider than a pixel.
    close(0, &view(&photo(67, 48), json!(["rotate"]), &[9.0, 0.5, 0.5]), 0.6, 3.0);
    close(1, &view(&photo(67, 48), json!(["rotate"]), &[-35.0, 0.25, 0.5]), 1.3, 7.0);
}

#[test]
fn scaling_up_and_down_is_as_pillows() {
    close(2, &view(&photo(67, 48), json!(["scale"]), &[1.1, 0.7, 0.9]), 0.5, 2.0);
    close(3, &view(&photo(151, 101), json!(["scale"]), &[1.0, 0.7, 0.0]), 0.5, 2.0);
}

#[test]
fn perspective_is_as_opencvs() {
    let corners = [0.1, 0.05, 0.15, 0.2, 0.02, 0.1, 0.2, 0.12, 0.4, 0.0];
    close(4, &view(&photo(67, 48), json!(["perspective"]), &corners), 1.6, 8.0);
}

#[test]
fn a_resized_crop_is_as_torchvisions() {
    let numbers = [11.0 / 67.0, 5.0 / 48.0, 40.0 / 67.0, 31.0 / 48.0, 0.5, 0.5];
    close(5, &view(&photo(67, 48), json!(["random_resized_crop"]), &numbers), 0.6, 3.0);
}

#[test]
fn the_lessons_chain_in_one_step_is_as_its_four_steps() {
    let steps = json!(["scale", "rotate", "lighting", "flip"]);
    let numbers = [1.07, -6.5, 0.03, 1.04, 1.0, 0.3, 0.8];
    // Two samplings one after the other are softer than one.
    close(6, &view(&photo(67, 48), steps.clone(), &numbers), 4.5, 16.0);
    close(7, &view(&photo(121, 97), steps, &numbers), 4.5, 16.0);
}
