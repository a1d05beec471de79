//! [`Feed`]: what the models say of plain views whose features are in the table, photo by photo.

use std::vec::IntoIter;

use pipeline_stage::{Cancel, Failure, Progress};
use pipeline_table::features::FeatureBatches;
use pipeline_table::{Features, Split};

use crate::candidate::Photo;
use crate::error::Error;
use crate::model::{Model, Table};

/// Feature rows in memory at a time.
const BATCH_ROWS: usize = 1024;

/// A photo of the table.
pub(crate) struct Plain {
    pub(crate) photo: Photo,
    /// Of each model `[classes]`; nothing of one whose features are not in the table.
    pub(crate) log_probs: Vec<Vec<f32>>,
}

/// The photos of a split in order of their ids, with a batch of them in memory.
pub(crate) struct Feed<'a> {
    batches: FeatureBatches<'a>,
    split: Split,
    models: &'a [Model],
    cancel: &'a Cancel,
    progress: Option<Progress<'a>>,
    batch: IntoIter<Plain>,
}

impl<'a> Feed<'a> {
    /// `progress` counts rows of all splits.
    pub(crate) fn new(
        table: &'a Table,
        split: Split,
        models: &'a [Model],
        cancel: &'a Cancel,
        progress: Option<Progress<'a>>,
    ) -> Self {
        let batches = table.reader.batches(BATCH_ROWS);
        Feed { batches, split, models, cancel, progress, batch: vec![].into_iter() }
    }

    fn predict(&self, features: Features) -> Result<Vec<Plain>, Failure> {
        self.cancel.check()?;
        if let Some(progress) = &self.progress {
            progress.add(features.rows.len() as u64)?;
        }
        let wanted = features.only(|row| row.split == self.split && row.view == 0);
        let mut photos: Vec<Plain> = Vec::with_capacity(wanted.rows.len());
        photos.extend(wanted.rows.into_iter().map(|row| Plain { photo: row.into(), log_probs: vec![] }));
        for model in self.models {
            let log_probs =
                if model.is_in_table { model.log_probs(&wanted.emb, wanted.dim)? } else { vec![] };
            let mut rows = log_probs.chunks_exact(model.record.classes.len());
            for photo in &mut photos {
                photo.log_probs.push(rows.next().map(<[f32]>::to_vec).unwrap_or_default());
            }
        }
        Ok(photos)
    }
}

impl Iterator for Feed<'_> {
    type Item = Result<Plain, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(photo) = self.batch.next() {
                return Some(Ok(photo));
            }
            let features = self.batches.next()?;
            match features.map_err(Failure::from).and_then(|features| self.predict(features)) {
                Ok(photos) => self.batch = photos.into_iter(),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

/// The feed beside the photos, which must be the same ones.
pub(crate) struct Beside<'a> {
    feed: Feed<'a>,
    split: Split,
}

impl<'a> Beside<'a> {
    pub(crate) fn new(feed: Feed<'a>) -> Self {
        Beside { split: feed.split, feed }
    }

    /// What the models say of the next photo, which has this id.
    pub(crate) fn of(&mut self, id: &str) -> Result<Vec<Vec<f32>>, Failure> {
        match self.feed.next().transpose()? {
            Some(plain) if plain.photo.id == id => Ok(plain.log_probs),
            Some(plain) if plain.photo.id.as_str() < id => Err(self.only_in_table(plain.photo.id)),
            _ => {
                let (found_in, lacking) = ("images", "features");
                Err(Error::OtherPhotos { id: id.to_owned(), found_in, lacking, split: self.split }.into())
            }
        }
    }

    /// Checks that no photo is left.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        match self.feed.next().transpose()? {
            Some(plain) => Err(self.only_in_table(plain.photo.id)),
            None => Ok(()),
        }
    }

    fn only_in_table(&self, id: String) -> Failure {
        let (found_in, lacking) = ("features", "images");
        Error::OtherPhotos { id, found_in, lacking, split: self.split }.into()
    }
}
