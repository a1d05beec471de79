//! [`Rectangle`]: the pixels that a rectangle covers.

use std::ops::Range;

/// Columns and rows of a picture; both lie inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) columns: Range<usize>,
    pub(crate) rows: Range<usize>,
}

impl Rectangle {
    /// The pixels whose centre lies in a rectangle that may hang over the edge. `(x, y)` is its upper left corner;
    /// all four numbers are shares of the picture's width or height, which are in pixels.
    pub(crate) fn covering(
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        picture_width: usize,
        picture_height: usize,
    ) -> Self {
        Rectangle { columns: covered(x, width, picture_width), rows: covered(y, height, picture_height) }
    }

    /// In pixels.
    pub(crate) fn area(&self) -> usize {
        self.columns.len() * self.rows.len()
    }
}

/// The pixels of one side whose centre lies from `start` to `start + length`, the end excluded.
fn covered(start: f64, length: f64, pixels: usize) -> Range<usize> {
    // The centre of pixel i is at i + 0.5.
    let first_from = |edge: f64| (edge * pixels as f64 - 0.5).ceil().clamp(0.0, pixels as f64) as usize;
    let first = first_from(start);
    first..first_from(start + length).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_covered_where_its_centre_is_and_what_hangs_over_is_cut() {
        // Ten pixels, centres at 0.05, 0.15, ... 0.95.
        for (start, length, expected) in [
            (0.0, 1.0, 0..10),
            (0.2, 0.3, 2..5),
            (0.24, 0.3, 2..5),
            (0.26, 0.3, 3..6),
            (0.26, 0.03, 3..3),
            (-0.3, 0.5, 0..2),
            (0.8, 0.5, 8..10),
            (-2.0, 1.0, 0..0),
            (1.5, 1.0, 10..10),
            (0.5, -0.3, 5..5),
            (0.5, f64::NAN, 5..5),
        ] {
            assert_eq!(covered(start, length, 10), expected, "{start} + {length}");
        }
    }

    #[test]
    fn columns_go_with_the_width_and_rows_with_the_height() {
        let found = Rectangle::covering((0.25, 0.5), (0.5, 0.25), 8, 4);
        assert_eq!(found, Rectangle { columns: 2..6, rows: 2..3 });
        assert_eq!(found.area(), 4);
    }
}
