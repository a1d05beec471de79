//! [`Draw`]: plain random values out of a stream of random bits. Every draw of a transform goes through it.

use pipeline_stage::random::{Random, below};
use rand_core::RngCore;

/// Draws the numbers of one view of one photo.
#[derive(Debug)]
pub struct Draw<'a> {
    /// Where the bits come from.
    pub random: &'a mut Random,
    /// Width of the canvas divided by its height, as the transforms before have made it.
    pub aspect: f64,
}

impl Draw<'_> {
    /// Uniform in [0, 1), from 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [`low`, `high`).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in [-`most`, `most`).
    pub fn around_zero(&mut self, most: f64) -> f64 {
        self.between(-most, most)
    }

    /// A number whose logarithm is uniform, in [`low`, `high`); both above 0.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// One of 0 to `count` - 1, each as likely; 0 where `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        below(count.max(1) as u64, self.random) as usize
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}
