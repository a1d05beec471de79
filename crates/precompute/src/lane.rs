//! One lane: a batch of rows in, their features out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pipeline_nn::{Device, Kind, Mode, Tensor, Trunk, concat_pool, device, no_grad};
use pipeline_photo::{Limits, Preprocessing, Resizer};
use pipeline_stage::{Cancel, Digest, Failure};
use pipeline_table::ImageRow;

use crate::error::Error;

/// What a lane returns for a batch.
pub(crate) struct Batch {
    /// The photos.
    pub(crate) rows: Vec<ImageRow>,
    /// `[rows, 2·C]`, row-major.
    pub(crate) features: Vec<f32>,
}

/// A copy of the trunk (sharing its weights) with buffers of its own.
pub(crate) struct Lane {
    trunk: Trunk,
    preprocessing: Preprocessing,
    photos: PathBuf,
    device: Device,
    cancel: Cancel,
    limits: Limits,
    resizer: Resizer,
    /// `[batch_size, 3, size, size]`, normalised.
    pixels_nchw: Vec<f32>,
    batch_size: usize,
}

impl Lane {
    pub(crate) fn new(
        trunk: Trunk,
        preprocessing: Preprocessing,
        photos: PathBuf,
        batch_size: usize,
        device: Device,
        cancel: Cancel,
    ) -> Self {
        let side = preprocessing.size as usize;
        Lane {
            trunk,
            photos,
            device,
            cancel,
            limits: Limits::default(),
            resizer: Resizer::new(),
            pixels_nchw: vec![0.0; batch_size * 3 * side * side],
            batch_size,
            preprocessing,
        }
    }

    /// Decodes the photos of `rows` (at most the batch size) and runs the trunk on them.
    pub(crate) fn run(&mut self, rows: Vec<ImageRow>) -> Result<Batch, Failure> {
        let side = i64::from(self.preprocessing.size);
        let photo_len = 3 * (side * side) as usize;
        for (row, pixels) in rows.iter().zip(self.pixels_nchw.chunks_exact_mut(photo_len)) {
            // A batch may take a minute: big photos, a big network, one slow core.
            self.cancel.check()?;
            load(&self.photos, row, &self.limits, &self.preprocessing, &mut self.resizer, pixels)?;
        }
        // What a short batch leaves over is computed and dropped: batches of one size give equal bits.
        self.pixels_nchw[rows.len() * photo_len..].fill(0.0);

        self.cancel.check()?;
        // A new thread inherits the last count set anywhere, so each lane sets its own, each time.
        device::set_threads(NonZeroUsize::MIN);
        let features = no_grad(|| {
            let x = batch(&self.pixels_nchw, [self.batch_size as i64, 3, side, side], self.device)?;
            let map = self.trunk.forward(&x, [Mode::Eval, Mode::Eval])?; // [N, C, h, w]
            concat_pool(&map) // [N, 2·C]
        })?;
        let features = features.narrow(0, 0, rows.len() as i64).to_device(Device::Cpu).to_kind(Kind::Float);
        let features = Vec::<f32>::try_from(&features.contiguous().view(-1))
            .map_err(pipeline_nn::Error::torch("read the features of a batch"))?;
        Ok(Batch { rows, features })
    }
}

/// `pixels` as a tensor `[N, 3, S, S]` on `device`.
fn batch(pixels: &[f32], shape: [i64; 4], device: Device) -> Result<Tensor, pipeline_nn::Error> {
    let tensor = || Tensor::f_from_slice(pixels)?.f_view(shape)?.f_to_device(device);
    tensor().map_err(pipeline_nn::Error::torch("put a batch together"))
}

/// Reads, decodes and prepares one photo into `pixels`, `[3, size, size]`.
fn load(
    photos: &Path,
    row: &ImageRow,
    limits: &Limits,
    preprocessing: &Preprocessing,
    resizer: &mut Resizer,
    pixels: &mut [f32],
) -> Result<(), Error> {
    let path = photos.join(&row.id);
    let bytes = fs_err::read(&path).map_err(|source| Error::Unreadable { id: row.id.clone(), source })?;
    if Digest::of(&bytes).to_string() != row.digest {
        return Err(Error::Changed { id: row.id.clone() });
    }
    let photo = pipeline_photo::decode(&bytes, limits)
        .map_err(|rejected| Error::Undecodable { id: row.id.clone(), why: rejected.to_string() })?;
    let square = preprocessing.crop(&photo.pixels, resizer);
    preprocessing.normalise_chw(&square, pixels);
    Ok(())
}

#[cfg(test)]
mod tests {
    use pipeline_nn::backbones;
    use pipeline_table::{Split, Verdict};

    use super::*;

    #[test]
    fn a_cancelled_lane_reads_no_further_photo() {
        let backbone = backbones::find("efficientnet_lite0").unwrap();
        let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
        let cancel = Cancel::default();
        let preprocessing = Preprocessing::new(32, [0.5; 3], [0.5; 3]);
        let mut lane =
            Lane::new(trunk, preprocessing, PathBuf::from("nowhere"), 4, Device::Cpu, cancel.clone());
        let row = ImageRow {
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
        };
        let mut run = || lane.run(vec![row.clone()]).map(|_| ()).unwrap_err();
        let failure = run();
        assert!(failure.to_string().starts_with("cannot read photo `train/cats/a.jpg`"), "{failure}");
        cancel.cancel();
        assert!(matches!(run(), Failure::Cancelled));
    }
}
