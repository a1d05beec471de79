//! [`Photos`]: what a network is trained and measured on, decoded and augmented while it computes.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pipeline_nn::{Device, Tensor};
use pipeline_photo::{Augmentation, Loader, Preprocessing, policy};
use pipeline_stage::random::Stream;
use pipeline_stage::{Failure, lanes};
use pipeline_table::{ImageRow, ImagesReader, Split, Verdict};
use pipeline_train::data::{Batch, Data, Mixed, Order, Sink};

use crate::error::Error;

/// Photos that a lane decodes at a time: few, so that all lanes work on the next batch.
const PHOTOS_AT_ONCE: usize = 8;
/// Batches that are decoded ahead. A batch of 64 photos of 224 pixels takes 39 MB, whatever the number of lanes.
const BATCHES_AHEAD: usize = 2;

/// How photos become batches.
pub(crate) struct Settings {
    /// Where they are.
    pub(crate) folder: PathBuf,
    /// How they are prepared in the end.
    pub(crate) preprocessing: Preprocessing,
    /// Sides of the square by epoch, in pixels; the last one stays. Empty: that of `preprocessing`.
    pub(crate) sizes: Vec<u32>,
    /// `None`: plain views.
    pub(crate) augmentation: Option<Augmentation>,
    pub(crate) classes: usize,
    /// Photos measured at a time.
    pub(crate) batch_size: usize,
    pub(crate) seed: u64,
    pub(crate) threads: NonZeroUsize,
    pub(crate) device: Device,
}

/// Training photos, augmented anew in each epoch, and valid photos in their plain views.
pub(crate) struct Photos {
    settings: Settings,
    train: Labelled,
    valid: Labelled,
}

/// The photos of one split with their classes.
#[derive(Default)]
struct Labelled {
    photos: Vec<Photo>,
    labels: Vec<u32>,
}

struct Photo {
    id: String,
    digest: String,
    width: u32,
    height: u32,
}

/// A view of a photo to make.
struct Wanted {
    /// Position in [`Labelled`].
    photo: usize,
    /// The plain view, or the one of this number; a photo may come up several times in an epoch.
    view: Option<u32>,
}

/// A part of a batch to make.
struct Part {
    wanted: Vec<Wanted>,
    /// Number of the batch's first photo in the epoch.
    start: usize,
    /// Photos in the batch.
    len: usize,
}

/// A batch in the making, on the processor.
#[derive(Default)]
struct Decoded {
    /// `[N, 3, S, S]`, normalised.
    pixels_nchw: Vec<f32>,
    labels: Vec<i64>,
}

impl Photos {
    /// Reads the table of photos.
    pub(crate) fn open(table: &Path, settings: Settings) -> Result<Self, Failure> {
        let mut photos = Photos { settings, train: Labelled::default(), valid: Labelled::default() };
        for row in ImagesReader::open(table)? {
            let row = row?;
            match row.split {
                _ if row.verdict == Verdict::Bad => {}
                Split::Train => photos.train.add(row, photos.settings.classes)?,
                Split::Valid => photos.valid.add(row, photos.settings.classes)?,
                Split::Test => {}
            }
        }
        Ok(photos)
    }

    /// Whether training photos are augmented.
    pub(crate) fn is_augmented(&self) -> bool {
        self.settings.augmentation.is_some()
    }

    /// Makes batches of views of `size` x `size` pixels on all threads while `sink` works on those before. With an `epoch`
    /// photos are augmented and batches mixed; a batch's number is that of its first photo.
    fn batches(
        &self,
        of: &Labelled,
        size: u32,
        epoch: Option<u64>,
        batches: impl Iterator<Item = (usize, Vec<Wanted>)> + Send,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Settings { folder, preprocessing, augmentation, seed, threads, batch_size, .. } = &self.settings;
        let policy = augmentation.as_ref().map(|augmentation| &augmentation.policy);
        let preprocessing = Preprocessing { size, ..*preprocessing };
        let loader = || Loader::new(folder.clone(), preprocessing, policy.cloned());
        let decode = |loader: &mut Loader, part: Part| {
            let len = loader.view_len();
            let mut pixels_nchw = vec![0.0; part.wanted.len() * len];
            for (Wanted { photo, view }, pixels) in part.wanted.iter().zip(pixels_nchw.chunks_exact_mut(len))
            {
                let Photo { id, digest, width, height } = &of.photos[*photo];
                let numbers = match (policy, epoch, view) {
                    (Some(policy), Some(epoch), Some(view)) => {
                        let mut random = policy::stream(*seed, epoch, id, *view).start();
                        Some(policy.draw(&mut random, *width, *height))
                    }
                    _ => None,
                };
                loader.load(id, digest, &[numbers.as_deref()], pixels)?;
            }
            Ok((part, pixels_nchw))
        };
        let lanes: Vec<Loader> = (0..threads.get()).map(|_| loader()).collect();
        let waiting = (BATCHES_AHEAD * batch_size).div_ceil(PHOTOS_AT_ONCE * lanes.len());
        let parts = batches.flat_map(|(start, wanted)| parts(start, wanted)).map(Ok);
        let mut batch = Decoded::default();
        lanes::in_order(lanes, waiting, parts, decode, |(part, pixels_nchw)| {
            batch.pixels_nchw.extend(pixels_nchw);
            batch.labels.extend(part.wanted.iter().map(|wanted| i64::from(of.labels[wanted.photo])));
            if batch.labels.len() < part.len {
                return Ok(());
            }
            sink(self.finish(std::mem::take(&mut batch), size, epoch, part.start)?)
        })
    }

    /// The batch on the device, mixed where the augmentation says so.
    fn finish(
        &self,
        batch: Decoded,
        size: u32,
        epoch: Option<u64>,
        start: usize,
    ) -> Result<Batch, pipeline_nn::Error> {
        let Settings { augmentation, seed, device, .. } = &self.settings;
        let Decoded { mut pixels_nchw, labels } = batch;
        let mixing = augmentation.as_ref().zip(epoch).and_then(|(augmentation, epoch)| {
            let view = u32::try_from(start).unwrap_or(u32::MAX);
            let stream = Stream { seed: *seed, purpose: "mix", epoch, view, ..Stream::default() };
            augmentation.mix.draw(&mut stream.start(), [labels.len(), 3, size as usize, size as usize])
        });
        if let Some(mixing) = &mixing {
            mixing.apply(&mut pixels_nchw);
        }
        let place = || {
            let shape = [labels.len() as i64, 3, i64::from(size), i64::from(size)];
            let on_device = |labels: &[i64]| Tensor::f_from_slice(labels)?.f_to_device(*device);
            let x = Tensor::f_from_slice(&pixels_nchw)?.f_view(shape)?.f_to_device(*device)?;
            let mixed = match &mixing {
                Some(mixing) => {
                    let partners: Vec<i64> =
                        mixing.label_weights().map(|(partner, _)| labels[partner]).collect();
                    Some(Mixed { partner_labels: on_device(&partners)?, lambda: mixing.lambda() })
                }
                None => None,
            };
            Ok(Batch { x, labels: on_device(&labels)?, mixed })
        };
        place().map_err(pipeline_nn::Error::torch("put a batch of photos together"))
    }
}

/// A batch in parts.
fn parts(start: usize, mut wanted: Vec<Wanted>) -> impl Iterator<Item = Part> + Send {
    let len = wanted.len();
    std::iter::from_fn(move || {
        let rest = wanted.split_off(wanted.len().min(PHOTOS_AT_ONCE));
        let wanted = std::mem::replace(&mut wanted, rest);
        (!wanted.is_empty()).then_some(Part { wanted, start, len })
    })
}

impl Data for Photos {
    fn labels(&self) -> &[u32] {
        &self.train.labels
    }

    fn classes(&self) -> usize {
        self.settings.classes
    }

    fn measured(&self) -> usize {
        self.valid.photos.len()
    }

    fn seed(&self) -> u64 {
        self.settings.seed
    }

    fn train(&self, order: Order<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Settings { sizes, preprocessing, .. } = &self.settings;
        let at = sizes.len().min(order.epoch as usize + 1);
        let size = if at == 0 { preprocessing.size } else { sizes[at - 1] };
        // A balanced epoch shows some photos several times: each time in another view.
        let mut shown = vec![0; self.train.photos.len()];
        let mut wanted: Vec<Option<Wanted>> = Vec::with_capacity(order.photos.len());
        for &photo in order.photos {
            wanted.push(Some(Wanted { photo, view: Some(shown[photo]) }));
            shown[photo] += 1;
        }
        let batches = order
            .batches
            .iter()
            .map(|range| (range.start, wanted[range.clone()].iter_mut().filter_map(Option::take).collect()));
        self.batches(&self.train, size, Some(order.epoch), batches, sink)
    }

    fn measure(&self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let (count, size) = (self.valid.photos.len(), self.settings.batch_size);
        let batches = (0..count).step_by(size).map(|start| {
            let plain = |photo| Wanted { photo, view: None };
            (start, (start..count.min(start + size)).map(plain).collect())
        });
        self.batches(&self.valid, self.settings.preprocessing.size, None, batches, sink)
    }
}

impl Labelled {
    fn add(&mut self, row: ImageRow, classes: usize) -> Result<(), Error> {
        let id = || row.id.clone();
        let label = row.label_id.ok_or_else(|| Error::Unlabelled { id: id() })?;
        if label as usize >= classes {
            return Err(Error::UnknownClass { id: id(), label, classes });
        }
        let (Some(width), Some(height)) = (row.width, row.height) else {
            return Err(Error::NoSize { id: id() });
        };
        self.labels.push(label);
        self.photos.push(Photo { id: row.id, digest: row.digest, width, height });
        Ok(())
    }
}
