//! Networks on libtorch: the one crate that links it.
//!
//! Here live the device, the backbones (pretrained trunks), pooling, the head, the loss, the optimiser, the moving
//! averages of weights, and the files that hold weights. Not here: decoding of photos (`pipeline-photo`), tables (`pipeline-table`), metrics and
//! the order of an epoch (`pipeline-fit`), and the stages, which put these parts together.
//!
//! | to | call |
//! |---|---|
//! | have libtorch in the process, before anything else | [`libtorch::load`] |
//! | choose where to compute | [`device::pick`], [`device::set_threads`] |
//! | read weights of any known format | [`weights::read`] |
//! | get a trunk | [`backbones::find`], [`Backbone::load`](backbones::Backbone::load) |
//! | turn photos into features | [`Trunk::folded`], [`FoldedTrunk::features`]; as tensors [`Trunk::forward`], [`Pool::of`] |
//! | train a head | [`Head::new`], [`Head::forward_train`], [`nll`], [`Optimizer`] |
//! | see what an answer rests on | [`grad_cam()`], [`heated`] |
//! | find near features, or a plane of them | [`similarity`] |
//! | average weights over training | [`Ema`] |
//! | write weights | [`weights::write_safetensors`] |
//! | read or write what a trunk or a model is | [`artifact`] |
//! | write a model in a format of others | [`Model::graph`](artifact::Model::graph), [`graph`] |
//!
//! Batches are `[N, 3, H, W]` float32, normalised; features `[N, D]`, `D = 2 C` unless said otherwise; log-probabilities `[N, classes]`.
//! On a processor the same inputs and the same thread count give the same bits.

mod activation;
pub mod artifact;
pub mod backbones;
mod batch_norm;
mod classifier;
mod conv;
mod conv_norm;
pub mod device;
mod dropout;
mod dtype;
mod ema;
mod error;
mod feature_map;
mod folded_trunk;
mod grad_cam;
pub mod graph;
mod head;
pub mod libtorch;
mod linear;
mod loss;
mod optimizer;
mod ordinary_file;
mod packed;
mod pool;
mod residual;
mod rounding;
mod saved;
pub mod similarity;
mod trunk;
pub mod weights;

pub use backbones::Backbone;
pub use batch_norm::Mode;
pub use classifier::Classifier;
pub use dtype::Dtype;
pub use ema::Ema;
pub use error::Error;
pub use folded_trunk::FoldedTrunk;
pub use grad_cam::{grad_cam, heated};
pub use head::{Head, Sizes};
pub use loss::{LossOptions, loss_per_row, nll, nll_mixed};
pub use optimizer::{Group, Optimizer, Rule};
pub use pool::Pool;
pub use trunk::Trunk;
pub use weights::Weights;

pub use tch::{Device, Kind, Tensor, no_grad};
