//! [`Range`]: which values an axis shows, where each stands, and which have ticks.

use super::{Axis, Scale, number};

/// What is within this many powers of ten of `f64`'s limits is left out, so that sums and steps stay finite.
const LARGEST: f64 = 1e300;
const SMALLEST: f64 = 1e-290;

impl Scale {
    /// Whether a value has a place on such an axis.
    pub(super) fn shows(self, value: f64) -> bool {
        match self {
            Scale::Linear => value.abs() <= LARGEST,
            Scale::Log => (SMALLEST..=LARGEST).contains(&value),
        }
    }

    /// The value in the unit in which the axis is even.
    fn even(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        }
    }
}

impl Axis {
    /// The value that stands for a value on the axis: itself, or the axis's floor; `None` where it has no place.
    pub(super) fn shown(&self, value: f64) -> Option<f64> {
        let floor = self.floor.filter(|floor| self.scale.shows(*floor));
        self.scale.shows(value).then(|| value.max(floor.unwrap_or(value)))
    }
}

/// The values between the ends of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    scale: Scale,
    /// The ends, as [`Scale::even`] has them; `low` < `high`.
    low: f64,
    high: f64,
}

/// A value that the axis names, or, without a label, one between.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// 0 to 1.
    pub(super) at: f64,
    pub(super) label: Option<String>,
}

impl Range {
    /// From the smallest to the largest value that the scale shows, and `margin` times the distance on both sides, though
    /// not across 0. Values that are equal stand in the middle; without values, 0 to 1, or 1 to 10.
    pub(super) fn of(scale: Scale, values: impl Iterator<Item = f64>, margin: f64) -> Range {
        let values = values.filter(|v| scale.shows(*v)).map(|v| scale.even(v));
        let Some((low, high)) = values.fold(None, |ends: Option<(f64, f64)>, v| {
            Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
        }) else {
            return Range { scale, low: 0.0, high: 1.0 };
        };
        let largest = low.abs().max(high.abs());
        // Closer together, their ticks would have more digits than a reader takes in.
        if high - low <= 1e-9 * largest || largest < SMALLEST {
            let around = match scale {
                Scale::Linear if largest < SMALLEST => 1.0,
                Scale::Linear => 0.1 * largest,
                Scale::Log => 0.5,
            };
            return Range { scale, low: low - around, high: high + around };
        }
        let pad = margin * (high - low);
        let is_linear = scale == Scale::Linear;
        let padded_low = if is_linear && low >= 0.0 { (low - pad).max(0.0) } else { low - pad };
        let padded_high = if is_linear && high <= 0.0 { (high + pad).min(0.0) } else { high + pad };
        Range { scale, low: padded_low, high: padded_high }
    }

    /// 0 at the low end, 1 at the high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        (self.scale.even(value) - self.low) / (self.high - self.low)
    }

    /// About `count` ticks with labels, and on a logarithmic axis some without between them, in order.
    pub(super) fn ticks(&self, count: usize) -> Vec<Tick> {
        let (named, between) = match self.scale {
            Scale::Linear => (steps(self.low, self.high, count), Vec::new()),
            Scale::Log => self.log_ticks(count),
        };
        let labels = number::labels(&named, self.scale).into_iter().map(Some);
        let mut ticks: Vec<Tick> = named
            .iter()
            .zip(labels)
            .chain(between.iter().map(|v| (v, None)))
            .map(|(value, label)| Tick { at: self.place(*value), label })
            .filter(|tick| (-1e-9..=1.0 + 1e-9).contains(&tick.at))
            .collect();
        ticks.sort_by(|a, b| a.at.total_cmp(&b.at));
        ticks
    }

    /// Values with and without a label: powers of ten; where those are few, also 2 and 5 times them; where even those
    /// are, the ticks of a linear axis.
    fn log_ticks(&self, count: usize) -> (Vec<f64>, Vec<f64>) {
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        let multiples = |of: &[u8], stride: i32| -> Vec<f64> {
            let decades = decades.clone().filter(|k| k.rem_euclid(stride) == 0);
            let values = decades.flat_map(|k| of.iter().map(move |m| f64::from(*m) * 10_f64.powi(k)));
            values.filter(|v| (0.0..=1.0).contains(&self.place(*v))).collect()
        };
        let powers = multiples(&[1], 1).len();
        if powers >= 3 {
            let stride = powers.div_ceil(count.max(1)) as i32;
            let between =
                if stride == 1 { multiples(&[2, 3, 4, 5, 6, 7, 8, 9], 1) } else { multiples(&[1], 1) };
            return (multiples(&[1], stride), between);
        }
        let named = multiples(&[1, 2, 5], 1);
        if (3..=count.max(3)).contains(&named.len()) {
            return (named, multiples(&[3, 4, 6, 7, 8, 9], 1));
        }
        (steps(10_f64.powf(self.low), 10_f64.powf(self.high), count), Vec::new())
    }
}

/// Multiples of 1, 2 or 5 times a power of ten between two values, at most `count` and one more.
fn steps(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high - low) / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough * 0.999_999);
    let step = step.unwrap_or(rough);
    // As whole multiples: adding up would add up errors.
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    (0..=(last - first).max(0.0) as usize).map(|k| (first + k as f64) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: Range, count: usize) -> Vec<String> {
        range.ticks(count).into_iter().filter_map(|tick| tick.label).collect()
    }

    /// log10: -4, -3, -2.
    #[test]
    fn on_a_log_axis_equal_ratios_are_equally_far_apart() {
        let range = Range::of(Scale::Log, [1e-4, 1e-2].into_iter(), 0.0);
        for (value, expected) in [(1e-4, 0.0), (1e-3, 0.5), (1e-2, 1.0), (2e-4, 2_f64.log10() / 2.0)] {
            assert!((range.place(value) - expected).abs() < 1e-6, "{value}: {}", range.place(value));
        }
        assert_eq!(labels(range, 8), ["1e-4", "1e-3", "1e-2"]);
        let middle = range.ticks(8).into_iter().find(|tick| tick.label.as_deref() == Some("1e-3")).unwrap();
        assert!((middle.at - 0.5).abs() < 1e-12, "{middle:?}");
        assert_eq!(range.ticks(8).len(), 3 + 16, "2 to 9 in each of two decades");
    }

    #[test]
    fn ticks_of_a_linear_axis_are_round_numbers() {
        let cases: [(f64, f64, usize, &[&str]); 4] = [
            (0.0, 0.1, 5, &["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]),
            (0.0, 1437.0, 8, &["0", "200", "400", "600", "800", "1000", "1200", "1400"]),
            (-0.3, 0.3, 6, &["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"]),
            (
                1e12,
                1e12 + 4e4,
                4,
                &["1e12", "1.00000001e12", "1.00000002e12", "1.00000003e12", "1.00000004e12"],
            ),
        ];
        for (low, high, count, expected) in cases {
            assert_eq!(labels(Range::of(Scale::Linear, [low, high].into_iter(), 0.0), count), expected);
        }
    }

    #[test]
    fn a_short_log_axis_has_ticks_too() {
        let ticks = |low, high| labels(Range::of(Scale::Log, [low, high].into_iter(), 0.0), 8);
        assert_eq!(ticks(0.05, 1.2), ["0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(
            ticks(0.03, 0.045),
            ["0.03", "0.032", "0.034", "0.036", "0.038", "0.04", "0.042", "0.044"]
        );
        assert_eq!(ticks(1e-40, 1.0).len(), 7, "every 6th power: {:?}", ticks(1e-40, 1.0));
    }

    /// By hand: 10 % of 2 to 6 is 0.4; below 0 only where a value is.
    #[test]
    fn a_margin_does_not_cross_zero() {
        let ends = |low, high| {
            let range = Range::of(Scale::Linear, [high, low].into_iter(), 0.1);
            (range.low, range.high)
        };
        assert_eq!(ends(2.0, 6.0), (1.6, 6.4));
        assert_eq!(ends(0.0, 4.0), (0.0, 4.4));
        assert_eq!(ends(-4.0, 0.0), (-4.4, 0.0));
        assert_eq!(ends(-1.0, 9.0), (-2.0, 10.0));
    }

    #[test]
    fn equal_and_missing_values_have_a_range() {
        let range = |scale, values: &[f64]| Range::of(scale, values.iter().copied(), 0.05);
        for (scale, value) in
            [(Scale::Linear, 7.0), (Scale::Linear, 0.0), (Scale::Linear, -1e300), (Scale::Log, 3e-5)]
        {
            let range = range(scale, &[value, value]);
            assert!((range.place(value) - 0.5).abs() < 1e-9, "{value}: {range:?}");
            assert!(range.ticks(6).len() >= 2, "{value}: {:?}", range.ticks(6));
        }
        assert_eq!(labels(range(Scale::Linear, &[f64::NAN, f64::INFINITY]), 2), ["0.0", "0.5", "1.0"]);
        assert!(labels(range(Scale::Log, &[0.0, -1.0]), 5).len() >= 2);
        assert!(range(Scale::Linear, &[0.0, f64::MIN_POSITIVE / 2.0]).ticks(6).len() >= 2);
        assert!(range(Scale::Log, &[1e-290, 1e300]).ticks(6).len() >= 2);
        assert!(range(Scale::Linear, &[-1e300, 1e300]).ticks(6).len() >= 2);
    }
}
