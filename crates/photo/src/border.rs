//! [`Border`]: what lies beyond the edges of a photo.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What lies beyond the edges of a photo, where a geometric transform looks there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// The photo mirrored at its edges, again and again: `cba|abc|cba` (OpenCV's `BORDER_REFLECT`). The lesson's.
    #[default]
    Reflect,
    /// The pixels of the edge repeated: `aaa|abc|ccc`.
    Edge,
    /// Black.
    Black,
}

impl Border {
    /// The column (or row) of a photo of `count` that stands for column `at`; `None` where it is black.
    pub(crate) fn index(self, at: i64, count: usize) -> Option<usize> {
        let count = count as i64;
        let index = match self {
            Border::Reflect => {
                let folded = at.rem_euclid(2 * count);
                folded.min(2 * count - 1 - folded)
            }
            Border::Edge => at.clamp(0, count - 1),
            Border::Black => at,
        };
        (0..count).contains(&index).then_some(index as usize)
    }

    /// Columns (or rows) of a photo of `count` that those from `first` to `last` stand for: a range that holds them all,
    /// and at least one.
    pub(crate) fn indices(self, first: i64, last: i64, count: usize) -> std::ops::Range<usize> {
        let end = count as i64 - 1;
        let (low, high) = (first.clamp(0, end), last.clamp(0, end));
        let (low, high) = match self {
            // Mirrored ones reach as far inside as they lie outside; beyond the photo's length that is everything.
            Border::Reflect if first < -(count as i64) || last > 2 * count as i64 => (0, end),
            Border::Reflect => {
                let high = if first < 0 { high.max((-1 - first).min(end)) } else { high };
                let low = if last > end { low.min((2 * end + 1 - last).max(0)) } else { low };
                (low, high)
            }
            Border::Edge | Border::Black => (low, high),
        };
        low as usize..high as usize + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_edges_a_photo_is_mirrored_repeated_or_black() {
        let at = |border: Border| (-4..8).map(|i| border.index(i, 3)).collect::<Vec<_>>();
        let some = |indices: [usize; 12]| indices.map(Some).to_vec();
        assert_eq!(at(Border::Reflect), some([2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]));
        assert_eq!(at(Border::Edge), some([0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]));
        let inside = [Some(0), Some(1), Some(2)];
        assert_eq!(at(Border::Black), [[None; 4].as_slice(), &inside, &[None; 5]].concat());
        assert_eq!(Border::Reflect.index(i64::MIN / 64, 1), Some(0));
    }

    #[test]
    fn the_range_of_columns_holds_each_that_one_of_them_stands_for() {
        for border in [Border::Reflect, Border::Edge, Border::Black] {
            for count in [1, 3, 7] {
                for first in -20..20 {
                    for last in first..20 {
                        let range = border.indices(first, last, count);
                        assert!(
                            !range.is_empty() && range.end <= count,
                            "{border:?} {first}..={last} of {count}"
                        );
                        let all = (first..=last).filter_map(|at| border.index(at, count));
                        for index in all {
                            assert!(
                                range.contains(&index),
                                "{border:?} {first}..={last} of {count}: {index}"
                            );
                        }
                    }
                }
            }
        }
    }
}
