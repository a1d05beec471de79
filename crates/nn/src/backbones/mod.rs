//! The backbones: pretrained trunks, one record each, in the list [`BACKBONES`].
//!
//! A record says everything that depends on the choice of a network: where its weights are from, how photos
//! are normalised for it, how wide its map is, how its layers group, and how it is built. To add one, write
//! its record in a file here and add a line to [`BACKBONES`]; the tests walk the list.

mod efficientnet_lite;
mod random;
mod resnet;

use tch::{TchError, Tensor};

use crate::batch_norm::Mode;
use crate::conv_norm::ConvNorm;
use crate::error::Error;
use crate::graph::Wire;

/// Every backbone.
pub const BACKBONES: &[Backbone] = &[
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    resnet::RESNET101,
    efficientnet_lite::EFFICIENTNET_LITE0,
];

/// A network that photos go through before the head: everything before the classifier's pooling.
#[derive(Debug, Clone, Copy)]
pub struct Backbone {
    /// Its name in YAML and in files, for example `resnet34`.
    pub arch: &'static str,
    /// Where its pretrained weights come from.
    pub pretrained: Pretrained,
    /// Mean of each colour, red first, of photos in 0..1, which is subtracted.
    pub mean: [f32; 3],
    /// Standard deviation of each colour, red first, which is divided by.
    pub std: [f32; 3],
    /// Channels of the last map. [Pooled](crate::Pool) features are twice as wide, or as wide.
    pub channels: usize,
    /// What the two layer groups of the trunk hold, for people; the first is nearest to the photo.
    pub groups: [&'static str; 2],
    /// The parts whose tensors are in the first layer group, `layer1` for all of `layer1.*`; the rest are in the second.
    pub(crate) first_group: &'static [&'static str],
    /// Whether torchvision has a network of the name `arch` whose tensors have the names and shapes of the trunk's.
    pub is_torchvision: bool,
    /// Name of the classifier's layer, which is no part of the trunk: `fc` for `fc.weight` and `fc.bias`.
    pub(crate) classifier: &'static str,
    /// Builds the network of tensors that it asks for by name and shape.
    pub(crate) build: fn(&mut Provide<'_>) -> Result<Box<dyn Network>, Error>,
}

/// Published weights of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pretrained {
    /// The file's name.
    pub file: &'static str,
    /// Where it can be downloaded, if anywhere.
    pub url: Option<&'static str>,
    /// How a person gets it, as an imperative sentence without a full stop.
    pub obtain: &'static str,
    /// The first hexadecimal digits of its SHA-256, at least 8. torchvision's file names end in them.
    pub sha256: &'static str,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
    /// What they are and who trained them.
    pub source: &'static str,
}

/// Gives the tensor of a name and shape.
pub(crate) type Provide<'a> = dyn FnMut(&str, &[i64]) -> Result<Tensor, Error> + 'a;

/// The layers of a trunk, put together.
pub(crate) trait Network: Send {
    /// `x`: `[N, 3, H, W]` to `[N, channels, h, w]`, each layer group in its own mode.
    fn forward(&self, x: &Tensor, modes: [Mode; 2]) -> Result<Tensor, TchError>;

    /// What [`forward`](Network::forward) does in [`Mode::Eval`], as steps of a graph.
    fn draw<'a>(&self, photos: &Wire<'a>) -> Result<Wire<'a>, TchError>;

    /// The same network of other layers, each made from the one in its place: by `early` those that read the photo or the
    /// stem's map, by `change` the others.
    fn map(&self, early: Change<'_>, change: Change<'_>) -> Result<Box<dyn Network>, TchError>;
}

/// Makes a layer from another.
pub(crate) type Change<'a> = &'a dyn Fn(&ConvNorm) -> Result<ConvNorm, TchError>;

/// The backbone named `arch`.
///
/// # Errors
/// [`Error::UnknownBackbone`] with the known names and the nearest one.
pub fn find(arch: &str) -> Result<&'static Backbone, Error> {
    let names = || BACKBONES.iter().map(|b| b.arch);
    BACKBONES.iter().find(|b| b.arch == arch).ok_or_else(|| Error::UnknownBackbone {
        arch: arch.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
        nearest: pipeline_stage::suggest::nearest(arch, names()),
    })
}

/// Layer groups of a network: two of the trunk, and the head.
pub const LAYER_GROUPS: usize = 3;

impl Backbone {
    /// The layer group, 0 or 1, of the trunk's tensor of this name.
    pub fn group_of(&self, tensor: &str) -> usize {
        let is_of = |part: &&str| tensor.strip_prefix(*part).is_some_and(|rest| rest.starts_with('.'));
        if self.first_group.iter().any(is_of) { 0 } else { 1 }
    }

    /// Names and shapes of the tensors that the trunk is built of, in the order of the layers.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses to make a scalar.
    pub fn tensors(&self) -> Result<Vec<(String, Vec<i64>)>, Error> {
        let mut wanted = Vec::new();
        (self.build)(&mut |name, shape| {
            wanted.push((name.to_owned(), shape.to_vec()));
            // A view of one number in the shape asked for: it takes no memory.
            let zero = Tensor::from_slice(&[0f32]).reshape(vec![1; shape.len()]);
            zero.f_expand(shape, false).map_err(Error::torch(format_args!("lay out {}", self.arch)))
        })?;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pipeline_stage::Hint;

    use super::*;

    #[test]
    fn names_and_files_are_unique_and_every_record_is_complete() {
        let mut names = BTreeSet::new();
        for b in BACKBONES {
            assert!(names.insert(b.arch), "{} is there twice", b.arch);
            assert!(names.insert(b.pretrained.file), "{} is there twice", b.pretrained.file);
            assert!(b.pretrained.sha256.len() >= 8, "{}", b.arch);
            assert!(b.pretrained.sha256.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{}", b.arch);
            assert!(!b.pretrained.obtain.is_empty() && !b.pretrained.source.is_empty(), "{}", b.arch);
            // Each file name ends in the first 8 digits of its digest.
            let stem = b.pretrained.file.strip_suffix(".pth").unwrap();
            assert_eq!(stem.rsplit('-').next().unwrap(), &b.pretrained.sha256[..8], "{}", b.arch);
            if let Some(url) = b.pretrained.url {
                assert!(url.starts_with("https://") && url.ends_with(b.pretrained.file), "{url}");
            }
            assert!(b.mean.iter().chain(&b.std).all(|v| (0.0..1.0).contains(v)), "{}", b.arch);
        }
    }

    #[test]
    fn a_trunk_has_as_many_parameters_as_its_reference_without_the_classifier() {
        // torchvision 0.28: `sum(p.numel() for p in net.parameters())` minus those of `fc`. Lite0: 4,652,008
        // published, minus its `_fc` of 1,281,000.
        let expected = [
            ("resnet18", 11_176_512),
            ("resnet34", 21_284_672),
            ("resnet50", 23_508_032),
            ("resnet101", 42_500_160),
            ("efficientnet_lite0", 3_371_008),
        ];
        for (arch, count) in expected {
            let tensors = find(arch).unwrap().tensors().unwrap();
            let parameters = tensors.iter().filter(|(name, _)| !name.contains("running_"));
            let found: i64 = parameters.map(|(_, shape)| shape.iter().product::<i64>()).sum();
            assert_eq!(found, count, "{arch}");
        }
        assert_eq!(expected.len(), BACKBONES.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = find("resnet33").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown architecture `resnet33`, expected one of: resnet18, resnet34, resnet50, resnet101, efficientnet_lite0"
        );
        assert!(error.hint().unwrap().starts_with("did you mean `resnet3"));
    }
}
