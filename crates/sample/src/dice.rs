//! [`Dice`]: plain random values out of a stream of random bits. Every draw of this crate goes through it.

use pipeline_stage::random::Random;
use rand_core::RngCore;

/// Draws from one stream.
pub(crate) struct Dice<'a>(pub(crate) &'a mut Random);

impl Dice<'_> {
    /// Uniform in [0, 1), from 24 bits: every value is exact in f32.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in [`low`, `high`).
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// `1.0` or `-1.0`.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// A whole number from `low` to `high`, both included; `low` when `high` is below it.
    pub(crate) fn whole(&mut self, low: u32, high: u32) -> u32 {
        let count = high.saturating_sub(low) + 1;
        low + (self.unit() * count as f32) as u32
    }

    /// One of the items, each as likely.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0, "nothing to pick from") };
        items[self.whole(0, N as u32 - 1) as usize]
    }

    /// About normal with mean 0 and standard deviation 1: the sum of four uniform draws, scaled
    /// (Irwin-Hall; variance 4/12). Never beyond 3.47, which suits noise on pixels.
    pub(crate) fn bell(&mut self) -> f32 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 3.0_f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    #[test]
    fn draws_stay_in_their_range_and_reach_both_ends() {
        let mut random = Stream { seed: 7, purpose: "test", ..Stream::default() }.start();
        let mut dice = Dice(&mut random);
        let whole: Vec<u32> = (0..200).map(|_| dice.whole(3, 6)).collect();
        assert_eq!((whole.iter().min(), whole.iter().max()), (Some(&3), Some(&6)));
        assert!((0..200).map(|_| dice.between(-2.0, 5.0)).all(|x| (-2.0..5.0).contains(&x)));
        assert_eq!(dice.pick(&["only"]), "only");
    }

    #[test]
    fn the_bell_has_mean_0_and_standard_deviation_1() {
        let mut random = Stream { seed: 8, purpose: "test", ..Stream::default() }.start();
        let mut dice = Dice(&mut random);
        let draws: Vec<f32> = (0..20_000).map(|_| dice.bell()).collect();
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / draws.len() as f32;
        // Standard errors: 1/sqrt(20000) = 0.007 for the mean, about 0.01 for the variance.
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }
}
