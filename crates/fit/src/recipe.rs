//! [`Recipe`]: the parameters that the stages which train share, from what the user writes to the numbers of a step.
//! What is out of range is said in `check`.

mod check;

use pipeline_stage::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Schedule, ScheduleKind, Suggestion};

/// The most epochs of one fit, over all its cycles.
pub const MOST_EPOCHS: u32 = 10_000;

/// How to train: the lesson's values are the defaults. A stage has this among its own parameters, with
/// `#[serde(flatten)]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Recipe {
    /// Learning rate, above 0: one for all layer groups, or a list with one for each, from the photo to the head; or
    /// `{find: valley}` (or `slide`, `minimum`, `steep`) to let the learning-rate finder suggest it. The finder's
    /// rate is the head's; the layer group before has a tenth of it, those before a hundredth, as in the lesson.
    pub lr: Option<Rates>,
    /// Passes over the training photos, 1 to 10000. Excludes `cycles`.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub epochs: Option<u32>,
    /// Cycles of the lesson's cosine, from 1: each falls from the rate to 0 and restarts; the first 5 % of the first
    /// have 1/100 of the rate. Excludes `epochs`.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub cycles: Option<u32>,
    /// Epochs of the first cycle, from 1. Of cycles only; where `cycles` are given, 1 when left out.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub cycle_len: Option<u32>,
    /// How many times longer each cycle is than the one before, from 1. Of cycles only; where `cycles` are given, 1 when left
    /// out. 3 cycles of 1 epoch with a `cycle_mult` of 2 are 1 + 2 + 4 = 7 epochs.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub cycle_mult: Option<u32>,
    /// How the rate moves: `constant` as in the lesson, `cosine` (down to 0), or `one_cycle` (up from 1/25 in the
    /// first quarter, then down to 1/100000). With `epochs` only, and then `constant` when left out.
    pub schedule: Option<ScheduleKind>,
    /// Optimiser steps, from 0, over which the rate rises in a line to what the schedule says. 0: the lesson has
    /// none.
    pub warmup_steps: u64,
    /// Photos per batch, from 2 (batch norm needs more than one). 64 is the lesson's.
    #[schemars(range(min = 2))]
    pub batch_size: usize,
    /// Batches per optimiser step, from 1: their gradients are averaged, for batches that do not fit into memory at
    /// once.
    #[schemars(range(min = 1))]
    pub accumulate: u32,
    /// The optimiser: `sgd` as in the lesson, or `adamw`.
    pub optimizer: OptimizerKind,
    /// Momentum of SGD, or beta1 of AdamW: 0 to below 1. 0.9 is the lesson's.
    pub momentum: f64,
    /// Weight decay, 0 to 1000: one number for all layer groups, or a list with one for each. SGD adds it times the
    /// weight to the gradient, AdamW shrinks the weight by it times the rate. 0 as in the lesson.
    pub weight_decay: Decays,
    /// The largest norm, above 0, of all gradients together; longer ones are scaled down to it. Left out: as they
    /// are, as in the lesson.
    pub clip: Option<f64>,
    /// How much of the target goes to all classes alike: 0 to below 1. 0 as in the lesson.
    pub label_smoothing: f64,
    /// How much each class counts in the loss: `none` for all photos alike, as in the lesson; `balanced` for all
    /// classes alike, photos / (classes · photos of the class); or a list with a number above 0 for each class.
    pub class_weights: ClassWeights,
    /// Which photos an epoch shows: `shuffle` each once, as in the lesson; `balanced` as many, drawn so that all
    /// classes come up alike.
    pub sampler: Sampler,
    /// Decay of an exponential moving average of the weights, 0 to below 1, for example 0.999: the average is
    /// measured and published. Left out: the weights themselves, as in the lesson.
    pub ema: Option<f64>,
    /// Epochs, from 1, without a lower valid loss after which training stops. Left out: it never stops early, as in
    /// the lesson.
    #[schemars(range(min = 1))]
    pub early_stopping: Option<u32>,
    /// Which weights are published: those of the `last` epoch, as in the lesson, or the `best`, of the lowest valid
    /// loss.
    pub keep: Keep,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            lr: None,
            epochs: None,
            cycles: None,
            cycle_len: None,
            cycle_mult: None,
            schedule: None,
            warmup_steps: 0,
            batch_size: 64,
            accumulate: 1,
            optimizer: OptimizerKind::Sgd,
            momentum: 0.9,
            weight_decay: Decays::One(0.0),
            clip: None,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            sampler: Sampler::Shuffle,
            ema: None,
            early_stopping: None,
            keep: Keep::Last,
        }
    }
}

/// Learning rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a rate, a list with a rate for each layer group, or `find: valley` (or slide, minimum, steep)"
)]
pub enum Rates {
    /// One for all layer groups.
    One(f64),
    /// One for each: `[groups]`.
    PerGroup(Vec<f64>),
    /// What the learning-rate finder suggests.
    Find(Find),
}

/// How to choose the learning rate by the finder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// How the rate is read off the finder's curve.
    pub find: Suggestion,
}

/// Weight decays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or a list with one for each layer group")]
pub enum Decays {
    /// One for all layer groups.
    One(f64),
    /// One for each: `[groups]`.
    PerGroup(Vec<f64>),
}

/// How the gradient becomes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam with decoupled weight decay.
    AdamW,
}

/// How much each class counts in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "expected `none`, `balanced`, or a list with a number for each class"
)]
pub enum ClassWeights {
    /// All photos alike.
    None,
    /// All classes alike: photos / (classes with photos · photos of the class).
    Balanced,
    /// These, above 0: `[classes]`.
    #[serde(untagged)]
    Given(Vec<f64>),
}

/// Which photos an epoch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Each once, in random order.
    Shuffle,
    /// As many, drawn with replacement, classes alike.
    Balanced,
}

/// Which weights are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Those after the last epoch.
    Last,
    /// Those after the epoch with the lowest valid loss.
    Best,
}

/// How long a stage trains where the user does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many epochs.
    Epochs(u32),
    /// Cycles of the lesson's cosine.
    Cycles {
        /// How many, from 1.
        cycles: u32,
        /// Epochs of the first, from 1.
        cycle_len: u32,
        /// How many times longer each is than the one before, from 1.
        cycle_mult: u32,
    },
}

impl Recipe {
    /// Reports what is out of range or does not fit together. `groups` is how many layer groups train, `group_names`
    /// names them in words: `stem to layer2, layer3 and layer4, head`.
    pub fn check(&self, groups: usize, group_names: &str, problems: &mut Vec<Problem>) {
        check::check(self, groups, group_names, problems);
    }

    /// Fills in what the user left out, with the defaults of a stage. Whoever gives `epochs` gets no cycles, and
    /// whoever gives `cycles` no epochs. What it fills in is valid as written, and filling in again changes nothing.
    pub fn settle(&mut self, lr: Rates, length: Length) {
        self.lr.get_or_insert(lr);
        if self.epochs.is_none() && self.cycles.is_none() {
            match length {
                Length::Epochs(epochs) => self.epochs = Some(epochs),
                Length::Cycles { cycles, cycle_len, cycle_mult } => {
                    self.cycles = Some(cycles);
                    self.cycle_len.get_or_insert(cycle_len);
                    self.cycle_mult.get_or_insert(cycle_mult);
                }
            }
        }
        if self.cycles.is_some() {
            self.cycle_len.get_or_insert(1);
            self.cycle_mult.get_or_insert(1);
        } else {
            self.schedule.get_or_insert(ScheduleKind::Constant);
        }
    }

    /// The part of a recipe that the learning-rate finder looks at; the rest as where nothing is said. So a curve is the same
    /// for a recipe with the rate that it suggested.
    #[must_use]
    pub fn searched(self) -> Recipe {
        let Recipe { batch_size, optimizer, momentum, weight_decay, clip, .. } = self;
        let Recipe { label_smoothing, class_weights, sampler, .. } = self;
        Recipe {
            batch_size,
            optimizer,
            momentum,
            weight_decay,
            clip,
            label_smoothing,
            class_weights,
            sampler,
            ..Recipe::default()
        }
    }

    /// Epochs of the whole fit, over all cycles; at most [`MOST_EPOCHS`] in a checked recipe. 0 before
    /// [`Recipe::settle`].
    pub fn epochs(&self) -> u32 {
        match self.cycles {
            None => self.epochs.unwrap_or(0),
            Some(_) => u32::try_from(self.epochs_of_cycles()).unwrap_or(u32::MAX),
        }
    }

    /// The schedule of a settled recipe, in optimiser steps.
    pub fn schedule(&self, steps_per_epoch: u64) -> Schedule {
        let steps = u64::from(self.epochs()).saturating_mul(steps_per_epoch);
        let schedule = match (self.cycles, self.schedule) {
            (Some(_), _) => self.cycles_of(steps_per_epoch),
            (None, None | Some(ScheduleKind::Constant)) => Schedule::constant(steps),
            (None, Some(ScheduleKind::Cosine)) => Schedule::cosine(steps),
            (None, Some(ScheduleKind::OneCycle)) => Schedule::one_cycle(steps),
        };
        schedule.with_warmup(self.warmup_steps)
    }

    /// The rate of each layer group: `[groups]`. `None` where the finder is to suggest it, and before
    /// [`Recipe::settle`].
    pub fn rates(&self, groups: usize) -> Option<Vec<f64>> {
        match self.lr.as_ref()? {
            Rates::One(rate) => Some(vec![*rate; groups]),
            Rates::PerGroup(rates) => Some(rates.clone()),
            Rates::Find(_) => None,
        }
    }

    /// The weight decay of each layer group: `[groups]`.
    pub fn weight_decays(&self, groups: usize) -> Vec<f64> {
        match &self.weight_decay {
            Decays::One(decay) => vec![*decay; groups],
            Decays::PerGroup(decays) => decays.clone(),
        }
    }

    /// Capped at the largest number that fits.
    fn epochs_of_cycles(&self) -> u64 {
        self.cycles_of(1).total_steps()
    }

    fn cycles_of(&self, steps_per_epoch: u64) -> Schedule {
        let first_steps = u64::from(self.cycle_len.unwrap_or(1)).saturating_mul(steps_per_epoch);
        Schedule::cycles(self.cycles.unwrap_or(0), first_steps, self.cycle_mult.unwrap_or(1))
    }
}

/// The rates of the layer groups from the one that the finder suggests, the lesson's ratios: the head, last, has it;
/// the group before a tenth of it; all before a hundredth. `[groups]`.
pub fn spread(found: f64, groups: usize) -> Vec<f64> {
    let part = |before_head: usize| match before_head {
        0 => found,
        1 => found / 10.0,
        _ => found / 100.0,
    };
    (0..groups).rev().map(part).collect()
}

#[cfg(test)]
mod tests;
