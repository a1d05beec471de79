//! Gaussian blur against torchvision's. `blur/make_fixtures.py` makes the expected pixels.

use pipeline_photo::Planes;
use pipeline_photo::gaussian::{MAX_SIGMA, gaussian_blur};
use pipeline_photo::transform::{Draw, Palette, TRANSFORMS};
use pipeline_stage::random::Stream;
use serde_json::json;

/// The picture of `make_fixtures.py`.
fn picture(width: usize, height: usize) -> Planes {
    let mut planes = Planes::new(width, height);
    for (c, plane) in planes.channels_mut().into_iter().enumerate() {
        for (i, value) in plane.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            *value = ((37 * x + 91 * y + 53 * c + (c + 3) * x * y) % 256) as f32 / 255.0;
        }
    }
    planes
}

/// The largest difference of two pictures of the same sides.
fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max)
}

#[test]
fn blurred_pixels_are_as_torchvisions() {
    let bytes = include_bytes!("blur/blur.f32");
    let (values, _) = bytes.as_chunks::<4>();
    let mut rest: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let mut scratch = Vec::new();
    // The last bell is wider than the picture, so it is mirrored more than once.
    for (width, height, sigma) in
        [(31, 22, 0.1), (31, 22, 0.7), (31, 22, 1.0), (31, 22, 2.0), (31, 22, 4.5), (7, 5, 3.0)]
    {
        let mut planes = picture(width, height);
        gaussian_blur(&mut planes, sigma, &mut scratch);
        let expected: Vec<f32> = rest.drain(..3 * width * height).collect();
        let off = off(&planes.pixels_chw, &expected);
        println!("sigma {sigma}: off by {off:.1e}");
        assert!(off <= 5e-7, "sigma {sigma}: off by {off}");
    }
    assert_eq!(rest.len(), 0);
}

#[test]
fn sigma_zero_changes_nothing_and_one_above_the_bound_counts_as_the_bound() {
    let blurred = |sigma: f32| {
        let mut planes = picture(9, 4);
        gaussian_blur(&mut planes, sigma, &mut Vec::new());
        planes
    };
    for sigma in [0.0, -1.0, f32::NAN] {
        assert_eq!(blurred(sigma), picture(9, 4), "sigma {sigma}");
    }
    assert_eq!(blurred(1000.0), blurred(MAX_SIGMA));
    assert_ne!(blurred(MAX_SIGMA), blurred(9.0));
    // The narrowest bell has no neighbours left.
    assert_eq!(blurred(f32::MIN_POSITIVE), picture(9, 4));
}

#[test]
fn a_line_a_point_and_nothing_can_be_blurred() {
    for (width, height) in [(1, 6), (6, 1), (1, 1), (0, 3)] {
        let mut planes = Planes { width, height, pixels_chw: vec![0.3; 3 * width * height] };
        gaussian_blur(&mut planes, 2.0, &mut Vec::new());
        assert!(off(&planes.pixels_chw, &vec![0.3; 3 * width * height]) < 1e-6, "{planes:?}");
    }
}

#[test]
fn scratch_grows_once() {
    let mut scratch = Vec::new();
    gaussian_blur(&mut picture(31, 22), 2.0, &mut scratch);
    // The plane and one row with six pixels more on each side.
    assert_eq!(scratch.len(), 31 * 22 + 31 + 12);
    let before = (scratch.as_ptr(), scratch.capacity());
    gaussian_blur(&mut picture(22, 31), 1.0, &mut scratch);
    assert_eq!((scratch.as_ptr(), scratch.capacity()), before);
}

#[test]
fn the_transform_draws_sigma_inside_its_range_and_blurs_with_it() {
    let kind = TRANSFORMS.iter().find(|kind| kind.name == "blur").unwrap();
    let blur = kind.parse(&json!({"sigma": [0.5, 1.5]})).unwrap();
    let mut random = Stream { seed: 1, purpose: "augment", ..Stream::default() }.start();
    let (mut least, mut most) = (f32::MAX, f32::MIN);
    let mut numbers = [0.0];
    for _ in 0..2000 {
        blur.draw(&mut Draw { random: &mut random, aspect: 1.0 }, &mut numbers);
        (least, most) = (least.min(numbers[0]), most.max(numbers[0]));
    }
    assert!((0.5..0.51).contains(&least) && (1.49..=1.5).contains(&most), "{least} to {most}");

    let (mut found, mut expected) = (picture(31, 22), picture(31, 22));
    blur.paint(&[1.2], &mut found, &mut Palette::default());
    gaussian_blur(&mut expected, 1.2, &mut Vec::new());
    assert_eq!(found, expected);

    for given in [json!({"sigma": [2.0, 1.0]}), json!({"sigma": [-0.1, 1.0]}), json!({"sigma": [1.0, 10.5]})]
    {
        assert_eq!(kind.parse(&given).unwrap_err()[0].path, ["sigma"], "{given}");
    }
}
