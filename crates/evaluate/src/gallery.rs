//! [`Gallery`]: the photos to measure on, and their way through the trunks.

use std::path::PathBuf;

use pipeline_stage::{Artifact, Context, Failure, lanes};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{ImageRow, ImagesReader, Split, Verdict};

use crate::error::Error;
use crate::lane::{Augmented, Eye, Lane, Seen, photos_at_once};

/// Batches that may wait before each lane, and behind it.
const WAITING: usize = 2;

/// The photos of a split.
pub(crate) struct Gallery {
    /// Class names in order of their numbers.
    pub(crate) classes: Vec<String>,
    split: Split,
    table: PathBuf,
    folder: PathBuf,
}

impl Gallery {
    /// The photos of `split` that `images`, an artifact of ingest, lists.
    pub(crate) fn open(images: &Artifact, split: Split) -> Result<Self, Failure> {
        Ok(Gallery {
            classes: classes::read(&images.path(CLASSES_FILE))?,
            split,
            table: images.path(IMAGES_FILE),
            folder: images.source(PHOTOS)?.to_owned(),
        })
    }

    /// Shows every photo to every eye. `sink` takes each photo, in order of ids, with its features for each eye:
    /// `[views from its first one on, 2·C]`.
    ///
    /// # Errors
    /// No labelled photo; a photo or a trunk that fails; what `sink` returns.
    pub(crate) fn show(
        &self,
        eyes: &[Eye],
        augmented: Option<&Augmented>,
        cx: &Context<'_>,
        mut sink: impl FnMut(ImageRow, &[&[f32]]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut count, mut labelled) = (0, 0);
        for photo in self.photos()? {
            (count, labelled) = (count + 1, labelled + u64::from(photo?.label_id.is_some()));
        }
        if labelled == 0 {
            let error = Error::NothingToMeasure { split: self.split, input: "images", unlabelled: count };
            return Err(error.into());
        }
        let progress = cx.progress("photos through the trunk", Some(count), "photos");
        let at_once = photos_at_once(augmented, count);
        let lane = |_| Lane::new(eyes, &self.folder, at_once, augmented.cloned(), cx.cancel.clone());
        let lanes = (0..cx.threads.get()).map(lane).collect::<Result<Vec<_>, _>>()?;
        lanes::in_order(lanes, WAITING, self.batches(at_once)?, Lane::look, |seen: Seen| {
            // A batch that is not full is padded, so it is not the number of its photos that tells where they end.
            let mut of_eyes: Vec<_> =
                seen.features.iter().map(|all| all.chunks_exact((all.len() / at_once).max(1))).collect();
            for photo in seen.photos {
                let features: Vec<&[f32]> = of_eyes.iter_mut().filter_map(Iterator::next).collect();
                sink(photo, &features)?;
                progress.add(1)?;
            }
            Ok(())
        })
    }

    /// The usable photos, in order of ids.
    fn photos(&self) -> Result<impl Iterator<Item = Result<ImageRow, Failure>> + Send + use<>, Failure> {
        let split = self.split;
        let is_wanted = move |row: &ImageRow| row.verdict != Verdict::Bad && row.split == split;
        let rows = ImagesReader::open(&self.table)?.map(|row| row.map_err(Failure::from));
        Ok(rows.filter(move |row| row.as_ref().map_or(true, is_wanted)))
    }

    /// The photos, `at_once` at a time.
    fn batches(
        &self,
        at_once: usize,
    ) -> Result<impl Iterator<Item = Result<Vec<ImageRow>, Failure>> + Send + use<>, Failure> {
        let mut photos = self.photos()?;
        Ok(std::iter::from_fn(move || match photos.by_ref().take(at_once).collect::<Result<Vec<_>, _>>() {
            Ok(batch) if batch.is_empty() => None,
            batch => Some(batch),
        }))
    }
}
