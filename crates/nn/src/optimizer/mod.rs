//! [`Optimizer`]: moves parameters against their gradients. libtorch's own optimisers do not let their state be read,
//! and a run that continues needs it.
//!
//! What a step computes is in [`sgd`] and [`adamw`], one parameter at a time; the state that is saved, in [`state`].

mod adamw;
mod clip;
mod sgd;
mod state;

use std::collections::BTreeSet;
use std::fmt;

use tch::{COptimizer, Device, TchError, Tensor};

use self::adamw::Moments;
use crate::error::Error;

/// How a parameter moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// SGD with momentum, not Nesterov's, as `torch.optim.SGD` computes it:
    ///
    /// ```text
    /// g = gradient + weight_decay * p
    /// v = g at the first step, then momentum * v + g
    /// p = p - lr * v
    /// ```
    Sgd {
        /// Share of the last velocity that is kept, 0 to below 1.
        momentum: f64,
    },
    /// AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization") as `torch.optim.AdamW` computes it:
    ///
    /// ```text
    /// p = p - lr * weight_decay * p
    /// m = beta1 * m + (1 - beta1) * g                  m and s start at 0
    /// s = beta2 * s + (1 - beta2) * g^2
    /// p = p - lr * (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)      t = 1 at the first step
    /// ```
    AdamW {
        /// Share of the mean gradient that is kept, 0 to below 1.
        beta1: f64,
        /// Share of the mean squared gradient that is kept, 0 to below 1.
        beta2: f64,
        /// Keeps the divisor from 0; above 0.
        eps: f64,
    },
}

impl Rule {
    /// SGD with this momentum; the lesson's is 0.9.
    pub fn sgd(momentum: f64) -> Rule {
        Rule::Sgd { momentum }
    }

    /// AdamW with this share of the mean gradient kept, and PyTorch's defaults for the rest. Its own for this is 0.9.
    pub fn adamw(momentum: f64) -> Rule {
        Rule::AdamW { beta1: momentum, beta2: 0.999, eps: 1e-8 }
    }
}

/// Parameters with one learning rate and one weight decay.
#[derive(Debug)]
pub struct Group {
    /// Their names, under which their state is saved, and the parameters: float32, on one device.
    pub parameters: Vec<(String, Tensor)>,
    /// Weight decay, 0 or more. The lesson's is 0. PyTorch's default for AdamW is 0.01.
    pub weight_decay: f64,
}

/// Changes groups of parameters in place, by one [`Rule`], each group with its own learning rate at each step.
///
/// The gradients of several backward passes add up until [`zero_grad`](Self::zero_grad): that is how a large batch is
/// trained in parts, with the loss of each part divided by the number of parts. A parameter that has no gradient
/// (it is frozen, or took no part) is left alone, and has no state.
pub struct Optimizer {
    rule: Rule,
    groups: Vec<Parameters>,
    /// libtorch's own optimiser of the same parameters, only to forget gradients: it lets go of them. tch's `zero_grad`
    /// fills them with zeros, which takes two more passes over memory, and a parameter that was frozen since would go on
    /// by its momentum.
    gradients: COptimizer,
}

/// A [`Group`] with its state.
struct Parameters {
    parameters: Vec<Parameter>,
    weight_decay: f64,
}

struct Parameter {
    name: String,
    value: Tensor,
    /// What SGD remembers, after its first step.
    velocity: Option<Tensor>,
    /// What AdamW remembers, after its first step.
    moments: Option<Moments>,
}

impl Parameter {
    fn gradient(&self) -> Result<Option<Tensor>, TchError> {
        let gradient = self.value.f_grad()?;
        Ok(gradient.defined().then_some(gradient))
    }
}

impl Optimizer {
    /// An optimiser at rest, of parameters that require gradients or will.
    ///
    /// # Errors
    /// [`Error::SameParameter`] when two have one name: their state could not be told apart.
    pub fn new(rule: Rule, groups: Vec<Group>) -> Result<Optimizer, Error> {
        let mut names = BTreeSet::new();
        let mut gradients =
            COptimizer::sgd(0.0, 0.0, 0.0, 0.0, false).map_err(Error::torch("make an optimiser"))?;
        for (name, value) in groups.iter().flat_map(|group| &group.parameters) {
            if !names.insert(name) {
                return Err(Error::SameParameter { name: name.clone() });
            }
            gradients.add_parameters(value, 0).map_err(Error::torch("make an optimiser"))?;
        }
        let at_rest = |(name, value)| Parameter { name, value, velocity: None, moments: None };
        let groups = groups
            .into_iter()
            .map(|Group { parameters, weight_decay }| Parameters {
                parameters: parameters.into_iter().map(at_rest).collect(),
                weight_decay,
            })
            .collect();
        Ok(Optimizer { rule, groups, gradients })
    }

    /// Forgets the gradients. Call before each backward pass that is not to add to the last one.
    ///
    /// # Errors
    /// None in practice.
    pub fn zero_grad(&mut self) -> Result<(), Error> {
        self.gradients.zero_grad().map_err(Error::torch("forget the gradients"))
    }

    /// Moves each parameter that has a gradient by one step, with one learning rate per group. A rate of 0 is a step
    /// too: the parameters stay, and their state moves.
    ///
    /// # Errors
    /// [`Error::RateCount`]; [`Error::Torch`] when libtorch refuses.
    pub fn step(&mut self, lr: &[f64]) -> Result<(), Error> {
        if lr.len() != self.groups.len() {
            return Err(Error::RateCount { found: lr.len(), expected: self.groups.len() });
        }
        let step = || self.groups.iter_mut().zip(lr).try_for_each(|(group, &lr)| group.step(self.rule, lr));
        tch::no_grad(step).map_err(Error::torch("step"))
    }
}

impl Parameters {
    fn step(&mut self, rule: Rule, lr: f64) -> Result<(), TchError> {
        let Parameters { parameters, weight_decay } = self;
        let Some(device) = parameters.first().map(|parameter| parameter.value.device()) else {
            return Ok(());
        };
        match rule {
            Rule::Sgd { momentum } => {
                let step = sgd::Step::new(lr, momentum, *weight_decay, device)?;
                for parameter in parameters {
                    let Some(gradient) = parameter.gradient()? else { continue };
                    let velocity = parameter.velocity.take();
                    parameter.velocity = Some(step.apply(&mut parameter.value, &gradient, velocity)?);
                }
            }
            Rule::AdamW { beta1, beta2, eps } => {
                let step = adamw::Step { lr, beta1, beta2, eps, weight_decay: *weight_decay };
                for parameter in parameters {
                    let Some(gradient) = parameter.gradient()? else { continue };
                    let moments = match parameter.moments.take() {
                        Some(moments) => moments,
                        None => Moments::zero(&parameter.value)?,
                    };
                    parameter.moments = Some(step.apply(&mut parameter.value, &gradient, moments)?);
                }
            }
        }
        Ok(())
    }
}

/// A number as a tensor without dimensions. `x.addcmul_(y, number)` is `x + number * y` in one pass over memory; tch
/// has no addition with a factor.
fn scalar(number: f64, device: Device) -> Result<Tensor, TchError> {
    Tensor::from(number as f32).f_to_device(device)
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.groups.iter().map(|group| group.parameters.len()).collect();
        write!(f, "Optimizer({:?}, groups of {sizes:?} parameters)", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAMW: Rule = Rule::AdamW { beta1: 0.5, beta2: 0.75, eps: 1.0 };

    fn parameter(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).set_requires_grad(true)
    }

    /// An optimiser of groups of one parameter each, `p0`, `p1`, …
    fn optimizer(rule: Rule, parameters: &[&Tensor], weight_decay: f64) -> Optimizer {
        let group = |(i, p): (usize, &&Tensor)| Group {
            parameters: vec![(format!("p{i}"), p.shallow_clone())],
            weight_decay,
        };
        Optimizer::new(rule, parameters.iter().enumerate().map(group).collect()).unwrap()
    }

    /// One step on `loss = sum p^2 / 2`, whose gradient is `p`.
    fn step(optimizer: &mut Optimizer, p: &Tensor, lr: &[f64]) {
        optimizer.zero_grad().unwrap();
        (p * p * 0.5).sum(tch::Kind::Float).backward();
        optimizer.step(lr).unwrap();
    }

    fn numbers(t: &Tensor) -> Vec<f32> {
        t.detach().copy().try_into().unwrap()
    }

    #[test]
    fn momentum_adds_up_from_the_gradient_of_the_first_step() {
        let p = parameter(&[8.0]);
        let mut sgd = optimizer(Rule::sgd(0.5), &[&p], 0.0);
        // v: 8, then 0.5 * 8 + 4 = 8, then 0.5 * 8 + 0 = 4.
        for expected in [4.0, 0.0, -2.0] {
            step(&mut sgd, &p, &[0.5]);
            assert_eq!(numbers(&p), [expected]);
        }
    }

    #[test]
    fn weight_decay_adds_a_share_of_the_weight_to_its_gradient() {
        let p = parameter(&[8.0]);
        let mut sgd = optimizer(Rule::sgd(0.5), &[&p], 0.25);
        // v: 8 + 0.25 * 8 = 10, then 0.5 * 10 + 3 + 0.25 * 3 = 8.75.
        for expected in [3.0, -1.375] {
            step(&mut sgd, &p, &[0.5]);
            assert_eq!(numbers(&p), [expected]);
        }
    }

    #[test]
    fn adamw_decays_the_weight_and_divides_by_the_root_of_the_mean_square() {
        let p = parameter(&[8.0]);
        // p = 8 - 0.5 * 0.25 * 8 = 7; m = 4, m / (1 - 0.5) = 8; s = 16, s / (1 - 0.75) = 64: 7 - 0.5 * 8 / (8 + 1).
        step(&mut optimizer(ADAMW, &[&p], 0.25), &p, &[0.5]);
        let expected = 7.0 - 4.0 / 9.0;
        assert!((p.double_value(&[0]) - expected).abs() < 1e-6, "{:?}", numbers(&p));
    }

    #[test]
    fn a_rate_of_zero_leaves_parameters_where_they_are() {
        for rule in [Rule::sgd(0.9), Rule::adamw(0.9)] {
            let p = parameter(&[8.0, 0.0]);
            step(&mut optimizer(rule, &[&p], 0.25), &p, &[0.0]);
            assert_eq!(numbers(&p), [8.0, 0.0], "{rule:?}");
        }
    }

    #[test]
    fn each_group_has_its_own_rate_and_a_parameter_without_gradient_stays_and_has_no_state() {
        for rule in [Rule::sgd(0.9), Rule::adamw(0.9)] {
            let (p, q) = (parameter(&[8.0]), parameter(&[1.0]));
            let mut optimizer = optimizer(rule, &[&q, &p], 0.5);
            step(&mut optimizer, &p, &[100.0, 0.25]);
            assert_ne!(numbers(&p), [8.0], "{rule:?}");
            assert_eq!(numbers(&q), [1.0], "{rule:?}");
            assert!(optimizer.state().keys().all(|name| name.starts_with("p1.")), "{rule:?}");
        }
    }

    #[test]
    fn a_parameter_that_is_frozen_after_a_step_does_not_go_on_by_its_momentum() {
        let (p, q) = (parameter(&[8.0]), parameter(&[4.0]));
        let mut sgd = optimizer(Rule::sgd(0.5), &[&p, &q], 0.0);
        step(&mut sgd, &p, &[0.5, 0.5]);
        step(&mut sgd, &q, &[0.5, 0.5]);
        assert_eq!((numbers(&p), numbers(&q)), (vec![4.0], vec![2.0]));
    }

    #[test]
    fn gradients_add_up_until_they_are_forgotten() {
        // The mean over four rows is the sum of the means over two pairs, each divided by two.
        let x = Tensor::from_slice(&[1f32, 2.0, -3.0, 0.5, 4.0, -1.0, 2.0, 3.0]).reshape([4, 2]);
        let loss = |p: &Tensor, x: &Tensor| (x.matmul(p) - 1.0).square().mean(tch::Kind::Float);
        let [whole, parts] = [parameter(&[0.5, -2.0]), parameter(&[0.5, -2.0])];
        let mut one = optimizer(Rule::sgd(0.9), &[&whole], 0.0);
        let mut many = optimizer(Rule::sgd(0.9), &[&parts], 0.0);
        for _ in 0..3 {
            one.zero_grad().unwrap();
            loss(&whole, &x).backward();
            one.step(&[0.05]).unwrap();
            many.zero_grad().unwrap();
            for start in [0, 2] {
                (loss(&parts, &x.narrow(0, start, 2)) / 2.0).backward();
            }
            many.step(&[0.05]).unwrap();
        }
        let (whole, parts) = (numbers(&whole), numbers(&parts));
        assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-6), "{whole:?} {parts:?}");
    }

    #[test]
    fn the_number_of_rates_and_the_names_are_checked() {
        let p = parameter(&[1.0]);
        let mut sgd = optimizer(Rule::sgd(0.9), &[&p], 0.0);
        assert!(matches!(sgd.step(&[0.1, 0.2]), Err(Error::RateCount { found: 2, expected: 1 })));
        let twice = ["a", "a"].map(|name| (name.to_owned(), p.shallow_clone())).into();
        let error = Optimizer::new(Rule::sgd(0.9), vec![Group { parameters: twice, weight_decay: 0.0 }]);
        assert!(matches!(error, Err(Error::SameParameter { name }) if name == "a"));
    }
}
