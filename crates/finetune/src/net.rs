//! [`Net`]: trunk and head as one network, trained from a layer group on.

use std::collections::BTreeMap;

use pipeline_nn::{Error, Head, Mode, Tensor, Trunk, no_grad};
use pipeline_stage::random::Random;
use pipeline_train::{LayerGroup, Learner};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which layers stay as they are. A frozen batch norm uses its running statistics and does not move them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// None: all three layer groups train.
    #[default]
    None,
    /// The first layer group, nearest to the photo.
    First,
    /// The whole trunk: the head alone trains.
    Trunk,
}

impl Freeze {
    /// How many of the trunk's two layer groups are frozen.
    fn groups(self) -> usize {
        match self {
            Freeze::None => 0,
            Freeze::First => 1,
            Freeze::Trunk => 2,
        }
    }

    /// How many layer groups train, the head among them: 1 to 3.
    pub fn trained(self) -> usize {
        pipeline_nn::backbones::LAYER_GROUPS - self.groups()
    }
}

/// The network that is fine-tuned. Photos `[N, 3, S, S]` to log-probabilities `[N, classes]`.
pub(crate) struct Net {
    pub(crate) trunk: Trunk,
    pub(crate) head: Head,
    freeze: Freeze,
}

impl Net {
    pub(crate) fn new(trunk: Trunk, head: Head, freeze: Freeze) -> Result<Self, Error> {
        for group in 0..2 {
            trunk.set_trained(group, group >= freeze.groups())?;
        }
        Ok(Net { trunk, head, freeze })
    }

    fn trunk_modes(&self) -> [Mode; 2] {
        [0, 1].map(|group| if group < self.freeze.groups() { Mode::Eval } else { Mode::Train })
    }
}

impl Learner for Net {
    fn name(&self) -> &'static str {
        match self.freeze {
            Freeze::None | Freeze::First => "the network",
            Freeze::Trunk => "the head",
        }
    }

    fn groups(&self) -> Vec<LayerGroup> {
        let prefixed = |part: &str, parameters: Vec<(String, Tensor)>| {
            parameters.into_iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor)).collect()
        };
        let of_trunk = |group: usize| LayerGroup {
            name: self.trunk.backbone().groups[group].to_owned(),
            parameters: prefixed("trunk", self.trunk.parameters(group)),
        };
        let head = LayerGroup {
            name: "head".to_owned(),
            parameters: prefixed("head", self.head.named_parameters()),
        };
        (self.freeze.groups()..2).map(of_trunk).chain([head]).collect()
    }

    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let head = self.head.named_tensors();
        let mut tensors: BTreeMap<_, _> =
            head.into_iter().map(|(name, tensor)| (format!("head/{name}"), tensor)).collect();
        let backbone = self.trunk.backbone();
        let trained = self.trunk.named_tensors().iter();
        let trained = trained.filter(|(name, _)| backbone.group_of(name) >= self.freeze.groups());
        tensors.extend(trained.map(|(name, tensor)| (format!("trunk/{name}"), tensor.detach())));
        tensors
    }

    fn forward_train(&self, x: &Tensor, random: &mut Random) -> Result<Tensor, Error> {
        let map = match self.freeze {
            Freeze::Trunk => no_grad(|| self.trunk.forward(x, self.trunk_modes())),
            Freeze::None | Freeze::First => self.trunk.forward(x, self.trunk_modes()),
        }?; // [N, C, h, w]
        self.head.forward_train(&self.trunk.pool().of(&map)?, random) // [N, classes]
    }

    fn forward_eval(&self, x: &Tensor) -> Result<Tensor, Error> {
        no_grad(|| {
            let map = self.trunk.forward(x, [Mode::Eval; 2])?; // [N, C, h, w]
            self.head.forward_eval(&self.trunk.pool().of(&map)?) // [N, classes]
        })
    }
}
