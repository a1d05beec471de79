//! [`nearest`]: the rows of a features table that are most like a vector, in one pass over the table.

use rayon::prelude::*;

use crate::{FeatureRow, FeaturesReader, Result};

/// Rows in memory at a time.
const BATCH_ROWS: usize = 1_024;

/// Sums that are carried side by side, so that the processor adds them at once; always so many, so that sums are the same
/// on every machine.
const LANES: usize = 8;

/// A row and how much it is like what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// The row.
    pub row: FeatureRow,
    /// Its place in the table, from 0.
    pub at: usize,
    /// [`cosine`] of the angle to what was asked for, -1 to 1.
    pub cosine: f64,
}

/// The `k` rows among the wanted ones that are most like `query`, `[D]`, by cosine; the most alike first, and of equals the
/// one that comes first in the table: by id, then view. A row whose features are not finite is none of them. Uses the current
/// rayon threads, and memory of `k` rows and a batch.
///
/// # Errors
/// A part that cannot be read.
pub fn nearest(
    reader: &FeaturesReader,
    query: &[f32],
    k: usize,
    is_wanted: impl Fn(usize, &FeatureRow) -> bool,
) -> Result<Vec<Neighbour>> {
    let dim = reader.meta().dim;
    let mut best: Vec<Neighbour> = Vec::new();
    let mut before = 0; // rows in earlier batches
    for batch in reader.batches(BATCH_ROWS) {
        let batch = batch?;
        let cosines: Vec<f64> = batch.emb.par_chunks_exact(dim).map(|emb| cosine(query, emb)).collect();
        let rows = batch.rows.len();
        for (at, (row, cosine)) in (before..).zip(batch.rows.into_iter().zip(cosines)) {
            let is_in = best.len() < k || best.last().is_some_and(|last| cosine > last.cosine);
            if is_in && cosine.is_finite() && is_wanted(at, &row) {
                let place = best.partition_point(|other| other.cosine >= cosine);
                best.insert(place, Neighbour { row, at, cosine });
                best.truncate(k);
            }
        }
        before += rows;
    }
    Ok(best)
}

/// Cosine of the angle between two vectors of one length, `a · b / (|a| |b|)`, summed in float64; 0 where one has no length,
/// and not finite where a number is not.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    let product = dot(a, b);
    if lengths == 0.0 { product * 0.0 } else { product / lengths }
}

/// `sum a[i] b[i]`.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f64; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_those_of_the_angles() {
        assert_eq!(cosine(&[3.0, 0.0, 4.0], &[6.0, 0.0, 8.0]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[1.0, 1.0], &[-2.0, -2.0]), -1.0);
        // 3*1 + 4*0 over 5*1.
        assert_eq!(cosine(&[3.0, 4.0], &[1.0, 0.0]), 0.6);
        // Longer than the lanes: numbers 1 to 19 with themselves the other way round, 1330 over 2470.
        let up: Vec<f32> = (1..=19u8).map(f32::from).collect();
        let down: Vec<f32> = up.iter().rev().copied().collect();
        assert!((cosine(&up, &down) - 1330.0 / 2470.0).abs() < 1e-15, "{}", cosine(&up, &down));
    }

    #[test]
    fn what_has_no_length_is_like_nothing_and_what_is_not_finite_has_no_angle() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]), 0.0);
        assert!(!cosine(&[0.0, 0.0], &[1.0, f32::NAN]).is_finite());
        assert!(!cosine(&[1.0, 1.0], &[1.0, f32::INFINITY]).is_finite());
    }
}
