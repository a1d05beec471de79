//! Convolution, with PyTorch's or TensorFlow's padding.

use tch::{Kind, TchError, Tensor};

use crate::activation::Activation;
use crate::backbones::Provide;
use crate::error::Error;
use crate::graph::Operation;
use crate::packed::{self, Geometry};
use crate::rounding;

/// How the borders are extended with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Half the kernel on each side: PyTorch's way, and torchvision's networks.
    Half,
    /// TensorFlow's SAME: as many zeros as make the output `ceil(n / stride)` long, the odd one after.
    Same,
}

/// A square convolution.
pub(crate) struct Conv2d {
    /// `[out, in / groups, kernel, kernel]`
    weight: Tensor,
    /// `[out]`. No backbone here has one but where a batch norm is folded into it.
    bias: Option<Tensor>,
    /// Whether the weight is in oneDNN's order.
    is_packed: bool,
    kernel: i64,
    stride: i64,
    padding: Padding,
    groups: i64,
}

/// The numbers of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvSize {
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) kernel: i64,
    pub(crate) stride: i64,
    /// 1, or the number of channels for a depthwise convolution.
    pub(crate) groups: i64,
}

impl Conv2d {
    /// The layer whose weight is `<name>.weight`.
    pub(crate) fn new(
        provide: &mut Provide<'_>,
        name: &str,
        size: ConvSize,
        padding: Padding,
    ) -> Result<Self, Error> {
        let ConvSize { input, output, kernel, stride, groups } = size;
        let weight = provide(&format!("{name}.weight"), &[output, input / groups, kernel, kernel])?;
        Ok(Conv2d { weight, bias: None, is_packed: false, kernel, stride, padding, groups })
    }

    /// The same layer, its tensors shared.
    pub(crate) fn share(&self) -> Self {
        let bias = self.bias.as_ref().map(Tensor::shallow_clone);
        Conv2d { weight: self.weight.shallow_clone(), bias, ..*self }
    }

    /// The layer whose output is `scale·y + shift` per channel, both `[out]`, its numbers of this format.
    pub(crate) fn scaled(&self, scale: &Tensor, shift: &Tensor, kind: Kind) -> Result<Self, TchError> {
        let weight = self.weight.f_detach()?.f_mul(&scale.f_view([-1, 1, 1, 1])?)?;
        let weight =
            if kind == Kind::BFloat16 { rounding::to_bf16(&weight)? } else { weight.f_to_kind(kind)? };
        let bias = match &self.bias {
            Some(bias) => bias.f_mul(scale)?.f_add(shift)?,
            None => shift.shallow_clone(),
        };
        // oneDNN adds a float32 bias before it rounds.
        let bias = bias.f_to_kind(Kind::Float)?;
        Ok(Conv2d { weight: channels_last(&weight)?, bias: Some(bias), ..*self })
    }

    /// The same layer, which has a bias, with its weight in oneDNN's order where there is one.
    pub(crate) fn packed(self) -> Result<Self, TchError> {
        let packed = packed::pack(&self.weight, self.geometry([self.kernel / 2; 2]))?;
        let is_packed = packed.is_some();
        Ok(Conv2d { weight: packed.unwrap_or(self.weight), is_packed, ..self })
    }

    /// The layer for a graph, its tensors shared.
    pub(crate) fn operation(&self) -> Operation {
        let Conv2d { weight, bias, stride, padding, groups, .. } = self.share();
        Operation::Convolution { weight, bias, stride, padding, groups }
    }

    fn geometry(&self, padding: [i64; 2]) -> Geometry {
        Geometry { padding, stride: self.stride, groups: self.groups }
    }

    /// `x`: `[N, in, H, W]` to the activation of the convolution, `[N, out, H', W']`.
    pub(crate) fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor, TchError> {
        if self.padding == Padding::Half {
            return self.convolve(x, [self.kernel / 2; 2], activation);
        }
        let (_, _, height, width) = x.size4()?;
        let (top, bottom) = same_padding(height, self.kernel, self.stride);
        let (left, right) = same_padding(width, self.kernel, self.stride);
        if top == bottom && left == right {
            self.convolve(x, [top, left], activation)
        } else {
            self.convolve(&x.f_constant_pad_nd([left, right, top, bottom])?, [0, 0], activation)
        }
    }

    /// With as many zeros on both sides of height and width.
    fn convolve(&self, x: &Tensor, padding: [i64; 2], activation: Activation) -> Result<Tensor, TchError> {
        let (weight, stride) = (&self.weight, [self.stride; 2]);
        let Some(bias) = &self.bias else {
            // Weights stay float32; where maps are not, a copy of them is convolved with, and gradients flow through it.
            let weight = weight.f_to_kind(x.kind())?;
            return activation.of(x.f_conv2d(
                &weight,
                None::<&Tensor>,
                stride,
                padding,
                [1, 1],
                self.groups,
            )?);
        };
        // Folded: the layer has its own format.
        let x = &x.f_to_kind(weight.kind())?;
        if self.is_packed {
            return packed::convolve(x, weight, bias, self.geometry(padding), activation);
        }
        // It asks for one format of all.
        let bias = bias.f_to_kind(weight.kind())?;
        activation.of(x.f_conv2d(weight, Some(bias), stride, padding, [1, 1], self.groups)?)
    }
}

/// The same numbers and shape `[N, C, H, W]` with the channels of a place side by side in memory, which oneDNN's and
/// cuDNN's kernels are fastest on, and which every layer hands on.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

/// Zeros (before, after) an axis of length `n` in TensorFlow's SAME rule:
/// `total = max((ceil(n / stride) - 1) * stride + kernel - n, 0)`, half of it before, rounded down.
fn same_padding(n: i64, kernel: i64, stride: i64) -> (i64, i64) {
    let outputs = (n + stride - 1) / stride;
    let total = ((outputs - 1) * stride + kernel - n).max(0);
    (total / 2, total - total / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_tensorflows() {
        // At 224 from the network's description: stride 2 k3 pads (0, 1), stride 2 k5 (1, 2), stride 1 half.
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(224, 5, 2), (1, 2));
        assert_eq!(same_padding(7, 5, 1), (2, 2));
        // Odd lengths under stride 2 are symmetric.
        assert_eq!(same_padding(7, 3, 2), (1, 1));
        assert_eq!(same_padding(1, 1, 2), (0, 0));
    }

    #[test]
    fn height_and_width_are_padded_each_by_their_own_length() {
        let mut ones = |_: &str, shape: &[i64]| Ok(Tensor::ones(shape, tch::kind::FLOAT_CPU));
        let size = ConvSize { input: 1, output: 1, kernel: 3, stride: 2, groups: 1 };
        let conv = Conv2d::new(&mut ones, "c", size, Padding::Same).unwrap();
        // Height 4 pads (0, 1), width 5 pads (1, 1). Each output counts the cells under the kernel.
        let x = Tensor::ones([1, 1, 4, 5], tch::kind::FLOAT_CPU);
        let y = conv.forward(&x, Activation::Identity).unwrap();
        assert_eq!(y.size(), [1, 1, 2, 3]);
        let counts: Vec<f32> = y.flatten(0, -1).try_into().unwrap();
        assert_eq!(counts, [6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
    }
}
