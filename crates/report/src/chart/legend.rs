//! The legend: how each curve looks, and its name.

use super::curve::Curve;
use super::figure::{Figure, GAP, MARGIN};
use super::shape::Anchor;
use crate::font::{Fonts, Style, Weight};

const LEGEND: Style = Style::new(Weight::Regular, 17.0, 26, 0x33373c);
/// Length of a curve's sample, in pixels.
const SAMPLE: f32 = 40.0;
/// More lines than these are counted, not named.
const MAX_LEGEND_ROWS: usize = 4;

impl Figure {
    /// The names of the curves, in rows below `top`; gives the y below them.
    pub(super) fn legend(&mut self, curves: &[Curve], fonts: &Fonts, top: f32) -> f32 {
        let right = self.size[0] as f32 - MARGIN;
        let (mut x, mut row) = (MARGIN, 0);
        for (at, curve) in curves.iter().enumerate() {
            let name = fonts.wrap(&curve.name, LEGEND, right - MARGIN - SAMPLE - GAP, 1).concat();
            let width = SAMPLE + GAP + fonts.width(&name, LEGEND);
            // The last row keeps room to say how many are left.
            let room =
                if row + 1 < MAX_LEGEND_ROWS || at + 1 == curves.len() { right } else { right - 120.0 };
            if x > MARGIN && x + width > room {
                if row + 1 == MAX_LEGEND_ROWS {
                    let baseline = top + (row as u32 * LEGEND.line) as f32 + LEGEND.baseline();
                    let line = format!("and {} more", curves.len() - at);
                    self.text(line, [x, baseline], Anchor::Start, LEGEND);
                    break;
                }
                (x, row) = (MARGIN, row + 1);
            }
            let y = top + (row as u32 * LEGEND.line) as f32;
            let middle = y + LEGEND.line as f32 / 2.0;
            self.lines(curve, vec![vec![[x, middle], [x + SAMPLE, middle]]]);
            self.points(curve, &[[x + SAMPLE / 2.0, middle]]);
            self.text(name, [x + SAMPLE + GAP, y + LEGEND.baseline()], Anchor::Start, LEGEND);
            // Other fonts, in an SVG, may be wider.
            x += width + 2.5 * GAP;
        }
        top + if curves.is_empty() { 0.0 } else { ((row as u32 + 1) * LEGEND.line) as f32 }
    }
}
