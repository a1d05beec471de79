//! One step of AdamW: [`Rule::AdamW`](super::Rule::AdamW).

use tch::{TchError, Tensor};

use super::scalar;

/// What AdamW remembers of a parameter.
pub(super) struct Moments {
    /// Steps made.
    pub(super) steps: u32,
    /// Moving average of the gradient.
    pub(super) mean: Tensor,
    /// Moving average of the squared gradient.
    pub(super) square: Tensor,
}

impl Moments {
    /// Before the first step.
    pub(super) fn zero(value: &Tensor) -> Result<Moments, TchError> {
        Ok(Moments { steps: 0, mean: value.f_zeros_like()?, square: value.f_zeros_like()? })
    }
}

/// The numbers of a step.
pub(super) struct Step {
    pub(super) lr: f64,
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) eps: f64,
    pub(super) weight_decay: f64,
}

impl Step {
    /// Moves `value` and gives back its moments.
    pub(super) fn apply(
        &self,
        value: &mut Tensor,
        gradient: &Tensor,
        mut moments: Moments,
    ) -> Result<Moments, TchError> {
        moments.steps += 1;
        let steps = f64::from(moments.steps);
        let _ = moments.mean.f_lerp_(gradient, 1.0 - self.beta1)?;
        let _ = moments.square.f_lerp_(&gradient.f_square()?, 1.0 - self.beta2)?;
        if self.weight_decay != 0.0 {
            let _ = value.f_mul_scalar_(1.0 - self.lr * self.weight_decay)?;
        }
        // lr / (1 - beta1^t) is a factor of the quotient, not of the divisor, so that a rate of 0 divides by nothing.
        let divisor = moments
            .square
            .f_sqrt()?
            .f_mul_scalar_((1.0 - self.beta2.powf(steps)).sqrt().recip())?
            .f_add_scalar_(self.eps)?;
        let rate = scalar(-self.lr / (1.0 - self.beta1.powf(steps)), value.device())?;
        let _ = value.f_addcmul_(&moments.mean.f_div(&divisor)?, &rate)?;
        Ok(moments)
    }
}
