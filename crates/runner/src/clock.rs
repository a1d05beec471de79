//! Times as they are written: UTC in records and names of runs, the local time of day in messages; and a pause.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline_stage::{Cancel, Cancelled};

/// Seconds since 1970-01-01 UTC; 0 for a clock that is set before that.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Nanoseconds since 1970-01-01 UTC; 0 for a clock that is set before that.
pub(crate) fn unix_nanoseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// `20261125T045500Z`: sorts by time, and is a file name everywhere.
pub(crate) fn stamp(unix_seconds: u64) -> String {
    format(unix_seconds, "%Y%m%dT%H%M%SZ", TimeZone::UTC)
}

/// `20261125T045500Z-3e7b2c3d`: the name of what begins now. Sorts by time, to the millisecond, which the first three digits
/// after the second are; two may begin in one, and in one process.
pub(crate) fn new_name() -> String {
    let now = unix_nanoseconds().unsigned_abs();
    let id = (now as u32 ^ std::process::id().rotate_left(10)) & 0xf_ffff;
    format!("{}-{:03x}{id:05x}", stamp(now / 1_000_000_000), now / 1_000_000 % 1_000)
}

/// `14:02:11`, in the machine's time zone.
pub(crate) fn time_of_day(unix_seconds: u64) -> String {
    format(unix_seconds, "%H:%M:%S", TimeZone::system())
}

/// `2026-11-25 14:02:11`, in the machine's time zone.
pub(crate) fn date_and_time(unix_seconds: u64) -> String {
    format(unix_seconds, "%Y-%m-%d %H:%M:%S", TimeZone::system())
}

/// `2026-11-25T04:55:00Z`.
pub(crate) fn rfc3339(unix_seconds: u64) -> String {
    format(unix_seconds, "%Y-%m-%dT%H:%M:%SZ", TimeZone::UTC)
}

/// This moment as `2026-11-25T04:55:00.123Z`.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn format(unix_seconds: u64, form: &str, zone: TimeZone) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.to_zoned(zone).strftime(form).to_string()
}

/// Waits, and ends with the run.
///
/// # Errors
/// [`Cancelled`] when the run was asked to stop.
pub(crate) fn pause(duration: Duration, cancel: &Cancel) -> Result<(), Cancelled> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        cancel.check()?;
        std::thread::sleep(Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_the_time_they_were_made_at() {
        let made: Vec<String> = (0..5)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                new_name()
            })
            .collect();
        assert!(made.is_sorted() && made.iter().all(|name| name.len() == 25), "{made:?}");
    }

    #[test]
    fn times_are_written_in_utc() {
        // `date -u -d @1795582500 +%FT%TZ`
        assert_eq!(rfc3339(1_795_582_500), "2026-11-25T04:55:00Z");
        assert_eq!(stamp(1_795_582_500), "20261125T045500Z");
        let now = now();
        assert_eq!((now.len(), &now[19..20], &now[23..]), (24, ".", "Z"), "{now}");
    }
}
