//! One lane: a batch of views in, their features out.

use std::num::NonZeroUsize;
use std::time::Instant;

use pipeline_nn::{FoldedTrunk, device};
use pipeline_photo::{Loader, ReadError};
use pipeline_stage::{Cancel, Failure, words};

use crate::error::Error;
use crate::shots::Shot;
use crate::spent::Spent;
use crate::{OnMissing, Params};

/// A copy of the trunk (sharing its weights) with buffers of its own.
pub(crate) struct Lane {
    trunk: FoldedTrunk,
    loader: Loader,
    size: u32,
    on_missing: OnMissing,
    cancel: Cancel,
    /// `[batch_size, 3, size, size]`, normalised.
    pixels_nchw: Vec<f32>,
    batch_size: usize,
}

impl Lane {
    pub(crate) fn new(
        trunk: FoldedTrunk,
        loader: Loader,
        params: &Params,
        batch_size: usize,
        cancel: Cancel,
    ) -> Result<Self, Error> {
        let Params { size, on_missing, .. } = *params;
        let numbers = batch_size * loader.view_len();
        let mut pixels_nchw = Vec::new();
        pixels_nchw.try_reserve_exact(numbers).map_err(|_| Error::OutOfMemory {
            batch_size,
            size,
            reason: format!("there are no {} bytes for its pixels", words::count(4 * numbers as u64)),
        })?;
        pixels_nchw.resize(numbers, 0.0);
        Ok(Lane { trunk, loader, size, on_missing, cancel, pixels_nchw, batch_size })
    }

    /// Makes the views of `shots` (at most the batch size) and runs the trunk on them. The features of a photo that is left
    /// out are [missing](is_missing).
    pub(crate) fn run(&mut self, shots: &[Shot]) -> Result<Looked, Failure> {
        let started = Instant::now();
        let view_len = self.loader.view_len();
        let mut missing: Vec<&str> = vec![];
        let mut rest = self.pixels_nchw.as_mut_slice();
        for of_photo in shots.chunk_by(|a, b| a.row.id == b.row.id) {
            // A batch may take a minute: big photos, a big network, one slow core.
            self.cancel.check()?;
            let (pixels, others) = rest.split_at_mut(of_photo.len() * view_len);
            let row = &of_photo[0].row;
            let views: Vec<Option<&[f32]>> = of_photo.iter().map(Shot::augmented).collect();
            match self.loader.load(&row.id, &row.digest, &views, pixels) {
                Ok(()) => {}
                Err(ReadError::Unreadable { .. } | ReadError::Changed { .. })
                    if self.on_missing == OnMissing::Skip =>
                {
                    pixels.fill(0.0);
                    missing.push(&row.id);
                }
                Err(error) => return Err(error.into()),
            }
            rest = others;
        }
        // What a short batch leaves over is computed and dropped: batches of one size give equal bits.
        self.pixels_nchw[shots.len() * view_len..].fill(0.0);

        let decode = started.elapsed();

        self.cancel.check()?;
        // A new thread inherits the last count set anywhere, so each lane sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let features = self.trunk.features(&self.pixels_nchw, self.size); // [batch_size, D + L]
        let mut features = features.map_err(|error| self.why(error))?;
        let dim = features.len() / self.batch_size;
        features.truncate(dim * shots.len());
        for (shot, features) in shots.iter().zip(features.chunks_exact_mut(dim)) {
            if missing.contains(&shot.row.id.as_str()) {
                features.fill(f32::NAN);
            } else if let Some(found) = features.iter().find(|x| !x.is_finite()) {
                return Err(Error::NotFinite { id: shot.row.id.clone(), found: *found }.into());
            }
        }
        Ok(Looked { features, spent: Spent { decode, trunk: started.elapsed() - decode } })
    }

    /// An error of the trunk; where memory is to blame, with what a batch has to do with it.
    fn why(&self, error: pipeline_nn::Error) -> Failure {
        let Lane { batch_size, size, .. } = *self;
        match error.out_of_memory() {
            Some(reason) => Error::OutOfMemory { batch_size, size, reason: reason.to_owned() }.into(),
            None => error.into(),
        }
    }
}

/// What a lane makes of a batch.
#[derive(Debug)]
pub(crate) struct Looked {
    /// `[views, D + L]`, features and logits, row-major.
    pub(crate) features: Vec<f32>,
    pub(crate) spent: Spent,
}

/// Whether these features stand for a photo that was left out: a trunk's are finite.
pub(crate) fn is_missing(features: &[f32]) -> bool {
    features.first().is_some_and(|x| x.is_nan())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_nn::{Device, Dtype, backbones};
    use pipeline_photo::Preprocessing;
    use pipeline_table::{ImageRow, Split, Verdict};

    use super::*;

    #[test]
    fn a_cancelled_lane_reads_no_further_photo() {
        let backbone = backbones::find("efficientnet_lite0").unwrap();
        let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
        let trunk = trunk.folded(Dtype::F32).unwrap();
        let cancel = Cancel::default();
        let preprocessing = Preprocessing::new(32, [0.5; 3], [0.5; 3]);
        let params: Params = serde_json::from_str(r#"{"size": 32}"#).unwrap();
        let loader = Loader::new("nowhere".into(), preprocessing, None);
        let mut lane = Lane::new(trunk, loader, &params, 4, cancel.clone()).unwrap();
        let row = Arc::new(ImageRow {
            id: "train/cats/a.jpg".to_owned(),
            split: Split::Train,
            label: None,
            label_id: None,
            width: Some(8),
            height: Some(5),
            format: Some("jpeg".to_owned()),
            orientation: Some(1),
            bytes: 9,
            digest: String::new(),
            appearance: None,
            verdict: Verdict::Ok,
            reason: None,
        });
        let shot = Shot { row, view: 0, numbers: vec![] };
        let mut run = || lane.run(std::slice::from_ref(&shot)).unwrap_err();
        let failure = run();
        assert!(failure.to_string().starts_with("cannot read photo `train/cats/a.jpg`"), "{failure}");
        cancel.cancel();
        assert!(matches!(run(), Failure::Cancelled));
    }
}
