//! Numbers as people write them: `0.02`, `1500`, `1e-5`.

use super::Scale;

/// Twelve digits: what is left of a tick once the error of its sum is rounded away.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse::<f64>().unwrap_or(value) + 0.0
}

/// Labels of the ticks of one axis, written alike: with powers of ten as soon as one needs them. On a linear axis all
/// have as many decimals as the one that needs most.
pub(super) fn labels(values: &[f64], scale: Scale) -> Vec<String> {
    /// Below it, a number is written with powers of ten. Learning rates are read by their exponents.
    fn smallest(scale: Scale) -> f64 {
        match scale {
            Scale::Linear => 1e-4,
            Scale::Log => 1e-2,
        }
    }
    let values: Vec<f64> = values.iter().copied().map(rounded).collect();
    let is_plain = |v: f64| v == 0.0 || (smallest(scale) * 0.999..1e6).contains(&v.abs());
    if !values.iter().copied().all(is_plain) {
        return values.iter().map(|v| if *v == 0.0 { "0".to_owned() } else { format!("{v:e}") }).collect();
    }
    let decimals = |v: &f64| v.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len());
    match scale {
        Scale::Linear => {
            let decimals = values.iter().map(decimals).max().unwrap_or(0);
            values.iter().map(|v| format!("{v:.decimals$}")).collect()
        }
        Scale::Log => values.iter().map(f64::to_string).collect(),
    }
}

/// A number with three digits, such as `0.0123` or `1.23e-5`.
pub fn short(value: f64) -> String {
    let rounded = format!("{value:.2e}").parse().unwrap_or(value);
    let is_plain = rounded == 0.0 || (1e-3..1e6).contains(&rounded.abs()) || !rounded.is_finite();
    if is_plain { rounded.to_string() } else { format!("{rounded:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_written_alike() {
        let cases: [(&[f64], Scale, &[&str]); 7] = [
            (&[0.0, 0.02, 0.02 * 3.0, 0.1], Scale::Linear, &["0.00", "0.02", "0.06", "0.10"]),
            (&[-500.0, 0.0, 1500.0], Scale::Linear, &["-500", "0", "1500"]),
            (&[0.0, 2e-5, 1.5e-4], Scale::Linear, &["0", "2e-5", "1.5e-4"]),
            (&[0.0, 2e6], Scale::Linear, &["0", "2e6"]),
            (&[1e-5, 1e-4, 1e-3, 1.0], Scale::Log, &["1e-5", "1e-4", "1e-3", "1e0"]),
            (&[0.01, 0.1, 1.0, 10.0], Scale::Log, &["0.01", "0.1", "1", "10"]),
            (&[], Scale::Log, &[]),
        ];
        for (values, scale, expected) in cases {
            assert_eq!(labels(values, scale), expected);
        }
    }

    #[test]
    fn a_short_number_has_three_digits() {
        let cases = [
            (0.012_345, "0.0123"),
            (0.000_012_345, "1.23e-5"),
            (1_234.5, "1230"),
            (0.0, "0"),
            (2e7, "2e7"),
            (0.1 + 0.2, "0.3"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected);
        }
    }
}
