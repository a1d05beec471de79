//! The order of an epoch, [`shuffled`], and how it is cut into [`batches`] for training.

use std::ops::Range;

use rand_core::RngCore;

use crate::{Error, Result};

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

/// Cuts `n` rows into training batches of `size` rows, in order; the last is shorter when `n` is no
/// multiple of `size`. A remainder of one row joins the batch before it: batch norm's variance of a
/// single row is not a number.
///
/// # Errors
/// Fewer than 2 rows, or a size below 2.
pub fn batches(n: usize, size: usize) -> Result<Vec<Range<usize>>> {
    if n < 2 {
        return Err(Error::TooFewRows { found: n });
    }
    if size < 2 {
        return Err(Error::BatchTooSmall { found: size });
    }
    let mut cut: Vec<Range<usize>> = (0..n).step_by(size).map(|start| start..(start + size).min(n)).collect();
    if n > size && n % size == 1 {
        cut.pop();
        if let Some(last) = cut.last_mut() {
            last.end = n;
        }
    }
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

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

    #[test]
    fn a_remainder_is_a_short_batch_and_a_remainder_of_one_joins_the_batch_before() {
        assert_eq!(batches(9, 3).unwrap(), [0..3, 3..6, 6..9]);
        assert_eq!(batches(8, 3).unwrap(), [0..3, 3..6, 6..8]);
        assert_eq!(batches(10, 3).unwrap(), [0..3, 3..6, 6..10]);
        assert_eq!(batches(4, 3).unwrap(), [Range { start: 0, end: 4 }]);
        assert_eq!(batches(2, 64).unwrap(), [Range { start: 0, end: 2 }]);
        assert_eq!(batches(1, 64), Err(Error::TooFewRows { found: 1 }));
        assert_eq!(batches(5, 1), Err(Error::BatchTooSmall { found: 1 }));
    }

    #[test]
    fn every_row_is_in_one_batch_and_no_batch_has_one_row() {
        for n in 2..60 {
            for size in 2..20 {
                let cut = batches(n, size).unwrap();
                let rows: Vec<usize> = cut.iter().cloned().flatten().collect();
                assert_eq!(rows, (0..n).collect::<Vec<_>>(), "{n} in {size}");
                assert!(cut.iter().all(|b| (2..=size + 1).contains(&b.len())), "{n} in {size}: {cut:?}");
            }
        }
    }
}
