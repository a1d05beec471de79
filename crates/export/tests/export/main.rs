//! Exported models in the programs that they are for: ONNX Runtime, torchvision, and this one.
//!
//! The scripts are in `tests/interop` and `examples`. Their Python is that of `PIPELINE_PYTHON`, or the one that `cargo xtask test`
//! sets up; PyTorch's is that of `PIPELINE_TORCH_PYTHON`. A test without its Python prints that it is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say what they skip and measure"
)]

mod cards;
mod halves;
mod model;
mod onnx;
mod python;
mod torchvision;
