//! [`near_pairs`]: which hashes are close to each other, exactly, without comparing each with each.
//!
//! Multi-index hashing (M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR
//! 2012): 64 bits are 4 substrings of 16. Two hashes that differ in at most `bits = 4 r + a` bits differ in at most
//! `r` bits in one of the first `a + 1` substrings, or in at most `r - 1` in one of the others: so it is enough to look
//! at hashes that share a substring up to that. With a million photos and 4 bits these are about 300 for each.

use pipeline_stage::{Cancel, Cancelled};
use rayon::prelude::*;

const SUBSTRINGS: u32 = 4;
const SUBSTRING_BITS: u32 = 16;

/// Hashes looked up between two looks at the limits.
const CHUNK: usize = 1024;

/// Two hashes by their places in the list, the lower first, and in how many bits they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NearPair {
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) bits: u8,
}

/// Where the search stops, whatever it has found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Pairs, of 12 bytes each.
    pub(crate) pairs: usize,
    /// Looks at a bucket or a hash; a processor does some 100 million a second.
    pub(crate) looks: u64,
}

/// A million photos at 4 bits need 0.3 billion looks, which took 2 s on two processors, and at 8 bits 3 billion, 22 s.
pub(crate) const BUDGET: Budget = Budget { pairs: 1_000_000, looks: 4_000_000_000 };

/// What was found, and for how many of the hashes, from the first, it was looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct NearPairs {
    /// In ascending order; all of them, with any other hash, of those that were looked up.
    pub(crate) pairs: Vec<NearPair>,
    pub(crate) looked_up: usize,
}

/// The pairs of `hashes` (ascending, none twice, below 2^32 of them) that differ in at most `bits` bits (0 to 63). The
/// same for any number of threads.
///
/// # Errors
/// When cancelled.
pub(crate) fn near_pairs(
    hashes: &[u64],
    bits: u32,
    budget: Budget,
    cancel: &Cancel,
) -> Result<NearPairs, Cancelled> {
    let tables: Vec<Table> = (0..SUBSTRINGS).filter_map(|at| Table::new(hashes, at, bits)).collect();
    let mut found = NearPairs::default();
    let mut looks = 0;
    let mut rest: &[u32] = &(0..hashes.len() as u32).collect::<Vec<_>>();
    let mut len = 16;
    while !rest.is_empty() {
        cancel.check()?;
        let chunk;
        (chunk, rest) = rest.split_at(len.min(rest.len()));
        let before = found.pairs.len();
        let near: Vec<(Vec<NearPair>, u64)> =
            chunk.par_iter().map(|&a| above(&tables, hashes, a, bits)).collect();
        for (pairs, looks_here) in near {
            found.pairs.extend(pairs);
            looks += looks_here;
        }
        found.looked_up += chunk.len();
        // Where many are alike, few are looked up at a time, so that their pairs take no more memory than the budget means.
        let is_crowded = (found.pairs.len() - before) > budget.pairs / 16;
        len = if is_crowded { (len / 2).max(1) } else { (2 * len).min(CHUNK) };
        if found.pairs.len() >= budget.pairs || looks >= budget.looks {
            break;
        }
    }
    Ok(found)
}

/// The hashes above the one at `a` that are near to it, and how many looks that took.
fn above(tables: &[Table], hashes: &[u64], a: u32, bits: u32) -> (Vec<NearPair>, u64) {
    let hash = hashes[a as usize];
    let mut pairs = Vec::new();
    let mut looks = 0;
    for table in tables {
        for change in &table.changes {
            let bucket = table.bucket(substring(hash, table.at) ^ change);
            looks += 1 + bucket.len() as u64;
            // Places within a bucket ascend, and each pair is found from its lower end.
            for &b in &bucket[bucket.partition_point(|b| *b <= a)..] {
                let distance = (hash ^ hashes[b as usize]).count_ones();
                if distance <= bits {
                    pairs.push(NearPair { a, b, bits: distance as u8 });
                }
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    (pairs, looks)
}

/// Hashes by one of their substrings.
struct Table {
    at: u32,
    /// What may be changed in the substring: the bits of each are those that differ.
    changes: Vec<u16>,
    /// Where the bucket of each substring starts in `places`, and where the last one ends.
    starts: Vec<u32>,
    /// Places of hashes, by bucket, ascending.
    places: Vec<u32>,
}

impl Table {
    /// `None` where the other substrings find all.
    fn new(hashes: &[u64], at: u32, bits: u32) -> Option<Self> {
        let (whole, rest) = (bits / SUBSTRINGS, bits % SUBSTRINGS);
        let radius = if at <= rest { Some(whole) } else { whole.checked_sub(1) }?;
        let mut starts = vec![0u32; (1 << SUBSTRING_BITS) + 1];
        for &hash in hashes {
            starts[usize::from(substring(hash, at)) + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut places = vec![0; hashes.len()];
        for (place, &hash) in hashes.iter().enumerate() {
            let next = &mut next[usize::from(substring(hash, at))];
            places[*next as usize] = place as u32;
            *next += 1;
        }
        let changes = (0..=u16::MAX).filter(|change| change.count_ones() <= radius).collect();
        Some(Table { at, changes, starts, places })
    }

    fn bucket(&self, substring: u16) -> &[u32] {
        let at = usize::from(substring);
        &self.places[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

fn substring(hash: u64, at: u32) -> u16 {
    (hash >> (SUBSTRING_BITS * at)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNBOUNDED: Budget = Budget { pairs: usize::MAX, looks: u64::MAX };

    fn by_comparing_all(hashes: &[u64], bits: u32) -> Vec<NearPair> {
        let mut pairs = vec![];
        for (a, first) in hashes.iter().enumerate() {
            for (b, second) in hashes.iter().enumerate().skip(a + 1) {
                let distance = (first ^ second).count_ones();
                if distance <= bits {
                    pairs.push(NearPair { a: a as u32, b: b as u32, bits: distance as u8 });
                }
            }
        }
        pairs
    }

    /// A few hashes, and others made of them by changing some bits, up to more than is searched for.
    fn hashes() -> impl Strategy<Value = Vec<u64>> {
        let changed = (any::<prop::sample::Index>(), prop::collection::vec(0..64u32, 0..20));
        (prop::collection::vec(any::<u64>(), 1..20), prop::collection::vec(changed, 0..60)).prop_map(
            |(mut hashes, changed)| {
                for (of, flipped) in changed {
                    let of = *of.get(&hashes);
                    hashes.push(flipped.iter().fold(of, |hash, bit| hash ^ 1 << bit));
                }
                hashes.sort_unstable();
                hashes.dedup();
                hashes
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_pairs_are_those_that_comparing_all_finds(hashes in hashes(), bits in 0..=16u32) {
            let found = near_pairs(&hashes, bits, UNBOUNDED, &Cancel::default()).unwrap();
            prop_assert_eq!(found.looked_up, hashes.len());
            prop_assert_eq!(found.pairs, by_comparing_all(&hashes, bits));
        }
    }

    #[test]
    fn a_budget_that_is_used_up_ends_the_search_and_it_says_where() {
        let hashes: Vec<u64> = (0..3000).collect();
        let by_pairs = Budget { pairs: 1, ..UNBOUNDED };
        let found = near_pairs(&hashes, 1, by_pairs, &Cancel::default()).unwrap();
        assert_eq!(found.looked_up, 16, "those that are looked up first");
        let all = by_comparing_all(&hashes, 1);
        assert_eq!(found.pairs, all.iter().copied().filter(|pair| pair.a < 16).collect::<Vec<_>>());
        let by_looks = Budget { looks: 1, ..UNBOUNDED };
        assert_eq!(near_pairs(&hashes, 1, by_looks, &Cancel::default()).unwrap().pairs, found.pairs);
        assert!(near_pairs(&[], 16, UNBOUNDED, &Cancel::default()).unwrap().pairs.is_empty());
    }

    #[test]
    fn it_stops_when_cancelled() {
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(near_pairs(&[1, 2], 4, UNBOUNDED, &cancel).is_err());
    }
}
