//! Residual blocks: the sum of a branch and what goes around it.

use tch::{TchError, Tensor};

/// `branch + shortcut`, in the format of the shortcut.
///
/// A [folded](crate::FoldedTrunk) trunk in bfloat16 keeps the sums float32, since every later block reads them and would
/// round them again; only the branches are bfloat16. In training both have one format.
pub(crate) fn add(mut branch: Tensor, shortcut: &Tensor) -> Result<Tensor, TchError> {
    if branch.kind() == shortcut.kind() { branch.f_add_(shortcut) } else { shortcut.f_add(&branch) }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_float32_sum_is_not_rounded_to_the_format_of_its_branch() {
        // bfloat16 has 8 bits: 1 + 1/512 is none of its numbers, 1/512 is.
        let (one, small) = (Tensor::from_slice(&[1f32]), Tensor::from_slice(&[1f32 / 512.0]));
        let sum = add(small.to_kind(Kind::BFloat16), &one).unwrap();
        assert_eq!((sum.kind(), sum.double_value(&[0])), (Kind::Float, 1.0 + 1.0 / 512.0));
        assert_eq!(one.double_value(&[0]), 1.0, "the shortcut is read by the next block too");
        let sum = add(small.to_kind(Kind::BFloat16), &one.to_kind(Kind::BFloat16)).unwrap();
        assert_eq!((sum.kind(), sum.double_value(&[0])), (Kind::BFloat16, 1.0));
    }
}
