//! [`Patience`]: when to stop a training that no longer gets better, and which epoch was the best.

use serde::{Deserialize, Serialize};

/// What has been seen of the valid loss, epoch by epoch. Its JSON restores it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// Epochs without improvement after which to stop; `None` never stops.
    epochs: Option<u32>,
    seen: u32,
    best: Option<Best>,
}

/// The epoch with the lowest valid loss, the first of equals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its number, from 1.
    pub epoch: u32,
    /// Its valid loss: finite.
    pub loss: f64,
}

/// What an epoch's valid loss means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It is the lowest so far.
    pub improved: bool,
    /// No epoch has improved for as long as there is patience.
    pub stop: bool,
}

impl Patience {
    /// Stops after this many epochs, from 1, without improvement; `None` only keeps track of the best epoch.
    pub fn new(epochs: Option<u32>) -> Self {
        Patience { epochs, seen: 0, best: None }
    }

    /// Takes the valid loss of the next epoch. Only a finite loss below all before improves.
    pub fn see(&mut self, valid_loss: f64) -> Seen {
        self.seen += 1;
        let improved = valid_loss.is_finite() && self.best.is_none_or(|best| valid_loss < best.loss);
        if improved {
            self.best = Some(Best { epoch: self.seen, loss: valid_loss });
        }
        let waited = self.seen - self.best.map_or(0, |best| best.epoch);
        Seen { improved, stop: self.epochs.is_some_and(|epochs| waited >= epochs) }
    }

    /// The best epoch so far; `None` before the first finite loss.
    pub fn best(&self) -> Option<Best> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each epoch (improved, stops).
    fn see(patience: &mut Patience, losses: &[f64]) -> Vec<(bool, bool)> {
        losses.iter().map(|loss| patience.see(*loss)).map(|seen| (seen.improved, seen.stop)).collect()
    }

    #[test]
    fn training_stops_after_so_many_epochs_without_improvement() {
        let mut patience = Patience::new(Some(2));
        let seen = see(&mut patience, &[0.5, 0.6, 0.4, 0.4, 0.41]);
        assert_eq!(seen, [(true, false), (false, false), (true, false), (false, false), (false, true)]);
        assert_eq!(patience.best(), Some(Best { epoch: 3, loss: 0.4 }));
    }

    #[test]
    fn a_loss_that_is_not_finite_never_improves_and_counts_as_an_epoch() {
        let mut patience = Patience::new(Some(3));
        let seen = see(&mut patience, &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(seen, [(false, false), (false, false), (false, true)]);
        assert_eq!(patience.best(), None);
        let mut patience = Patience::new(Some(1));
        assert_eq!(see(&mut patience, &[0.5, f64::NAN]), [(true, false), (false, true)]);
    }

    #[test]
    fn without_a_limit_it_only_keeps_track_of_the_best() {
        let mut patience = Patience::new(None);
        assert!(see(&mut patience, &[0.3, 0.9, 0.9, 0.2, 0.9]).iter().all(|(_, stop)| !stop));
        assert_eq!(patience.best(), Some(Best { epoch: 4, loss: 0.2 }));
    }

    #[test]
    fn its_json_goes_on_where_it_was() {
        let losses = [0.1 + 0.2, 1.0 / 3.0, 0.3, f64::NAN, 0.7, 0.8];
        for cut in 0..losses.len() {
            let mut patience = Patience::new(Some(3));
            see(&mut patience, &losses[..cut]);
            let json = serde_json::to_string(&patience).unwrap();
            let mut restored: Patience = serde_json::from_str(&json).unwrap();
            assert_eq!(restored, patience, "{json}");
            assert_eq!(see(&mut restored, &losses[cut..]), see(&mut patience, &losses[cut..]), "{cut}");
        }
    }
}
