//! [`Shape`]: outlines as dense polygons, made from ellipses, smooth curves and limbs.
//!
//! Polygons rather than Bezier paths, because fur needs to walk along an outline.

use tiny_skia::{Path, PathBuilder};

/// A point: x to the right, y down, in the units of the canvas.
pub(crate) type Point = (f32, f32);

/// An outline, closed unless it is used as a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// In order along the outline.
    pub(crate) points: Vec<Point>,
}

/// Points that a smooth curve has between two of its given points.
const STEPS: usize = 10;

impl Shape {
    /// An ellipse of radii `rx` and `ry` around `centre`, turned by `degrees` clockwise.
    pub(crate) fn ellipse(centre: Point, rx: f32, ry: f32, degrees: f32) -> Shape {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let points = (0..48)
            .map(|i| {
                let (s, c) = (i as f32 / 48.0 * std::f32::consts::TAU).sin_cos();
                let (x, y) = (rx * c, ry * s);
                (centre.0 + x * cos - y * sin, centre.1 + x * sin + y * cos)
            })
            .collect();
        Shape { points }
    }

    /// A circle.
    pub(crate) fn circle(centre: Point, radius: f32) -> Shape {
        Shape::ellipse(centre, radius, radius, 0.0)
    }

    /// Straight edges.
    pub(crate) fn polygon(points: &[Point]) -> Shape {
        Shape { points: points.to_vec() }
    }

    /// A rectangle from its left upper to its right lower corner.
    pub(crate) fn rect(from: Point, to: Point) -> Shape {
        Shape::polygon(&[from, (to.0, from.1), to, (from.0, to.1)])
    }

    /// A closed smooth curve through the points (uniform Catmull-Rom).
    pub(crate) fn blob(points: &[Point]) -> Shape {
        let n = points.len();
        let at = |i: usize| points[i % n];
        let curve = (0..n).flat_map(|i| span(at(i + n - 1), at(i), at(i + 1), at(i + 2))).collect();
        Shape { points: curve }
    }

    /// A blob that is its own mirror image: the points of the right half from top to bottom, x from the
    /// axis `x = 0`.
    pub(crate) fn mirrored(right: &[Point]) -> Shape {
        let left = right.iter().rev().filter(|p| p.0 != 0.0).map(|p| (-p.0, p.1));
        Shape::blob(&right.iter().copied().chain(left).collect::<Vec<_>>())
    }

    /// An open smooth curve through the points; not to be filled.
    pub(crate) fn curve(points: &[Point]) -> Shape {
        let at = |i: usize| points[i.min(points.len() - 1)];
        let mut curve: Vec<Point> = (0..points.len().saturating_sub(1))
            .flat_map(|i| span(at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2)))
            .collect();
        curve.extend(points.last());
        Shape { points: curve }
    }

    /// A limb along a smooth curve, `root` wide at its start and `tip` wide at its end, which is round.
    pub(crate) fn limb(points: &[Point], root: f32, tip: f32) -> Shape {
        let spine = Shape::curve(points).points;
        let last = spine.len().saturating_sub(1);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (i, &(x, y)) in spine.iter().enumerate() {
            let (before, after) = (spine[i.saturating_sub(1)], spine[(i + 1).min(last)]);
            let (dx, dy) = (after.0 - before.0, after.1 - before.1);
            let length = dx.hypot(dy).max(1e-6);
            let half = 0.5 * (root + (tip - root) * i as f32 / last.max(1) as f32);
            let (nx, ny) = (-dy / length * half, dx / length * half);
            left.push((x + nx, y + ny));
            right.push((x - nx, y - ny));
        }
        if let (Some(&from), Some(&to), Some(&end)) = (left.last(), right.last(), spine.last()) {
            left.extend(cap(from, to, end));
        }
        left.extend(right.into_iter().rev());
        Shape { points: left }
    }

    /// Left, top, right, bottom.
    pub(crate) fn bounds(&self) -> (f32, f32, f32, f32) {
        let mut bounds = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        for &(x, y) in &self.points {
            bounds = (bounds.0.min(x), bounds.1.min(y), bounds.2.max(x), bounds.3.max(y));
        }
        bounds
    }

    /// For tiny-skia; `None` when there is nothing to draw.
    pub(crate) fn path(&self, closed: bool) -> Option<Path> {
        let (first, rest) = self.points.split_first()?;
        let mut builder = PathBuilder::new();
        builder.move_to(first.0, first.1);
        for point in rest {
            builder.line_to(point.0, point.1);
        }
        if closed {
            builder.close();
        }
        builder.finish()
    }
}

/// The points of a Catmull-Rom curve from `b` (included) to `c` (not), with the neighbours `a` and `d`.
fn span(a: Point, b: Point, c: Point, d: Point) -> impl Iterator<Item = Point> {
    (0..STEPS).map(move |step| {
        let t = step as f32 / STEPS as f32;
        let along = |a: f32, b: f32, c: f32, d: f32| {
            let cubic = (3.0 * b - a - 3.0 * c + d) * t * t * t;
            let square = (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t;
            0.5 * (2.0 * b + (c - a) * t + square + cubic)
        };
        (along(a.0, b.0, c.0, d.0), along(a.1, b.1, c.1, d.1))
    })
}

/// Half a circle around `centre` from `from` to `to`, on the side that follows clockwise on screen backwards.
fn cap(from: Point, to: Point, centre: Point) -> impl Iterator<Item = Point> {
    let start = (from.1 - centre.1).atan2(from.0 - centre.0);
    let radius = 0.5 * (from.0 - to.0).hypot(from.1 - to.1);
    (1..6).map(move |i| {
        let (sin, cos) = (start - std::f32::consts::PI * i as f32 / 6.0).sin_cos();
        (centre.0 + radius * cos, centre.1 + radius * sin)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_passes_through_its_points() {
        let given = [(0.0, -1.0), (2.0, 0.5), (0.5, 3.0), (-1.5, 0.0)];
        let blob = Shape::blob(&given);
        assert!(given.iter().all(|p| blob.points.contains(p)), "found {:?}", blob.points);
    }

    #[test]
    fn an_ellipse_has_its_radii_along_x_and_y() {
        let (left, top, right, bottom) = Shape::ellipse((1.0, 2.0), 3.0, 5.0, 0.0).bounds();
        for (found, expected) in [(left, -2.0), (top, -3.0), (right, 4.0), (bottom, 7.0)] {
            assert!((found - expected).abs() < 1e-5, "found {found}, expected {expected}");
        }
    }

    #[test]
    fn a_limb_is_as_wide_as_asked_and_ends_round() {
        let (left, top, right, bottom) = Shape::limb(&[(0.0, 0.0), (0.0, 4.0)], 2.0, 1.0).bounds();
        assert!((left + 1.0).abs() < 1e-5 && (right - 1.0).abs() < 1e-5, "found {left} to {right}");
        assert!(top.abs() < 1e-5 && (bottom - 4.5).abs() < 1e-5, "found {top} to {bottom}");
    }

    #[test]
    fn a_mirrored_blob_is_its_own_mirror_image() {
        let (left, _, right, _) =
            Shape::mirrored(&[(0.0, -1.0), (0.7, 0.2), (0.4, 0.9), (0.0, 1.0)]).bounds();
        assert!((left + right).abs() < 1e-6, "found {left} and {right}");
    }
}
