//! Views of one size after the other take no memory. A binary of its own, since it counts allocations.

use image::Rgb;
use pipeline_photo::{Augmenter, Border, Planes, Policy, RgbImage, TRANSFORMS, policy};
use pipeline_stage::random::Stream;
use serde_json::json;

#[test]
fn once_buffers_have_grown_no_transform_allocates() {
    let photo = RgbImage::from_fn(500, 375, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
    for kind in TRANSFORMS {
        let steps = policy::steps_from_json(&json!([{ kind.name: { "p": 1.0 } }])).unwrap();
        let policy = Policy { border: Border::Reflect, steps };
        let mut augmenter = Augmenter::new(policy.clone());
        let (mut numbers, mut view) = (Vec::new(), Planes::default());
        let mut round = || {
            let mut views = augmenter.photo(&photo);
            for view_number in 0..60 {
                let stream = Stream { purpose: "augment", view: view_number, ..Stream::default() };
                policy.draw_into(&mut numbers, &mut stream.start(), 500, 375);
                views.make(&numbers, 96, &mut view);
            }
        };
        let first = allocation_counter::measure(&mut round);
        assert!(first.count_total > 0, "{}: buffers grow at first", kind.name);
        let second = allocation_counter::measure(&mut round);
        assert_eq!(second.count_total, 0, "{}: {} bytes", kind.name, second.bytes_total);
    }
}
