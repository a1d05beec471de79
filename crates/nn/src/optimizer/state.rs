//! What an optimiser remembers, as named tensors for a checkpoint.

use std::collections::BTreeMap;

use tch::Tensor;

use super::adamw::Moments;
use super::{Optimizer, Parameter, Rule};
use crate::error::Error;
use crate::saved::Saved;

/// Suffix of the name of SGD's velocity.
const VELOCITY: &str = "velocity";
/// Of AdamW's moving average of the gradient, as in PyTorch.
const MEAN: &str = "exp_avg";
/// Of AdamW's moving average of the squared gradient, as in PyTorch.
const SQUARE: &str = "exp_avg_sq";
/// Of AdamW's number of steps made.
const STEPS: &str = "step";

impl Optimizer {
    /// What it remembers: float32 tensors named `<parameter>.velocity` for SGD; `<parameter>.exp_avg`, `.exp_avg_sq` and
    /// `.step` (one number: steps made, exact to 2^24) for AdamW. Nothing of a parameter that has made no step.
    ///
    /// The tensors share memory with the optimiser: write or copy them before the next step.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = BTreeMap::new();
        for parameter in self.groups.iter().flat_map(|group| &group.parameters) {
            let mut keep = |part: &str, tensor: Tensor| {
                tensors.insert(format!("{}.{part}", parameter.name), tensor);
            };
            if let Some(velocity) = &parameter.velocity {
                keep(VELOCITY, velocity.shallow_clone());
            }
            if let Some(Moments { steps, mean, square }) = &parameter.moments {
                keep(STEPS, Tensor::from_slice(&[*steps as f32]));
                keep(MEAN, mean.shallow_clone());
                keep(SQUARE, square.shallow_clone());
            }
        }
        tensors
    }

    /// Remembers a copy of what [`state`](Self::state) gave instead: the steps that follow give the same bits as if
    /// there had been no interruption. On an error nothing has changed.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is the state of another rule or of other parameters; [`Error::Torch`] when the
    /// device has too little memory.
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let mut saved = Saved::new("the optimiser's state", state);
        let mut states = Vec::new();
        for Parameter { name, value, .. } in self.groups.iter().flat_map(|group| &group.parameters) {
            let part = |part: &str| format!("{name}.{part}");
            let (shape, device) = (value.size(), value.device());
            let (mut velocity, mut moments) = (None, None);
            match self.rule {
                Rule::Sgd { .. } if saved.has(&part(VELOCITY)) => {
                    velocity = Some(saved.take(&part(VELOCITY), &shape, device)?);
                }
                Rule::AdamW { .. } if saved.has(&part(STEPS)) => {
                    moments = Some(Moments {
                        steps: saved.take_count(&part(STEPS))?,
                        mean: saved.take(&part(MEAN), &shape, device)?,
                        square: saved.take(&part(SQUARE), &shape, device)?,
                    });
                }
                Rule::Sgd { .. } | Rule::AdamW { .. } => {}
            }
            states.push((velocity, moments));
        }
        saved.finish()?;
        let parameters = self.groups.iter_mut().flat_map(|group| &mut group.parameters);
        for (parameter, (velocity, moments)) in parameters.zip(states) {
            (parameter.velocity, parameter.moments) = (velocity, moments);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::Group;

    const RULES: [Rule; 2] =
        [Rule::Sgd { momentum: 0.9 }, Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 }];

    /// A parameter of 2 x 3 and an optimiser of it and of one that never gets a gradient.
    fn start(rule: Rule, values: &[f32]) -> (Tensor, Optimizer) {
        let p = Tensor::from_slice(values).reshape([2, 3]).set_requires_grad(true);
        let idle = Tensor::from_slice(&[1f32]).set_requires_grad(true);
        let parameters = vec![("p".to_owned(), p.shallow_clone()), ("idle".to_owned(), idle)];
        (p, Optimizer::new(rule, vec![Group { parameters, weight_decay: 0.1 }]).unwrap())
    }

    /// Steps on `sum sin(p * (1, 2, 3))`, with another rate each.
    fn train(p: &Tensor, optimizer: &mut Optimizer, steps: std::ops::Range<u32>) {
        for step in steps {
            optimizer.zero_grad().unwrap();
            (p * Tensor::from_slice(&[1f32, 2.0, 3.0])).sin().sum(tch::Kind::Float).backward();
            optimizer.step(&[0.1 / f64::from(step + 1)]).unwrap();
        }
    }

    fn bits(t: &Tensor) -> Vec<u32> {
        let values: Vec<f32> = t.detach().flatten(0, -1).try_into().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    const VALUES: [f32; 6] = [0.1, -0.7, 1.3, 2.9, -0.3, 0.77];

    #[test]
    fn a_run_that_continues_from_its_state_ends_on_the_same_bits() {
        for rule in RULES {
            let (whole, mut optimizer) = start(rule, &VALUES);
            train(&whole, &mut optimizer, 0..12);
            let (before, mut optimizer) = start(rule, &VALUES);
            train(&before, &mut optimizer, 0..5);
            let values: Vec<f32> = before.detach().flatten(0, -1).try_into().unwrap();
            let (after, mut fresh) = start(rule, &values);
            fresh.load_state(&optimizer.state()).unwrap();
            train(&after, &mut fresh, 5..12);
            assert_eq!(bits(&after), bits(&whole), "{rule:?}");
            let (found, expected) = (fresh.state(), {
                let (p, mut o) = start(rule, &VALUES);
                train(&p, &mut o, 0..12);
                o.state()
            });
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            assert!(found.iter().all(|(name, t)| bits(t) == bits(&expected[name])), "{rule:?}");
            // Without the state the run would go elsewhere.
            let (other, mut fresh) = start(rule, &values);
            train(&other, &mut fresh, 5..12);
            assert_ne!(bits(&other), bits(&whole), "{rule:?}");
        }
    }

    #[test]
    fn state_is_named_by_parameter_and_absent_before_the_first_step() {
        for (rule, names) in
            [(RULES[0], vec!["p.velocity"]), (RULES[1], vec!["p.exp_avg", "p.exp_avg_sq", "p.step"])]
        {
            let (p, mut optimizer) = start(rule, &VALUES);
            assert!(optimizer.state().is_empty());
            train(&p, &mut optimizer, 0..2);
            assert_eq!(optimizer.state().keys().collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_state_of_another_rule_or_network_is_an_error_and_changes_nothing() {
        let (p, mut adamw) = start(RULES[1], &VALUES);
        train(&p, &mut adamw, 0..2);
        let (q, mut sgd) = start(RULES[0], &VALUES);
        train(&q, &mut sgd, 0..2);
        let kept = bits(&sgd.state()["p.velocity"]);
        let load = |sgd: &mut Optimizer, state: BTreeMap<String, Tensor>| {
            sgd.load_state(&state).unwrap_err().to_string()
        };
        assert_eq!(
            load(&mut sgd, adamw.state()),
            "cannot restore the optimiser's state: found numbers for tensor `p.exp_avg`, expected no such tensor"
        );
        let wide = [("p.velocity".to_owned(), Tensor::from_slice(&[0f32; 6]).reshape([3, 2]))];
        assert_eq!(
            load(&mut sgd, wide.into()),
            "cannot restore the optimiser's state: found shape [3, 2] for tensor `p.velocity`, expected shape [2, 3]"
        );
        let mut state = adamw.state();
        state.remove("p.exp_avg_sq");
        assert_eq!(
            load(&mut adamw, state),
            "cannot restore the optimiser's state: found none for tensor `p.exp_avg_sq`, expected shape [2, 3]"
        );
        let mut state = adamw.state();
        state.insert("p.step".to_owned(), Tensor::from_slice(&[1.5f32]));
        assert_eq!(
            load(&mut adamw, state),
            "cannot restore the optimiser's state: found 1.5 for tensor `p.step`, expected a whole number"
        );
        assert_eq!(bits(&sgd.state()["p.velocity"]), kept);
    }
}
