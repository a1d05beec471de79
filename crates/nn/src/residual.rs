//! Residual blocks: the sum of a branch and what goes around it.

use tch::{Device, Kind, TchError, Tensor};

use crate::activation::Activation;

/// The activation of `branch + shortcut`, in the format of the shortcut.
///
/// A [folded](crate::FoldedTrunk) trunk in bfloat16 keeps the sums float32, since every later block reads them and would
/// round them again; only the branches are bfloat16. In training both have one format.
pub(crate) fn add(mut branch: Tensor, shortcut: &Tensor, activation: Activation) -> Result<Tensor, TchError> {
    if is_plain(&branch, shortcut) {
        return add_plain(&branch, shortcut, activation);
    }
    let sum =
        if branch.kind() == shortcut.kind() { branch.f_add_(shortcut)? } else { shortcut.f_add(&branch)? };
    activation.of(sum)
}

/// Whether it is what [`add_plain`] takes: a branch in bfloat16 and a shortcut in float32 on the processor, both `[N, C, H, W]`
/// with their numbers side by side in the same order, and nobody asks for gradients.
fn is_plain(branch: &Tensor, shortcut: &Tensor) -> bool {
    let is_dense = || shortcut.is_contiguous() || shortcut.permute([0, 2, 3, 1]).is_contiguous();
    (branch.kind(), shortcut.kind()) == (Kind::BFloat16, Kind::Float)
        && (branch.device(), shortcut.device()) == (Device::Cpu, Device::Cpu)
        && branch.dim() == 4
        && branch.numel() > 0
        && branch.size() == shortcut.size()
        && branch.stride() == shortcut.stride()
        && is_dense()
        && !branch.requires_grad()
        && !shortcut.requires_grad()
}

/// [`add`] in one pass over memory, which is what it takes its time for. libtorch makes three: it converts the branch, adds, and
/// then does the activation.
fn add_plain(branch: &Tensor, shortcut: &Tensor, activation: Activation) -> Result<Tensor, TchError> {
    let sum = shortcut.f_empty_like()?;
    let len = sum.numel();
    // SAFETY: [`is_plain`] has seen that each of the three has `len` numbers of this format side by side, from `data_ptr` on; the
    // strides of `empty_like` are those of what is dense. They stay alive until the end, and nobody else has `sum`.
    let (branch, shortcut, sum_numbers) = unsafe {
        (
            std::slice::from_raw_parts(branch.data_ptr().cast::<u16>(), len),
            std::slice::from_raw_parts(shortcut.data_ptr().cast::<f32>(), len),
            std::slice::from_raw_parts_mut(sum.data_ptr().cast::<f32>(), len),
        )
    };
    match activation {
        Activation::Identity => one_pass(branch, shortcut, sum_numbers, |x| x),
        // NaN stays, as in libtorch.
        Activation::Relu => one_pass(branch, shortcut, sum_numbers, |x| if x < 0.0 { 0.0 } else { x }),
        Activation::Relu6 => one_pass(branch, shortcut, sum_numbers, |x| x.clamp(0.0, 6.0)),
    }
    Ok(sum)
}

/// `bfloat16` is the upper half of a `float32`.
#[inline(always)]
fn one_pass(branch: &[u16], shortcut: &[f32], sum: &mut [f32], activation: impl Fn(f32) -> f32) {
    for ((sum, branch), shortcut) in sum.iter_mut().zip(branch).zip(shortcut) {
        *sum = activation(f32::from_bits(u32::from(*branch) << 16) + shortcut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::channels_last;

    #[test]
    fn a_float32_sum_is_not_rounded_to_the_format_of_its_branch() {
        // bfloat16 has 8 bits: 1 + 1/512 is none of its numbers, 1/512 is.
        let (one, small) = (Tensor::from_slice(&[1f32]), Tensor::from_slice(&[1f32 / 512.0]));
        let sum = add(small.to_kind(Kind::BFloat16), &one, Activation::Identity).unwrap();
        assert_eq!((sum.kind(), sum.double_value(&[0])), (Kind::Float, 1.0 + 1.0 / 512.0));
        assert_eq!(one.double_value(&[0]), 1.0, "the shortcut is read by the next block too");
        let sum = add(small.to_kind(Kind::BFloat16), &one.to_kind(Kind::BFloat16), Activation::Identity);
        let sum = sum.unwrap();
        assert_eq!((sum.kind(), sum.double_value(&[0])), (Kind::BFloat16, 1.0));
    }

    #[test]
    fn one_pass_has_the_bits_of_libtorchs_sum_and_activation_in_either_order_of_memory() {
        let numbers = |step: f32| {
            let numbers: Vec<f32> = (0..3 * 5 * 7 * 11).map(|i| 9.0 * (i as f32 * step).sin()).collect();
            Tensor::from_slice(&numbers).reshape([3, 5, 7, 11])
        };
        let (branch, shortcut) = (numbers(0.37), numbers(0.91));
        let not_a_number = shortcut.narrow(1, 2, 1).fill_(f64::NAN);
        assert_eq!(not_a_number.numel(), 3 * 7 * 11);
        let lasts = [&branch, &shortcut].map(|x| channels_last(x).unwrap());
        for (branch, shortcut) in [(&branch, &shortcut), (&lasts[0], &lasts[1])] {
            let branch = branch.to_kind(Kind::BFloat16);
            assert!(is_plain(&branch, shortcut));
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let expected = activation.of(shortcut + branch.to_kind(Kind::Float)).unwrap();
                let found = add(branch.shallow_clone(), shortcut, activation).unwrap();
                assert_eq!(found.stride(), expected.stride());
                assert!(found.allclose(&expected, 0.0, 0.0, true), "{activation:?}");
            }
        }
    }

    #[test]
    fn what_is_not_side_by_side_in_one_order_or_asks_for_gradients_is_left_to_libtorch() {
        let shortcut = Tensor::ones([2, 3, 5, 7], tch::kind::FLOAT_CPU);
        let branch = shortcut.to_kind(Kind::BFloat16);
        assert!(is_plain(&branch, &shortcut));
        assert!(!is_plain(&channels_last(&branch).unwrap(), &shortcut));
        assert!(!is_plain(&branch.slice(3, 0, 7, 2), &shortcut.slice(3, 0, 7, 2)));
        assert!(!is_plain(&branch.slice(0, 0, 1, 1), &shortcut));
        assert!(!is_plain(&branch, &shortcut.shallow_clone().set_requires_grad(true)));
        let mixed = add(channels_last(&branch).unwrap(), &shortcut, Activation::Relu).unwrap();
        assert_eq!(mixed.sum(Kind::Float).double_value(&[]), 2.0 * 210.0);
    }
}
