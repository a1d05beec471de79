//! [`Curve`]: what of a line is drawn, in places from 0 to 1.

use super::axis::Range;
use super::{Chart, Line, Look, printable};

/// From the low end of each axis, 0, to the high end, 1.
pub(super) type Place = (f64, f64);

/// A line without what cannot be shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// The line's name and what the drawing does not tell.
    pub(super) name: String,
    pub(super) look: Look,
    /// Counts the curves that are not faint; a faint one has the number of the next.
    pub(super) number: usize,
    /// Each joined to its neighbours; between pieces are gaps. None is empty.
    pub(super) pieces: Vec<Vec<Place>>,
}

/// The ranges of both axes and the curves of a chart.
pub(super) fn curves(chart: &Chart) -> (Range, Range, Vec<Curve>) {
    let points = || chart.lines.iter().flat_map(|line| &line.points).filter_map(|point| shown(chart, point));
    let marks = chart.marks.iter().filter_map(|mark| chart.x.shown(mark.x));
    let x = Range::of(chart.x.scale, points().map(|(x, _)| x).chain(marks), 0.015);
    let y = Range::of(chart.y.scale, points().map(|(_, y)| y), 0.05);
    let mut number = 0;
    let curves = chart.lines.iter().map(|line| {
        let places = line.points.iter().map(|point| shown(chart, point));
        let places: Vec<_> = places.map(|point| point.map(|(px, py)| (x.place(px), y.place(py)))).collect();
        let pieces = places.split(Option::is_none).filter(|piece| !piece.is_empty());
        let pieces = pieces.map(|piece| piece.iter().copied().flatten().collect()).collect();
        let curve = Curve { name: name(chart, line), look: line.look, number, pieces };
        number += usize::from(line.look != Look::Faint);
        curve
    });
    let curves = curves.collect();
    (x, y, curves)
}

/// What stands for a point on the axes; `None` where it has no place.
fn shown(chart: &Chart, (x, y): &(f64, f64)) -> Option<(f64, f64)> {
    Some((chart.x.shown(*x)?, chart.y.shown(*y)?))
}

/// The line's name and what the drawing does not tell.
fn name(chart: &Chart, line: &Line) -> String {
    let shown: Vec<_> = line.points.iter().filter_map(|point| Some((*point, shown(chart, point)?))).collect();
    let left_out = line.points.len() - shown.len();
    let moved = shown.iter().filter(|(point, shown)| point != shown).count();
    let notes = [
        shown.is_empty().then(|| "no points".to_owned()),
        (left_out > 0).then(|| format!("{left_out} left out")),
        (moved > 0).then(|| format!("{moved} below the axis")),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let name = printable(&line.name);
    if notes.is_empty() { name } else { format!("{name} ({})", notes.join(", ")) }
}

/// Of each run of points that fall into one of `columns` columns: the first, the lowest, the highest and the last, in
/// their order. Drawn with lines of a column's width, it looks as all of them do
/// (M4: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", 2014).
pub(super) fn thinned(piece: &[Place], columns: f64) -> Vec<Place> {
    let column = |place: &Place| (place.0 * columns).floor();
    let mut kept = Vec::new();
    for run in piece.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let low = (0..run.len()).min_by(by_height).unwrap_or(0);
        let high = (0..run.len()).max_by(by_height).unwrap_or(0);
        let mut picked = [0, low, high, run.len() - 1];
        picked.sort_unstable();
        let mut last = None;
        for at in picked {
            if last.replace(at) != Some(at) {
                kept.push(run[at]);
            }
        }
    }
    kept
}

/// In which row above the axis each label stands, so that none touches another in its row; `None` where `rows` rows have
/// no room. Labels are `(middle, width)`, each kept within 0 to `length`; `gap` is kept between two.
pub(super) fn rows(labels: &[(f64, f64)], length: f64, gap: f64, rows: usize) -> Vec<Option<(usize, f64)>> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| labels[*a].0.total_cmp(&labels[*b].0));
    let mut ends = vec![f64::NEG_INFINITY; rows];
    let mut placed = vec![None; labels.len()];
    for at in order {
        let (middle, width) = labels[at];
        let start = (middle - width / 2.0).min(length - width).max(0.0);
        if let Some(row) = ends.iter().position(|end| end + gap <= start) {
            ends[row] = start + width;
            placed[at] = Some((row, start));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Axis, Scale};

    #[test]
    fn what_cannot_be_shown_is_left_out_counted_and_leaves_a_gap() {
        let line = |name: &str, look, points: &[(f64, f64)]| Line {
            name: name.to_owned(),
            points: points.to_vec(),
            look,
        };
        let chart = Chart {
            y: Axis { scale: Scale::Log, ..Axis::default() },
            lines: vec![
                line("faint", Look::Faint, &[(0.0, 1.0), (f64::NAN, 2.0), (4.0, 100.0), (8.0, 10.0)]),
                line("log", Look::Line, &[(0.0, 0.0), (1.0, -1.0), (2.0, f64::INFINITY)]),
                line("empty", Look::Points, &[]),
            ],
            ..Chart::default()
        };
        let (x, y, curves) = curves(&chart);
        let seen: Vec<_> = curves.iter().map(|c| (c.name.as_str(), c.number, c.pieces.len())).collect();
        assert_eq!(
            seen,
            [
                ("faint (1 left out)", 0, 2),
                ("log (no points, 3 left out)", 0, 0),
                ("empty (no points)", 1, 0)
            ]
        );
        assert_eq!(curves[0].pieces[1], [(x.place(4.0), y.place(100.0)), (x.place(8.0), y.place(10.0))]);
    }

    #[test]
    fn thinning_keeps_the_ends_and_extremes_of_each_column_in_order() {
        let heights = [5.0, 2.0, 9.0, 3.0, 4.0];
        let mut piece: Vec<Place> = heights.iter().enumerate().map(|(i, y)| (i as f64 / 100.0, *y)).collect();
        piece.push((0.5, 7.0));
        assert_eq!(thinned(&piece, 2.0), [(0.0, 5.0), (0.01, 2.0), (0.02, 9.0), (0.04, 4.0), (0.5, 7.0)]);
        let many: Vec<Place> =
            (0..100_000).map(|i| (f64::from(i) / 1e5, f64::from(i * 7919 % 1000))).collect();
        let kept = thinned(&many, 10.0);
        assert!(
            kept.len() <= 40 && kept.iter().any(|p| p.1 == 0.0) && kept.iter().any(|p| p.1 == 999.0),
            "{kept:?}"
        );
    }

    /// By hand, widths of 10, from the left: 2 is moved to begin at 0; 20 begins at 15, 22 at 17 in the next row; 25 has no
    /// room; 99 is moved to end at 100.
    #[test]
    fn labels_that_would_touch_stand_in_rows() {
        let labels = [(25.0, 10.0), (20.0, 10.0), (22.0, 10.0), (2.0, 10.0), (99.0, 10.0)];
        let expected = [None, Some((0, 15.0)), Some((1, 17.0)), Some((0, 0.0)), Some((0, 90.0))];
        assert_eq!(rows(&labels, 100.0, 2.0, 2), expected);
    }
}
