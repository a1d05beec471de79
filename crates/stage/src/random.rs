//! Counter-based random numbers: a stream for each (seed, purpose, epoch, item, view).
//!
//! No stream depends on another, so results do not change with thread count, order, shards or a restart.
//! The key is hashed with BLAKE3 into the seed of a ChaCha8 generator, whose output is fixed for all
//! platforms and versions (RFC 8439's function with 8 rounds).

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// A stream of random numbers.
pub type Random = ChaCha8Rng;

/// Names one stream. Fields that do not apply stay 0 or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream<'a> {
    /// The run's seed.
    pub seed: u64,
    /// What the numbers are for: `order`, `dropout`, `init`, `view`, `augment`, `tta`, `preview`.
    pub purpose: &'a str,
    /// Epoch, or step where a stream per step is wanted.
    pub epoch: u64,
    /// Photo id, or name of the tensor.
    pub item: &'a str,
    /// View of the photo; 0 is the plain one.
    pub view: u32,
}

impl Stream<'_> {
    /// The generator at the start of this stream.
    pub fn start(&self) -> Random {
        let mut hasher = blake3::Hasher::new_derive_key("pipeline 2026 random stream");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.epoch.to_le_bytes());
        hasher.update(&self.view.to_le_bytes());
        hasher.update(&(self.purpose.len() as u64).to_le_bytes());
        hasher.update(self.purpose.as_bytes());
        hasher.update(self.item.as_bytes());
        Random::from_seed(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::RngCore;

    const BASE: Stream<'static> = Stream { seed: 42, purpose: "augment", epoch: 1, item: "a.jpg", view: 2 };

    #[test]
    fn the_same_name_gives_the_same_numbers_and_any_other_name_gives_others() {
        let first = |s: Stream<'_>| s.start().next_u64();
        let all = [
            first(BASE),
            first(Stream { seed: 43, ..BASE }),
            first(Stream { purpose: "tta", ..BASE }),
            first(Stream { epoch: 2, ..BASE }),
            first(Stream { item: "b.jpg", ..BASE }),
            first(Stream { view: 3, ..BASE }),
            // A boundary that moves between purpose and item is another name.
            first(Stream { purpose: "augmenta", item: ".jpg", ..BASE }),
        ];
        assert_eq!(first(BASE), all[0]);
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
