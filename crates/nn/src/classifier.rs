//! [`Classifier`]: the last layer that a backbone's weights came with.

use std::collections::BTreeMap;

use tch::{Device, Tensor};

use crate::backbones::Backbone;
use crate::error::Error;
use crate::linear::Linear;
use crate::weights::Weights;

/// The classifier of the task that a backbone was trained for: ImageNet's 1,000 classes, for published weights.
///
/// `logits = averages * weight^T + bias`, before any softmax; the averages are those of the trunk's last map
/// ([`Pool::Avg`](crate::Pool::Avg)), as the networks themselves have it in eval mode. It computes in float32.
pub struct Classifier {
    linear: Linear,
    name: &'static str,
}

impl Backbone {
    /// The classifier among these weights, on `device`; `None` where they have none that fits the trunk: no `weight` of
    /// shape `[L, C]` or no `bias` of shape `[L]` of the published name.
    ///
    /// # Errors
    /// [`Error::Torch`] when the device has too little memory.
    pub fn classifier(&self, weights: &Weights, device: Device) -> Result<Option<Classifier>, Error> {
        let name = self.classifier;
        let part = |part: &str| weights.get(&format!("{name}.{part}"));
        let (Some(weight), Some(bias)) = (part("weight"), part("bias")) else { return Ok(None) };
        let logits = bias.size().first().copied().unwrap_or(0);
        if logits == 0 || weight.size() != [logits, self.channels as i64] || bias.size() != [logits] {
            return Ok(None);
        }
        let place = |tensor: &Tensor| {
            let copy = tensor.f_to_device(device).and_then(|tensor| tensor.f_detach_copy());
            copy.map_err(Error::torch(format_args!("load the classifier of {}", self.arch)))
        };
        Ok(Some(Classifier { linear: Linear { weight: place(weight)?, bias: place(bias)? }, name }))
    }
}

impl Classifier {
    /// Logits L of a photo, at least 1.
    pub fn logits(&self) -> usize {
        self.linear.bias.size().first().map_or(0, |logits| *logits as usize)
    }

    /// Its tensors by their published names, as they are written to `classifier.safetensors`.
    pub fn named_tensors(&self) -> BTreeMap<String, Tensor> {
        let Linear { weight, bias } = &self.linear;
        [("weight", weight), ("bias", bias)]
            .map(|(part, tensor)| (format!("{}.{part}", self.name), tensor.shallow_clone()))
            .into()
    }

    /// The same classifier for another thread: its tensors are shared, nothing is copied.
    #[must_use]
    pub fn share(&self) -> Classifier {
        let Linear { weight, bias } = &self.linear;
        let linear = Linear { weight: weight.shallow_clone(), bias: bias.shallow_clone() };
        Classifier { linear, name: self.name }
    }

    /// `[N, C]` averages of a trunk's map to `[N, L]` logits.
    ///
    /// # Errors
    /// [`Error::Torch`] for averages of another width, or when libtorch refuses.
    pub fn forward(&self, averages: &Tensor) -> Result<Tensor, Error> {
        self.linear.forward(averages).map_err(Error::torch("run the classifier"))
    }
}
