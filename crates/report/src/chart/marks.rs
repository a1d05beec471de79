//! Marks: vertical lines, with their names in rows above the plot.

use image::Rgb;

use super::axis::Range;
use super::curve::rows;
use super::figure::{Figure, GAP, crisp};
use super::shape::{Anchor, PAPER, Plot};
use super::{Chart, printable};
use crate::font::{Fonts, Style, Weight};

const MARK: Rgb<u8> = Rgb([110, 116, 124]);
pub(super) const MARK_LABEL: Style = Style::new(Weight::SemiBold, 15.0, 21, 0x4a5057);
/// Names that need more rows are counted, not shown.
const MAX_MARK_ROWS: usize = 4;

impl Figure {
    /// Draws marks that are placed.
    pub(super) fn marks(&mut self, marks: Vec<PlacedMark>, plot: Plot) {
        let bottom = |row: usize| plot.top - GAP / 2.0 - (row as u32 * MARK_LABEL.line) as f32;
        for mark in &marks {
            let x = crisp(mark.x);
            let top = mark.label.as_ref().map_or(plot.top, |label| bottom(label.row));
            self.stroke(vec![[x, plot.bottom], [x, top]], MARK, 1.0, &[5.0, 4.0]);
        }
        for PlacedLabel { line, x, width, row } in marks.into_iter().filter_map(|mark| mark.label) {
            let (bottom, line_height) = (bottom(row), MARK_LABEL.line as f32);
            // On paper of its own: the line of a label further up may come through.
            let (left, right, top) = (x - 3.0, x + width + 3.0, bottom - line_height);
            let points = vec![[left, top], [right, top], [right, bottom], [left, bottom]];
            self.fill(points, PAPER);
            self.text(line, [x, top + MARK_LABEL.baseline()], Anchor::Start, MARK_LABEL);
        }
    }
}

/// A mark on the picture.
pub(super) struct PlacedMark {
    x: f32,
    /// `None` where it has no name, or no room for it.
    pub(super) label: Option<PlacedLabel>,
}

/// The name of a mark, above the plot.
pub(super) struct PlacedLabel {
    line: String,
    /// Of its left end.
    x: f32,
    width: f32,
    /// 0 is next to the plot.
    pub(super) row: usize,
}

/// Says how many marks are `nameless`: not on the axis, or with a name that has no room.
pub(super) fn note(nameless: usize, chart: &Chart) -> String {
    format!("{nameless} of {} marks have no place, or no room for their name", chart.marks.len())
}

/// The marks that have a place on the axis, and how many have none, or a name without room for it.
pub(super) fn place(chart: &Chart, range: &Range, plot: Plot, fonts: &Fonts) -> (Vec<PlacedMark>, usize) {
    let length = plot.right - plot.left;
    let marks: Vec<_> =
        chart.marks.iter().filter_map(|mark| Some((chart.x.shown(mark.x)?, &mark.label))).collect();
    let name = |label: &str| fonts.wrap(&printable(label), MARK_LABEL, length / 2.0, 1).concat();
    let (named, bare): (Vec<_>, Vec<_>) = marks
        .into_iter()
        .map(|(x, label)| (plot.point((range.place(x), 0.0))[0], name(label)))
        .partition(|(_, line)| !line.is_empty());
    let widths: Vec<f32> = named.iter().map(|(_, line)| fonts.width(line, MARK_LABEL)).collect();
    let extents =
        named.iter().zip(&widths).map(|((x, _), width)| (f64::from(x - plot.left), f64::from(*width)));
    let extents: Vec<_> = extents.collect();
    let rows = rows(&extents, f64::from(length), f64::from(GAP), MAX_MARK_ROWS);
    let nameless =
        chart.marks.len() - named.len() - bare.len() + rows.iter().filter(|row| row.is_none()).count();
    let bare = bare.into_iter().map(|(x, _)| PlacedMark { x, label: None });
    let named = named.into_iter().zip(widths).zip(rows).map(|(((x, line), width), place)| PlacedMark {
        x,
        label: place.map(|(row, start)| PlacedLabel { line, x: plot.left + start as f32, width, row }),
    });
    (bare.chain(named).collect(), nameless)
}
