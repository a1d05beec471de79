//! [`Epochs`]: which photos an epoch shows, in which order and batches.

use std::ops::Range;

use pipeline_fit::{Recipe, Sampler, batches, draw_balanced};
use pipeline_stage::Failure;
use pipeline_stage::random::{Stream, shuffled};

use crate::data::Data;
use crate::error::Error;

/// The order of every epoch, each drawn when it is asked for.
pub(crate) struct Epochs<'a> {
    data: &'a dyn Data,
    sampler: Sampler,
    /// Batches of an epoch, as ranges of its photos.
    pub(crate) batches: Vec<Range<usize>>,
    /// Batches per optimiser step.
    accumulate: usize,
}

impl<'a> Epochs<'a> {
    pub(crate) fn new(recipe: &Recipe, data: &'a dyn Data) -> Result<Self, Failure> {
        let (photos, classes) = (data.labels().len(), data.classes());
        if photos < 2 {
            return Err(Error::TooFewPhotos { found: photos }.into());
        }
        if photos < classes {
            return Err(Error::MoreClassesThanPhotos { photos, classes }.into());
        }
        Ok(Epochs {
            data,
            sampler: recipe.sampler,
            batches: batches(photos, recipe.batch_size)?,
            accumulate: recipe.accumulate.max(1) as usize,
        })
    }

    /// Optimiser steps of an epoch; the last may be of fewer batches.
    pub(crate) fn steps(&self) -> u64 {
        self.batches.len().div_ceil(self.accumulate) as u64
    }

    /// The batches that make the same optimiser step as batch number `batch` of the epoch.
    pub(crate) fn step_of(&self, batch: usize) -> Range<usize> {
        let start = batch / self.accumulate * self.accumulate;
        start..(start + self.accumulate).min(self.batches.len())
    }

    /// Photos in these batches.
    pub(crate) fn photos_in(&self, batches: Range<usize>) -> usize {
        self.batches[batches].iter().map(Range::len).sum()
    }

    /// The photos of the epoch, from 0, as positions in [`Data::labels`].
    pub(crate) fn photos(&self, epoch: u64) -> Result<Vec<usize>, Failure> {
        let labels = self.data.labels();
        let mut random =
            Stream { seed: self.data.seed(), purpose: "order", epoch, ..Stream::default() }.start();
        Ok(match self.sampler {
            Sampler::Shuffle => shuffled(labels.len(), &mut random),
            Sampler::Balanced => draw_balanced(labels, self.data.classes(), &mut random)?,
        })
    }
}
