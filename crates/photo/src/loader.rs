//! [`Loader`]: photos of a data set from their files to what a network is given, plain or augmented.

use std::path::PathBuf;

use crate::limits::Limits;
use crate::planes::Planes;
use crate::policy::Policy;
use crate::preprocessing::Preprocessing;
use crate::read::{ReadError, read};
use crate::resizer::Resizer;
use crate::views::Augmenter;

/// Reads photos and makes normalised views of them. Make one per thread and keep it: it holds the buffers.
#[derive(Debug)]
pub struct Loader {
    folder: PathBuf,
    preprocessing: Preprocessing,
    limits: Limits,
    resizer: Resizer,
    augmenter: Option<Augmenter>,
    view: Planes,
}

impl Loader {
    /// For the photos of `folder`; `policy` is what drew the numbers of augmented views, where there are any.
    pub fn new(folder: PathBuf, preprocessing: Preprocessing, policy: Option<Policy>) -> Self {
        Loader {
            folder,
            preprocessing,
            limits: Limits::default(),
            resizer: Resizer::new(),
            augmenter: policy.map(Augmenter::new),
            view: Planes::default(),
        }
    }

    /// Values of one view: `3 · size · size`.
    pub fn view_len(&self) -> usize {
        3 * (self.preprocessing.size as usize).pow(2)
    }

    /// Reads and decodes the photo `id`, whose content has `digest`, and makes the given views of it in `pixels_nchw`,
    /// `[views, 3, size, size]`, normalised. A view is the numbers that the policy drew for it; `None` is the plain one.
    ///
    /// # Errors
    /// As [`read`](read()).
    ///
    /// # Panics
    /// When `pixels_nchw` does not hold that many values; when a view has other numbers than the policy draws, or numbers
    /// where there is no policy.
    pub fn load(
        &mut self,
        id: &str,
        digest: &str,
        views: &[Option<&[f32]>],
        pixels_nchw: &mut [f32],
    ) -> Result<(), ReadError> {
        let len = self.view_len();
        assert_eq!(pixels_nchw.len(), views.len() * len, "the buffer holds {} views", views.len());
        let photo = read(&self.folder, id, digest, &self.preprocessing, &self.limits)?;
        let mut augmented = self.augmenter.as_mut().map(|augmenter| augmenter.photo(&photo.pixels));
        for (numbers, pixels) in views.iter().zip(pixels_nchw.chunks_exact_mut(len)) {
            match (numbers, &mut augmented) {
                (None, _) => {
                    let square = self.preprocessing.crop(&photo.pixels, &mut self.resizer);
                    self.preprocessing.normalise_chw(&square, pixels);
                }
                (Some(numbers), Some(augmented)) => {
                    augmented.make(numbers, self.preprocessing.size, &mut self.view);
                    self.preprocessing.normalise_planes(&mut self.view);
                    pixels.copy_from_slice(&self.view.pixels_chw);
                }
                (Some(_), None) => panic!("an augmented view needs the policy that drew its numbers"),
            }
        }
        Ok(())
    }
}
