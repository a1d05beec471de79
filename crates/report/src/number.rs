//! Numbers as people read them. What is not a number is an en dash.

use pipeline_fit::{Estimate, Interval};

/// Stands where there is no number.
pub(crate) const NONE: &str = "–";

/// `98.9 %`. Only what is all or nothing reads so: 0.9999 is `>99.9 %`, 0.0001 is `<0.1 %`.
pub(crate) fn percent(share: f64) -> String {
    match share {
        x if !x.is_finite() => NONE.to_owned(),
        x if (0.9995..1.0).contains(&x) => ">99.9\u{a0}%".to_owned(),
        x if x > 0.0 && x < 0.0005 => "<0.1\u{a0}%".to_owned(),
        x => format!("{}\u{a0}%", fixed(100.0 * x, 1)),
    }
}

/// `98.2 to 99.5 %`; empty without an interval.
pub(crate) fn percent_interval(estimate: &Estimate) -> String {
    let words = |i: Interval| between(100.0 * i.low, 100.0 * i.high, 1) + "\u{a0}%";
    estimate.interval.map(words).unwrap_or_default()
}

/// `0.0410 to 0.0605`; empty without an interval.
pub(crate) fn interval(estimate: &Estimate) -> String {
    estimate.interval.map(|i| between(i.low, i.high, 4)).unwrap_or_default()
}

/// `0.041 to 0.060`.
fn between(low: f64, high: f64, decimals: usize) -> String {
    format!("{} to {}", fixed(low, decimals), fixed(high, decimals))
}

/// With so many decimals, and a minus sign where it is below zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let is_zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    // Beyond 2^64 without groups.
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    format!("{sign}{whole}{point}{fraction}")
}

pub(crate) use pipeline_stage::words::count;

/// `1 photo`, `1,234 photos`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{}\u{a0}{}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        let cases = [
            (1.0, "100.0 %"),
            (0.9999, ">99.9 %"),
            (0.9995, ">99.9 %"),
            (0.9994, "99.9 %"),
            (0.989, "98.9 %"),
            (0.0004, "<0.1 %"),
            (0.0, "0.0 %"),
            (f64::NAN, "–"),
        ];
        for (share, expected) in cases {
            assert_eq!(percent(share).replace('\u{a0}', " "), expected, "{share}");
        }
    }

    #[test]
    fn a_number_has_groups_of_three_and_a_minus_sign() {
        assert_eq!(fixed(-1234.567, 2), "−1,234.57");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(f64::INFINITY, 2), "–");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(count(999), "999");
        assert_eq!(counted(1, "photo", "photos"), "1\u{a0}photo");
        assert_eq!(counted(1000, "photo", "photos"), "1,000\u{a0}photos");
    }

    #[test]
    fn an_interval_says_its_unit_once() {
        let of = |low, high| Estimate { value: 0.989, interval: Some(Interval { low, high }) };
        assert_eq!(percent_interval(&of(0.982, 0.995)), "98.2 to 99.5\u{a0}%");
        assert_eq!(interval(&of(0.041, 0.0605)), "0.0410 to 0.0605");
        let without = Estimate::exact(0.989);
        assert_eq!((percent_interval(&without), interval(&without)), (String::new(), String::new()));
    }
}
