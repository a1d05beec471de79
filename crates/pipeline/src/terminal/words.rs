//! Numbers in words: sizes and rates; counts and durations are the stages' own.

pub(crate) use pipeline_stage::words::{count, duration, listed};

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

/// What stages have of the machine: `2 threads`, `8 threads, 3 stages at a time, 12.0 GB`. Where one runs at a time, nobody
/// asks for the memory.
pub(crate) fn room(threads: usize, jobs: usize, of: &str, memory_bytes: Option<u64>) -> String {
    let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    let jobs = (jobs > 1).then(|| format!("{jobs} {of} at a time"));
    let memory = memory_bytes.filter(|_| jobs.is_some()).map(size);
    [Some(threads), jobs, memory].into_iter().flatten().collect::<Vec<_>>().join(", ")
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
    fn memory_is_said_where_several_share_it() {
        assert_eq!(room(8, 3, "stages", Some(12_000_000_000)), "8 threads, 3 stages at a time, 12.0 GB");
        assert_eq!(room(1, 2, "stages", None), "1 thread, 2 stages at a time");
        assert_eq!(room(4, 1, "stages", Some(5)), "4 threads");
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
