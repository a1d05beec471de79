//! How the rows of an epoch are cut into [`batches`] for training.

use std::ops::Range;

use crate::{Error, Result};

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
