//! [`Trunk`]: a backbone with its weights, from a batch of photos to a map of features.

use std::collections::BTreeMap;
use std::fmt;

use tch::{Device, Kind, TchError, Tensor};

use crate::backbones::{BACKBONES, Backbone, Network};
use crate::batch_norm::Mode;
use crate::conv::channels_last;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::graph::Wire;
use crate::pool::Pool;
use crate::weights::Weights;

/// A backbone with its weights on a device.
///
/// The classifier that the weights came with is not part of it.
pub struct Trunk {
    backbone: &'static Backbone,
    device: Device,
    dtype: Dtype,
    pool: Pool,
    tensors: BTreeMap<String, Tensor>,
    pub(crate) network: Box<dyn Network>,
}

impl Backbone {
    /// The trunk with these weights, on `device`. Its parameters do not require gradients.
    ///
    /// Every tensor is looked up by name and its shape checked. Other tensors (the classifier, counters of
    /// batches) are left out.
    ///
    /// # Errors
    /// [`Error::OtherArchitecture`], [`Error::MissingTensor`], [`Error::WrongShape`]; [`Error::Torch`] when
    /// the device has too little memory.
    pub fn load(&'static self, weights: &Weights, device: Device) -> Result<Trunk, Error> {
        let wanted = self.tensors()?;
        check(self, &wanted, weights)?;
        let mut tensors = BTreeMap::new();
        for (name, _) in wanted {
            if let Some(tensor) = weights.get(&name) {
                // A copy, because training changes a trunk in place.
                let copy = tensor.f_to_device(device).and_then(|t| t.f_detach_copy());
                tensors.insert(name, copy.map_err(Error::torch(format_args!("load {}", self.arch)))?);
            }
        }
        Trunk::assemble(self, device, Dtype::F32, tensors)
    }
}

impl Trunk {
    fn assemble(
        backbone: &'static Backbone,
        device: Device,
        dtype: Dtype,
        tensors: BTreeMap<String, Tensor>,
    ) -> Result<Trunk, Error> {
        let network = (backbone.build)(&mut |name, _| match tensors.get(name) {
            Some(tensor) => Ok(tensor.shallow_clone()),
            None => Err(Error::MissingTensor {
                network: backbone.arch,
                origin: "its own tensors".to_owned(),
                tensor: name.to_owned(),
                others: 0,
            }),
        })?;
        Ok(Trunk { backbone, device, dtype, pool: Pool::default(), tensors, network })
    }

    /// The same trunk for another thread: the tensors are shared, nothing is copied.
    ///
    /// Only for [`Mode::Eval`] on several threads at once: training changes the shared tensors.
    ///
    /// # Errors
    /// None in practice: the tensors were checked when this trunk was built.
    pub fn share(&self) -> Result<Trunk, Error> {
        let tensors = self.tensors.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect();
        Ok(Trunk::assemble(self.backbone, self.device, self.dtype, tensors)?.with_pool(self.pool))
    }

    /// The same trunk computing in this format; [`Backbone::load`] gives one of float32.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Trunk {
        Trunk { dtype: dtype.settled(), ..self }
    }

    /// The same trunk whose map is pooled so; [`Backbone::load`] gives one with the usual pooling.
    #[must_use]
    pub fn with_pool(self, pool: Pool) -> Trunk {
        Trunk { pool, ..self }
    }

    /// How its map becomes features: whoever calls [`Trunk::forward`] pools with it.
    pub fn pool(&self) -> Pool {
        self.pool
    }

    /// Whether the parameters of the layer group 0 or 1 are trained: whether gradients of them are recorded.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses.
    pub fn set_trained(&self, group: usize, is_trained: bool) -> Result<(), Error> {
        for (_, parameter) in self.parameters(group) {
            let set = parameter.f_set_requires_grad(is_trained).map(drop);
            set.map_err(Error::torch(format_args!("freeze or unfreeze {}", self.backbone.arch)))?;
        }
        Ok(())
    }

    /// The parameters of the layer group 0 or 1 by name, for an optimiser. They share memory with the trunk.
    pub fn parameters(&self, group: usize) -> Vec<(String, Tensor)> {
        let is_its = |name: &str| !name.contains("running_") && self.backbone.group_of(name) == group;
        let of_group = self.tensors.iter().filter(|(name, _)| is_its(name));
        of_group.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    /// The record that it was built from.
    pub fn backbone(&self) -> &'static Backbone {
        self.backbone
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Its tensors by name, as they are written to `trunk.safetensors`.
    pub fn named_tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// `x`: `[N, 3, H, W]`, float32, normalised for this backbone, on its device, to the last map
    /// `[N, C, ceil(H/32), ceil(W/32)]`, float32 too. Each of the two layer groups runs in its own mode.
    ///
    /// Gradients are recorded only for parameters that require them; run in [`tch::no_grad`] otherwise.
    ///
    /// # Errors
    /// [`Error::WrongInput`] for another shape, [`Error::Torch`] when libtorch refuses (memory, device).
    pub fn forward(&self, x: &Tensor, modes: [Mode; 2]) -> Result<Tensor, Error> {
        let shape = x.size();
        if !matches!(shape[..], [n, 3, h, w] if n > 0 && h > 0 && w > 0) {
            return Err(Error::WrongInput {
                network: self.backbone.arch,
                found: shape,
                expected: "[N, 3, H, W]".to_owned(),
            });
        }
        self.forward_in_dtype(x, modes)
            .map_err(Error::torch(format_args!("run {} on a batch of shape {shape:?}", self.backbone.arch)))
    }

    /// What [`forward`](Self::forward) does in [`Mode::Eval`], as steps of a graph in float32.
    ///
    /// # Errors
    /// [`Error::Torch`] when the device has too little memory.
    pub(crate) fn draw<'a>(&self, photos: &Wire<'a>) -> Result<Wire<'a>, Error> {
        let drawn = tch::no_grad(|| self.network.draw(photos));
        drawn.map_err(Error::torch(format_args!("fold {}", self.backbone.arch)))
    }

    fn forward_in_dtype(&self, x: &Tensor, modes: [Mode; 2]) -> Result<Tensor, TchError> {
        let kind = self.dtype.kind();
        if kind == Kind::Float {
            return self.network.forward(x, modes);
        }
        self.network.forward(&channels_last(&x.f_to_kind(kind)?)?, modes)?.f_to_kind(Kind::Float)
    }
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trunk({}, {:?}, {} tensors)", self.backbone.arch, self.device, self.tensors.len())
    }
}

/// Checks that every tensor is there in the right shape, and otherwise says the most telling thing.
fn check(backbone: &Backbone, wanted: &[(String, Vec<i64>)], weights: &Weights) -> Result<(), Error> {
    let (network, origin) = (backbone.arch, weights.origin().to_owned());
    match architecture(weights)? {
        Some(found) if found == backbone.arch => return Ok(()),
        Some(found) => return Err(Error::OtherArchitecture { network, origin, found }),
        None => {}
    }
    let mut missing = wanted.iter().filter(|(name, _)| weights.get(name).is_none());
    if let Some((tensor, _)) = missing.next() {
        return Err(Error::MissingTensor {
            network,
            origin,
            tensor: tensor.clone(),
            others: missing.count(),
        });
    }
    let misshapen = wanted.iter().find_map(|(name, shape)| {
        let found = weights.get(name)?.size();
        (found != *shape).then(|| (name.clone(), found, shape.clone()))
    });
    match misshapen {
        Some((tensor, found, expected)) => {
            Err(Error::WrongShape { network, origin, tensor, found, expected })
        }
        None => Ok(()),
    }
}

/// The backbone that the weights hold every tensor of. The largest one: all of resnet18's names and shapes
/// are also resnet34's, and resnet50's also resnet101's.
fn architecture(weights: &Weights) -> Result<Option<&'static str>, Error> {
    let mut largest = None;
    for backbone in BACKBONES {
        let wanted = backbone.tensors()?;
        let fits = wanted.iter().all(|(name, shape)| weights.get(name).is_some_and(|t| t.size() == *shape));
        if fits && largest.is_none_or(|(count, _)| count < wanted.len()) {
            largest = Some((wanted.len(), backbone.arch));
        }
    }
    Ok(largest.map(|(_, arch)| arch))
}
