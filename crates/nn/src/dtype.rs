//! [`Dtype`]: the number format that a network multiplies in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::device;

/// The number format of what is multiplied: of a trunk's maps and the convolutions over them, and in a
/// [head's training](crate::Head::with_dtype) of its wide layer. Weights, statistics, gradients of weights and optimiser
/// state are float32 in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// bfloat16 where the processor or the GPU computes in it, else float32.
    #[default]
    Auto,
    /// float32.
    F32,
    /// bfloat16: the range of float32 with 8 bits of precision.
    Bf16,
}

impl Dtype {
    /// The format that `Auto` means on this machine; any other stays as it is.
    pub fn settled(self) -> Dtype {
        match self {
            Dtype::Auto if is_fast(device::pick()) => Dtype::Bf16,
            Dtype::Auto => Dtype::F32,
            given => given,
        }
    }

    /// The format of the maps; `Auto` is settled first.
    pub(crate) fn kind(self) -> Kind {
        match self.settled() {
            Dtype::Bf16 => Kind::BFloat16,
            Dtype::Auto | Dtype::F32 => Kind::Float,
        }
    }

    /// As in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Dtype::Auto => "auto",
            Dtype::F32 => "f32",
            Dtype::Bf16 => "bf16",
        }
    }
}

/// Whether the device has instructions for bfloat16. Elsewhere libtorch computes it by way of float32, slower than that.
fn is_fast(device: Device) -> bool {
    match device {
        Device::Cpu => processor_has_bf16(),
        // From Ampere (2020) on; Turing, the oldest that CUDA 13 runs on, emulates it: `f32` is faster there.
        Device::Cuda(_) => true,
        Device::Mps | Device::Vulkan => false,
    }
}

/// Whether oneDNN convolves in bfloat16 there, be it by way of float32: libtorch's own test (`mkldnn_bf16_device_check`).
#[cfg(target_arch = "x86_64")]
pub(crate) fn onednn_has_bf16(device: Device) -> bool {
    device == Device::Cpu
        && tch::utils::has_mkldnn()
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq")
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn onednn_has_bf16(_: Device) -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn processor_has_bf16() -> bool {
    // Processors with AMX have this too.
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_has_bf16() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_settles_once_and_what_is_given_stays() {
        let settled = Dtype::Auto.settled();
        assert!(settled != Dtype::Auto && settled.settled() == settled, "{settled:?}");
        assert_eq!((Dtype::F32.settled(), Dtype::Bf16.settled()), (Dtype::F32, Dtype::Bf16));
        for dtype in [Dtype::Auto, Dtype::F32, Dtype::Bf16] {
            assert_eq!(serde_json::to_value(dtype).unwrap(), dtype.as_str());
        }
    }
}
