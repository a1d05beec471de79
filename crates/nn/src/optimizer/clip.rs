//! Clipping of gradients to a norm.

use tch::Tensor;

use super::Optimizer;
use crate::error::Error;

impl Optimizer {
    /// Scales the gradients of all groups so that their joint L2 norm is at most `max_norm` (above 0), as
    /// `torch.nn.utils.clip_grad_norm_`. Call between the backward pass and the step. The result is the norm before.
    ///
    /// ```text
    /// norm = sqrt(sum of g^2 over all gradients);   g = g * min(1, max_norm / (norm + 1e-6))
    /// ```
    ///
    /// A norm that is not finite leaves gradients that are not numbers, so that the step does not go unnoticed.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses.
    pub fn clip_gradients(&mut self, max_norm: f64) -> Result<f64, Error> {
        /// PyTorch's.
        const EPS: f64 = 1e-6;
        let clip = || {
            let parameters = self.groups.iter().flat_map(|group| &group.parameters);
            let gradients = parameters.map(|p| p.value.f_grad()).collect::<Result<Vec<_>, _>>()?;
            let mut gradients: Vec<Tensor> = gradients.into_iter().filter(Tensor::defined).collect();
            if gradients.is_empty() {
                return Ok(0.0);
            }
            // The norm of the norms, on the device: one number is waited for, not one per parameter.
            let norms = gradients.iter().map(Tensor::f_norm).collect::<Result<Vec<_>, _>>()?;
            let norm = Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?;
            let factor = max_norm / (norm + EPS);
            if factor < 1.0 || factor.is_nan() {
                for gradient in &mut gradients {
                    let _ = gradient.f_mul_scalar_(factor)?;
                }
            }
            Ok(norm)
        };
        tch::no_grad(clip).map_err(Error::torch("clip the gradients"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::{Group, Rule};

    fn optimizer(p: &Tensor) -> Optimizer {
        let group = Group { parameters: vec![("p".to_owned(), p.shallow_clone())], weight_decay: 0.0 };
        Optimizer::new(Rule::sgd(0.9), vec![group]).unwrap()
    }

    #[test]
    fn nothing_is_clipped_where_there_is_no_gradient() {
        let p = Tensor::from_slice(&[3f32, 4.0]).set_requires_grad(true);
        assert_eq!(optimizer(&p).clip_gradients(1.0).unwrap(), 0.0);
    }

    #[test]
    fn a_norm_that_is_not_finite_is_given_back_and_spoils_the_gradients() {
        let p = Tensor::from_slice(&[3f32, 4.0]).set_requires_grad(true);
        let mut sgd = optimizer(&p);
        (&p * Tensor::from_slice(&[1.0, f32::INFINITY])).sum(tch::Kind::Float).backward();
        assert_eq!(sgd.clip_gradients(1.0).unwrap(), f64::INFINITY);
        assert!(p.grad().double_value(&[1]).is_nan());
    }
}
