//! [`Duplicates`]: photos that are there more than once, within a split and across splits.

use pipeline_stage::{Cancel, Cancelled, Digest};
use pipeline_table::Split;

use crate::near::{Budget, near_pairs};

/// What is kept of a usable photo until all have been looked at: 64 bytes, so 64 MB of a million photos.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Its row in the table.
    pub(crate) row: u32,
    pub(crate) split: Split,
    /// Number of its class.
    pub(crate) label_id: Option<u32>,
    pub(crate) digest: Digest,
    /// Perceptual hash.
    pub(crate) hash: Option<u64>,
    /// Whether a pixel is not opaque.
    pub(crate) transparent: bool,
}

/// What was found. Photos are places in the list of [`Seen`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Duplicates {
    /// Photos of the same bytes, two at least, ascending; groups by their first.
    pub(crate) identical: Vec<Vec<u32>>,
    /// Photos of one split that look the same and are not identical, closest first. Of photos with one hash each is
    /// paired with the first.
    pub(crate) near: Vec<Near>,
    /// Photos that look the same as another of their split and are not identical to it.
    pub(crate) near_photos: u64,
    /// Photos that are in a later split too (train, valid, test), ascending.
    pub(crate) leaks: Vec<Leak>,
    /// Hashes that were not compared with the others, since there were too many pairs.
    pub(crate) not_compared: u64,
}

/// Two photos of a split that look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Near {
    /// Bits in which the hashes differ.
    pub(crate) bits: u8,
    pub(crate) a: u32,
    pub(crate) b: u32,
}

/// A photo that is in a later split too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leak {
    pub(crate) photo: u32,
    /// The closest there, the first of those.
    pub(crate) twin: u32,
    /// Bits in which the hashes differ; `None` where the bytes are the same.
    pub(crate) bits: Option<u8>,
}

/// A photo of each split, in the order of [`Split::ALL`].
type OfSplits = [Option<u32>; 3];

impl Duplicates {
    /// `bits`: photos whose hashes differ in at most so many look the same.
    ///
    /// # Errors
    /// When cancelled.
    pub(crate) fn find(seen: &[Seen], bits: u32, budget: Budget, cancel: &Cancel) -> Result<Self, Cancelled> {
        let mut twins = vec![None; seen.len()];
        let (identical, contents) = identical(seen, &mut twins);
        let Hashes { hashes, firsts, counts, mut near } = Hashes::of(seen, contents);
        let found = near_pairs(&hashes, bits, budget, cancel)?;
        let not_compared = (hashes.len() - found.looked_up) as u64;

        // Pairs of hashes become pairs of photos; `is_near` and `closest` have one entry for each hash and split.
        let mut is_near: Vec<[bool; 3]> = counts.iter().map(|counts| counts.map(|n| n > 1)).collect();
        let mut closest: Vec<[Option<(u8, u32)>; 3]> = firsts.iter().map(|f| later(f, 0)).collect();
        for pair in &found.pairs {
            let (a, b) = (pair.a as usize, pair.b as usize);
            for split in 0..Split::ALL.len() {
                if let (Some(first), Some(second)) = (firsts[a][split], firsts[b][split]) {
                    near.push(Near { bits: pair.bits, a: first.min(second), b: first.max(second) });
                    is_near[a][split] = true;
                    is_near[b][split] = true;
                }
            }
            for (one, other) in [(a, b), (b, a)] {
                let there = later(&firsts[other], pair.bits);
                for (closest, there) in closest[one].iter_mut().zip(there) {
                    *closest = [*closest, there].into_iter().flatten().min();
                }
            }
        }
        near.sort_unstable();
        let counted = counts.iter().flatten().zip(is_near.iter().flatten());
        let near_photos = counted.map(|(count, is_near)| if *is_near { u64::from(*count) } else { 0 }).sum();

        let leak = |(photo, identical): (usize, &Option<u32>)| {
            let photo_is = photo as u32;
            if let Some(twin) = *identical {
                return Some(Leak { photo: photo_is, twin, bits: None });
            }
            let at = hashes.binary_search(&seen[photo].hash?).ok()?;
            let (bits, twin) = closest[at][seen[photo].split as usize]?;
            Some(Leak { photo: photo_is, twin, bits: Some(bits) })
        };
        let leaks = twins.iter().enumerate().filter_map(leak).collect();
        Ok(Duplicates { identical, near, near_photos, leaks, not_compared })
    }
}

/// Groups of the same bytes; and the first photo of each content in each split. Notes for each photo the first
/// identical one in a later split.
fn identical(seen: &[Seen], twins: &mut [Option<u32>]) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut by_digest: Vec<u32> = (0..seen.len() as u32).collect();
    by_digest.sort_unstable_by_key(|&at| (seen[at as usize].digest, at));
    let (mut groups, mut contents) = (Vec::new(), Vec::new());
    for group in by_digest.chunk_by(|&a, &b| seen[a as usize].digest == seen[b as usize].digest) {
        let mut firsts: OfSplits = [None; 3];
        for &at in group {
            firsts[seen[at as usize].split as usize].get_or_insert(at);
        }
        contents.extend(firsts.iter().flatten());
        if group.len() > 1 {
            let later = later(&firsts, 0);
            for &at in group {
                twins[at as usize] = later[seen[at as usize].split as usize].map(|(_, twin)| twin);
            }
            groups.push(group.to_vec());
        }
    }
    groups.sort_unstable();
    (groups, contents)
}

/// For a photo of each split, the first of those `bits` away that are in a later one.
fn later(firsts: &OfSplits, bits: u8) -> [Option<(u8, u32)>; 3] {
    let [_, valid, test] = *firsts;
    let with_bits = |at: u32| (bits, at);
    [[valid, test].into_iter().flatten().min().map(with_bits), test.map(with_bits), None]
}

/// The photos by hash, without those that are identical to another of their split.
struct Hashes {
    /// Ascending, none twice.
    hashes: Vec<u64>,
    /// The first photo of each hash in each split, and how many there are.
    firsts: Vec<OfSplits>,
    counts: Vec<[u32; 3]>,
    /// Pairs of one hash and split.
    near: Vec<Near>,
}

impl Hashes {
    fn of(seen: &[Seen], mut contents: Vec<u32>) -> Self {
        contents.retain(|&at| seen[at as usize].hash.is_some());
        contents.sort_unstable_by_key(|&at| (seen[at as usize].hash, at));
        let mut all = Hashes { hashes: vec![], firsts: vec![], counts: vec![], near: vec![] };
        for group in contents.chunk_by(|&a, &b| seen[a as usize].hash == seen[b as usize].hash) {
            let (mut firsts, mut counts) = ([None; 3], [0; 3]);
            for &at in group {
                let split = seen[at as usize].split as usize;
                let first = *firsts[split].get_or_insert(at);
                counts[split] += 1;
                if first != at {
                    all.near.push(Near { bits: 0, a: first, b: at });
                }
            }
            all.hashes.extend(seen[group[0] as usize].hash);
            all.firsts.push(firsts);
            all.counts.push(counts);
        }
        all
    }
}

#[cfg(test)]
mod tests;
