//! Views against a slow and obvious computation of the same, and against themselves: turned, mirrored, repeated.

use image::Rgb;
use pipeline_photo::{Augmenter, Border, Planes, Policy, Preprocessing, Resizer, RgbImage, policy};
use pipeline_stage::random::Stream;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A smooth picture with edges: what photos are like, and where an error in a place shows.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let wave = |a: f64, b: f64, c: f64| 127.0 + 90.0 * (a * u + b * v + c).sin();
        let disc = if (u - 0.6).hypot(v - 0.3) < 0.2 { 60.0 } else { 0.0 };
        let bar = if (0.1..0.25).contains(&(u + v / 2.0)) { -70.0 } else { 0.0 };
        Rgb([
            (wave(9.0, 4.0, 0.3) + disc).clamp(0.0, 255.0) as u8,
            (wave(-5.0, 13.0, 1.0) + bar).clamp(0.0, 255.0) as u8,
            (wave(21.0, -17.0, 2.0) + disc + bar).clamp(0.0, 255.0) as u8,
        ])
    })
}

fn policy(steps: Value, border: Border) -> Policy {
    Policy { border, steps: policy::steps_from_json(&steps).unwrap() }
}

/// A view by definition: for each of its pixels, the mean of all photo pixels, weighted by a triangle over their
/// distance in steps of the view. In f64, pixel by pixel, without tables and reductions. `to_photo` says where a point of
/// the view lies in the photo.
fn slow_view(
    photo: &RgbImage,
    to_photo: impl Fn(f64, f64) -> (f64, f64),
    border: Border,
    size: u32,
) -> Planes {
    let side = size as usize;
    let mut view = Planes::new(side, side);
    let centre = f64::from(size) / 2.0;
    let (left, right) = (to_photo(centre - 0.5, centre), to_photo(centre + 0.5, centre));
    let (top, bottom) = (to_photo(centre, centre - 0.5), to_photo(centre, centre + 0.5));
    let [a, b] = [(left, right), (top, bottom)].map(|((x0, y0), (x1, y1))| {
        let (x, y) = (x1 - x0, y1 - y0);
        let length = x.hypot(y);
        (x / length * length.max(1.0), y / length * length.max(1.0))
    });
    let area = a.0 * b.1 - a.1 * b.0;
    let (reach_x, reach_y) = (a.0.abs() + b.0.abs(), a.1.abs() + b.1.abs());
    for y in 0..side {
        for x in 0..side {
            let (u, v) = to_photo(x as f64 + 0.5, y as f64 + 0.5);
            let (mut sum, mut weights) = ([0.0; 3], 0.0);
            for row in (v - reach_y - 1.0).floor() as i64..=(v + reach_y + 1.0).ceil() as i64 {
                for column in (u - reach_x - 1.0).floor() as i64..=(u + reach_x + 1.0).ceil() as i64 {
                    let (dx, dy) = (column as f64 + 0.5 - u, row as f64 + 0.5 - v);
                    let (s, t) = ((b.1 * dx - b.0 * dy) / area, (a.0 * dy - a.1 * dx) / area);
                    let weight = (1.0 - s.abs()).max(0.0) * (1.0 - t.abs()).max(0.0);
                    weights += weight;
                    let inside = |at: i64, count: u32| match border {
                        Border::Reflect => {
                            let mut at = at;
                            while at < 0 || at >= i64::from(count) {
                                at = if at < 0 { -1 - at } else { 2 * i64::from(count) - 1 - at };
                            }
                            Some(at as u32)
                        }
                        Border::Edge => Some(at.clamp(0, i64::from(count) - 1) as u32),
                        Border::Black => u32::try_from(at).ok().filter(|at| *at < count),
                    };
                    if let (Some(column), Some(row)) =
                        (inside(column, photo.width()), inside(row, photo.height()))
                    {
                        let pixel = photo.get_pixel(column, row);
                        for (sum, value) in sum.iter_mut().zip(pixel.0) {
                            *sum += weight * f64::from(value);
                        }
                    }
                }
            }
            for (plane, sum) in view.channels_mut().into_iter().zip(sum) {
                plane[y * side + x] = (sum / weights / 255.0) as f32;
            }
        }
    }
    view
}

/// Greatest and mean difference in levels of 255.
fn off(found: &Planes, expected: &Planes) -> (f32, f32) {
    assert_eq!((found.width, found.height), (expected.width, expected.height));
    let differences = found.pixels_chw.iter().zip(&expected.pixels_chw).map(|(f, e)| (f - e).abs() * 255.0);
    let most = differences.clone().fold(0.0, f32::max);
    (most, differences.sum::<f32>() / found.pixels_chw.len() as f32)
}

/// The lesson's geometry by hand, from a point of the view back to the photo: crop, flip, rotation, scale.
fn lesson(
    (width, height): (u32, u32),
    size: u32,
    [scale, deg, flip, crop_x, crop_y]: [f64; 5],
) -> impl Fn(f64, f64) -> (f64, f64) {
    let short = f64::from(width.min(height));
    let target = (scale * f64::from(size)).floor();
    let wide = (f64::from(width) * target / short).floor().max(target);
    let high = (f64::from(height) * target / short).floor().max(target);
    move |x, y| {
        let x = x + (crop_x * (wide - f64::from(size))).floor();
        let y = y + (crop_y * (high - f64::from(size))).floor();
        let x = if flip == 1.0 { wide - x } else { x };
        // y points down: to come from a picture turned counter-clockwise, turn clockwise.
        let (dx, dy) = (x - wide / 2.0, y - high / 2.0);
        let (sin, cos) = deg.to_radians().sin_cos();
        let (x, y) = (wide / 2.0 + cos * dx - sin * dy, high / 2.0 + sin * dx + cos * dy);
        (x * f64::from(width) / wide, y * f64::from(height) / high)
    }
}

const GEOMETRY: [&str; 3] = ["scale", "rotate", "flip"];

#[test]
fn a_view_is_what_a_slow_and_obvious_computation_gives() {
    for (sides, size, numbers, border) in [
        ((500, 375), 224, [1.0, 0.0, 0.0, 0.5, 0.5], Border::Reflect),
        ((500, 375), 224, [1.09, 8.0, 1.0, 0.2, 0.9], Border::Reflect),
        ((91, 240), 64, [1.0, -40.0, 0.0, 0.0, 1.0], Border::Edge),
        ((91, 240), 64, [1.3, 170.0, 1.0, 0.7, 0.3], Border::Black),
        // Enlarged, and looking beyond every edge.
        ((20, 13), 40, [1.05, 30.0, 0.0, 0.4, 0.6], Border::Reflect),
        ((37, 29), 30, [0.4, 12.0, 1.0, 0.1, 0.2], Border::Black),
        // Three pixels high: a pixel of the view reaches beyond both edges.
        ((41, 3), 9, [0.2, 45.0, 0.0, 0.5, 0.5], Border::Reflect),
    ] {
        let photo = picture(sides.0, sides.1);
        let mut view = Planes::default();
        let mut augmenter = Augmenter::new(policy(json!(GEOMETRY), border));
        augmenter.photo(&photo).make(&numbers.map(|n| n as f32), size, &mut view);
        // Places of the crop are kept as f32; 0.9 of 20 pixels is then 17.
        let [scale, deg, flip, x, y] = numbers;
        let numbers = [scale, deg, flip, f64::from(x as f32), f64::from(y as f32)];
        let expected = slow_view(&photo, lesson(sides, size, numbers), border, size);
        let (most, mean) = off(&view, &expected);
        // A place is off by at most a 64th of a photo pixel, which shows at edges.
        assert!(most <= 4.0 && mean <= 0.5, "{sides:?} {numbers:?}: most {most}, mean {mean}");
    }
}

#[test]
fn a_photo_that_is_reduced_first_gives_almost_the_same() {
    // Shrunk by 4.5, by 13.4, and by 10 with a rest in both directions, whose edges all come into view.
    for (sides, size, crop) in [
        ((700, 450), 100, [0.3, 0.6]),
        ((1500, 2000), 112, [0.3, 0.6]),
        ((1501, 1001), 100, [0.0, 0.0]),
        ((1501, 1001), 100, [1.0, 1.0]),
    ] {
        let photo = picture(sides.0, sides.1);
        let mut view = Planes::default();
        let numbers = [1.0, 31.0, 0.0, crop[0], crop[1]];
        let mut augmenter = Augmenter::new(policy(json!(GEOMETRY), Border::Reflect));
        augmenter.photo(&photo).make(&numbers.map(|n| n as f32), size, &mut view);
        let expected = slow_view(&photo, lesson(sides, size, numbers), Border::Reflect, size);
        let (most, mean) = off(&view, &expected);
        assert!(most <= 12.0 && mean <= 0.6, "{sides:?}: most {most}, mean {mean}");
    }
}

#[test]
fn a_view_without_changes_is_the_plain_view_of_the_resizer() {
    for (sides, size) in [((500, 375), 224), ((331, 500), 224), ((90, 64), 64), ((40, 31), 50)] {
        let photo = picture(sides.0, sides.1);
        let policy = policy(json!([]), Border::Reflect);
        let mut view = Planes::default();
        // The plain view's crop starts at the next whole pixel, this one at the one before: even rests are alike.
        let rule = Preprocessing::new(size, [0.5; 3], [0.5; 3]);
        let resized = rule.resized(sides.0, sides.1);
        let share = |side: u32| {
            if side == size { 0.5 } else { (side - size).div_ceil(2) as f32 / (side - size) as f32 }
        };
        Augmenter::new(policy).photo(&photo).make(&[share(resized.0), share(resized.1)], size, &mut view);
        let plain = rule.crop(&photo, &mut Resizer::new());
        let (most, mean) = off(&view, &Planes::of(&plain));
        // The resizer rounds to 8 bits twice.
        assert!(most <= 4.0 && mean <= 0.5, "{sides:?} to {size}: most {most}, mean {mean}");
    }
}

#[test]
fn a_flip_mirrors_and_the_eight_symmetries_turn() {
    // Square and of the network's size, so that each pixel of a view is one of the photo.
    let photo = picture(30, 30);
    let view = |steps: Value, numbers: &[f32]| {
        let mut view = Planes::default();
        Augmenter::new(policy(steps, Border::Reflect)).photo(&photo).make(numbers, 30, &mut view);
        view.to_image()
    };
    assert_eq!(view(json!(["flip"]), &[1.0, 0.5, 0.5]), image::imageops::flip_horizontal(&photo));
    let mirrored = image::imageops::flip_horizontal(&photo);
    for (number, of) in [(0, &photo), (4, &mirrored)] {
        // `image` turns clockwise.
        let turned = [
            of.clone(),
            image::imageops::rotate270(of),
            image::imageops::rotate180(of),
            image::imageops::rotate90(of),
        ];
        for (quarter, turned) in turned.iter().enumerate() {
            let symmetry = (number + quarter) as f32;
            assert_eq!(view(json!(["dihedral"]), &[symmetry, 0.5, 0.5]), *turned, "symmetry {symmetry}");
        }
    }
}

#[test]
fn room_around_a_photo_is_filled_as_the_border_says() {
    let photo = RgbImage::from_fn(8, 8, |x, y| Rgb([(20 * x) as u8, (20 * y) as u8, 200]));
    let corner = |border: Border| {
        let mut view = Planes::default();
        // Two pixels of room; the crop begins at the very corner.
        Augmenter::new(policy(json!(["pad"]), border)).photo(&photo).make(&[0.25, 0.0, 0.0], 8, &mut view);
        let image = view.to_image();
        [0, 1, 2, 3].map(|x| image.get_pixel(x, 2).0)
    };
    let red = |levels: [u8; 4]| levels.map(|level| [level, 0, 200]);
    assert_eq!(corner(Border::Reflect), red([20, 0, 0, 20]));
    assert_eq!(corner(Border::Edge), red([0, 0, 0, 20]));
    assert_eq!(corner(Border::Black), [[0; 3], [0; 3], [0, 0, 200], [20, 0, 200]]);
}

#[test]
fn lighting_moves_values_about_the_mean_of_the_photo_and_clips() {
    // By hand: levels 51 and 204, mean 127.5, i.e. 0.2, 0.8 and 0.5. Contrast 1.5: 0.05 and 0.95; + 0.1: 0.15, 1 (clipped).
    let photo = RgbImage::from_fn(4, 4, |x, _| Rgb([if x < 2 { 51 } else { 204 }; 3]));
    let mut view = Planes::default();
    let mut augmenter = Augmenter::new(policy(json!(["lighting"]), Border::Reflect));
    augmenter.photo(&photo).make(&[0.1, 1.5, 0.5, 0.5], 4, &mut view);
    for (found, expected) in view.pixels_chw[..4].iter().zip([0.15, 0.15, 1.0, 1.0]) {
        assert!((found - expected).abs() < 1e-6, "{:?}", &view.pixels_chw[..4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any order, shared out among any number of threads, some views more than once, as after a restart.
    #[test]
    fn the_same_views_come_in_any_order_on_any_number_of_threads(
        shots in proptest::collection::vec((0_usize..3, 1_u32..5, 0_u64..3), 1..24),
        threads in 1_usize..5,
        seed: u64,
    ) {
        let photos = [picture(61, 40), picture(37, 90), picture(210, 130)];
        let policy = policy(json!(["scale", "rotate", "color_jitter", "random_erasing", "flip"]), Border::Reflect);
        let make = |augmenter: &mut Augmenter, (photo, number, epoch): (usize, u32, u64)| {
            let (item, of) = (format!("{photo}.jpg"), &photos[photo]);
            let stream = pipeline_photo::policy::stream(seed, epoch, &item, number);
            let numbers = policy.draw(&mut stream.start(), of.width(), of.height());
            let mut view = Planes::default();
            augmenter.photo(of).make(&numbers, 32, &mut view);
            view
        };
        let alone: Vec<Planes> =
            shots.iter().map(|shot| make(&mut Augmenter::new(policy.clone()), *shot)).collect();
        let shared_out = std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..threads)
                .map(|lane| {
                    let (shots, policy) = (shots.iter().rev().skip(lane).step_by(threads), &policy);
                    scope.spawn(move || {
                        let mut augmenter = Augmenter::new(policy.clone());
                        shots.map(|shot| make(&mut augmenter, *shot)).collect::<Vec<_>>()
                    })
                })
                .collect();
            lanes.into_iter().map(|lane| lane.join().unwrap()).collect::<Vec<_>>()
        });
        for (at, view) in alone.iter().rev().enumerate() {
            prop_assert!(shared_out[at % threads][at / threads] == *view, "shot {at} from the end");
        }
    }
}

#[test]
fn every_transform_at_both_ends_of_what_it_draws_makes_a_view_of_any_photo() {
    let photos = [picture(1, 1), picture(2, 3), picture(1, 20_000), picture(20_000, 1), picture(61, 47)];
    for kind in pipeline_photo::TRANSFORMS {
        let params = match kind.name {
            "scale" => json!({"p": 1, "min": 0.1, "max": 10}),
            "rotate" => json!({"p": 1, "max_deg": 180}),
            "random_resized_crop" => json!({"area": [0.01, 1], "ratio": [0.2, 5]}),
            "pad" => json!({"share": 1}),
            "perspective" => json!({"p": 1, "distortion": 0.5}),
            "lighting" => json!({"brightness": 1, "contrast": 0.9}),
            "color_jitter" => json!({"brightness": 2, "contrast": 2, "saturation": 2, "hue": 0.5}),
            "blur" => json!({"p": 1, "sigma": [0, 10]}),
            "random_erasing" => json!({"p": 1, "area": [0, 1], "ratio": [0.01, 100]}),
            "cutout" => json!({"side": 1}),
            "rand_augment" => json!({"ops": 4, "magnitude": 30}),
            _ => json!({"p": 1}),
        };
        let policy = policy(json!([{ kind.name: params }]), Border::Reflect);
        let mut augmenter = Augmenter::new(policy.clone());
        let mut view = Planes::default();
        for photo in &photos {
            let mut views = augmenter.photo(photo);
            for number in 0..12 {
                let stream = Stream { purpose: "ends", view: number, ..Stream::default() };
                let numbers = policy.draw_always(&mut stream.start(), photo.width(), photo.height());
                views.make(&numbers, 32, &mut view);
                let wrong = view.pixels_chw.iter().find(|value| !(0.0..=1.0).contains(*value));
                assert_eq!(wrong, None, "{} {numbers:?} of {:?}", kind.name, photo.dimensions());
            }
        }
    }
}

#[test]
fn the_mean_of_a_photo_wider_than_sums_of_32_bits_is_right() {
    // White, 17,000,000 pixels wide: 255 of each is more than 2^32. Contrast 0 is the mean alone.
    let photo = RgbImage::from_pixel(17_000_000, 1, Rgb([255; 3]));
    let mut view = Planes::default();
    let policy = policy(json!(["lighting"]), Border::Reflect);
    Augmenter::new(policy).photo(&photo).make(&[0.0, 0.0, 0.5, 0.5], 2, &mut view);
    assert!(view.pixels_chw.iter().all(|value| (value - 1.0).abs() < 1e-6), "{:?}", view.pixels_chw);
}

#[test]
#[should_panic(expected = "a view has the numbers that its policy draws")]
fn numbers_of_another_policy_are_refused() {
    let policy = policy(json!(["flip"]), Border::Reflect);
    Augmenter::new(policy).photo(&picture(8, 8)).make(&[1.0, 0.5], 4, &mut Planes::default());
}

#[test]
fn the_whole_photo_as_a_part_is_stretched_and_not_cropped() {
    let photo = picture(40, 30);
    let policy = policy(json!([{"random_resized_crop": {"area": [1, 1]}}]), Border::Reflect);
    let numbers = policy.draw(&mut Stream::default().start(), 40, 30);
    assert_eq!(numbers[..4], [0.0, 0.0, 1.0, 1.0], "4 : 3 is an allowed ratio");
    let mut view = Planes::default();
    Augmenter::new(policy).photo(&photo).make(&numbers, 30, &mut view);
    let stretched = slow_view(&photo, |x, y| (x * 40.0 / 30.0, y), Border::Reflect, 30);
    let (most, mean) = off(&view, &stretched);
    assert!(most <= 4.0 && mean <= 0.5, "most {most}, mean {mean}");
}

#[test]
fn a_view_does_not_depend_on_the_photos_and_views_before() {
    let photos = [picture(500, 375), picture(900, 1300), picture(31, 47)];
    let policy = policy(json!(["scale", "rotate", "lighting", "flip"]), Border::Reflect);
    let numbers = |id: usize, view: u32| {
        let item = format!("{id}.jpg");
        let stream = Stream { seed: 3, purpose: "augment", epoch: 2, item: &item, view };
        policy.draw(&mut stream.start(), photos[id].width(), photos[id].height())
    };
    let make = |augmenter: &mut Augmenter, id: usize, view: u32| {
        let mut planes = Planes::default();
        augmenter.photo(&photos[id]).make(&numbers(id, view), 64, &mut planes);
        planes
    };
    let mut used = Augmenter::new(policy.clone());
    for (id, view) in [(2, 1), (0, 1), (1, 3), (1, 1), (0, 2), (2, 1), (0, 1)] {
        let fresh = make(&mut Augmenter::new(policy.clone()), id, view);
        assert_eq!(make(&mut used, id, view), fresh, "photo {id}, view {view}");
    }
}
