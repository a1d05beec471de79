//! [`Suggestion`]: the ways to read a learning rate off the finder's curve, those of fastai 2.8
//! (`fastai/callback/schedule.py`).

use pipeline_stage::Hint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finder::{Curve, Point};

/// Points that fastai's `lr_find` leaves out at the end.
const SKIPS_LAST: usize = 5;
/// It leaves out this part of the steps at the beginning: a tenth, rounded down.
const SKIPS_FIRST_OF: u64 = 10;
/// Points between the two gradients that `slide` compares (`lr_diff`).
const SLIDE_POINTS: usize = 15;
/// `slide` moves on while the gradients differ by more than this (`thresh`).
const SLIDE_THRESHOLD: f64 = 0.005;
/// `minimum` takes this part of the rate with the lowest loss.
const BELOW_MINIMUM: f64 = 10.0;
/// The fewest points that the other ways are asked about: a fall, a bottom and a rise.
const FEWEST: usize = 3;

/// A way to read a learning rate off the finder's curve. Each sees what it sees in fastai: the averaged losses
/// without the first tenth of the steps and without the last 5 points, up to the first that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suggestion {
    /// Half way through the middle third of the longest decreasing subsequence of losses.
    Valley,
    /// Where the loss stops to change, seen from the right: two gradients (of the loss by the step) 15 points apart
    /// move left while they differ by more than 0.005; the rate at the left one.
    Slide,
    /// A tenth of the rate with the lowest loss.
    Minimum,
    /// Where the loss falls fastest: the least d(loss)/d(log rate).
    Steep,
}

/// Why a curve suggests no rate.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoSuggestion {
    /// The finder made too few steps before its end, or before training diverged.
    #[error(
        "cannot suggest a learning rate: found {found} usable points on the curve, expected at least {expected}"
    )]
    TooFewPoints {
        /// Points that are left without the ends of the curve.
        found: usize,
        /// Points that this way needs.
        expected: usize,
    },
    /// No point is below the one before.
    #[error("cannot suggest a learning rate: the loss never falls from one rate to the next")]
    NeverFalls,
    /// The loss is lowest at the first rate.
    #[error("cannot suggest a learning rate: the loss is lowest at the first usable rate, {lr:e}")]
    LowestFirst {
        /// The first rate.
        lr: f64,
    },
}

impl Hint for NoSuggestion {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            NoSuggestion::TooFewPoints { .. } => "let the finder make more steps, or set `lr` to a number",
            NoSuggestion::NeverFalls | NoSuggestion::LowestFirst { .. } => {
                "look at the curve, and set `lr` to a number"
            }
        };
        Some(hint.to_owned())
    }
}

impl Suggestion {
    /// All of them.
    pub const ALL: [Suggestion; 4] =
        [Suggestion::Valley, Suggestion::Slide, Suggestion::Minimum, Suggestion::Steep];

    /// The learning rate that the curve suggests, above 0.
    ///
    /// # Errors
    /// The curve has too few points, or no fall. fastai answers with some rate of the curve there.
    pub fn suggest(&self, curve: &Curve) -> Result<f64, NoSuggestion> {
        let points = usable(curve);
        let expected = if *self == Suggestion::Slide { SLIDE_POINTS + 1 } else { FEWEST };
        if points.len() < expected {
            return Err(NoSuggestion::TooFewPoints { found: points.len(), expected });
        }
        if points.is_sorted_by(|a, b| a.smoothed <= b.smoothed) {
            return Err(NoSuggestion::NeverFalls);
        }
        match self {
            Suggestion::Valley => Ok(valley(points)),
            Suggestion::Slide => Ok(slide(points)),
            Suggestion::Minimum => minimum(points),
            Suggestion::Steep => Ok(steep(points)),
        }
    }
}

/// What fastai's `lr_find` hands on to a suggestion.
fn usable(curve: &Curve) -> &[Point] {
    let points = curve.points();
    let first = usize::try_from(curve.range().steps / SKIPS_FIRST_OF).unwrap_or(usize::MAX);
    let points = points.get(first..points.len().saturating_sub(SKIPS_LAST)).unwrap_or_default();
    let finite = points.iter().take_while(|point| point.smoothed.is_finite()).count();
    &points[..finite]
}

fn valley(points: &[Point]) -> f64 {
    // Greatest last loss of the decreasing subsequences of 1, 2, … points; a point continues all that end above it.
    let mut ends: Vec<f64> = Vec::new();
    let (mut longest, mut end) = (0, 0);
    for (at, point) in points.iter().enumerate() {
        let before = ends.partition_point(|last| *last > point.smoothed);
        match ends.get_mut(before) {
            Some(last) => *last = point.smoothed,
            None => ends.push(point.smoothed),
        }
        if before + 1 > longest {
            (longest, end) = (before + 1, at);
        }
    }
    // As if the subsequence had no gaps. fastai comes out before the first point when the first 2 are all that falls.
    let middle = (end + longest / 3 + longest / 6).saturating_sub(longest);
    points[middle].lr
}

fn slide(points: &[Point]) -> f64 {
    let gradient = gradient(points);
    let mut left = points.len() - 1 - SLIDE_POINTS;
    let mut lr = points[left].lr;
    while (gradient[left + SLIDE_POINTS] - gradient[left]).abs() > SLIDE_THRESHOLD {
        lr = points[left].lr;
        if left == 0 {
            break;
        }
        left -= 1;
    }
    lr
}

/// Central differences of the loss by the step, one-sided at both ends, as `numpy.gradient`: `[points]`.
fn gradient(points: &[Point]) -> Vec<f64> {
    let last = points.len() - 1;
    let slope = |at: usize| {
        let (from, to) = (at.saturating_sub(1), (at + 1).min(last));
        (points[to].smoothed - points[from].smoothed) / (to - from) as f64
    };
    (0..points.len()).map(slope).collect()
}

fn minimum(points: &[Point]) -> Result<f64, NoSuggestion> {
    let lowest = first_least(points.iter().map(|point| point.smoothed));
    if lowest == 0 {
        return Err(NoSuggestion::LowestFirst { lr: points[0].lr });
    }
    Ok(points[lowest].lr / BELOW_MINIMUM)
}

fn steep(points: &[Point]) -> f64 {
    let slope = |pair: &[Point]| (pair[1].smoothed - pair[0].smoothed) / (pair[1].lr.ln() - pair[0].lr.ln());
    points[first_least(points.windows(2).map(slope))].lr
}

/// Index of the least value, the first of equals; 0 when there is none.
fn first_least(values: impl Iterator<Item = f64>) -> usize {
    values.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FinderRange;
    use Suggestion::{Minimum, Slide, Steep, Valley};

    fn curve(steps: u64, loss: impl Fn(f64, f64) -> f64) -> Curve {
        let mut curve = Curve::new(FinderRange::new(steps));
        while let Some(lr) = curve.next_rate() {
            curve.add(loss(curve.points().len() as f64, lr));
        }
        curve
    }

    /// fastai 2.8.1's own functions, on the losses that its `lr_find` gives them:
    ///
    /// ```python
    /// def lesson(k, lr):
    ///     return 0.7 - 0.6 * math.exp(-(math.log(lr / 0.02) ** 2) / 8) + 0.3 * lr * lr + 0.03 * math.cos(k * k)
    /// def noisy(k, lr): return 1.1 - 0.05 * math.log(1 + lr / 1e-3) + 0.08 * math.sin(7 * k) + 2 * lr ** 3
    /// def blocked(k, lr): return 2.5 - 2 * lr / (lr + 0.01) + 0.001 * lr
    /// def bowl(k, lr): return 1 + ((k - 45) / 20) ** 2
    /// for f, steps in ((lesson, 100), (noisy, 250), (blocked, 60), (bowl, 80)):
    ///     avg, best, lrs, losses = 0.0, math.inf, [], []
    ///     for k in range(steps):
    ///         lr = 1e-5 * 1e6 ** (k / steps)
    ///         avg = .98 * avg + .02 * f(k, lr); smooth = avg / (1 - .98 ** (k + 1))
    ///         lrs.append(lr); losses.append(smooth)
    ///         if not math.isfinite(smooth) or smooth > 4 * best: break
    ///         if k >= 10: best = min(best, smooth)
    ///     x, y = (torch.tensor(v[steps // 10:-5], dtype=torch.float64) for v in (lrs, losses))
    ///     print(len(lrs), len(x), [f(x, y, steps)[0] for f in (valley, slide, minimum, steep)])
    /// ```
    #[test]
    fn suggestions_are_those_of_fastai() {
        let square = |x: f64| x * x;
        let lesson = |k: f64, lr: f64| {
            0.7 - 0.6 * (-square((lr / 0.02).ln()) / 8.0).exp() + 0.3 * lr * lr + 0.03 * (k * k).cos()
        };
        let noisy =
            |k: f64, lr: f64| 1.1 - 0.05 * (1.0 + lr / 1e-3).ln() + 0.08 * (7.0 * k).sin() + 2.0 * lr.powi(3);
        let blocked = |_, lr: f64| 2.5 - 2.0 * lr / (lr + 0.01) + 0.001 * lr;
        let bowl = |k: f64, _| 1.0 + square((k - 45.0) / 20.0);
        let cases = [
            (
                curve(100, lesson),
                (98, 83),
                [0.002511886431509581, 0.005754399373371571, 0.013803842646028838, 0.005754399373371571],
            ),
            (
                curve(250, noisy),
                (225, 195),
                [0.02167704104819696, 0.2089296130854039, 0.040550853544838394, 0.1342764961137863],
            ),
            (
                curve(60, blocked),
                (60, 49),
                [0.007943282347242816, 0.015848931924611134, 0.2511886431509581, 0.03981071705534972],
            ),
            (
                curve(80, bowl),
                (80, 67),
                [0.003548133892335754, 3.981071705534973e-5, 0.053088444423098825, 3.981071705534973e-5],
            ),
        ];
        for (curve, points, expected) in cases {
            assert_eq!((curve.points().len(), usable(&curve).len()), points);
            for (suggestion, expected) in [Valley, Slide, Minimum, Steep].into_iter().zip(expected) {
                let found = suggestion.suggest(&curve).unwrap();
                assert!(
                    (found / expected - 1.0).abs() < 1e-9,
                    "{suggestion:?}: {found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn what_comes_after_a_loss_that_is_not_finite_is_not_seen() {
        let mut broken = curve(60, |k, _| 1.0 + ((k - 20.0) / 20.0).powi(2));
        let (whole, points) = (Minimum.suggest(&broken).unwrap(), broken.points().len());
        broken.add(f64::NAN);
        assert_eq!(usable(&broken).len(), points + 1 - 5 - 6);
        for _ in 0..5 {
            broken.add(0.0);
        }
        assert_eq!(usable(&broken).len(), points - 6);
        assert_eq!(Minimum.suggest(&broken).unwrap(), whole);
    }

    #[test]
    fn a_curve_that_is_too_short_or_never_falls_suggests_nothing_and_says_why() {
        // 22 steps: without the first 2 and the last 5 there are 15 points.
        let short = curve(22, |k, _| 2.0 - 0.01 * k);
        assert_eq!(Slide.suggest(&short), Err(NoSuggestion::TooFewPoints { found: 15, expected: 16 }));
        assert!(Valley.suggest(&short).is_ok());
        let rising = curve(60, |k, _| 0.5 + 0.01 * k);
        let empty = curve(7, |k, _| 1.0 - 0.1 * k);
        for suggestion in Suggestion::ALL {
            assert!(matches!(suggestion.suggest(&empty), Err(NoSuggestion::TooFewPoints { found: 2, .. })));
            assert_eq!(suggestion.suggest(&rising), Err(NoSuggestion::NeverFalls), "{suggestion:?}");
        }
        let late = curve(60, |k, _| if k < 30.0 { 0.5 + 0.01 * k } else { 0.5 });
        assert!(matches!(Minimum.suggest(&late), Err(NoSuggestion::LowestFirst { .. })), "{late:?}");
        assert!(Valley.suggest(&late).is_ok());
    }

    /// Points with rates 1, 2, 3, ...
    fn points(smoothed: &[f64]) -> Vec<Point> {
        let point = |(step, &smoothed)| Point { step, lr: (step + 1) as f64, loss: smoothed, smoothed };
        (0..).zip(smoothed).map(point).collect()
    }

    #[test]
    fn the_valley_falls_strictly_and_the_first_of_the_longest_counts() {
        // By hand: 3, 2, 1 are 3 points that end at index 6, so 6 - 3 + 1 + 0 = 4: the fifth rate.
        assert_eq!(valley(&points(&[3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 4.0])), 5.0);
        // By hand: 3, 2, 1 end at index 2; 6, 5, 4 after them are no longer: 2 - 3 + 1 + 0 = 0.
        assert_eq!(valley(&points(&[3.0, 2.0, 1.0, 6.0, 5.0, 4.0])), 1.0);
    }

    #[test]
    fn a_fall_of_two_points_at_the_very_start_is_at_the_first_rate() {
        // fastai would take index 1 - 2 = -1, which is the last.
        assert_eq!(valley(&points(&[0.5, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1])), 1.0);
    }

    #[test]
    fn each_reason_has_a_text_and_a_way_out() {
        let few = NoSuggestion::TooFewPoints { found: 2, expected: 16 };
        let texts = [few, NoSuggestion::NeverFalls, NoSuggestion::LowestFirst { lr: 2.5e-5 }]
            .map(|reason| (reason.to_string(), reason.hint().unwrap()));
        let expected = [
            (
                "cannot suggest a learning rate: found 2 usable points on the curve, expected at least 16",
                "let the finder make more steps, or set `lr` to a number",
            ),
            (
                "cannot suggest a learning rate: the loss never falls from one rate to the next",
                "look at the curve, and set `lr` to a number",
            ),
            (
                "cannot suggest a learning rate: the loss is lowest at the first usable rate, 2.5e-5",
                "look at the curve, and set `lr` to a number",
            ),
        ]
        .map(|(text, hint)| (text.to_owned(), hint.to_owned()));
        assert_eq!(texts, expected);
    }

    #[test]
    fn suggestions_are_written_in_snake_case() {
        let words = Suggestion::ALL.map(|suggestion| serde_json::to_string(&suggestion).unwrap());
        assert_eq!(words, [r#""valley""#, r#""slide""#, r#""minimum""#, r#""steep""#]);
    }
}
