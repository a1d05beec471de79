//! ResNet-18, 34, 50 and 101 with torchvision's names and shapes, so that its weights load unchanged.
//!
//! He et al., "Deep Residual Learning for Image Recognition", 2015. As in torchvision, the stride of a
//! bottleneck is on its 3 by 3 convolution.

use tch::{TchError, Tensor};

use super::{Backbone, Change, Network, Pretrained, Provide};
use crate::activation::Activation;
use crate::batch_norm::{BatchNorm, Mode};
use crate::conv::{Conv2d, ConvSize, Padding};
use crate::conv_norm::ConvNorm;
use crate::error::Error;
use crate::feature_map::FeatureMap;
use crate::graph::Wire;

/// torchvision's resnet18.
pub(super) const RESNET18: Backbone = Backbone {
    arch: "resnet18",
    pretrained: torchvision(
        "resnet18-f37072fd.pth",
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        "f37072fd",
    ),
    channels: 512,
    build: |provide| ResNet::build(provide, Kind::Basic, [2, 2, 2, 2]),
    ..RESNET
};

/// torchvision's resnet34, the lesson's.
pub(super) const RESNET34: Backbone = Backbone {
    arch: "resnet34",
    pretrained: torchvision(
        "resnet34-b627a593.pth",
        "https://download.pytorch.org/models/resnet34-b627a593.pth",
        "b627a593",
    ),
    channels: 512,
    build: |provide| ResNet::build(provide, Kind::Basic, [3, 4, 6, 3]),
    ..RESNET
};

/// torchvision's resnet50.
pub(super) const RESNET50: Backbone = Backbone {
    arch: "resnet50",
    pretrained: torchvision(
        "resnet50-0676ba61.pth",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "0676ba61",
    ),
    channels: 2048,
    build: |provide| ResNet::build(provide, Kind::Bottleneck, [3, 4, 6, 3]),
    ..RESNET
};

/// torchvision's resnet101.
pub(super) const RESNET101: Backbone = Backbone {
    arch: "resnet101",
    pretrained: torchvision(
        "resnet101-63fe2227.pth",
        "https://download.pytorch.org/models/resnet101-63fe2227.pth",
        "63fe2227",
    ),
    channels: 2048,
    build: |provide| ResNet::build(provide, Kind::Bottleneck, [3, 4, 23, 3]),
    ..RESNET
};

/// What all of them share.
const RESNET: Backbone = Backbone {
    arch: "",
    pretrained: torchvision("", "", ""),
    // The statistics of ImageNet that torchvision's weights were trained with.
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    channels: 0,
    groups: ["stem to layer2", "layer3 and layer4"],
    first_group: &["conv1", "bn1", "layer1", "layer2"],
    is_torchvision: true,
    classifier: "fc",
    build: |provide| ResNet::build(provide, Kind::Basic, [0; 4]),
};

const fn torchvision(file: &'static str, url: &'static str, sha256: &'static str) -> Pretrained {
    Pretrained {
        file,
        url: Some(url),
        obtain: "download it with a browser on a machine that reaches download.pytorch.org",
        sha256,
        licence: "BSD-3-Clause",
        source: "torchvision, IMAGENET1K_V1",
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Two 3 by 3 convolutions.
    Basic,
    /// 1 by 1, 3 by 3, 1 by 1; the output is four times as wide as the middle.
    Bottleneck,
}

struct ResNet {
    conv1: ConvNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
}

impl ResNet {
    fn build(provide: &mut Provide<'_>, kind: Kind, depths: [usize; 4]) -> Result<Box<dyn Network>, Error> {
        let conv1 = ConvSize { input: 3, output: 64, kernel: 7, stride: 2, groups: 1 };
        let mut channels = 64;
        Ok(Box::new(ResNet {
            conv1: layer(provide, "conv1", "bn1", conv1)?,
            layer1: Block::layer(provide, "layer1", kind, depths[0], &mut channels, 64, 1)?,
            layer2: Block::layer(provide, "layer2", kind, depths[1], &mut channels, 128, 2)?,
            layer3: Block::layer(provide, "layer3", kind, depths[2], &mut channels, 256, 2)?,
            layer4: Block::layer(provide, "layer4", kind, depths[3], &mut channels, 512, 2)?,
        }))
    }

    fn run<M: FeatureMap>(&self, x: &M, [early, late]: [Mode; 2]) -> Result<M, TchError> {
        let x = x.layer(&self.conv1, early, Activation::Relu)?; // [N, 64, H/2, W/2]
        let mut x = x.max_pool()?; // [N, 64, H/4, W/4]
        for block in self.layer1.iter().chain(&self.layer2) {
            x = block.run(&x, early)?;
        } // [N, 128 or 512, H/8, W/8]
        for block in self.layer3.iter().chain(&self.layer4) {
            x = block.run(&x, late)?;
        } // [N, channels, H/32, W/32]
        Ok(x)
    }
}

impl Network for ResNet {
    fn forward(&self, x: &Tensor, modes: [Mode; 2]) -> Result<Tensor, TchError> {
        self.run(x, modes)
    }

    fn draw<'a>(&self, photos: &Wire<'a>) -> Result<Wire<'a>, TchError> {
        self.run(photos, [Mode::Eval; 2])
    }

    fn map(&self, early: Change<'_>, change: Change<'_>) -> Result<Box<dyn Network>, TchError> {
        let blocks = |layer: &[Block], mut first| {
            let change_block = |block: &Block| block.map(std::mem::replace(&mut first, change), change);
            layer.iter().map(change_block).collect::<Result<_, _>>()
        };
        Ok(Box::new(ResNet {
            conv1: early(&self.conv1)?,
            layer1: blocks(&self.layer1, early)?,
            layer2: blocks(&self.layer2, change)?,
            layer3: blocks(&self.layer3, change)?,
            layer4: blocks(&self.layer4, change)?,
        }))
    }
}

/// A convolution and its batch norm, by their names.
fn layer(provide: &mut Provide<'_>, conv: &str, bn: &str, size: ConvSize) -> Result<ConvNorm, Error> {
    let conv = Conv2d::new(provide, conv, size, Padding::Half)?;
    Ok(ConvNorm::new(conv, BatchNorm::new(provide, bn, size.output)?))
}

/// A residual block: `relu(f(x) + shortcut(x))`, f being two or three convolutions.
struct Block {
    convs: Vec<ConvNorm>,
    /// Only where the block changes the number of channels or places.
    downsample: Option<ConvNorm>,
}

impl Block {
    /// The blocks of a layer; the first has the `stride`. `channels` are those that come in, and then go out.
    fn layer(
        provide: &mut Provide<'_>,
        name: &str,
        kind: Kind,
        depth: usize,
        channels: &mut i64,
        width: i64,
        stride: i64,
    ) -> Result<Vec<Block>, Error> {
        let output = if kind == Kind::Basic { width } else { 4 * width };
        let mut blocks = Vec::with_capacity(depth);
        for i in 0..depth {
            let stride = if i == 0 { stride } else { 1 };
            blocks.push(Block::new(provide, &format!("{name}.{i}"), kind, *channels, width, output, stride)?);
            *channels = output;
        }
        Ok(blocks)
    }

    fn new(
        provide: &mut Provide<'_>,
        name: &str,
        kind: Kind,
        input: i64,
        width: i64,
        output: i64,
        stride: i64,
    ) -> Result<Block, Error> {
        // (in, out, kernel, stride) of each convolution.
        let sizes = match kind {
            Kind::Basic => vec![(input, width, 3, stride), (width, output, 3, 1)],
            Kind::Bottleneck => vec![(input, width, 1, 1), (width, width, 3, stride), (width, output, 1, 1)],
        };
        let mut convs = Vec::with_capacity(sizes.len());
        for (i, (input, output, kernel, stride)) in (1..).zip(sizes) {
            let size = ConvSize { input, output, kernel, stride, groups: 1 };
            convs.push(layer(provide, &format!("{name}.conv{i}"), &format!("{name}.bn{i}"), size)?);
        }
        let downsample = if stride != 1 || input != output {
            let size = ConvSize { input, output, kernel: 1, stride, groups: 1 };
            let (conv, bn) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
            Some(layer(provide, &conv, &bn, size)?)
        } else {
            None
        };
        Ok(Block { convs, downsample })
    }

    /// `x`: `[N, in, H, W]` to `[N, out, H/stride, W/stride]`.
    fn run<M: FeatureMap>(&self, x: &M, mode: Mode) -> Result<M, TchError> {
        let mut y = x.share();
        for (i, conv) in (1..).zip(&self.convs) {
            let is_last = i == self.convs.len();
            y = y.layer(conv, mode, if is_last { Activation::Identity } else { Activation::Relu })?;
        }
        let shortcut = match &self.downsample {
            Some(downsample) => x.layer(downsample, mode, Activation::Identity)?.in_format_of(x)?,
            None => x.share(),
        };
        y.plus(&shortcut, Activation::Relu)
    }

    /// The same block of other layers, the first convolution made by `first`.
    fn map(&self, first: Change<'_>, change: Change<'_>) -> Result<Block, TchError> {
        let convs = self.convs.iter().enumerate();
        let convs = convs.map(|(i, conv)| if i == 0 { first(conv) } else { change(conv) });
        let convs = convs.collect::<Result<_, _>>()?;
        Ok(Block { convs, downsample: self.downsample.as_ref().map(change).transpose()? })
    }
}
