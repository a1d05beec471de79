//! [`TestViews`]: the views of a photo whose predictions are averaged, besides that of the plain view.

use pipeline_stage::random::Stream;

use crate::policy::Policy;
use crate::transform::flip::Flip;
use crate::transform::scale::Scale;

/// The random numbers of a view of the policy: of another purpose than in training, so other numbers.
pub fn stream(seed: u64, photo_id: &str, view: u32) -> Stream<'_> {
    Stream { seed, purpose: "tta", item: photo_id, view, ..Stream::default() }
}

/// Which views test-time augmentation looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum TestViews {
    /// So many random ones of the training policy, the lesson's way.
    Policy(u32),
    /// The plain view, mirrored. (Where the room above the square is odd, a row higher.)
    Flip,
    /// The four corners and the centre of the photo at 8/7 of the size (256 to 224, as in Krizhevsky et al. 2012).
    FiveCrop,
    /// The five crops, and each mirrored.
    TenCrop,
    /// The centre at these scales, each above 0.
    MultiScale(Vec<f64>),
}

/// The photo for the crops, larger than the view by this.
const CROP_SCALE: f32 = 8.0 / 7.0;

/// Shares of the room left and above each of the five crops.
const FIVE: [(f32, f32); 5] = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5)];

impl TestViews {
    /// A name for each view, for people.
    pub fn names(&self) -> Vec<String> {
        let crops = ["upper left", "upper right", "lower left", "lower right", "centre"];
        match self {
            TestViews::Policy(views) => (1..=*views).map(|view| format!("random view {view}")).collect(),
            TestViews::Flip => vec!["mirrored".to_owned()],
            TestViews::FiveCrop => crops.map(str::to_owned).to_vec(),
            TestViews::TenCrop => {
                let mirrored = crops.map(|crop| format!("{crop}, mirrored")).to_vec();
                [crops.map(str::to_owned).to_vec(), mirrored].concat()
            }
            TestViews::MultiScale(scales) => scales.iter().map(|scale| format!("scale {scale}")).collect(),
        }
    }

    /// The policy that the views are made with: the training one, or one of fixed views, which takes its border alone.
    pub fn policy(&self, training: &Policy) -> Policy {
        match self {
            TestViews::Policy(_) => training.clone(),
            _ => Policy {
                border: training.border,
                steps: vec![Box::new(Scale::default()), Box::new(Flip::default())],
            },
        }
    }

    /// The policy that the views are made with, and the numbers of each, in order, for a photo of `width` x `height`
    /// pixels.
    pub fn of(
        &self,
        training: &Policy,
        seed: u64,
        photo_id: &str,
        (width, height): (u32, u32),
    ) -> (Policy, Vec<Vec<f32>>) {
        let crops = |flip: f32| FIVE.map(|(x, y)| vec![CROP_SCALE, flip, x, y]);
        let numbers = match self {
            TestViews::Policy(views) => {
                let draw = |view| training.draw(&mut stream(seed, photo_id, view).start(), width, height);
                (1..=*views).map(draw).collect()
            }
            TestViews::Flip => vec![vec![1.0, 1.0, 0.5, 0.5]],
            TestViews::FiveCrop => crops(0.0).to_vec(),
            TestViews::TenCrop => [crops(0.0), crops(1.0)].concat(),
            TestViews::MultiScale(scales) => {
                scales.iter().map(|scale| vec![*scale as f32, 0.0, 0.5, 0.5]).collect()
            }
        };
        (self.policy(training), numbers)
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::border::Border;
    use crate::choice::PolicyChoice;
    use crate::planes::Planes;
    use crate::preprocessing::Preprocessing;
    use crate::resizer::Resizer;
    use crate::views::Augmenter;

    fn training() -> Policy {
        Policy { border: Border::Reflect, steps: PolicyChoice::named("side_on").unwrap().steps(1.1) }
    }

    /// The views, 28 pixels wide, of a photo of 48 x 32 pixels: at 8/7 it has the scale 1, and each pixel tells where it
    /// was.
    fn views(of: &TestViews) -> Vec<RgbImage> {
        let photo = RgbImage::from_fn(48, 32, |x, y| Rgb([5 * x as u8, 7 * y as u8, 9]));
        let (policy, numbers) = of.of(&training(), 1, "a.jpg", (48, 32));
        let mut augmenter = Augmenter::new(policy);
        let mut view = Planes::default();
        let make = |numbers: &Vec<f32>| {
            augmenter.photo(&photo).make(numbers, 28, &mut view);
            view.to_image()
        };
        numbers.iter().map(make).collect()
    }

    #[test]
    fn five_crops_are_the_corners_and_the_centre_and_ten_have_them_mirrored() {
        let first_pixels = |views: &[RgbImage]| {
            views
                .iter()
                .map(|view| (view.get_pixel(0, 0)[0] / 5, view.get_pixel(0, 0)[1] / 7))
                .collect::<Vec<_>>()
        };
        // Room of 20 and 4 pixels.
        let five = [(0, 0), (20, 0), (0, 4), (20, 4), (10, 2)];
        assert_eq!(first_pixels(&views(&TestViews::FiveCrop)), five);
        let ten = views(&TestViews::TenCrop);
        assert_eq!(first_pixels(&ten[..5]), five);
        // Mirrored first, so the left corners are the right ones of the photo.
        assert_eq!(first_pixels(&ten[5..]), [(47, 0), (27, 0), (47, 4), (27, 4), (37, 2)]);
        assert_eq!(ten[9], image::imageops::flip_horizontal(&ten[4]));
        let names = TestViews::TenCrop.names();
        assert_eq!(
            (names.len(), names[1].as_str(), names[9].as_str()),
            (10, "upper right", "centre, mirrored")
        );
    }

    #[test]
    fn scales_look_closer_at_the_centre() {
        let scaled = views(&TestViews::MultiScale(vec![8.0 / 7.0, 16.0 / 7.0]));
        assert_eq!(scaled[0].get_pixel(0, 0).0, [50, 14, 9]);
        // At twice that the view shows columns 17 to 31 and rows 9 to 23 of the photo.
        let corner = scaled[1].get_pixel(0, 0).0;
        assert!(corner[0].abs_diff(5 * 17) <= 3 && corner[1].abs_diff(7 * 9) <= 4, "{corner:?}");
    }

    #[test]
    fn views_of_the_policy_are_random_others_than_those_of_training_and_the_first_ones_stay() {
        let numbers = |views| TestViews::Policy(views).of(&training(), 1, "a.jpg", (48, 32)).1;
        let four = numbers(4);
        assert_eq!(four[..2], numbers(2));
        assert_ne!(four[0], four[1]);
        let stream = Stream { seed: 1, purpose: "augment", item: "a.jpg", view: 1, ..Stream::default() };
        assert_ne!(four[0], training().draw(&mut stream.start(), 48, 32));
    }

    #[test]
    fn flip_is_the_plain_view_mirrored() {
        for (width, height) in [(53, 30), (48, 30), (28, 40)] {
            let photo = RgbImage::from_fn(width, height, |x, y| Rgb([4 * x as u8, 6 * y as u8, 9]));
            let (policy, numbers) = TestViews::Flip.of(&training(), 1, "a.jpg", (width, height));
            let mut view = Planes::default();
            let size = width.min(height);
            Augmenter::new(policy).photo(&photo).make(&numbers[0], size, &mut view);
            let plain = Preprocessing::new(size, [0.0; 3], [1.0; 3]).crop(&photo, &mut Resizer::new());
            assert_eq!(view.to_image(), image::imageops::flip_horizontal(&plain), "{width} x {height}");
        }
    }
}
