//! [`Camera`]: a lane that reads photos and shows them as the model sees them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pipeline_nn::{Dtype, Head, Trunk, device, heated};
use pipeline_photo::{Augmenter, Limits, Planes, Policy, Preprocessing, Resizer, RgbImage, read};
use pipeline_stage::Failure;
use pipeline_table::ImageRow;

use crate::model::Model;
use crate::pictures::queue::Wanted;
use crate::pictures::thumbnails;
use crate::pictures::thumbnails::Thumbnail;

/// A trunk and a head, with the folder of the photos. One per thread.
pub(super) struct Camera {
    folder: PathBuf,
    preprocessing: Preprocessing,
    trunk: Trunk,
    head: Head,
    resizer: Resizer,
}

/// A photo that was wanted.
pub(super) struct Taken {
    pub(super) wanted: Wanted,
    /// Or why it cannot be had.
    pub(super) prints: Result<Prints, String>,
}

/// Pictures of a photo.
pub(super) struct Prints {
    /// What the model sees, and the same with the heat; of photos on sheets.
    pub(super) seen: Option<[RgbImage; 2]>,
    /// The whole photo, small; `None` once it was handed out.
    pub(super) small: Option<RgbImage>,
    /// The same for the page's lists.
    pub(super) thumbnail: Thumbnail,
}

impl Camera {
    /// The camera of `model`, whose trunk, in float32, is `trunk`.
    pub(super) fn new(model: &Model, trunk: &Trunk, folder: &Path) -> Result<Self, Failure> {
        Ok(Camera {
            folder: folder.to_owned(),
            preprocessing: model.record.preprocessing,
            trunk: trunk.share()?,
            head: model.record.load_head(&model.dir, trunk.device())?,
            resizer: Resizer::new(),
        })
    }

    /// Reads a photo, whose row in the photo table is `row`, and makes its pictures.
    pub(super) fn take(&mut self, wanted: Wanted, row: Option<&ImageRow>) -> Result<Taken, Failure> {
        let photo = match self.read(&wanted.id, row) {
            Ok(photo) => photo,
            Err(why) => return Ok(Taken { wanted, prints: Err(why) }),
        };
        let seen = wanted.heat_of.map(|class| self.see(&photo, class)).transpose()?;
        let small = thumbnails::small(&photo, &mut self.resizer);
        let thumbnail = Thumbnail::of(&wanted.id, &small)?;
        Ok(Taken { wanted, prints: Ok(Prints { seen, small: Some(small), thumbnail }) })
    }

    /// Reads the photo `id`; why it cannot be had where it is gone, changed or unreadable.
    pub(super) fn read(&self, id: &str, row: Option<&ImageRow>) -> Result<RgbImage, String> {
        let row = row.ok_or_else(|| format!("photo `{id}` is not in the input `images`"))?;
        let photo = read(&self.folder, id, &row.digest, &self.preprocessing, &Limits::default());
        photo.map(|photo| photo.pixels).map_err(|error| error.to_string())
    }

    /// The plain view, and with the heat of a class over it.
    fn see(&mut self, photo: &RgbImage, class: u32) -> Result<[RgbImage; 2], Failure> {
        // A new thread inherits the last count set anywhere, so each camera sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let model = (&self.trunk, &self.head);
        Ok(heated(model, &self.preprocessing, photo, class, &mut self.resizer)?)
    }

    /// The plain view of a photo and those of these numbers, drawn by `policy`: normalised, `[views, 3, size, size]`, and as
    /// pictures.
    pub(super) fn views(
        &mut self,
        photo: &RgbImage,
        policy: Policy,
        numbers: &[Vec<f32>],
    ) -> (Vec<f32>, Vec<RgbImage>) {
        let plain = self.preprocessing.crop(photo, &mut self.resizer);
        let mut pixels_nchw = vec![0.0; plain.as_raw().len()];
        self.preprocessing.normalise_chw(&plain, &mut pixels_nchw);
        let mut pictures = vec![plain];
        let mut augmenter = Augmenter::new(policy);
        let mut views = augmenter.photo(photo);
        let mut view = Planes::default();
        for numbers in numbers {
            views.make(numbers, self.preprocessing.size, &mut view);
            pictures.push(view.to_image());
            self.preprocessing.normalise_planes(&mut view);
            pixels_nchw.extend(&view.pixels_chw);
        }
        (pixels_nchw, pictures)
    }

    /// The features of normalised views, `[views, 3, size, size]`, for [`Model::log_probs`].
    pub(super) fn features(&self, pixels_nchw: &[f32]) -> Result<Vec<f32>, pipeline_nn::Error> {
        device::set_threads(NonZeroUsize::MIN);
        let folded = self.trunk.folded(Dtype::F32)?;
        let size = self.preprocessing.size;
        let mut features = vec![];
        // One after the other, for there may be many.
        for view in pixels_nchw.chunks_exact(3 * (size as usize).pow(2)) {
            features.extend(folded.features(view, size)?);
        }
        Ok(features)
    }
}
