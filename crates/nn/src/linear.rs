//! A fully connected layer.

use tch::{Kind, TchError, Tensor};

use crate::backbones::Provide;
use crate::error::Error;
use crate::graph::Operation;

/// `y = x * weight^T + bias`
pub(crate) struct Linear {
    /// `[out, in]`
    pub(crate) weight: Tensor,
    /// `[out]`
    pub(crate) bias: Tensor,
}

impl Linear {
    /// The layer `name`.
    pub(crate) fn new(provide: &mut Provide<'_>, name: &str, input: i64, output: i64) -> Result<Self, Error> {
        Ok(Linear {
            weight: provide(&format!("{name}.weight"), &[output, input])?,
            bias: provide(&format!("{name}.bias"), &[output])?,
        })
    }

    /// The same layer, its tensors shared.
    pub(crate) fn share(&self) -> Self {
        Linear { weight: self.weight.shallow_clone(), bias: self.bias.shallow_clone() }
    }

    /// The layer for a graph, its tensors shared.
    pub(crate) fn operation(&self) -> Operation {
        Operation::Linear { weight: self.weight.detach(), bias: self.bias.detach() }
    }

    /// `x`: `[N, in]` to `[N, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&self.weight, Some(&self.bias))
    }

    /// The same, multiplied in `kind`; `x`, the result and all gradients are float32.
    pub(crate) fn forward_in(&self, kind: Kind, x: &Tensor) -> Result<Tensor, TchError> {
        if kind == Kind::Float {
            return self.forward(x);
        }
        let product = x.f_to_kind(kind)?.f_linear(&self.weight.f_to_kind(kind)?, None::<&Tensor>)?;
        product.f_to_kind(Kind::Float)?.f_add(&self.bias)
    }
}
