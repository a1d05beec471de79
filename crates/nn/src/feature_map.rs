//! [`FeatureMap`]: what the layers of a trunk read and make. A network is written once, over it: with tensors it is computed,
//! with [`Wire`](crate::graph::Wire)s it is drawn as a [`Graph`](crate::graph::Graph), and the two cannot disagree.

use tch::{TchError, Tensor};

use crate::activation::Activation;
use crate::batch_norm::Mode;
use crate::conv_norm::ConvNorm;
use crate::residual;

/// A map `[N, C, H, W]`, and what a network does to it.
pub(crate) trait FeatureMap: Sized {
    /// The same map once more.
    fn share(&self) -> Self;

    /// `[N, in, H, W]` to the activation of the layer, `[N, out, H', W']`.
    fn layer(&self, layer: &ConvNorm, mode: Mode, activation: Activation) -> Result<Self, TchError>;

    /// The maximum of 3 by 3 places at a stride of 2, one place beyond each border: `[N, C, H, W]` to
    /// `[N, C, ceil(H/2), ceil(W/2)]`.
    fn max_pool(self) -> Result<Self, TchError>;

    /// The activation of the sum of a branch and what goes around it, in the number format of the latter.
    fn plus(self, shortcut: &Self, activation: Activation) -> Result<Self, TchError>;

    /// The same numbers in the format of `other`.
    fn in_format_of(self, other: &Self) -> Result<Self, TchError>;
}

impl FeatureMap for Tensor {
    fn share(&self) -> Self {
        self.shallow_clone()
    }

    fn layer(&self, layer: &ConvNorm, mode: Mode, activation: Activation) -> Result<Self, TchError> {
        layer.forward(self, mode, activation)
    }

    fn max_pool(self) -> Result<Self, TchError> {
        self.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)
    }

    fn plus(self, shortcut: &Self, activation: Activation) -> Result<Self, TchError> {
        residual::add(self, shortcut, activation)
    }

    fn in_format_of(self, other: &Self) -> Result<Self, TchError> {
        self.f_to_kind(other.kind())
    }
}
