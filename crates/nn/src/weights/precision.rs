//! [`Precision`]: the number format that weights are written in.

use tch::{Device, Kind, TchError, Tensor};

use crate::error::Error;

/// The number format that weights are written in. What is read becomes float32 again.
///
/// The halves are for tensors of two dimensions or more: kernels and matrices, 99 % of a network. Biases and the numbers of batch
/// norms stay float32, which costs nothing and keeps variances from becoming 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// float16: 11 bits of precision, up to 65,504.
    F16,
    /// bfloat16: the range of float32 with 8 bits of precision.
    Bf16,
}

impl Precision {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
        }
    }

    /// The format of a tensor of this shape.
    pub fn of(self, shape: &[i64]) -> Precision {
        if shape.len() < 2 { Precision::F32 } else { self }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 | Precision::Bf16 => 2,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Precision::F32 => Kind::Float,
            Precision::F16 => Kind::Half,
            Precision::Bf16 => Kind::BFloat16,
        }
    }

    /// The numbers of the tensor in this format, little-endian, in order, in place of what `bytes` held.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when a finite number would become infinite; [`Error::Torch`] when libtorch refuses.
    pub fn encode(self, name: &str, tensor: &Tensor, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut copied = || -> Result<bool, TchError> {
            let plain = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
            let numbers = plain.f_to_kind(self.kind())?;
            bytes.resize(numbers.numel() * self.bytes(), 0);
            numbers.f_copy_data_u8(bytes, numbers.numel())?;
            Ok(self == Precision::F32 || infinite(&numbers)? == infinite(&plain)?)
        };
        if copied().map_err(Error::torch(format_args!("copy tensor `{name}`")))? {
            return Ok(());
        }
        let largest = if self == Precision::F16 { 65_504.0 } else { f64::from(f32::MAX) };
        Err(Error::OutOfRange { tensor: name.to_owned(), precision: self.as_str(), largest })
    }
}

/// How many numbers are infinite.
fn infinite(numbers: &Tensor) -> Result<i64, TchError> {
    numbers.f_isinf()?.f_count_nonzero(None)?.f_int64_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(precision: Precision, numbers: &[f32]) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![7; 3];
        precision.encode("t", &Tensor::from_slice(numbers), &mut bytes).map(|()| bytes)
    }

    #[test]
    fn numbers_are_written_in_their_format_and_none_becomes_infinite() {
        // 1.5 is 0x3fc00000, 0x3e00 as IEEE half and 0x3fc0 as bfloat16.
        assert_eq!(encoded(Precision::F32, &[1.5]).unwrap(), [0, 0, 0xc0, 0x3f]);
        assert_eq!(encoded(Precision::F16, &[1.5]).unwrap(), [0x00, 0x3e]);
        assert_eq!(encoded(Precision::Bf16, &[1.5, 1e5]).unwrap()[..2], [0xc0, 0x3f]);
        assert_eq!(encoded(Precision::F16, &[f32::INFINITY]).unwrap(), [0x00, 0x7c]);
        let text = encoded(Precision::F16, &[1.0, -70_000.0]).unwrap_err().to_string();
        assert!(text.starts_with("cannot write tensor `t` in f16: it has numbers beyond 6.5504e4"), "{text}");
    }

    #[test]
    fn vectors_stay_float32() {
        assert_eq!(Precision::F16.of(&[5]), Precision::F32);
        assert_eq!(Precision::F16.of(&[5, 2]), Precision::F16);
    }
}
