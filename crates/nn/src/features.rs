//! [`Trunk::features`]: from pixels in memory to pooled features in memory.

use tch::{Device, Kind, TchError, Tensor, no_grad};

use crate::batch_norm::Mode;
use crate::error::Error;
use crate::pool::concat_pool;
use crate::trunk::Trunk;

impl Trunk {
    /// Pooled features `[N, 2 C]` ([`concat_pool`]), float32, row-major, of the N views in `pixels_nchw`,
    /// `[N, 3, side, side]`, normalised for this backbone. In eval mode, without gradients.
    ///
    /// The last bits of a row may change with N and with the number of threads, not with what the other rows hold.
    ///
    /// # Errors
    /// [`Error::WrongInput`] for no views, [`Error::Torch`] for pixels that are not whole views, or when libtorch
    /// refuses (memory, device).
    pub fn features(&self, pixels_nchw: &[f32], side: u32) -> Result<Vec<f32>, Error> {
        let side = i64::from(side);
        let view_len = (3 * side * side).max(1);
        let shape = [pixels_nchw.len() as i64 / view_len, 3, side, side];
        let x = || Tensor::f_from_slice(pixels_nchw)?.f_view(shape)?.f_to_device(self.device());
        let features = no_grad(|| {
            let x = x().map_err(Error::torch("put a batch together"))?; // [N, 3, side, side]
            let map = self.forward(&x, [Mode::Eval, Mode::Eval])?; // [N, C, h, w]
            concat_pool(&map) // [N, 2 C]
        })?;
        numbers(&features).map_err(Error::torch("read the features of a batch"))
    }
}

/// The numbers of a tensor in order, on the processor.
fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view(-1)?;
    Vec::try_from(&flat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbones;

    #[test]
    fn features_are_the_pooled_map_of_each_view_in_order() {
        let backbone = backbones::find("efficientnet_lite0").unwrap();
        let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
        let pixels: Vec<f32> = (0..3 * 3 * 32 * 32).map(|i| (i as f32 * 0.37).sin()).collect();
        let found = trunk.features(&pixels, 32).unwrap();
        let x = Tensor::from_slice(&pixels).view([3, 3, 32, 32]);
        let map = no_grad(|| trunk.forward(&x, [Mode::Eval, Mode::Eval]).unwrap()); // [3, 1280, 1, 1]
        assert_eq!(found, numbers(&concat_pool(&map).unwrap()).unwrap());
        let max = map.amax([2, 3], false);
        let mean = map.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let expected = numbers(&Tensor::cat(&[max, mean], 1)).unwrap();
        assert_eq!((found.len(), expected.len()), (3 * 2560, 3 * 2560));
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(worst < 1e-5 && found[..2560] != found[2560..5120], "off by {worst}");
    }

    #[test]
    fn pixels_that_are_no_views_are_refused() {
        let backbone = backbones::find("efficientnet_lite0").unwrap();
        let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
        let message = trunk.features(&[], 32).unwrap_err().to_string();
        assert!(message.contains("on a batch of shape [0, 3, 32, 32], expected [N, 3, H, W]"), "{message}");
        let message = trunk.features(&[0.0; 3 * 32 * 32 + 1], 32).unwrap_err().to_string();
        assert!(message.starts_with("cannot put a batch together: "), "{message}");
    }
}
