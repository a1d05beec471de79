//! [`Fill`]: what stands where pixels are taken away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Palette;
use crate::planes::Planes;
use crate::rectangle::Rectangle;

/// The colour of an erased rectangle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The photo's mean colour: what a network notices least.
    #[default]
    Mean,
    /// 0 in every channel.
    Black,
    /// 0.5 in every channel.
    Gray,
}

impl Fill {
    /// R, G and B, 0 to 1.
    fn colour(self, palette: &Palette) -> [f32; 3] {
        match self {
            Fill::Mean => palette.photo_mean,
            Fill::Black => [0.0; 3],
            Fill::Gray => [0.5; 3],
        }
    }

    /// Paints the pixels of `[3, H, W]` whose centre lies in a rectangle, which may hang over the edge. `(x, y)` is its
    /// upper left corner; all four numbers are shares of W or H.
    pub(super) fn paint(self, corner: (f64, f64), sides: (f64, f64), planes: &mut Planes, palette: &Palette) {
        let width = planes.width;
        let covered = Rectangle::covering(corner, sides, width, planes.height);
        for (plane, value) in planes.channels_mut().into_iter().zip(self.colour(palette)) {
            for y in covered.rows.clone() {
                plane[y * width..][covered.columns.clone()].fill(value);
            }
        }
    }
}
