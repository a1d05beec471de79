//! [`Activation`]: what is done to every number of a map behind a convolution.

use tch::{TchError, Tensor};

/// A function of one number, applied to every number of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// Of this map, which nobody else has: in place where gradients allow it.
    pub(crate) fn of(self, mut map: Tensor) -> Result<Tensor, TchError> {
        match self {
            Activation::Identity => Ok(map),
            Activation::Relu => map.f_relu_(),
            Activation::Relu6 => map.f_relu6(),
        }
    }
}
