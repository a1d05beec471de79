//! Where everything on a chart stands, as shapes and texts. Nothing is drawn here.
//!
//! From top to bottom: title, legend, labels of marks, the plot between its axes, the axis's label, a note. The plot takes
//! the room that the others leave, so that nothing covers a curve.

use image::Rgb;

use super::axis::{Range, Tick};
use super::curve::{Curve, curves, rows, thinned};
use super::marks::{self, MARK_LABEL};
use super::shape::{Anchor, Marker, PAPER, Pen, Plot, Point, Shape, Text, colour};
use super::{Chart, Look, printable};
use crate::font::{Fonts, Style, Weight};

const GRID: Rgb<u8> = Rgb([232, 234, 237]);
const FINE_GRID: Rgb<u8> = Rgb([245, 246, 247]);
const AXIS: Rgb<u8> = Rgb([150, 156, 163]);

const TITLE: Style = Style::new(Weight::SemiBold, 26.0, 36, 0x1b1d20);
const LABEL: Style = Style::new(Weight::Regular, 17.0, 24, 0x33373c);
const TICK: Style = Style::new(Weight::Regular, 16.0, 22, 0x5b6168);
const NOTE: Style = Style::new(Weight::Regular, 14.0, 20, 0x5b6168);

// Distances, in pixels.
pub(super) const MARGIN: f32 = 28.0;
pub(super) const GAP: f32 = 12.0;

/// A chart, laid out.
#[derive(Debug, Default)]
pub(super) struct Figure {
    /// Width and height in pixels.
    pub(super) size: [u32; 2],
    /// From back to front; texts are in front of all.
    pub(super) shapes: Vec<Shape>,
    pub(super) texts: Vec<Text>,
}

impl Figure {
    pub(super) fn of(chart: &Chart, fonts: &Fonts, size: [u32; 2]) -> Figure {
        let (x, y, curves) = curves(chart);
        let mut figure = Figure { size, ..Figure::default() };
        let [width, height] = size.map(|side| side as f32);
        let mut top = figure.title(chart, fonts);
        top = figure.legend(&curves, fonts, top);

        // The marks' rows need the plot's width, so the labels beside it come before they leave it its height.
        let y_ticks = y.ticks(7);
        let widest =
            y_ticks.iter().filter_map(|tick| tick.label.as_ref()).map(|label| fonts.width(label, TICK));
        let left = (MARGIN + LABEL.line as f32 + GAP + widest.fold(0.0, f32::max) + GAP).round();
        let plot = Plot { left, top, right: width - MARGIN - GAP, bottom: 0.0 };
        let (marks, nameless) = marks::place(chart, &x, plot, fonts);
        let mark_rows = marks.iter().filter_map(|mark| mark.label.as_ref()).map(|label| label.row + 1).max();
        top += (mark_rows.unwrap_or(0) as u32 * MARK_LABEL.line) as f32 + GAP;
        let below = (TICK.line + LABEL.line) as f32 + GAP + if nameless > 0 { NOTE.line as f32 } else { 0.0 };
        let plot = Plot { top, bottom: height - MARGIN / 2.0 - below, ..plot };

        figure.axes(chart, plot, &x_ticks(&x, plot, fonts), &y_ticks, fonts);
        figure.marks(marks, plot);
        // What others were made from lies behind them.
        let (faint, clear): (Vec<_>, Vec<_>) = curves.iter().partition(|curve| curve.look == Look::Faint);
        for curve in faint.into_iter().chain(clear) {
            figure.curve(curve, plot);
        }
        if nameless > 0 {
            let at = [plot.left, height - MARGIN / 2.0 - 4.0];
            figure.text(marks::note(nameless, chart), at, Anchor::Start, NOTE);
        }
        figure
    }

    /// The title; gives the y below it.
    fn title(&mut self, chart: &Chart, fonts: &Fonts) -> f32 {
        let top = MARGIN / 2.0;
        let width = self.size[0] as f32 - 2.0 * MARGIN;
        for line in fonts.wrap(&printable(&chart.title), TITLE, width, 1) {
            self.text(line, [MARGIN, top + TITLE.baseline()], Anchor::Start, TITLE);
        }
        top + TITLE.line as f32 + 4.0
    }

    fn axes(&mut self, chart: &Chart, plot: Plot, x: &[Tick], y: &[Tick], fonts: &Fonts) {
        let mut named = Vec::new();
        for (ticks, is_x) in [(x, true), (y, false)] {
            for tick in ticks {
                let points = if is_x {
                    let [at, _] = plot.point((tick.at, 0.0)).map(crisp);
                    [[at, plot.top], [at, plot.bottom]]
                } else {
                    let [_, at] = plot.point((0.0, tick.at)).map(crisp);
                    [[plot.left, at], [plot.right, at]]
                };
                match &tick.label {
                    None => self.stroke(points.to_vec(), FINE_GRID, 1.0, &[]),
                    Some(label) => named.push((points, label.clone(), is_x)),
                }
            }
        }
        for (points, label, is_x) in named {
            self.stroke(points.to_vec(), GRID, 1.0, &[]);
            if is_x {
                // A wide label at the end stays on the picture.
                let room = self.size[0] as f32 - 4.0 - fonts.width(&label, TICK) / 2.0;
                let at = [points[0][0].min(room), plot.bottom + 4.0 + TICK.baseline()];
                self.text(label, at, Anchor::Middle, TICK);
            } else {
                let at = [plot.left - GAP, points[0][1] - TICK.line as f32 / 2.0 + TICK.baseline()];
                self.text(label, at, Anchor::End, TICK);
            }
        }
        let [corner_x, corner_y] = [plot.left, plot.bottom].map(crisp);
        self.stroke(vec![[corner_x, plot.top], [corner_x, corner_y], [plot.right, corner_y]], AXIS, 1.0, &[]);

        let label = |text: &str, room| fonts.wrap(&printable(text), LABEL, room, 1).concat();
        let below = plot.bottom + 4.0 + TICK.line as f32 + LABEL.baseline();
        let middle = (plot.left + plot.right) / 2.0;
        self.text(label(&chart.x.label, plot.right - plot.left), [middle, below], Anchor::Middle, LABEL);
        self.texts.push(Text {
            line: label(&chart.y.label, plot.bottom - plot.top),
            at: [MARGIN / 2.0 + LABEL.baseline(), (plot.top + plot.bottom) / 2.0],
            anchor: Anchor::Middle,
            is_upright: true,
            style: LABEL,
        });
    }

    fn curve(&mut self, curve: &Curve, plot: Plot) {
        let pieces = curve.pieces.iter().map(|piece| thinned(piece, f64::from(plot.right - plot.left)));
        let pieces: Vec<Vec<Point>> =
            pieces.map(|piece| piece.into_iter().map(|place| plot.point(place)).collect()).collect();
        let points: Vec<Point> = pieces.iter().flatten().copied().collect();
        self.lines(curve, pieces);
        self.points(curve, &points);
    }

    /// The lines of a curve, if its look has some.
    pub(super) fn lines(&mut self, curve: &Curve, pieces: Vec<Vec<Point>>) {
        let Some(pen) = Pen::of(curve) else { return };
        for piece in pieces {
            match piece.as_slice() {
                [alone] => self.fill(Marker::Circle.around(*alone, 1.6 * pen.width), pen.colour),
                _ => self.stroke(piece, pen.colour, pen.width, pen.dashes),
            }
        }
    }

    /// The points of a curve, if its look has some.
    pub(super) fn points(&mut self, curve: &Curve, points: &[Point]) {
        if matches!(curve.look, Look::Points | Look::LineAndPoints) {
            let marker = Marker::of(curve);
            for point in points {
                self.fill(marker.around(*point, 7.0), PAPER);
                self.fill(marker.around(*point, 5.5), colour(curve));
            }
        }
    }

    pub(super) fn fill(&mut self, points: Vec<Point>, colour: Rgb<u8>) {
        self.shapes.push(Shape::Fill { points, colour });
    }

    pub(super) fn stroke(&mut self, points: Vec<Point>, colour: Rgb<u8>, width: f32, dashes: &'static [f32]) {
        self.shapes.push(Shape::Stroke { points, colour, width, dashes });
    }

    pub(super) fn text(&mut self, line: String, at: Point, anchor: Anchor, style: Style) {
        self.texts.push(Text { line, at, anchor, is_upright: false, style });
    }
}

/// As many ticks as have room for their labels side by side.
fn x_ticks(x: &Range, plot: Plot, fonts: &Fonts) -> Vec<Tick> {
    let length = f64::from(plot.right - plot.left);
    let fit = |ticks: &Vec<Tick>| {
        let named = ticks.iter().filter_map(|tick| Some((tick.at * length, tick.label.as_ref()?)));
        let extents: Vec<_> = named.map(|(at, label)| (at, f64::from(fonts.width(label, TICK)))).collect();
        rows(&extents, length, f64::from(GAP), 1).iter().all(Option::is_some)
    };
    [9, 7, 5, 4, 3].into_iter().map(|count| x.ticks(count)).find(fit).unwrap_or_else(|| x.ticks(2))
}

/// In the middle of a pixel, where a line of one pixel is sharp.
pub(super) fn crisp(at: f32) -> f32 {
    at.floor() + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{HEIGHT, Line, Mark, WIDTH};

    #[test]
    fn nothing_covers_the_curves() {
        let line = |i: usize| Line {
            name: format!("a line with a longer name, number {i}"),
            points: vec![(0.0, i as f64), (100.0, 40.0 - i as f64)],
            look: Look::Line,
        };
        let mark = |i: usize| Mark { x: i as f64, label: format!("mark {i}") };
        for (lines, marks) in [(1, 0), (3, 2), (40, 30)] {
            let chart = Chart {
                title: "title".to_owned(),
                lines: (0..lines).map(line).collect(),
                marks: (0..marks).map(mark).collect(),
                ..Chart::default()
            };
            let figure = Figure::of(&chart, &Fonts::load().unwrap(), [WIDTH, HEIGHT]);
            let is_curve = |points: &[Point]| points[1][0] - points[0][0] > 500.0;
            let heights = figure.shapes.iter().filter_map(|shape| match shape {
                Shape::Stroke { points, width, .. } if *width > 1.0 && is_curve(points) => Some(points),
                _ => None,
            });
            let heights: Vec<f32> = heights.flatten().map(|point| point[1]).collect();
            assert_eq!(heights.len(), 2 * lines);
            let names = ["title", "a line", "and ", "mark "];
            let above =
                figure.texts.iter().filter(|text| names.iter().any(|name| text.line.starts_with(name)));
            let lowest = above.map(|text| text.at[1]).fold(0.0, f32::max);
            let highest = heights.iter().copied().fold(f32::INFINITY, f32::min);
            assert!(lowest + 6.0 < highest, "{lines} lines: text to {lowest}, curves from {highest}");
            assert!(heights.iter().all(|y| *y < 700.0 - 60.0), "{lines} lines: {heights:?}");
        }
    }

    #[test]
    fn wide_labels_stay_apart_and_on_the_picture() {
        let points = vec![(1e12, 0.0), (1e12 + 4e4, 1.0)];
        let chart = Chart { lines: vec![Line { points, ..Line::default() }], ..Chart::default() };
        let fonts = Fonts::load().unwrap();
        let figure = Figure::of(&chart, &fonts, [WIDTH, HEIGHT]);
        let labels = figure.texts.iter().filter(|text| text.style == TICK && text.anchor == Anchor::Middle);
        let extents: Vec<_> = labels
            .map(|text| (text.at[0], fonts.width(&text.line, TICK)))
            .map(|(middle, width)| (middle - width / 2.0, middle + width / 2.0))
            .collect();
        assert!(extents.len() >= 2, "{extents:?}");
        assert!(extents.windows(2).all(|pair| pair[0].1 < pair[1].0), "{extents:?}");
        assert!(extents.iter().all(|(left, right)| *left > 0.0 && *right < WIDTH as f32), "{extents:?}");
    }
}
