//! [`Views`]: views of a photo, made from the numbers that a [`Policy`] drew.

use image::RgbImage;

use crate::canvas::Canvas;
use crate::planes::Planes;
use crate::policy::Policy;
use crate::sampler::Sampler;
use crate::transform::Palette;

/// Makes views of one photo after another. Make one per thread and keep it: it holds the buffers, so that views of
/// the same size as before allocate nothing.
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

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
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
        let side = size as usize;
        view.resize(side, side);

        let mut canvas = Canvas::new(self.photo.width(), self.photo.height(), size);
        for (step, own) in policy.active(numbers) {
            step.place(own, &mut canvas);
        }
        let [.., crop_x, crop_y] = numbers else { panic!("a view has at least the two numbers of its crop") };
        let to_photo = canvas.crop(f64::from(*crop_x), f64::from(*crop_y));
        sampler.sample(self.photo, &to_photo, policy.border, view);

        for (step, own) in policy.active(numbers) {
            step.paint(own, view, palette);
        }
    }
}

/// The mean of each channel, 0 to 1.
fn mean(photo: &RgbImage) -> [f32; 3] {
    let mut sums = [0_u64; 3];
    // Rows first: their sums fit 32 bits, which is twice as fast.
    for row in photo.as_raw().chunks_exact(3 * photo.width().max(1) as usize) {
        let mut row_sums = [0_u32; 3];
        for pixel in row.chunks_exact(3) {
            for (sum, value) in row_sums.iter_mut().zip(pixel) {
                *sum += u32::from(*value);
            }
        }
        for (sum, row_sum) in sums.iter_mut().zip(row_sums) {
            *sum += u64::from(row_sum);
        }
    }
    let pixels = f64::from(photo.width()) * f64::from(photo.height());
    sums.map(|sum| (sum as f64 / (255.0 * pixels.max(1.0))) as f32)
}
