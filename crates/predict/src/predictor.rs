//! [`Predictor`]: a model folder, loaded, that answers for photos.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline_fit::log_mean;
use pipeline_nn::artifact::{Model, ModelRecord};
use pipeline_nn::{Dtype, FoldedTrunk, Head, device, libtorch};
use pipeline_photo::{Augmenter, Decode, Limits, Planes, Rejected, Resizer, decode};

use crate::answer::{Answer, Prediction};
use crate::error::Error;
use crate::photo::Photo;
use crate::views::Views;

/// Views that go through the trunk at once: `precompute`'s usual number, so that features are the same to the last bit.
pub const BATCH_SIZE: usize = 8;

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the trunk computes in.
    pub dtype: Dtype,
    /// Which views are looked at.
    pub views: Views,
    /// Photos that go through the trunk at once where one view of each is looked at, at least 1. What is missing is computed
    /// all the same, and the last bits of an answer may depend on this number, but on nothing else.
    pub batch_size: NonZeroUsize,
    /// What a photo may ask for: one above it is rejected before it is decoded.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let batch_size = NonZeroUsize::new(BATCH_SIZE).unwrap_or(NonZeroUsize::MIN);
        Options { dtype: Dtype::default(), views: Views::default(), batch_size, limits: Limits::default() }
    }
}

/// Where the time of [`Predictor::predict`] went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Reading and decoding photos, and making their views.
    pub decode: Duration,
    /// The trunk and the head.
    pub trunk: Duration,
}

/// A model that answers for photos: one lane, for one thread at a time.
pub struct Predictor {
    record: Arc<ModelRecord>,
    options: Options,
    trunk: FoldedTrunk,
    head: Head,
    resizer: Resizer,
    augmenter: Option<Augmenter>,
    view: Planes,
    /// `[photos at once, views, 3, size, size]`, normalised.
    pixels_nchw: Vec<f32>,
    spent: Spent,
}

impl Predictor {
    /// Loads the model folder `dir`, which may lie anywhere, to the device that [`device::pick`] picks.
    ///
    /// # Errors
    /// A file that is missing, damaged, or not of this model; no libtorch; too little memory.
    pub fn load(dir: &Path, options: Options) -> Result<Self, Error> {
        libtorch::load()?;
        let (record, trunk, head) = Model::load(dir, device::pick())?.into_parts();
        let trunk = trunk.folded(options.dtype)?;
        Predictor::new(Arc::new(record), options, trunk, head)
    }

    /// The same model for another thread: the weights are shared, the buffers are its own.
    ///
    /// # Errors
    /// Too little memory.
    pub fn share(&self) -> Result<Self, Error> {
        Predictor::new(Arc::clone(&self.record), self.options.clone(), self.trunk.share()?, self.head.share())
    }

    fn new(
        record: Arc<ModelRecord>,
        options: Options,
        trunk: FoldedTrunk,
        head: Head,
    ) -> Result<Self, Error> {
        let mut predictor = Predictor {
            augmenter: options.views.policy().map(Augmenter::new),
            record,
            options,
            trunk,
            head,
            resizer: Resizer::new(),
            view: Planes::default(),
            pixels_nchw: vec![],
            spent: Spent::default(),
        };
        let views = predictor.photos_at_once() * predictor.options.views.count();
        let numbers = views * predictor.view_len();
        let too_large = |_| Error::OutOfMemory { views, bytes: 4 * numbers as u64 };
        predictor.pixels_nchw.try_reserve_exact(numbers).map_err(too_large)?;
        predictor.pixels_nchw.resize(numbers, 0.0);
        Ok(predictor)
    }

    /// What the model is: its classes, and how photos are prepared for it.
    pub fn record(&self) -> &ModelRecord {
        &self.record
    }

    /// The class names; the position is the number of the class.
    pub fn classes(&self) -> &[String] {
        &self.record.classes
    }

    /// What a photo may ask for.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Where the time of all calls of [`Predictor::predict`] of this lane went, so far.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// How many photos are best given at a time: fewer take as long.
    pub fn photos_at_once(&self) -> usize {
        // A photo with its views is a batch.
        if self.options.views.count() > 1 { 1 } else { self.options.batch_size.get() }
    }

    /// What the model says of each photo, in order. On one thread; what it says of one does not depend on the others.
    ///
    /// # Errors
    /// A model that answers with no numbers, too little memory. What is wrong with a photo is its answer.
    pub fn predict(&mut self, photos: &[Photo<'_>]) -> Result<Vec<Answer>, Error> {
        // A new thread inherits the last count set anywhere, so each lane sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let mut answers = Vec::with_capacity(photos.len());
        for batch in photos.chunks(self.photos_at_once()) {
            answers.extend(self.look(batch)?);
        }
        Ok(answers)
    }

    /// At most as many as go at once.
    fn look(&mut self, photos: &[Photo<'_>]) -> Result<Vec<Answer>, Error> {
        let began = Instant::now();
        let of_photo = self.options.views.count() * self.view_len();
        let mut pixels_nchw = std::mem::take(&mut self.pixels_nchw);
        let mut places = pixels_nchw.chunks_exact_mut(of_photo);
        let mut loaded: Vec<Result<(), Rejected>> = Vec::with_capacity(photos.len());
        for (photo, pixels) in photos.iter().zip(&mut places) {
            let outcome = self.load_views(*photo, pixels);
            if outcome.is_err() {
                pixels.fill(0.0);
            }
            loaded.push(outcome);
        }
        // What a short batch leaves over is computed and dropped: batches of one size give equal bits.
        places.for_each(|pixels| pixels.fill(0.0));
        let decoded = Instant::now();
        let is_any = loaded.iter().any(Result::is_ok);
        let said = if is_any { self.run(&pixels_nchw) } else { Ok((vec![], vec![])) };
        self.pixels_nchw = pixels_nchw;
        self.spent.decode += decoded - began;
        self.spent.trunk += decoded.elapsed();
        let (features, log_probs) = said?;

        let (dim, classes, views) =
            (self.trunk.feature_dim(), self.record.classes.len(), self.options.views.count());
        let answer = |(place, outcome): (usize, Result<(), Rejected>)| {
            if let Err(rejected) = outcome {
                return Ok(Err(rejected));
            }
            let of_views = &log_probs[place * views * classes..][..views * classes]; // [views, classes]
            if let Some(found) = of_views.iter().find(|x| !x.is_finite()) {
                return Err(Error::NotFinite { photo: photos[place].named(place), found: *found });
            }
            let log_probs = if views == 1 { of_views.to_vec() } else { log_mean(of_views, classes) };
            let features = features[place * views * dim..][..dim].to_vec();
            Ok(Ok(Prediction { log_probs, features }))
        };
        loaded.into_iter().enumerate().map(answer).collect()
    }

    /// Decodes a photo and makes its views: `[views, 3, size, size]`, normalised.
    fn load_views(&mut self, photo: Photo<'_>, pixels_nchw: &mut [f32]) -> Result<(), Rejected> {
        let preprocessing = &self.record.preprocessing;
        let content = photo.content()?;
        if preprocessing.decode == Decode::Scaled {
            // Nobody has looked at this photo before, and only the decoder of whole ones is strict.
            decode(&content, &self.options.limits)?;
        }
        let photo = preprocessing.decode(&content, &self.options.limits)?.pixels;
        let view_len = pixels_nchw.len() / self.options.views.count();
        let mut views = pixels_nchw.chunks_exact_mut(view_len);
        if self.options.views.has_plain()
            && let Some(pixels) = views.next()
        {
            let square = preprocessing.crop(&photo, &mut self.resizer);
            preprocessing.normalise_chw(&square, pixels);
        }
        if let Some(augmenter) = &mut self.augmenter {
            let numbers = self.options.views.numbers(&content, photo.dimensions());
            let mut augmented = augmenter.photo(&photo);
            for (numbers, pixels) in numbers.iter().zip(views) {
                augmented.make(numbers, preprocessing.size, &mut self.view);
                preprocessing.normalise_planes(&mut self.view);
                pixels.copy_from_slice(&self.view.pixels_chw);
            }
        }
        Ok(())
    }

    /// Features `[N, D]` and log-probabilities `[N, classes]` of views `[N, 3, size, size]`.
    fn run(&self, pixels_nchw: &[f32]) -> Result<(Vec<f32>, Vec<f32>), Error> {
        // A batch of photos goes at once, as in precompute; the views of one photo as in evaluate.
        let at_once = if self.photos_at_once() > 1 { self.photos_at_once() } else { FoldedTrunk::MOST_VIEWS };
        let mut features = Vec::new();
        for pixels in pixels_nchw.chunks(at_once * self.view_len()) {
            features.extend(self.trunk.features(pixels, self.record.preprocessing.size)?);
        }
        let log_probs = self.head.log_probs(&features, self.trunk.feature_dim())?;
        Ok((features, log_probs))
    }

    /// Values of one view.
    fn view_len(&self) -> usize {
        3 * (self.record.preprocessing.size as usize).pow(2)
    }
}
