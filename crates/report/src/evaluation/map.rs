//! The map of the features: a dot per photo, coloured by class, as SVG.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use minijinja::{Value, context};

use super::number::{count, fixed, percent};
use super::{Evaluation, Insights, MapPoint};

/// Dots of a class are one path of about ten bytes each; more dots than these hide each other.
const MAX_POINTS: usize = 20_000;
/// Rings around wrong photos, each an element with the photo's name.
const MAX_RINGS: usize = 200;
/// Classes that have a colour of their own; the page's style sheet has as many.
const COLOURS: usize = 7;
/// Width of the drawing, in its own units, and a margin around the dots.
const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 14.0;

impl Evaluation {
    /// The map; `None` with fewer than two points that have a place.
    pub(super) fn map(&self, insights: &Insights) -> Option<Value> {
        let all: Vec<&MapPoint> =
            insights.map.iter().filter(|point| point.at.iter().all(|at| at.is_finite())).collect();
        let points: Vec<_> = all.iter().copied().step_by(all.len().div_ceil(MAX_POINTS).max(1)).collect();
        if points.len() < 2 {
            return None;
        }
        let place = Place::of(&points);
        let colours = colours(&points);
        let colour = |point: &MapPoint| point.label.and_then(|label| colours.get(&label).copied());

        let mut paths = vec![String::new(); COLOURS + 1];
        for point in &points {
            let [x, y] = place.at(point);
            // A line of no length with round ends. Writing into a string cannot fail.
            let _ = write!(paths[colour(point).unwrap_or(COLOURS)], "M{x:.0} {y:.0}h0");
        }
        // The rest lies behind what has a colour.
        let paths = paths.into_iter().enumerate().rev().filter(|(_, path)| !path.is_empty());
        let paths = paths.map(|(colour, path)| context! { colour, path }).collect::<Vec<_>>();
        let mut legend: Vec<_> = colours.iter().collect();
        legend.sort_by_key(|(_, colour)| **colour);
        let legend =
            legend.into_iter().map(|(label, colour)| context! { colour, name => self.class(*label) });
        let [across, down] = insights.map_shares;
        Some(context! {
            width => format!("{WIDTH:.0}"),
            height => format!("{:.0}", place.height),
            paths,
            rings => self.rings(&all, &place),
            legend => legend.collect::<Vec<_>>(),
            has_others => points.iter().any(|point| colour(point).is_none()),
            note => format!(
                "Photos whose features are alike lie close together. Across lies {} of what makes them differ, upwards {}.",
                percent(across), percent(down)
            ),
            left_out => (points.len() < all.len()).then(|| {
                format!("{} of {} photos are drawn.", count(points.len() as u64), count(all.len() as u64))
            }),
        })
    }

    /// Around the photos that the model has wrong.
    fn rings(&self, points: &[&MapPoint], place: &Place) -> Vec<Value> {
        let wrong: BTreeSet<&str> =
            self.photos.iter().filter(|photo| photo.is_wrong()).map(|photo| photo.id.as_str()).collect();
        let rings = points.iter().filter(|point| wrong.contains(point.id.as_str()));
        let ring = |point: &&MapPoint| {
            let [x, y] = place.at(point);
            context! { x => fixed(x, 0).replace(',', ""), y => fixed(y, 0).replace(',', ""), id => &point.id }
        };
        rings.take(MAX_RINGS).map(ring).collect()
    }
}

/// The colour of each class that has one: those with the most points, the most first.
fn colours(points: &[&MapPoint]) -> BTreeMap<u32, usize> {
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    for label in points.iter().filter_map(|point| point.label) {
        *sizes.entry(label).or_default() += 1;
    }
    let mut order: Vec<_> = sizes.into_iter().collect();
    order.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    order.truncate(COLOURS);
    // In order of their numbers, as everywhere on the page.
    order.sort_unstable();
    order.into_iter().enumerate().map(|(colour, (label, _))| (label, colour)).collect()
}

/// From features to the drawing, with one scale for both axes.
struct Place {
    scale: f64,
    low: [f64; 2],
    high: [f64; 2],
    height: f64,
}

impl Place {
    fn of(points: &[&MapPoint]) -> Place {
        let along = |axis: usize| points.iter().map(move |point| f64::from(point.at[axis]));
        let low = [0, 1].map(|axis| along(axis).fold(f64::INFINITY, f64::min));
        let high = [0, 1].map(|axis| along(axis).fold(f64::NEG_INFINITY, f64::max));
        let extent = [0, 1].map(|axis| (high[axis] - low[axis]).max(1e-9));
        let room = WIDTH - 2.0 * MARGIN;
        // Not higher than wide, lest it leave the screen.
        let scale = (room / extent[0]).min(0.75 * room / extent[1]);
        let height = (extent[1] * scale).max(0.3 * room) + 2.0 * MARGIN;
        Place { scale, low, high, height }
    }

    /// From the left and the top, the middle in the middle.
    fn at(&self, point: &MapPoint) -> [f64; 2] {
        let from_middle =
            |axis: usize| (f64::from(point.at[axis]) - (self.low[axis] + self.high[axis]) / 2.0) * self.scale;
        [WIDTH / 2.0 + from_middle(0), self.height / 2.0 - from_middle(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: &str, label: Option<u32>, x: f32, y: f32) -> MapPoint {
        MapPoint { id: id.to_owned(), label, at: [x, y] }
    }

    /// By hand: 4 wide and 1 high in 972 are 243 units each; the drawing is 0.3 · 972 + 28 = 319.6 high, since the points
    /// need less.
    #[test]
    fn one_scale_for_both_axes_and_up_is_up() {
        let points = [point("a", None, -1.0, 0.0), point("b", None, 3.0, 1.0)];
        let place = Place::of(&points.iter().collect::<Vec<_>>());
        let [a, b] = [place.at(&points[0]), place.at(&points[1])];
        assert_eq!((a[0], b[0]), (14.0, 986.0));
        assert!((a[1] - b[1] - 243.0).abs() < 1e-9 && (a[1] + b[1] - 319.6).abs() < 1e-6, "{a:?} {b:?}");
    }

    #[test]
    fn points_in_one_place_stand_in_the_middle() {
        let points = [point("a", None, 2.0, 2.0), point("b", None, 2.0, 2.0)];
        let place = Place::of(&points.iter().collect::<Vec<_>>());
        let [x, y] = place.at(&points[0]);
        assert!((x, y) == (500.0, place.height / 2.0), "{x} {y} of {}", place.height);
    }

    #[test]
    fn the_largest_classes_have_the_colours_in_order_of_their_numbers() {
        let labels = (0..9_u32).flat_map(|class| vec![class; if class == 4 || class == 6 { 1 } else { 3 }]);
        let points: Vec<_> = labels.map(|label| point("a", Some(label), 0.0, 0.0)).collect();
        let colours = colours(&points.iter().collect::<Vec<_>>());
        assert_eq!(
            colours.into_iter().collect::<Vec<_>>(),
            [(0, 0), (1, 1), (2, 2), (3, 3), (5, 4), (7, 5), (8, 6)]
        );
    }
}
