//! Dropout masks, drawn from few random bits.

use pipeline_stage::random::Random;
use rand_core::RngCore;
use tch::Tensor;

use crate::error::Error;

/// A mask `[rows, width]`, float32: 0 with probability `share`, else `1 / (1 - share)`, so that the expected value stays.
/// The share is `2^-(8 / PER_BYTE)`, exactly: a value is dropped when its bits of a random byte, the low ones first,
/// are all 0. With 8 values per byte that is a half, with 4 a quarter.
///
/// Why bits: 32 for each value would be 16 or 32 times as many random numbers as these shares need.
pub(crate) fn mask<const PER_BYTE: usize>(
    rows: usize,
    width: usize,
    random: &mut Random,
) -> Result<Tensor, Error> {
    let bits = 8 / PER_BYTE;
    let all = (1_usize << bits) - 1;
    let kept = (1.0 / (1.0 - 0.5_f64.powi(bits as i32))) as f32;
    let value = |byte: usize, place: usize| if byte >> (place * bits) & all == 0 { 0.0 } else { kept };
    let of_byte: [[f32; PER_BYTE]; 256] =
        std::array::from_fn(|byte| std::array::from_fn(|place| value(byte, place)));

    let mut bytes = vec![0_u8; (rows * width).div_ceil(PER_BYTE)];
    random.fill_bytes(&mut bytes);
    let mut values = vec![0.0_f32; bytes.len() * PER_BYTE];
    for (values, byte) in values.chunks_exact_mut(PER_BYTE).zip(bytes) {
        values.copy_from_slice(&of_byte[usize::from(byte)]);
    }
    Tensor::f_from_slice(&values[..rows * width])
        .and_then(|mask| mask.f_reshape([rows as i64, width as i64]))
        .map_err(Error::torch("make a dropout mask"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    fn random() -> Random {
        Stream { seed: 7, purpose: "dropout", ..Stream::default() }.start()
    }

    fn numbers(mask: &Tensor) -> Vec<f32> {
        mask.flatten(0, -1).try_into().unwrap()
    }

    #[track_caller]
    fn assert_share<const PER_BYTE: usize>(share: f64) {
        let mask = mask::<PER_BYTE>(100, 301, &mut random()).unwrap();
        assert_eq!(mask.size(), [100, 301]);
        let mask = numbers(&mask);
        let kept = (1.0 / (1.0 - share)) as f32;
        assert!(mask.iter().all(|v| *v == 0.0 || *v == kept), "{:?}", &mask[..16]);
        // 30,100 draws: the standard error of the share is at most 0.0029.
        let dropped = mask.iter().filter(|v| **v == 0.0).count() as f64 / mask.len() as f64;
        assert!((dropped - share).abs() < 0.012, "{dropped}");
        // Neighbours are independent: both dropped with the share's square, standard error at most 0.0025.
        let both = mask.windows(2).filter(|w| w == &[0.0, 0.0]).count() as f64 / mask.len() as f64;
        assert!((both - share * share).abs() < 0.01, "{both}");
    }

    #[test]
    fn a_mask_drops_its_share_and_scales_the_rest() {
        assert_share::<4>(0.25);
        assert_share::<8>(0.5);
    }

    #[test]
    fn each_value_has_its_own_bits_of_a_byte_the_low_ones_first() {
        let mut bytes = [0_u8; 2];
        random().fill_bytes(&mut bytes);
        let bit = |place: usize| bytes[place / 8] >> (place % 8) & 1;
        let halves: Vec<f32> = (0..15).map(|i| if bit(i) == 0 { 0.0 } else { 2.0 }).collect();
        assert_eq!(numbers(&mask::<8>(3, 5, &mut random()).unwrap()), halves);
        let kept = 4.0 / 3.0;
        let quarters: Vec<f32> =
            (0..7).map(|i| if bit(2 * i) + bit(2 * i + 1) == 0 { 0.0 } else { kept }).collect();
        assert_eq!(numbers(&mask::<4>(1, 7, &mut random()).unwrap()), quarters);
    }
}
