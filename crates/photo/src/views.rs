//! [`Views`]: views of a photo, made from the numbers that a [`Policy`] drew.

use image::RgbImage;

use crate::canvas::Canvas;
use crate::planes::Planes;
use crate::policy::Policy;
use crate::sampler::Sampler;
use crate::transform::Palette;

/// Makes views of one photo after another. Make one per thread and keep it: it holds the buffers, so that views
/// no larger than before, of photos no larger than before, allocate nothing.
#[derive(Debug)]
pub struct Augmenter {
    policy: Policy,
    sampler: Sampler,
    palette: Palette,
}

impl Augmenter {
    /// For this policy.
    pub fn new(policy: Policy) -> Self {
        Augmenter { policy, sampler: Sampler::default(), palette: Palette::default() }
    }

    /// Takes the next photo, `[H, W, 3]` u8, not empty.
    pub fn photo<'a>(&'a mut self, photo: &'a RgbImage) -> Views<'a> {
        self.sampler.next_photo();
        self.palette.photo_mean = mean(photo);
        Views { augmenter: self, photo }
    }
}

/// The views of one photo.
#[derive(Debug)]
pub struct Views<'a> {
    augmenter: &'a mut Augmenter,
    photo: &'a RgbImage,
}

impl Views<'_> {
    /// Makes the view of these numbers, drawn by the policy, of `size` x `size` pixels, in `view`.
    ///
    /// # Panics
    /// When there are not as many numbers as the policy draws.
    pub fn make(&mut self, numbers: &[f32], size: u32, view: &mut Planes) {
        let Augmenter { policy, sampler, palette } = &mut *self.augmenter;
        assert_eq!(numbers.len(), policy.numbers(), "a view has the numbers that its policy draws");
        let (drawn, crop) = numbers.split_at(numbers.len() - 2);
        view.resize(size as usize, size as usize);

        let mut canvas = Canvas::new(self.photo.width(), self.photo.height(), size);
        for (step, own) in policy.active(drawn) {
            step.place(own, &mut canvas);
        }
        let to_photo = canvas.crop(f64::from(crop[0]), f64::from(crop[1]));
        sampler.sample(self.photo, &to_photo, policy.border, view);

        for (step, own) in policy.active(drawn) {
            step.paint(own, view, palette);
        }
    }
}

/// The mean of each channel, 0 to 1.
fn mean(photo: &RgbImage) -> [f32; 3] {
    let mut sums = [0_u64; 3];
    // Parts first: the sums of 4,096 pixels fit 32 bits, which is twice as fast.
    for part in photo.as_raw().chunks(3 * 4096) {
        let mut part_sums = [0_u32; 3];
        for pixel in part.chunks_exact(3) {
            for (sum, value) in part_sums.iter_mut().zip(pixel) {
                *sum += u32::from(*value);
            }
        }
        for (sum, part_sum) in sums.iter_mut().zip(part_sums) {
            *sum += u64::from(part_sum);
        }
    }
    let pixels = f64::from(photo.width()) * f64::from(photo.height());
    sums.map(|sum| (sum as f64 / (255.0 * pixels.max(1.0))) as f32)
}
