//! [`ConvNorm`]: a convolution and the batch norm behind it, the piece that every trunk here is made of.

use tch::{Kind, TchError, Tensor};

use crate::activation::Activation;
use crate::batch_norm::{BatchNorm, Mode};
use crate::conv::Conv2d;
use crate::graph::Operation;

/// A convolution and its batch norm.
pub(crate) struct ConvNorm {
    conv: Conv2d,
    /// `None` where it is [folded](ConvNorm::folded) into the convolution.
    norm: Option<BatchNorm>,
}

impl ConvNorm {
    pub(crate) fn new(conv: Conv2d, norm: BatchNorm) -> Self {
        ConvNorm { conv, norm: Some(norm) }
    }

    /// `x`: `[N, in, H, W]` to the activation of both, `[N, out, H', W']`. What is folded has no mode: it is in
    /// [`Mode::Eval`].
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode, activation: Activation) -> Result<Tensor, TchError> {
        match &self.norm {
            Some(norm) => activation.of(norm.forward(&self.conv.forward(x, Activation::Identity)?, mode)?),
            None => self.conv.forward(x, activation),
        }
    }

    /// The convolution for a graph; of a layer that is [folded](ConvNorm::folded), all that it does.
    pub(crate) fn operation(&self) -> Operation {
        self.conv.operation()
    }

    /// The same layer, its tensors shared.
    pub(crate) fn share(&self) -> Self {
        ConvNorm { conv: self.conv.share(), norm: self.norm.as_ref().map(BatchNorm::share) }
    }

    /// One convolution that does what both do in [`Mode::Eval`], its numbers of this format.
    ///
    /// Batch norm is `s·y + t` per channel, with `s = weight / sqrt(running_var + eps)` and `t = bias - running_mean·s`,
    /// so that `s·(w * x) + t = (s·w) * x + t`.
    pub(crate) fn folded(&self, kind: Kind) -> Result<Self, TchError> {
        let Some(norm) = &self.norm else { return Ok(self.share()) };
        let deviation = norm.running_var.f_add_scalar(norm.eps)?.f_sqrt()?; // [out]
        let scale = norm.weight.f_detach()?.f_div(&deviation)?; // [out]
        let shift = norm.bias.f_detach()?.f_sub(&norm.running_mean.f_mul(&scale)?)?; // [out]
        Ok(ConvNorm { conv: self.conv.scaled(&scale, &shift, kind)?, norm: None })
    }

    /// The same layer, which is [folded](ConvNorm::folded), as oneDNN is fastest at it where there is one.
    pub(crate) fn packed(self) -> Result<Self, TchError> {
        Ok(ConvNorm { conv: self.conv.packed()?, norm: self.norm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::{ConvSize, Padding};

    #[test]
    fn a_folded_layer_computes_what_the_convolution_and_the_running_statistics_do() {
        // One input channel, two output channels, 1 by 1: y = w x, then (y - mean) / sqrt(var) * weight + bias.
        let mut tensors = |name: &str, shape: &[i64]| {
            let numbers: &[f32] = match name {
                "c.weight" => &[2.0, -1.0],
                "b.weight" => &[3.0, 0.5],
                "b.bias" => &[10.0, 1.0],
                "b.running_mean" => &[1.0, -2.0],
                _ => &[4.0, 0.25],
            };
            Ok(Tensor::from_slice(numbers).reshape(shape))
        };
        let size = ConvSize { input: 1, output: 2, kernel: 1, stride: 1, groups: 1 };
        let conv = Conv2d::new(&mut tensors, "c", size, Padding::Half).unwrap();
        let norm = BatchNorm { eps: 0.0, ..BatchNorm::new(&mut tensors, "b", 2).unwrap() };
        let layer = ConvNorm::new(conv, norm);
        let x = Tensor::from_slice(&[0f32, 1.0, 5.0]).reshape([1, 1, 1, 3]);
        // (2x - 1) / 2 * 3 + 10 and (-x + 2) / 0.5 * 0.5 + 1
        let expected = [8.5, 11.5, 23.5, 3.0, 2.0, -2.0];
        for kind in [Kind::Float, Kind::BFloat16] {
            let folded = layer.folded(kind).unwrap();
            let packed = folded.share().packed().unwrap();
            for layer in [&folded, &packed, &packed.share(), &folded.folded(kind).unwrap()] {
                let y = layer.forward(&x.to_kind(kind), Mode::Train, Activation::Identity).unwrap();
                assert_eq!((y.kind(), y.size()), (kind, vec![1, 2, 1, 3]));
                let found: Vec<f32> = y.to_kind(Kind::Float).flatten(0, -1).try_into().unwrap();
                // All of them are numbers of bfloat16.
                assert_eq!(found, expected, "{kind:?}");
            }
        }
    }
}
