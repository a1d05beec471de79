//! How many views a second one core makes. Ignored by default, since other work on the machine disturbs it:
//!
//!     cargo test --release -p pipeline-photo --test photo -- --ignored --nocapture speed
//!
//! `tests/bench/views.py` runs it beside torchvision on the same photo and transforms.

use std::time::Instant;

use image::Rgb;
use pipeline_photo::{Augmenter, Border, Planes, Policy, PolicyChoice, Preprocessing, RgbImage};
use pipeline_stage::random::Stream;

const VIEWS: u32 = 400;

/// Views of 224 x 224 pixels a second of a decoded photo of 500 x 375, normalised, the best of five rounds, with
/// `views_a_photo` views for each time that the photo is taken up.
fn views_a_second(policy: &Policy, views_a_photo: u32) -> f64 {
    let photo = RgbImage::from_fn(500, 375, |x, y| Rgb([(x / 2) as u8, (y / 2) as u8, (x * y % 251) as u8]));
    let rule = Preprocessing::new(224, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let mut augmenter = Augmenter::new(policy.clone());
    let (mut numbers, mut view) = (Vec::new(), Planes::default());
    let mut round = || {
        let started = Instant::now();
        for first in (0..VIEWS).step_by(views_a_photo as usize) {
            let mut views = augmenter.photo(&photo);
            for number in first..first + views_a_photo {
                let stream = Stream { purpose: "augment", view: number, ..Stream::default() };
                policy.draw_into(&mut numbers, &mut stream.start(), photo.width(), photo.height());
                views.make(&numbers, 224, &mut view);
                rule.normalise_planes(&mut view);
            }
        }
        f64::from(VIEWS) / started.elapsed().as_secs_f64()
    };
    (0..5).map(|_| round()).fold(0.0, f64::max)
}

#[test]
#[ignore = "measures time: cargo test --release -p pipeline-photo --test photo -- --ignored --nocapture speed"]
fn speed_of_the_lessons_policy_is_at_least_400_views_a_second_on_one_core() {
    let named = |name: &'static str| Policy {
        border: Border::Reflect,
        steps: PolicyChoice::named(name).unwrap().steps(1.1),
    };
    for name in ["none", "top_down", "rand_augment", "trivial_augment"] {
        println!("{name}: {:.0} views/s", views_a_second(&named(name), 4));
    }
    let four = views_a_second(&named("side_on"), 4);
    let one = views_a_second(&named("side_on"), 1);
    println!("side_on: {four:.0} views/s, 4 of each photo");
    println!("side_on: {one:.0} views/s, 1 of each photo");
    assert!(one >= 400.0, "{one} views/s");
}
