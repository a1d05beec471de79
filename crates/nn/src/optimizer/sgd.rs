//! One step of SGD with momentum: [`Rule::Sgd`](super::Rule::Sgd).

use tch::{Device, TchError, Tensor};

use super::scalar;

/// The factors of a step, each without dimensions.
pub(super) struct Step {
    rate: Tensor,
    momentum: Tensor,
    weight_decay: Option<Tensor>,
}

impl Step {
    pub(super) fn new(lr: f64, momentum: f64, weight_decay: f64, device: Device) -> Result<Step, TchError> {
        let decays = weight_decay != 0.0;
        Ok(Step {
            rate: scalar(-lr, device)?,
            momentum: scalar(momentum, device)?,
            weight_decay: decays.then(|| scalar(weight_decay, device)).transpose()?,
        })
    }

    /// Moves `value` and gives back its velocity.
    pub(super) fn apply(
        &self,
        value: &mut Tensor,
        gradient: &Tensor,
        velocity: Option<Tensor>,
    ) -> Result<Tensor, TchError> {
        let mut velocity = match velocity {
            // g + momentum * v, written over v.
            Some(velocity) => gradient.f_addcmul_out(&velocity, &velocity, &self.momentum)?,
            // A copy: the gradient goes on adding up where it is not forgotten.
            None => gradient.f_detach_copy()?,
        };
        if let Some(weight_decay) = &self.weight_decay {
            let _ = velocity.f_addcmul_(value, weight_decay)?;
        }
        let _ = value.f_addcmul_(&velocity, &self.rate)?;
        Ok(velocity)
    }
}
