//! [`DebiasedAverage`]: the training loss as the lesson shows it.

use serde::{Deserialize, Serialize};

/// How much of the old average each step keeps (the lesson's recipe).
pub const KEEP: f64 = 0.98;

/// An exponential average that forgets its start at zero:
/// `avg <- 0.98 avg + 0.02 loss`, shown as `avg / (1 - 0.98^t)` after t steps of the whole fit.
/// Its JSON restores it to the bit while the losses are finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DebiasedAverage {
    average: f64,
    steps: u64,
}

impl DebiasedAverage {
    /// An average of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the loss of one step.
    pub fn add(&mut self, loss: f64) {
        self.average = KEEP * self.average + (1.0 - KEEP) * loss;
        self.steps += 1;
    }

    /// The loss to show; `None` before the first step.
    pub fn value(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.average / (1.0 - KEEP.powf(self.steps as f64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_before_the_first_step_and_the_first_loss_after_it() {
        let mut average = DebiasedAverage::new();
        assert_eq!(average.value(), None);
        average.add(3.5);
        let shown = average.value().unwrap();
        assert!((shown - 3.5).abs() < 1e-12, "{shown}");
    }

    #[test]
    fn later_losses_weigh_more() {
        // By hand: avg = .98 * (.02 * 1) + .02 * 3 = .0796; 1 - .98^2 = .0396; .0796 / .0396.
        let mut average = DebiasedAverage::new();
        average.add(1.0);
        average.add(3.0);
        let shown = average.value().unwrap();
        assert!((shown - 0.0796 / 0.0396).abs() < 1e-12, "{shown}");
    }

    #[test]
    fn its_json_restores_it_to_the_bit() {
        let mut average = DebiasedAverage::new();
        // Losses of many sizes whose binary digits do not end: 1/3, 1/7, 1/11, ...
        for step in 0..500_u32 {
            average.add(f64::from(step % 13) * 1e-3 + 1.0 / f64::from(4 * step + 3));
            let json = serde_json::to_string(&average).unwrap();
            let restored: DebiasedAverage = serde_json::from_str(&json).unwrap();
            assert_eq!(restored.average.to_bits(), average.average.to_bits(), "{json}");
            assert_eq!(restored.steps, average.steps);
        }
    }
}
