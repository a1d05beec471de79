//! [`Stepper`]: from a batch to gradients, and from gradients to a step of the weights.

use pipeline_fit::{ClassWeights, OptimizerKind, Recipe, class_weights};
use pipeline_nn::{Device, Group, LossOptions, Optimizer, Rule, Tensor, nll, nll_mixed};
use pipeline_stage::Failure;
use pipeline_stage::random::Stream;

use crate::data::{Batch, Data};
use crate::error::Error;
use crate::learner::{LayerGroup, Learner};

/// A network, its optimiser, and the loss that it is trained on.
pub(crate) struct Stepper<'a> {
    learner: &'a dyn Learner,
    pub(crate) optimizer: Optimizer,
    loss: LossOptions,
    clip: Option<f64>,
    seed: u64,
}

impl<'a> Stepper<'a> {
    /// With an optimiser at rest.
    pub(crate) fn new(recipe: &Recipe, learner: &'a dyn Learner, data: &dyn Data) -> Result<Self, Failure> {
        let rule = match recipe.optimizer {
            OptimizerKind::Sgd => Rule::sgd(recipe.momentum),
            OptimizerKind::AdamW => Rule::adamw(recipe.momentum),
        };
        let groups = learner.groups();
        let decays = recipe.weight_decays(groups.len());
        let device =
            groups.iter().flat_map(|group| &group.parameters).next().map(|(_, first)| first.device());
        let weights = weights_of_classes(recipe, data)?;
        let group =
            |(group, weight_decay): (LayerGroup, f64)| Group { parameters: group.parameters, weight_decay };
        let optimizer = Optimizer::new(rule, groups.into_iter().zip(decays).map(group).collect())?;
        let loss = LossOptions {
            label_smoothing: recipe.label_smoothing,
            class_weights: weights
                .map(|weights| on_device(&weights, device.unwrap_or(Device::Cpu)))
                .transpose()?,
        };
        Ok(Stepper { learner, optimizer, loss, clip: recipe.clip, seed: data.seed() })
    }

    /// Adds the gradients of the `share` of a step that this batch is, and returns its loss. `number` counts batches over
    /// the whole fit, from 0.
    pub(crate) fn gradients(&mut self, batch: &Batch, number: u64, share: f64) -> Result<f64, Failure> {
        let stream = Stream { seed: self.seed, purpose: "dropout", epoch: number, ..Stream::default() };
        let log_probs = self.learner.forward_train(&batch.x, &mut stream.start())?; // [N, classes]
        let loss = match &batch.mixed {
            None => nll(&log_probs, &batch.labels, &self.loss)?,
            Some(mixed) => {
                nll_mixed(&log_probs, &batch.labels, &mixed.partner_labels, mixed.lambda, &self.loss)?
            }
        };
        let value = loss.f_double_value(&[]).map_err(pipeline_nn::Error::torch("read the loss"))?;
        let backward =
            || if share == 1.0 { loss.f_backward() } else { loss.f_mul_scalar(share)?.f_backward() };
        backward().map_err(pipeline_nn::Error::torch("compute gradients"))?;
        Ok(value)
    }

    /// Moves the weights by what the gradients say, with a rate for each layer group, and forgets the gradients.
    pub(crate) fn step(&mut self, lr: &[f64]) -> Result<(), Failure> {
        if let Some(longest) = self.clip {
            self.optimizer.clip_gradients(longest)?;
        }
        self.optimizer.step(lr)?;
        Ok(self.optimizer.zero_grad()?)
    }
}

/// `[classes]`, f32.
fn on_device(weights: &[f32], device: Device) -> Result<Tensor, pipeline_nn::Error> {
    let place = || Tensor::f_from_slice(weights)?.f_to_device(device);
    place().map_err(pipeline_nn::Error::torch("put the class weights on the device"))
}

/// `[classes]`; `None` where all photos count alike.
fn weights_of_classes(recipe: &Recipe, data: &dyn Data) -> Result<Option<Vec<f32>>, Failure> {
    let weights = match &recipe.class_weights {
        ClassWeights::None => return Ok(None),
        ClassWeights::Given(weights) if weights.len() != data.classes() => {
            return Err(Error::ClassWeights { found: weights.len(), expected: data.classes() }.into());
        }
        ClassWeights::Given(weights) => weights.clone(),
        ClassWeights::Balanced => {
            let mut counts = vec![0; data.classes()];
            for label in data.labels() {
                counts[*label as usize] += 1;
            }
            class_weights(&counts)
        }
    };
    Ok(Some(weights.into_iter().map(|weight| weight as f32).collect()))
}
