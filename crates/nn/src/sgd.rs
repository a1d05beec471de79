//! Stochastic gradient descent with momentum. libtorch's own optimiser does not let its state be read.

use tch::{TchError, Tensor};

use crate::error::Error;

/// The constants of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// Share of the last step that is kept, 0 to below 1. The lesson's is 0.9.
    pub momentum: f64,
    /// Factor of the weights that is added to their gradients, 0 or more. The lesson's is 0.
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { momentum: 0.9, weight_decay: 0.0 }
    }
}

/// SGD with momentum, not Nesterov's, as PyTorch computes it:
///
/// ```text
/// g = gradient + weight_decay * p
/// v = g at the first step, then momentum * v + g
/// p = p - lr * v
/// ```
///
/// Each group of parameters has its own rate at each step. Parameters are changed in place.
pub struct Sgd {
    groups: Vec<Vec<Parameter>>,
    config: SgdConfig,
}

struct Parameter {
    value: Tensor,
    velocity: Option<Tensor>,
}

impl Sgd {
    /// An optimiser at rest, of groups of parameters that require gradients.
    pub fn new(groups: Vec<Vec<Tensor>>, config: SgdConfig) -> Self {
        let parameter = |value| Parameter { value, velocity: None };
        let groups = groups.into_iter().map(|group| group.into_iter().map(parameter).collect()).collect();
        Sgd { groups, config }
    }

    /// Forgets the gradients. Call before each backward pass.
    pub fn zero_grad(&mut self) {
        for parameter in self.groups.iter_mut().flatten() {
            parameter.value.zero_grad();
        }
    }

    /// Moves each parameter that has a gradient by one step, with one learning rate per group.
    ///
    /// # Errors
    /// [`Error::RateCount`]; [`Error::Torch`] when libtorch refuses.
    pub fn step(&mut self, lr: &[f64]) -> Result<(), Error> {
        if lr.len() != self.groups.len() {
            return Err(Error::RateCount { found: lr.len(), expected: self.groups.len() });
        }
        let config = self.config;
        tch::no_grad(|| {
            for (group, &lr) in self.groups.iter_mut().zip(lr) {
                for parameter in group {
                    parameter.step(lr, config)?;
                }
            }
            Ok(())
        })
        .map_err(Error::torch("step"))
    }
}

impl Parameter {
    fn step(&mut self, lr: f64, config: SgdConfig) -> Result<(), TchError> {
        let mut gradient = self.value.f_grad()?;
        if !gradient.defined() {
            return Ok(());
        }
        if config.weight_decay != 0.0 {
            gradient = gradient.f_add(&self.value.f_mul_scalar(config.weight_decay)?)?;
        }
        let velocity = match self.velocity.take() {
            Some(mut velocity) => velocity.f_mul_scalar_(config.momentum)?.f_add_(&gradient)?,
            // A copy: the gradient's memory is used again by the next backward pass.
            None => gradient.f_detach_copy()?,
        };
        let _ = self.value.f_sub_(&velocity.f_mul_scalar(lr)?)?;
        self.velocity = Some(velocity);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(value: f32) -> Tensor {
        Tensor::from_slice(&[value]).set_requires_grad(true)
    }

    /// One step on `loss = p^2 / 2`, whose gradient is `p`.
    fn step(sgd: &mut Sgd, p: &Tensor, lr: &[f64]) {
        sgd.zero_grad();
        (p * p * 0.5).sum(tch::Kind::Float).backward();
        sgd.step(lr).unwrap();
    }

    #[test]
    fn momentum_adds_up_from_the_gradient_of_the_first_step() {
        let p = parameter(8.0);
        let mut sgd = Sgd::new(vec![vec![p.shallow_clone()]], SgdConfig { momentum: 0.5, weight_decay: 0.0 });
        // v: 8, then 0.5 * 8 + 4 = 8, then 0.5 * 8 + 0 = 4.
        for expected in [4.0, 0.0, -2.0] {
            step(&mut sgd, &p, &[0.5]);
            assert_eq!(p.double_value(&[0]), expected);
        }
    }

    #[test]
    fn weight_decay_adds_a_share_of_the_weight_to_its_gradient() {
        let p = parameter(8.0);
        let mut sgd =
            Sgd::new(vec![vec![p.shallow_clone()]], SgdConfig { momentum: 0.9, weight_decay: 0.25 });
        step(&mut sgd, &p, &[0.5]); // g = 8 + 0.25 * 8 = 10
        assert_eq!(p.double_value(&[0]), 3.0);
    }

    #[test]
    fn each_group_has_its_own_rate_and_a_parameter_without_gradient_stays() {
        let (p, q) = (parameter(8.0), parameter(1.0));
        let mut sgd = Sgd::new(vec![vec![q.shallow_clone()], vec![p.shallow_clone()]], SgdConfig::default());
        step(&mut sgd, &p, &[100.0, 0.25]);
        assert_eq!((p.double_value(&[0]), q.double_value(&[0])), (6.0, 1.0));
    }

    #[test]
    fn the_number_of_rates_is_checked() {
        let mut sgd = Sgd::new(vec![vec![parameter(1.0)]], SgdConfig::default());
        assert!(matches!(sgd.step(&[0.1, 0.2]), Err(Error::RateCount { found: 2, expected: 1 })));
    }
}
