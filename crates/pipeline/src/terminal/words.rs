//! Numbers in words: durations and sizes; counts are the stages' own.

pub(crate) use pipeline_stage::words::count;

/// A duration as people say it: `0.6 s`, `9m 02 s`, `1h 03m`.
pub(crate) fn duration(seconds: f64) -> String {
    // From here on it would be rounded to `60.0 s`.
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{}m {:02} s", whole / 60, whole % 60)
    } else {
        format!("{}h {:02}m", whole / 3600, whole % 3600 / 60)
    }
}

/// A size in powers of 1,000: `812 B`, `4.1 MB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = ["kB", "MB", "GB", "TB"].iter();
    let mut unit = units.next().unwrap_or(&"kB");
    while value >= 999.95
        && let Some(next) = units.next()
    {
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// So many of `unit`, without the unit where that is said behind: `4,000`, `4.1 MB`.
pub(crate) fn amount(n: u64, unit: &str) -> String {
    if unit == "bytes" { size(n) } else { count(n) }
}

/// So many of `unit` in a second: `46 photos/s`, `0.4 photos/s`, `4.1 MB/s`.
pub(crate) fn rate(per_second: f64, unit: &str) -> String {
    match unit {
        "bytes" => format!("{}/s", size(per_second as u64)),
        _ if per_second < 9.95 => format!("{per_second:.1} {unit}/s"),
        _ => format!("{} {unit}/s", count(per_second.round() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_unit_and_two_digits_at_least() {
        assert_eq!(rate(0.42, "photos"), "0.4 photos/s");
        assert_eq!(rate(45.6, "photos"), "46 photos/s");
        assert_eq!(rate(12_345.0, "files"), "12,345 files/s");
        assert_eq!(rate(4_096_000.0, "bytes"), "4.1 MB/s");
    }

    #[test]
    fn durations_grow_from_seconds_to_hours() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(59.94), "59.9 s");
        assert_eq!(duration(59.96), "1m 00 s");
        assert_eq!(duration(542.0), "9m 02 s");
        assert_eq!(duration(3780.0), "1h 03m");
    }

    #[test]
    fn sizes_are_in_powers_of_a_thousand() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(4_096), "4.1 kB");
        assert_eq!(size(999_990), "1.0 MB");
        assert_eq!(size(5_000_000_000_000_000), "5000.0 TB");
    }
}
