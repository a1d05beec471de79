//! [`Shape`] and [`Text`]: what a chart is drawn with, and how the curves are told apart.

use image::Rgb;

use super::Look;
use super::curve::{Curve, Place};
use crate::font::Style;

pub(super) const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

// The order of Okabe and Ito's palette ("Color Universal Design", 2008), told apart with any colour vision; without its
// yellow, which paper swallows.
const COLOURS: [Rgb<u8>; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([60, 60, 60]),
];
/// Lengths of dashes and gaps, in pixels.
const DASHES: [&[f32]; 5] = [&[], &[11.0, 5.0], &[3.0, 4.0], &[14.0, 4.0, 3.0, 4.0], &[22.0, 7.0]];
// In pixels.
const LINE_WIDTH: f32 = 2.5;
const FAINT_WIDTH: f32 = 1.25;
const BETWEEN_POINTS_WIDTH: f32 = 1.75;

/// In pixels from the left and the top.
pub(super) type Point = [f32; 2];

/// What is drawn.
#[derive(Debug)]
pub(super) enum Shape {
    /// A line through points, at least two.
    Stroke { points: Vec<Point>, colour: Rgb<u8>, width: f32, dashes: &'static [f32] },
    /// A filled polygon.
    Fill { points: Vec<Point>, colour: Rgb<u8> },
}

/// A line of text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) line: String,
    /// On the baseline; which end of the text it is, `anchor` says.
    pub(super) at: Point,
    pub(super) anchor: Anchor,
    /// Read from bottom to top.
    pub(super) is_upright: bool,
    pub(super) style: Style,
}

/// Which part of a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The shape of a point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
}

/// The rectangle between the axes, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Plot {
    pub(super) fn point(&self, (x, y): Place) -> Point {
        let between = |low: f32, high: f32, at: f64| low + (high - low) * at as f32;
        [between(self.left, self.right, x), between(self.bottom, self.top, y)]
    }
}

/// How the line of a curve is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    pub(super) colour: Rgb<u8>,
    /// In pixels.
    pub(super) width: f32,
    pub(super) dashes: &'static [f32],
}

impl Pen {
    /// `None` for a curve of points only.
    pub(super) fn of(curve: &Curve) -> Option<Pen> {
        let (colour, solid) = (colour(curve), DASHES[0]);
        match curve.look {
            Look::Line => {
                Some(Pen { colour, width: LINE_WIDTH, dashes: DASHES[curve.number % DASHES.len()] })
            }
            Look::Faint => Some(Pen { colour: pale(colour), width: FAINT_WIDTH, dashes: solid }),
            // Its points tell it apart.
            Look::LineAndPoints => Some(Pen { colour, width: BETWEEN_POINTS_WIDTH, dashes: solid }),
            Look::Points => None,
        }
    }
}

/// The colour of a curve.
pub(super) fn colour(curve: &Curve) -> Rgb<u8> {
    COLOURS[curve.number % COLOURS.len()]
}

impl Marker {
    pub(super) fn of(curve: &Curve) -> Marker {
        const MARKERS: [Marker; 5] =
            [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::TriangleDown];
        MARKERS[curve.number % MARKERS.len()]
    }

    /// The shape's corners.
    pub(super) fn around(self, centre: Point, radius: f32) -> Vec<Point> {
        let corners = self.corners().into_iter();
        corners.map(|[x, y]| [centre[0] + radius * x, centre[1] + radius * y]).collect()
    }

    /// Around (0, 0), y downwards; of about equal area.
    fn corners(self) -> Vec<Point> {
        match self {
            Marker::Circle => {
                let angle = |i: u8| f32::from(i) * std::f32::consts::TAU / 24.0;
                (0..24).map(|i| [angle(i).cos(), angle(i).sin()]).collect()
            }
            Marker::Square => vec![[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]],
            Marker::Triangle => vec![[0.0, -1.3], [1.15, 0.75], [-1.15, 0.75]],
            Marker::TriangleDown => vec![[0.0, 1.3], [-1.15, -0.75], [1.15, -0.75]],
            Marker::Diamond => vec![[0.0, -1.3], [1.1, 0.0], [0.0, 1.3], [-1.1, 0.0]],
        }
    }
}

/// Most of the way to paper.
fn pale(colour: Rgb<u8>) -> Rgb<u8> {
    Rgb(colour.0.map(|channel| (0.4 * f32::from(channel) + 0.6 * 255.0) as u8))
}
