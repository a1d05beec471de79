//! [`FoldedTrunk`]: a trunk that only looks, as fast as the device allows.

use std::fmt;

use tch::{Device, Kind, TchError, Tensor, no_grad};

use crate::backbones::{Backbone, Change, Network};
use crate::batch_norm::Mode;
use crate::classifier::Classifier;
use crate::conv::channels_last;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::pool::Pool;
use crate::trunk::Trunk;

/// A trunk in eval mode whose batch norms are folded into its convolutions. It cannot be trained.
///
/// It computes what its [`Trunk`] does: in `f32` the last bits differ, in `bf16` pretrained features do by less than 1 %.
pub struct FoldedTrunk {
    backbone: &'static Backbone,
    device: Device,
    dtype: Dtype,
    pool: Pool,
    classifier: Option<Classifier>,
    network: Box<dyn Network>,
}

impl Trunk {
    /// The trunk as it is now for looking only, computing in `dtype` (`Auto` is settled). Its weights are copies.
    ///
    /// # Errors
    /// [`Error::Torch`] when the device has too little memory.
    pub fn folded(&self, dtype: Dtype) -> Result<FoldedTrunk, Error> {
        let (backbone, dtype) = (self.backbone(), dtype.settled());
        // A rounded photo, or a rounded map of the stem, would cost as much precision as all the rest, and what reads them
        // is little work.
        let early: Change<'_> = &|layer| layer.folded(Kind::Float)?.packed();
        let network = no_grad(|| self.network.map(early, &|layer| layer.folded(dtype.kind())?.packed()));
        let network = network.map_err(Error::torch(format_args!("fold {}", backbone.arch)))?;
        Ok(FoldedTrunk {
            backbone,
            device: self.device(),
            dtype,
            pool: self.pool(),
            classifier: None,
            network,
        })
    }
}

impl FoldedTrunk {
    /// Most views that `evaluate` and `predict` show a trunk at once: the last digits of features may change with it, and
    /// theirs are to be the same. Between 2 and 32 the speed is the same within 5 % (see `batch_size` of precompute), so a
    /// photo with its 4 or 5 views is as good as a full batch; few mean little memory for each thread.
    pub const MOST_VIEWS: usize = 16;

    /// The same trunk for another thread: the weights are shared, nothing is copied.
    ///
    /// # Errors
    /// None in practice: sharing a tensor makes nothing.
    pub fn share(&self) -> Result<FoldedTrunk, Error> {
        let share: Change<'_> = &|layer| Ok(layer.share());
        let network = self.network.map(share, share);
        let network = network.map_err(Error::torch(format_args!("share {}", self.backbone.arch)))?;
        let classifier = self.classifier.as_ref().map(Classifier::share);
        Ok(FoldedTrunk { network, classifier, ..*self })
    }

    /// The record that it was built from.
    pub fn backbone(&self) -> &'static Backbone {
        self.backbone
    }

    /// The same trunk with this classifier behind it, which is on its device.
    #[must_use]
    pub fn with_classifier(self, classifier: Classifier) -> FoldedTrunk {
        FoldedTrunk { classifier: Some(classifier), ..self }
    }

    /// Width D of the features.
    pub fn feature_dim(&self) -> usize {
        self.pool.width(self.backbone.channels)
    }

    /// Pooled features ([`Pool`]) and behind them the logits of the classifier, where there is one: `[N, D + L]`, float32,
    /// row-major, of the N views in `pixels_nchw`, `[N, 3, side, side]`, normalised for this backbone.
    ///
    /// The last bits of a row may change with N and with the number of threads, not with what the other rows hold.
    ///
    /// # Errors
    /// [`Error::WrongInput`] for no views, [`Error::Torch`] for pixels that are not whole views, or when libtorch
    /// refuses (memory, device).
    pub fn features(&self, pixels_nchw: &[f32], side: u32) -> Result<Vec<f32>, Error> {
        let side = i64::from(side);
        let views = pixels_nchw.len() as i64 / (3 * side * side).max(1);
        let shape = [views, 3, side, side];
        if views == 0 {
            return Err(Error::WrongInput {
                network: self.backbone.arch,
                found: shape.to_vec(),
                expected: "[N, 3, H, W]".to_owned(),
            });
        }
        no_grad(|| {
            let x = self.batch(pixels_nchw, shape).map_err(Error::torch("put a batch together"))?;
            let what = format_args!("run {} on a batch of shape {shape:?}", self.backbone.arch);
            let map = self.network.forward(&x, [Mode::Eval; 2]).and_then(|map| map.f_to_kind(Kind::Float));
            let mut features = self.pool.of(&map.map_err(Error::torch(what))?)?; // [N, D]
            if let Some(classifier) = &self.classifier {
                features = behind(&features, classifier, self.backbone.channels)?; // [N, D + L]
            }
            numbers(&features).map_err(Error::torch("read the features of a batch"))
        })
    }

    /// `[N, 3, side, side]` on the device, in the order in memory that the layers want.
    fn batch(&self, pixels_nchw: &[f32], shape: [i64; 4]) -> Result<Tensor, TchError> {
        let x = Tensor::f_from_slice(pixels_nchw)?.f_view(shape)?.f_to_device(self.device)?;
        channels_last(&x)
    }
}

impl fmt::Debug for FoldedTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoldedTrunk({}, {:?}, {})", self.backbone.arch, self.device, self.dtype.as_str())
    }
}

/// Features `[N, D]`, whose last `channels` are the averages, and behind them the logits: `[N, D + L]`.
fn behind(features: &Tensor, classifier: &Classifier, channels: usize) -> Result<Tensor, Error> {
    let averages = features.f_narrow(1, -(channels as i64), channels as i64); // [N, C]
    let logits = classifier.forward(&averages.map_err(Error::torch("take the averages of a batch"))?)?; // [N, L]
    Tensor::f_cat(&[features, &logits], 1).map_err(Error::torch("put logits behind features"))
}

/// The numbers of a tensor in order, on the processor.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_contiguous()?.f_view(-1)?;
    Vec::try_from(&flat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbones::{self, BACKBONES};

    fn trunk(arch: &str) -> Trunk {
        let backbone = backbones::find(arch).unwrap();
        backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap()
    }

    /// Three views of 64 by 64.
    fn pixels() -> Vec<f32> {
        (0..3 * 3 * 64 * 64).map(|i| (i as f32 * 0.37).sin()).collect()
    }

    #[test]
    fn features_are_the_pooled_map_of_the_trunk_in_order_for_every_backbone() {
        for backbone in BACKBONES {
            let trunk = trunk(backbone.arch);
            // What training leaves is folded too. (Random weights; with real ones bfloat16 is ten times nearer.)
            let x = Tensor::from_slice(&pixels()).view([3, 3, 64, 64]);
            drop(no_grad(|| trunk.forward(&x, [Mode::Train; 2])).unwrap());
            let map = no_grad(|| trunk.forward(&x, [Mode::Eval; 2])).unwrap(); // [3, C, 2, 2]
            let max = map.amax([2, 3], false);
            let mean = map.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
            let expected = Tensor::cat(&[max, mean], 1); // [3, 2 C]
            let size = expected.norm().double_value(&[]);
            for (dtype, bound) in [(Dtype::F32, 1e-5), (Dtype::Bf16, 0.05)] {
                let folded = trunk.folded(dtype).unwrap();
                let found = folded.features(&pixels(), 64).unwrap();
                assert_eq!(found, folded.share().unwrap().features(&pixels(), 64).unwrap());
                assert_eq!(found.len(), 3 * Pool::MaxAvg.width(backbone.channels));
                let found = Tensor::from_slice(&found).view_as(&expected);
                let error = (found - &expected).norm().double_value(&[]) / size;
                assert!(error < bound, "{} in {dtype:?}: off by {error}", backbone.arch);
            }
        }
    }

    #[test]
    fn a_view_has_the_same_bits_wherever_it_stands_in_the_batch() {
        let pixels = pixels();
        let view = pixels.len() / 3;
        let turned = [&pixels[2 * view..], &pixels[..2 * view]].concat();
        for dtype in [Dtype::F32, Dtype::Bf16] {
            let folded = trunk("resnet18").folded(dtype).unwrap();
            let (plain, turned) =
                (folded.features(&pixels, 64).unwrap(), folded.features(&turned, 64).unwrap());
            assert_eq!(plain[2 * 1024..], turned[..1024], "{dtype:?}");
            assert_eq!(plain[..2 * 1024], turned[1024..], "{dtype:?}");
        }
    }

    #[test]
    fn pixels_that_are_no_views_are_refused() {
        let folded = trunk("efficientnet_lite0").folded(Dtype::F32).unwrap();
        let message = folded.features(&[], 32).unwrap_err().to_string();
        assert!(message.contains("on a batch of shape [0, 3, 32, 32], expected [N, 3, H, W]"), "{message}");
        let message = folded.features(&[0.0; 3 * 32 * 32 + 1], 32).unwrap_err().to_string();
        assert!(message.starts_with("cannot put a batch together: "), "{message}");
    }
}
