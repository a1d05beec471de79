//! One lane: photos in, the features of their views out.

use std::num::NonZeroUsize;
use std::path::Path;

use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Dtype, FoldedTrunk, device};
use pipeline_photo::{Loader, Policy, Preprocessing, TestViews};
use pipeline_stage::{Cancel, Failure};
use pipeline_table::ImageRow;

use crate::error::Error;
use crate::model::Model;

const MOST_VIEWS: usize = FoldedTrunk::MOST_VIEWS;

/// Which views are looked at besides the plain one.
#[derive(Debug, Clone)]
pub(crate) struct Augmented {
    pub(crate) views: TestViews,
    /// The first view that is averaged: 0, the plain one, or 1, the first of `views`.
    pub(crate) first_averaged: usize,
    /// The training policy; of fixed views one without steps.
    pub(crate) policy: Policy,
    pub(crate) seed: u64,
}

impl Augmented {
    /// The numbers of each view of a photo.
    fn of(&self, photo: &ImageRow) -> Result<Vec<Vec<f32>>, Error> {
        let (Some(width), Some(height)) = (photo.width, photo.height) else {
            return Err(Error::NoSize { id: photo.id.clone() });
        };
        Ok(self.views.of(&self.policy, self.seed, &photo.id, (width, height)).1)
    }
}

/// A trunk, and what it looks at.
pub(crate) struct Eye {
    pub(crate) trunk: FoldedTrunk,
    pub(crate) preprocessing: Preprocessing,
    /// 0, or 1 where the features of the plain view, which is the first, are in the table.
    pub(crate) first_view: usize,
}

/// The eyes of models.
pub(crate) struct Eyes {
    /// One for all models that share a trunk, its pooling and the preprocessing.
    pub(crate) all: Vec<Eye>,
    /// The place in `all` of each model's; `None` where features alone are enough.
    pub(crate) of: Vec<Option<usize>>,
}

impl Eyes {
    /// Those that these models need.
    pub(crate) fn open(
        models: &[Model],
        is_augmented: bool,
        dtype: Dtype,
        device: Device,
    ) -> Result<Self, Failure> {
        let mut eyes = Eyes { all: vec![], of: vec![] };
        let mut owners: Vec<&Model> = Vec::new();
        for model in models {
            if model.is_in_table && !is_augmented {
                eyes.of.push(None);
                continue;
            }
            let record = &model.record;
            let seen_by = |record: &ModelRecord| (record.trunk, record.preprocessing, record.pool);
            let is_shared = |owner: &&Model| seen_by(&owner.record) == seen_by(record);
            let eye = owners.iter().position(is_shared).unwrap_or(owners.len());
            if eye == owners.len() {
                let trunk = record.load_trunk(&model.dir, device)?.folded(dtype)?;
                let first_view = usize::from(model.is_in_table);
                eyes.all.push(Eye { trunk, preprocessing: record.preprocessing, first_view });
                owners.push(model);
            }
            eyes.of.push(Some(eye));
        }
        Ok(eyes)
    }
}

/// What a lane returns.
pub(crate) struct Seen {
    /// Photos in order.
    pub(crate) photos: Vec<ImageRow>,
    /// For each eye, row-major: `[photos, views from its first one on, D]`.
    pub(crate) features: Vec<Vec<f32>>,
}

/// Copies of the eyes (sharing their weights) with buffers of their own.
pub(crate) struct Lane {
    lenses: Vec<Lens>,
    eyes: usize,
    augmented: Option<Augmented>,
    cancel: Cancel,
}

/// The views of photos that are prepared in one way, and the eyes that look at them.
struct Lens {
    loader: Loader,
    preprocessing: Preprocessing,
    first_view: usize,
    /// `[photos, views from the first one on, 3, size, size]`, normalised.
    pixels_nchw: Vec<f32>,
    /// Each with its number among all.
    eyes: Vec<(usize, Eye)>,
}

/// How many photos are given to a lane at once: one with its augmented views, else a batch.
pub(crate) fn photos_at_once(augmented: Option<&Augmented>, photos: u64) -> usize {
    match augmented {
        Some(_) => 1,
        None => usize::try_from(photos).unwrap_or(MOST_VIEWS).clamp(1, MOST_VIEWS),
    }
}

impl Lane {
    /// For at most `photos` at once of the folder `folder`; as [`photos_at_once`] says, several only where `augmented` is
    /// `None` and every eye looks at the plain view.
    pub(crate) fn new(
        eyes: &[Eye],
        folder: &Path,
        photos: usize,
        augmented: Option<Augmented>,
        cancel: Cancel,
    ) -> Result<Self, pipeline_nn::Error> {
        let mut lenses: Vec<Lens> = Vec::new();
        for (number, eye) in eyes.iter().enumerate() {
            let (preprocessing, first_view) = (eye.preprocessing, eye.first_view);
            let own = Eye { trunk: eye.trunk.share()?, preprocessing, first_view };
            match lenses.iter_mut().find(|lens| lens.preprocessing == preprocessing) {
                Some(lens) => {
                    lens.first_view = lens.first_view.min(first_view);
                    lens.eyes.push((number, own));
                }
                None => {
                    let policy =
                        augmented.as_ref().map(|augmented| augmented.views.policy(&augmented.policy));
                    let loader = Loader::new(folder.to_owned(), preprocessing, policy);
                    let eyes = vec![(number, own)];
                    lenses.push(Lens { loader, preprocessing, first_view, pixels_nchw: vec![], eyes });
                }
            }
        }
        let all_views = 1 + augmented.as_ref().map_or(0, |augmented| augmented.views.names().len());
        for lens in &mut lenses {
            lens.pixels_nchw = vec![0.0; photos * (all_views - lens.first_view) * lens.loader.view_len()];
        }
        Ok(Lane { lenses, eyes: eyes.len(), augmented, cancel })
    }

    /// Makes the views of these photos and runs the trunks on them.
    pub(crate) fn look(&mut self, photos: Vec<ImageRow>) -> Result<Seen, Failure> {
        let numbers = |photo: &ImageRow| match &self.augmented {
            Some(augmented) => augmented.of(photo),
            None => Ok(vec![]),
        };
        let numbers: Vec<Vec<Vec<f32>>> = photos.iter().map(numbers).collect::<Result<_, _>>()?;
        // A new thread inherits the last count set anywhere, so each lane sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let mut features = vec![vec![]; self.eyes];
        for lens in &mut self.lenses {
            lens.load(&photos, &numbers, &self.cancel)?;
            for (number, eye) in &lens.eyes {
                features[*number] = lens.look(eye, &self.cancel)?;
            }
        }
        Ok(Seen { photos, features })
    }
}

impl Lens {
    /// Makes the views of `photos`: the plain one, and one for each row of a photo's `numbers`.
    fn load(
        &mut self,
        photos: &[ImageRow],
        numbers: &[Vec<Vec<f32>>],
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        let view_len = self.loader.view_len();
        let mut rest = self.pixels_nchw.as_mut_slice();
        for (photo, numbers) in photos.iter().zip(numbers) {
            cancel.check()?;
            let mut views: Vec<Option<&[f32]>> = vec![None];
            views.extend(numbers.iter().map(|view| Some(view.as_slice())));
            let views = &views[self.first_view..];
            let (pixels, others) = rest.split_at_mut(views.len() * view_len);
            self.loader.load(&photo.id, &photo.digest, views, pixels)?;
            rest = others;
        }
        // What a short batch leaves over is computed and passed over: batches of one size give equal bits.
        rest.fill(0.0);
        Ok(())
    }

    /// The features of what was loaded, a short batch's padding included: `[views, D]`.
    fn look(&self, eye: &Eye, cancel: &Cancel) -> Result<Vec<f32>, Failure> {
        let view_len = self.loader.view_len();
        let own = &self.pixels_nchw[(eye.first_view - self.first_view) * view_len..];
        let mut features = Vec::new();
        for pixels in own.chunks(MOST_VIEWS * view_len) {
            cancel.check()?;
            features.extend(eye.trunk.features(pixels, self.preprocessing.size)?);
        }
        Ok(features)
    }
}
