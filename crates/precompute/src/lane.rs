//! One lane: a batch of views in, their features out.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use pipeline_nn::{Device, Kind, Mode, Tensor, Trunk, concat_pool, device, no_grad};
use pipeline_photo::{Augmenter, Limits, Planes, Policy, Preprocessing, Resizer, read};
use pipeline_stage::{Cancel, Failure};

use crate::shots::Shot;

/// What a lane returns for a batch.
pub(crate) struct Batch {
    /// The views.
    pub(crate) shots: Vec<Shot>,
    /// `[views, 2·C]`, row-major.
    pub(crate) features: Vec<f32>,
}

/// A copy of the trunk (sharing its weights) with buffers of its own.
pub(crate) struct Lane {
    trunk: Trunk,
    photos: Photos,
    device: Device,
    cancel: Cancel,
    /// `[batch_size, 3, size, size]`, normalised.
    pixels_nchw: Vec<f32>,
    batch_size: usize,
}

impl Lane {
    pub(crate) fn new(
        trunk: Trunk,
        photos: Photos,
        batch_size: usize,
        device: Device,
        cancel: Cancel,
    ) -> Self {
        let side = photos.preprocessing.size as usize;
        let pixels_nchw = vec![0.0; batch_size * 3 * side * side];
        Lane { trunk, photos, device, cancel, pixels_nchw, batch_size }
    }

    /// Makes the views of `shots` (at most the batch size) and runs the trunk on them.
    pub(crate) fn run(&mut self, shots: Vec<Shot>) -> Result<Batch, Failure> {
        let side = i64::from(self.photos.preprocessing.size);
        let view_len = 3 * (side * side) as usize;
        let mut rest = self.pixels_nchw.as_mut_slice();
        for of_photo in shots.chunk_by(|a, b| a.row.id == b.row.id) {
            // A batch may take a minute: big photos, a big network, one slow core.
            self.cancel.check()?;
            let (pixels, others) = rest.split_at_mut(of_photo.len() * view_len);
            self.photos.views(of_photo, pixels)?;
            rest = others;
        }
        // What a short batch leaves over is computed and dropped: batches of one size give equal bits.
        self.pixels_nchw[shots.len() * view_len..].fill(0.0);

        self.cancel.check()?;
        // A new thread inherits the last count set anywhere, so each lane sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let features = no_grad(|| {
            let x = batch(&self.pixels_nchw, [self.batch_size as i64, 3, side, side], self.device)?;
            let map = self.trunk.forward(&x, [Mode::Eval, Mode::Eval])?; // [N, C, h, w]
            concat_pool(&map) // [N, 2·C]
        })?;
        let features = features.narrow(0, 0, shots.len() as i64).to_device(Device::Cpu).to_kind(Kind::Float);
        let features = Vec::<f32>::try_from(&features.contiguous().view(-1))
            .map_err(pipeline_nn::Error::torch("read the features of a batch"))?;
        Ok(Batch { shots, features })
    }
}

/// `pixels` as a tensor `[N, 3, S, S]` on `device`.
fn batch(pixels: &[f32], shape: [i64; 4], device: Device) -> Result<Tensor, pipeline_nn::Error> {
    let tensor = || Tensor::f_from_slice(pixels)?.f_view(shape)?.f_to_device(device);
    tensor().map_err(pipeline_nn::Error::torch("put a batch together"))
}

/// Makes views of photos, with buffers that are used again.
pub(crate) struct Photos {
    folder: PathBuf,
    preprocessing: Preprocessing,
    limits: Limits,
    resizer: Resizer,
    /// What makes augmented views; `None` where there are none.
    augmenter: Option<Augmenter>,
    view: Planes,
}

impl Photos {
    pub(crate) fn new(folder: PathBuf, preprocessing: Preprocessing, policy: Option<Policy>) -> Self {
        Photos {
            folder,
            preprocessing,
            limits: Limits::default(),
            resizer: Resizer::new(),
            augmenter: policy.map(Augmenter::new),
            view: Planes::default(),
        }
    }

    /// Reads and decodes a photo and makes these views of it in `pixels`, `[views, 3, size, size]`, normalised.
    fn views(&mut self, shots: &[Shot], pixels: &mut [f32]) -> Result<(), Failure> {
        let Some(Shot { row, .. }) = shots.first() else { return Ok(()) };
        let photo = read(&self.folder, &row.id, &row.digest, &self.limits)?;
        let mut augmented = self.augmenter.as_mut().map(|augmenter| augmenter.photo(&photo.pixels));
        for (shot, pixels) in shots.iter().zip(pixels.chunks_exact_mut(pixels.len() / shots.len())) {
            match (shot.view, &mut augmented) {
                (0, _) | (_, None) => {
                    let square = self.preprocessing.crop(&photo.pixels, &mut self.resizer);
                    self.preprocessing.normalise_chw(&square, pixels);
                }
                (_, Some(views)) => {
                    views.make(&shot.numbers, self.preprocessing.size, &mut self.view);
                    self.preprocessing.normalise_planes(&mut self.view);
                    pixels.copy_from_slice(&self.view.pixels_chw);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_nn::backbones;
    use pipeline_table::{ImageRow, Split, Verdict};

    use super::*;

    #[test]
    fn a_cancelled_lane_reads_no_further_photo() {
        let backbone = backbones::find("efficientnet_lite0").unwrap();
        let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
        let cancel = Cancel::default();
        let preprocessing = Preprocessing::new(32, [0.5; 3], [0.5; 3]);
        let photos = Photos::new(PathBuf::from("nowhere"), preprocessing, None);
        let mut lane = Lane::new(trunk, photos, 4, Device::Cpu, cancel.clone());
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
            verdict: Verdict::Ok,
            reason: None,
        });
        let shot = Shot { row, view: 0, numbers: vec![] };
        let mut run = || lane.run(vec![shot.clone()]).map(|_| ()).unwrap_err();
        let failure = run();
        assert!(failure.to_string().starts_with("cannot read photo `train/cats/a.jpg`"), "{failure}");
        cancel.cancel();
        assert!(matches!(run(), Failure::Cancelled));
    }
}
