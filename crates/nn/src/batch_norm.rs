//! Batch normalisation over photos (1-d) or photos and places (2-d), and the [`Mode`] it runs in.

use tch::{TchError, Tensor};

use crate::backbones::Provide;
use crate::error::Error;
use crate::graph::Operation;

/// Which statistics batch norm uses, and whether dropout drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Running statistics, which stay as they are. Also for layers that are frozen while others train.
    Eval,
    /// Statistics of the batch; the running ones move towards them.
    Train,
}

/// `y = (x - mean) / sqrt(var + eps) * weight + bias`, per channel.
///
/// In training, mean and variance are the batch's (the biased variance), and
/// `running = (1 - momentum) * running + momentum * batch` with the *unbiased* variance, as in PyTorch.
pub(crate) struct BatchNorm {
    /// `[C]`
    pub(crate) weight: Tensor,
    /// `[C]`
    pub(crate) bias: Tensor,
    /// `[C]`
    pub(crate) running_mean: Tensor,
    /// `[C]`
    pub(crate) running_var: Tensor,
    pub(crate) momentum: f64,
    pub(crate) eps: f64,
}

impl BatchNorm {
    /// PyTorch's default momentum.
    pub(crate) const MOMENTUM: f64 = 0.1;
    /// PyTorch's default epsilon.
    pub(crate) const EPS: f64 = 1e-5;

    /// The layer `name` over `channels` channels, with PyTorch's default momentum and epsilon.
    pub(crate) fn new(provide: &mut Provide<'_>, name: &str, channels: i64) -> Result<Self, Error> {
        let mut get = |part: &str| provide(&format!("{name}.{part}"), &[channels]);
        Ok(BatchNorm {
            weight: get("weight")?,
            bias: get("bias")?,
            running_mean: get("running_mean")?,
            running_var: get("running_var")?,
            momentum: Self::MOMENTUM,
            eps: Self::EPS,
        })
    }

    /// The same layer, its tensors shared.
    pub(crate) fn share(&self) -> Self {
        BatchNorm {
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            running_mean: self.running_mean.shallow_clone(),
            running_var: self.running_var.shallow_clone(),
            ..*self
        }
    }

    /// The layer in [`Mode::Eval`] for a graph, its tensors shared.
    pub(crate) fn operation(&self) -> Operation {
        Operation::BatchNorm {
            weight: self.weight.detach(),
            bias: self.bias.detach(),
            mean: self.running_mean.detach(),
            variance: self.running_var.detach(),
            eps: self.eps,
        }
    }

    /// `x`: `[N, C]` or `[N, C, H, W]`; the result has the same shape.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        x.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            mode == Mode::Train,
            self.momentum,
            self.eps,
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> BatchNorm {
        BatchNorm {
            weight: Tensor::from_slice(&[2f32, 1.0]),
            bias: Tensor::from_slice(&[0f32, 10.0]),
            running_mean: Tensor::from_slice(&[1f32, 0.0]),
            running_var: Tensor::from_slice(&[4f32, 1.0]),
            momentum: 0.1,
            eps: 0.0,
        }
    }

    fn numbers(t: &Tensor) -> Vec<f32> {
        t.flatten(0, -1).try_into().unwrap()
    }

    // Three photos, two channels. Channel 0 has mean 2, biased variance 8/3, unbiased 4; channel 1 mean 5, 6 and 9.
    const X: [f32; 6] = [0.0, 2.0, 2.0, 5.0, 4.0, 8.0];

    #[test]
    fn eval_uses_running_statistics_and_leaves_them() {
        let layer = layer();
        let y = layer.forward(&Tensor::from_slice(&X).reshape([3, 2]), Mode::Eval).unwrap();
        assert_eq!(numbers(&y), [-1.0, 12.0, 1.0, 15.0, 3.0, 18.0]);
        assert_eq!(numbers(&layer.running_mean), [1.0, 0.0]);
    }

    #[test]
    fn train_uses_the_batch_and_moves_the_running_statistics_by_the_unbiased_variance() {
        let layer = layer();
        let y = numbers(&layer.forward(&Tensor::from_slice(&X).reshape([3, 2]), Mode::Train).unwrap());
        let z = 1.5f32.sqrt(); // 2 / sqrt(8/3) = 3 / sqrt(6)
        for (found, expected) in y.iter().zip([-2.0 * z, 10.0 - z, 0.0, 10.0, 2.0 * z, 10.0 + z]) {
            assert!((found - expected).abs() < 1e-5, "{y:?}");
        }
        let (mean, var) = (numbers(&layer.running_mean), numbers(&layer.running_var));
        for (found, expected) in mean.iter().chain(&var).zip([1.1, 0.5, 4.0, 1.8]) {
            assert!((found - expected).abs() < 1e-6f32, "{mean:?} {var:?}");
        }
    }
}
