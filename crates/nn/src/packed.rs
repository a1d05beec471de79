//! Convolutions that only look, as oneDNN is fastest at them: weights in its own order, and what follows a convolution done while
//! its sums are in registers. The bits are those of the plain convolution and what follows it.
//!
//! libtorch has these two operators for its own compilers, under names that its C++ interface, and so tch, does not have. A
//! TorchScript module of a few lines can name them, and needs no C++ of our own; it is written below and loaded once.

use std::io::{Cursor, Write};
use std::sync::OnceLock;

use tch::{CModule, Device, IValue, Kind, TchError, Tensor};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::activation::Activation;
use crate::dtype;

/// The module's code. Its methods take `(x, weight, bias, padding, stride, groups)`, `pack` all but `x` and `bias`.
const CODE: &str = r#"class Convolution(Module):
  def pack(self: __torch__.Convolution, w: Tensor, padding: List[int], stride: List[int], groups: int) -> Tensor:
    return ops.mkldnn._reorder_convolution_weight(w, padding, stride, [1, 1], groups)
  def identity(self: __torch__.Convolution, x: Tensor, w: Tensor, b: Tensor, padding: List[int], stride: List[int], groups: int) -> Tensor:
    none = annotate(List[Optional[number]], [])
    return ops.mkldnn._convolution_pointwise(x, w, b, padding, stride, [1, 1], groups, "none", none, "")
  def relu(self: __torch__.Convolution, x: Tensor, w: Tensor, b: Tensor, padding: List[int], stride: List[int], groups: int) -> Tensor:
    none = annotate(List[Optional[number]], [])
    return ops.mkldnn._convolution_pointwise(x, w, b, padding, stride, [1, 1], groups, "relu", none, "")
  def relu6(self: __torch__.Convolution, x: Tensor, w: Tensor, b: Tensor, padding: List[int], stride: List[int], groups: int) -> Tensor:
    ends = annotate(List[Optional[number]], [0., 6.])
    return ops.mkldnn._convolution_pointwise(x, w, b, padding, stride, [1, 1], groups, "hardtanh", ends, "")
"#;

/// Pickled: an object of that class without attributes, and an empty tuple of constants.
const OBJECT: &[u8] = b"\x80\x02c__torch__\nConvolution\n)\x81}b.";
const CONSTANTS: &[u8] = b"\x80\x02).";

/// The numbers of a convolution besides its weights; padding is of height and width, on both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) padding: [i64; 2],
    pub(crate) stride: i64,
    pub(crate) groups: i64,
}

impl Geometry {
    fn values(self) -> [IValue; 3] {
        let stride = IValue::IntList(vec![self.stride; 2]);
        [IValue::IntList(self.padding.to_vec()), stride, IValue::Int(self.groups)]
    }
}

/// The weight `[out, in / groups, kernel, kernel]` in oneDNN's order, which only [`convolve`] can read; `None` where there is no
/// oneDNN for this format on this device. The geometry is a hint.
pub(crate) fn pack(weight: &Tensor, geometry: Geometry) -> Result<Option<Tensor>, TchError> {
    let device = weight.device();
    let is_known = match weight.kind() {
        Kind::Float => device == Device::Cpu && tch::utils::has_mkldnn(),
        Kind::BFloat16 => dtype::onednn_has_bf16(device),
        _ => false,
    };
    let Some(module) = module().filter(|_| is_known) else { return Ok(None) };
    call(module, "pack", &[weight], geometry).map(Some)
}

/// The activation of the convolution of `x`, `[N, in, H, W]` with channels last, with a [`pack`]ed weight and a float32 bias,
/// in the format of both `x` and the weight.
pub(crate) fn convolve(
    x: &Tensor,
    packed: &Tensor,
    bias: &Tensor,
    geometry: Geometry,
    activation: Activation,
) -> Result<Tensor, TchError> {
    let Some(module) = module() else {
        return Err(TchError::Torch("packed weights need the module that packed them".to_owned()));
    };
    let method = match activation {
        Activation::Identity => "identity",
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
    };
    call(module, method, &[x, packed, bias], geometry)
}

/// The tensor that a method makes of these.
fn call(module: &CModule, method: &str, tensors: &[&Tensor], geometry: Geometry) -> Result<Tensor, TchError> {
    let tensors = tensors.iter().map(|tensor| IValue::Tensor(tensor.shallow_clone()));
    let values: Vec<IValue> = tensors.chain(geometry.values()).collect();
    match module.method_is(method, &values)? {
        IValue::Tensor(tensor) => Ok(tensor),
        other => Err(TchError::Torch(format!("a convolution gave {other:?} and no tensor"))),
    }
}

/// The module, loaded once; `None` where this libtorch does not have the operators.
fn module() -> Option<&'static CModule> {
    static MODULE: OnceLock<Option<CModule>> = OnceLock::new();
    MODULE.get_or_init(|| CModule::load_data(&mut Cursor::new(archive().ok()?)).ok()).as_ref()
}

/// The module as a TorchScript file, as `torch.jit.save` writes it.
fn archive() -> std::io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let files: [(&str, &[u8]); 4] = [
        ("data.pkl", OBJECT),
        ("code/__torch__.py", CODE.as_bytes()),
        ("constants.pkl", CONSTANTS),
        ("version", b"3\n"),
    ];
    for (name, content) in files {
        zip.start_file(format!("convolution/{name}"), stored)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::channels_last;

    #[test]
    fn a_packed_convolution_has_the_bits_of_the_plain_one_and_what_follows() {
        let has_bf16 = dtype::onednn_has_bf16(Device::Cpu);
        if !has_bf16 {
            println!("skipped: oneDNN computes no bfloat16 on this processor");
        }
        let kinds = [Kind::Float, Kind::BFloat16].into_iter().filter(|kind| *kind == Kind::Float || has_bf16);
        let numbers = |shape: &[i64], step: f64| {
            let count: i64 = shape.iter().product();
            (Tensor::arange(count, tch::kind::FLOAT_CPU) * step).sin().reshape(shape)
        };
        // (in, out, kernel, stride, groups) on maps of unequal sides.
        for (input, output, kernel, stride, groups) in
            [(64, 96, 3, 1, 1), (32, 64, 1, 2, 1), (48, 48, 5, 2, 48)]
        {
            let geometry = Geometry { padding: [kernel / 2; 2], stride, groups };
            let x = channels_last(&numbers(&[3, input, 14, 10], 0.37)).unwrap();
            let weight = channels_last(&numbers(&[output, input / groups, kernel, kernel], 0.91)).unwrap();
            let bias = numbers(&[output], 1.7);
            for kind in kinds.clone() {
                let (x, weight) = (x.to_kind(kind), weight.to_kind(kind));
                let plain =
                    x.mkldnn_convolution(&weight, Some(&bias), geometry.padding, [stride; 2], [1, 1], groups);
                let packed = pack(&weight, geometry).unwrap().unwrap();
                for (activation, expected) in [
                    (Activation::Identity, plain.shallow_clone()),
                    (Activation::Relu, plain.relu()),
                    (Activation::Relu6, plain.clamp(0.0, 6.0)),
                ] {
                    let found = convolve(&x, &packed, &bias, geometry, activation).unwrap();
                    assert_eq!((found.kind(), found.size()), (kind, expected.size()));
                    let off = (found.to_kind(Kind::Float) - expected.to_kind(Kind::Float)).abs().max();
                    assert_eq!(off.double_value(&[]), 0.0, "{kind:?} {activation:?} {groups} groups");
                }
            }
        }
    }

    #[test]
    fn what_it_cannot_convolve_is_not_packed() {
        let geometry = Geometry { padding: [0; 2], stride: 1, groups: 1 };
        let weight = Tensor::ones([2, 3, 1, 1], (Kind::Double, Device::Cpu));
        assert!(pack(&weight, geometry).unwrap().is_none());
    }
}
