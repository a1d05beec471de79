//! A fully connected layer.

use tch::{TchError, Tensor};

use crate::backbones::Provide;
use crate::error::Error;

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

    /// `x`: `[N, in]` to `[N, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&self.weight, Some(&self.bias))
    }
}
