//! [`Learner`]: the network that is trained.

use std::collections::BTreeMap;

use pipeline_nn::{Error, Head, Tensor};
use pipeline_stage::random::Random;

/// A network that is trained. Its tensors are changed in place.
pub trait Learner {
    /// What it is, for progress: `the head`.
    fn name(&self) -> &'static str;

    /// The layer groups that train, from the photo to the head.
    fn groups(&self) -> Vec<LayerGroup>;

    /// All tensors that training may change, running statistics included, by name. They share memory with the network and
    /// require no gradients.
    fn tensors(&self) -> BTreeMap<String, Tensor>;

    /// Log-probabilities `[N, classes]` of a training batch of N inputs, at least 2: batch norm and dropout train, in the
    /// layers that do. Records gradients.
    ///
    /// # Errors
    /// When libtorch refuses: another shape, no memory.
    fn forward_train(&self, x: &Tensor, random: &mut Random) -> Result<Tensor, Error>;

    /// Log-probabilities `[N, classes]` of N inputs, as the finished model answers.
    ///
    /// # Errors
    /// When libtorch refuses: another shape, no memory.
    fn forward_eval(&self, x: &Tensor) -> Result<Tensor, Error>;
}

/// Layers that train with one learning rate.
#[derive(Debug)]
pub struct LayerGroup {
    /// What it holds, for people: `layer3 and layer4`.
    pub name: String,
    /// Its parameters by name. They share memory with the network and require gradients.
    pub parameters: Vec<(String, Tensor)>,
}

/// Deep copies of `tensors`.
pub(crate) fn copied(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, Error> {
    let copy = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.f_detach_copy()?));
    tensors.iter().map(copy).collect::<Result<_, _>>().map_err(Error::torch("copy the network's tensors"))
}

/// Gives `tensors` the values of `values`, in place. Names that are not in both are left alone.
pub(crate) fn restore(
    tensors: &BTreeMap<String, Tensor>,
    values: &BTreeMap<String, Tensor>,
) -> Result<(), Error> {
    let copy = || {
        for (name, tensor) in tensors {
            if let Some(value) = values.get(name) {
                tensor.shallow_clone().f_copy_(value)?;
            }
        }
        Ok(())
    };
    pipeline_nn::no_grad(copy).map_err(Error::torch("put the network's tensors back"))
}

impl Learner for Head {
    fn name(&self) -> &'static str {
        "the head"
    }

    fn groups(&self) -> Vec<LayerGroup> {
        vec![LayerGroup { name: "head".to_owned(), parameters: self.named_parameters() }]
    }

    fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.named_tensors()
    }

    fn forward_train(&self, x: &Tensor, random: &mut Random) -> Result<Tensor, Error> {
        Head::forward_train(self, x, random)
    }

    fn forward_eval(&self, x: &Tensor) -> Result<Tensor, Error> {
        Head::forward_eval(self, x)
    }
}
