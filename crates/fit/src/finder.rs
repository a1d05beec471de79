//! The learning-rate finder's arithmetic: the rates to try ([`FinderRange`]), the curve that they make ([`Curve`]),
//! when to stop. Which rate to take is read off the curve by a [`Suggestion`](crate::Suggestion).

use crate::DebiasedAverage;

/// Training has diverged when the averaged loss exceeds its best this many times (the lesson's recipe).
const DIVERGED: f64 = 4.0;
/// The best counts from this step on, the first being 0: the first averages are of few losses (the lesson's recipe).
const BEST_FROM: u64 = 10;
/// Points that the lesson's plot leaves out at the beginning.
const PLOT_SKIPS_FIRST: usize = 10;
/// Points that the lesson's plot leaves out at the end, where the loss explodes.
const PLOT_SKIPS_LAST: usize = 6;

/// Learning rates that grow by the same factor from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinderRange {
    /// The rate of the first step, above 0.
    pub start: f64,
    /// The rate that the step after the last would have.
    pub end: f64,
    /// Steps, at most those of one epoch in the lesson.
    pub steps: u64,
}

impl FinderRange {
    /// The lesson's range: 1e-5 to 10.
    pub fn new(steps: u64) -> Self {
        FinderRange { start: 1e-5, end: 10.0, steps }
    }

    /// The rate of step k, from 0: start · (end/start)^(k/steps).
    pub fn rate(&self, k: u64) -> f64 {
        self.start * (self.end / self.start).powf(k as f64 / self.steps as f64)
    }
}

/// One step of the finder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From 0.
    pub step: u64,
    /// Learning rate of the step; of the last layer group where there are several.
    pub lr: f64,
    /// Loss of the step's batch, before its update.
    pub loss: f64,
    /// Debiased exponential average of the losses so far.
    pub smoothed: f64,
}

/// The losses of growing learning rates.
///
/// ```
/// use pipeline_fit::{Curve, FinderRange};
/// let mut curve = Curve::new(FinderRange::new(30));
/// while let Some(lr) = curve.next_rate() {
///     let loss = 0.7 - 0.5 * lr.min(0.1) + lr * lr; // in earnest: a training step at this rate
///     curve.add(loss);
/// }
/// assert!(curve.diverged());
/// ```
#[derive(Debug, Clone)]
pub struct Curve {
    range: FinderRange,
    average: DebiasedAverage,
    best: f64,
    diverged: bool,
    points: Vec<Point>,
}

impl Curve {
    /// A curve of no steps yet.
    pub fn new(range: FinderRange) -> Self {
        let average = DebiasedAverage::new();
        Curve { range, average, best: f64::INFINITY, diverged: false, points: Vec::new() }
    }

    /// The rate of the next step; `None` when all steps are done or training has diverged.
    pub fn next_rate(&self) -> Option<f64> {
        let step = self.points.len() as u64;
        (!self.diverged && step < self.range.steps).then(|| self.range.rate(step))
    }

    /// Takes the loss of the step at [`Curve::next_rate`]. The loss with which training diverges becomes a point too.
    pub fn add(&mut self, loss: f64) {
        let step = self.points.len() as u64;
        self.average.add(loss);
        // One loss was just added, so there is an average.
        let smoothed = self.average.value().unwrap_or(loss);
        self.diverged |= !smoothed.is_finite() || smoothed > DIVERGED * self.best;
        if step >= BEST_FROM {
            self.best = self.best.min(smoothed);
        }
        self.points.push(Point { step, lr: self.range.rate(step), loss, smoothed });
    }

    /// Whether the averaged loss was not finite, or above 4 times its best; the best counts from step 10 on.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// The rates that were to be tried.
    pub fn range(&self) -> FinderRange {
        self.range
    }

    /// All points in order.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The points of the lesson's plot: without the first 10 and the last 6. Empty where there are 16 or fewer.
    pub fn trimmed(&self) -> &[Point] {
        let end = self.points.len().saturating_sub(PLOT_SKIPS_LAST);
        self.points.get(PLOT_SKIPS_FIRST..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve of these losses, as far as the finder goes.
    fn curve(steps: u64, loss: impl Fn(u64) -> f64) -> Curve {
        let mut curve = Curve::new(FinderRange::new(steps));
        while curve.next_rate().is_some() {
            curve.add(loss(curve.points().len() as u64));
        }
        curve
    }

    #[test]
    fn rates_grow_by_the_same_factor_from_1e_5_towards_10() {
        // By hand: six powers of ten in 60 steps.
        let range = FinderRange::new(60);
        for (k, expected) in [(0, 1e-5), (10, 1e-4), (30, 1e-2), (60, 10.0), (5, 10_f64.powf(-4.5))] {
            let rate = range.rate(k);
            assert!((rate / expected - 1.0).abs() < 1e-12, "{k}: found {rate}, expected {expected}");
        }
        let steep = FinderRange { start: 0.5, end: 8.0, steps: 2 };
        assert_eq!([0, 1, 2].map(|k| steep.rate(k)), [0.5, 2.0, 8.0]);
    }

    #[test]
    fn each_step_is_a_point_with_the_debiased_average() {
        let curve = curve(2, |k| [1.0, 3.0][k as usize]);
        let points = curve.points();
        // By hand: .0796 / .0396, as in `average`.
        let expected = [(0, 1e-5, 1.0, 1.0), (1, 1e-2, 3.0, 0.0796 / 0.0396)];
        for (point, (step, lr, loss, smoothed)) in points.iter().zip(expected) {
            assert_eq!((point.step, point.loss), (step, loss));
            assert!((point.lr / lr - 1.0).abs() < 1e-12, "{point:?}");
            assert!((point.smoothed - smoothed).abs() < 1e-12, "{point:?}, expected {smoothed}");
        }
        assert_eq!((points.len(), curve.next_rate(), curve.diverged()), (2, None, false));
    }

    #[test]
    fn the_finder_stops_above_4_times_the_best_average_that_counts_from_step_10_on() {
        // By hand, with averages of 1 up to step 20 and a loss of x then:
        // (1 - .98^21 - .02 + .02 x) / (1 - .98^21) > 4, so x > 1 + 150 (1 - .98^21) = 52.86.
        let stops_at = |x: f64| curve(40, |k| if k < 20 { 1.0 } else { x }).points().len();
        assert_eq!((stops_at(52.9), stops_at(52.8)), (21, 22));
        // A low average before step 10 is no best.
        let early = curve(40, |k| if k == 0 { 0.01 } else { 1.0 });
        assert_eq!((early.points().len(), early.diverged()), (40, false));
        // At step 10 it is one: by hand, the average of step 11 is .01 + .99 · .02 / (1 - .98^12) = .10, above 4 · .01.
        let late = curve(40, |k| if k <= 10 { 0.01 } else { 1.0 });
        assert_eq!((late.points().len(), late.diverged()), (12, true), "{late:?}");
    }

    #[test]
    fn a_loss_that_is_not_finite_stops_the_finder_and_is_the_last_point() {
        for loss in [f64::NAN, f64::INFINITY] {
            let curve = curve(40, |k| if k == 7 { loss } else { 1.0 });
            assert_eq!((curve.points().len(), curve.diverged(), curve.next_rate()), (8, true, None));
            assert!(!curve.points()[7].smoothed.is_finite());
        }
    }

    #[test]
    fn the_plot_leaves_out_the_first_10_and_the_last_6_points() {
        for (steps, expected) in [(0, 0..0), (9, 0..0), (16, 0..0), (17, 10..11), (30, 10..24)] {
            let curve = curve(steps, |_| 1.0);
            let steps: Vec<u64> = curve.trimmed().iter().map(|point| point.step).collect();
            assert_eq!(steps, expected.collect::<Vec<_>>());
        }
    }
}
