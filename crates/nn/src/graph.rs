//! [`Graph`]: what a model computes when it only looks, as a list of operations with their weights. For those who write it in
//! another format; drawn from the networks that compute it ([`Model::graph`](crate::artifact::Model::graph)).

use std::cell::RefCell;

use tch::{Kind, TchError, Tensor};

use crate::activation::Activation;
use crate::batch_norm::Mode;
use crate::conv_norm::ConvNorm;
use crate::feature_map::FeatureMap;

pub use crate::conv::Padding;

/// Operations in an order in which each comes after what it reads.
#[derive(Debug)]
pub struct Graph {
    /// The operations.
    pub steps: Vec<Step>,
    /// The pooled features, `[N, D]`.
    pub features: Value,
    /// What the softmax is taken of, `[N, classes]`.
    pub logits: Value,
}

/// One operation, and what it reads.
#[derive(Debug)]
pub struct Step {
    /// What is computed.
    pub operation: Operation,
    /// What it reads: two values for [`Operation::Add`] and [`Operation::Concatenate`], else one.
    pub inputs: Vec<Value>,
}

/// What a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The photos, `[N, 3, S, S]`, normalised.
    Photos,
    /// What the step of this index makes.
    Step(usize),
}

/// What a step computes. Weights are float32.
#[derive(Debug)]
pub enum Operation {
    /// A square convolution, `[N, in, H, W]` to `[N, out, H', W']`, with its batch norm folded into it.
    Convolution {
        /// `[out, in / groups, kernel, kernel]`, in any order in memory.
        weight: Tensor,
        /// `[out]`
        bias: Option<Tensor>,
        /// Places from one output to the next, down and across.
        stride: i64,
        /// How the borders are extended.
        padding: Padding,
        /// 1, or the number of channels where each is filtered by itself.
        groups: i64,
    },
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// The maximum of 3 by 3 places at a stride of 2, one place beyond each border.
    MaxPool,
    /// The sum of two values of one shape.
    Add,
    /// The maximum over all places: `[N, C, h, w]` to `[N, C]`.
    GlobalMax,
    /// The average over all places: `[N, C, h, w]` to `[N, C]`.
    GlobalAverage,
    /// `[N, A]` and `[N, B]` to `[N, A + B]`.
    Concatenate,
    /// `(x - mean) / sqrt(variance + eps) * weight + bias` for each of C columns of `[N, C]`.
    BatchNorm {
        /// `[C]`
        weight: Tensor,
        /// `[C]`
        bias: Tensor,
        /// `[C]`
        mean: Tensor,
        /// `[C]`
        variance: Tensor,
        /// What is added to the variance.
        eps: f64,
    },
    /// `x * weight^T + bias`: `[N, in]` to `[N, out]`.
    Linear {
        /// `[out, in]`
        weight: Tensor,
        /// `[out]`
        bias: Tensor,
    },
}

/// The steps of a graph in the making.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    steps: RefCell<Vec<Step>>,
}

impl Drawing {
    /// Where it begins.
    pub(crate) fn photos(&self) -> Wire<'_> {
        Wire { drawing: self, value: Value::Photos }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps.into_inner()
    }
}

/// A value of a drawing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire<'a> {
    drawing: &'a Drawing,
    pub(crate) value: Value,
}

impl<'a> Wire<'a> {
    /// What `operation` makes of it.
    pub(crate) fn then(self, operation: Operation) -> Wire<'a> {
        self.add_step(operation, vec![self.value])
    }

    /// What `operation` makes of it and another.
    pub(crate) fn then_with(self, operation: Operation, other: Wire<'a>) -> Wire<'a> {
        self.add_step(operation, vec![self.value, other.value])
    }

    fn activated(self, activation: Activation) -> Wire<'a> {
        match activation {
            Activation::Identity => self,
            Activation::Relu => self.then(Operation::Relu),
            Activation::Relu6 => self.then(Operation::Relu6),
        }
    }

    fn add_step(self, operation: Operation, inputs: Vec<Value>) -> Wire<'a> {
        let mut steps = self.drawing.steps.borrow_mut();
        steps.push(Step { operation, inputs });
        Wire { value: Value::Step(steps.len() - 1), ..self }
    }
}

impl FeatureMap for Wire<'_> {
    fn share(&self) -> Self {
        *self
    }

    fn layer(&self, layer: &ConvNorm, _: Mode, activation: Activation) -> Result<Self, TchError> {
        Ok(self.then(layer.folded(Kind::Float)?.operation()).activated(activation))
    }

    fn max_pool(self) -> Result<Self, TchError> {
        Ok(self.then(Operation::MaxPool))
    }

    fn plus(self, shortcut: &Self, activation: Activation) -> Result<Self, TchError> {
        Ok(self.then_with(Operation::Add, *shortcut).activated(activation))
    }

    fn in_format_of(self, _: &Self) -> Result<Self, TchError> {
        Ok(self)
    }
}
