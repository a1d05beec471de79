//! Counter-based random numbers: a stream for each (seed, purpose, epoch, item, view), and draws out of one: [`below`],
//! [`shuffled`].
//!
//! No stream depends on another, so results do not change with thread count, order, shards or a restart.
//! The key is hashed with BLAKE3 into the seed of a ChaCha8 generator, whose output is fixed for all
//! platforms and versions (RFC 8439's function with 8 rounds).

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// A stream of random numbers.
pub type Random = ChaCha8Rng;

/// Names one stream. Fields that do not apply stay 0 or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream<'a> {
    /// The run's seed.
    pub seed: u64,
    /// What the numbers are for, such as `order`, `dropout`, `init`, `augment`, `tta`, `bootstrap`; each use has its own word.
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

/// The numbers 0 to `n - 1` in random order, each of the `n!` orders alike (Fisher-Yates from the end,
/// as Knuth's Algorithm P). The order is a function of `n` and the generator only.
pub fn shuffled(n: usize, random: &mut impl RngCore) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let other = below(last as u64 + 1, random) as usize;
        order.swap(last, other);
    }
    order
}

/// A number from 0 to `bound - 1`, each alike; `bound` is at least 1.
///
/// The high half of a 64 x 64 bit product, with the draws rejected that would favour some numbers
/// (Lemire, "Fast Random Integer Generation in an Interval", 2019).
pub fn below(bound: u64, random: &mut impl RngCore) -> u64 {
    let surplus = bound.wrapping_neg() % bound; // 2^64 mod bound
    loop {
        let product = u128::from(random.next_u64()) * u128::from(bound);
        if product as u64 >= surplus {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_order_holds_each_row_once_and_follows_the_generator() {
        let order = |epoch| {
            shuffled(1000, &mut Stream { seed: 7, purpose: "order", epoch, ..Stream::default() }.start())
        };
        let mut sorted = order(0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!(order(0), order(0));
        assert_ne!(order(0), order(1));
        assert!(shuffled(0, &mut Stream::default().start()).is_empty());
        assert_eq!(shuffled(1, &mut Stream::default().start()), [0_usize]);
    }

    #[test]
    fn all_orders_are_alike() {
        // 24 orders of 4 rows, 48,000 draws: chi-squared with 23 degrees of freedom stays under 49.7
        // with probability .999 (scipy.stats.chi2.ppf(.999, 23) = 49.73).
        let mut random = Stream { purpose: "order", ..Stream::default() }.start();
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..48_000 {
            *counts.entry(shuffled(4, &mut random)).or_insert(0_u32) += 1;
        }
        let chi_squared: f64 = counts.values().map(|c| (f64::from(*c) - 2000.0).powi(2) / 2000.0).sum();
        assert_eq!(counts.len(), 24);
        assert!(chi_squared < 49.73, "{chi_squared}");
    }

    /// Gives back fixed numbers.
    struct Fixed(std::vec::IntoIter<u64>);
    impl RngCore for Fixed {
        fn next_u32(&mut self) -> u32 {
            unreachable!("orders draw 64 bits")
        }
        fn next_u64(&mut self) -> u64 {
            self.0.next().unwrap()
        }
        fn fill_bytes(&mut self, _: &mut [u8]) {
            unreachable!("orders draw 64 bits")
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> std::result::Result<(), rand_core::Error> {
            unreachable!("orders draw 64 bits")
        }
    }

    #[test]
    fn draws_that_would_favour_a_number_are_rejected() {
        // 2^64 mod 3 = 1: of all 64-bit draws exactly one, 0, is too many.
        let mut random = Fixed(vec![0, u64::MAX].into_iter());
        assert_eq!(below(3, &mut random), 2);
    }
}
