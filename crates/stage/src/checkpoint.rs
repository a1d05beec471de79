//! [`CheckpointEvery`]: how often a training writes a checkpoint. A run option, never part of a key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How often a training writes a checkpoint: after so many seconds, or after so many optimiser steps. As text `30s`,
/// `2m`, `1h` or `500 steps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CheckpointEvery {
    /// After so many seconds of training since the last one.
    Seconds(f64),
    /// After so many optimiser steps since the last one.
    Steps(u64),
}

impl Default for CheckpointEvery {
    /// 30 s: a checkpoint takes well under a second, and nobody minds half a minute lost.
    fn default() -> Self {
        CheckpointEvery::Seconds(30.0)
    }
}

impl CheckpointEvery {
    /// Whether a checkpoint is due, `since` and `steps` after the last one (or the start).
    pub fn is_due(self, since: Duration, steps: u64) -> bool {
        match self {
            CheckpointEvery::Seconds(seconds) => since.as_secs_f64() >= seconds,
            CheckpointEvery::Steps(every) => steps >= every,
        }
    }
}

impl fmt::Display for CheckpointEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointEvery::Seconds(seconds) => write!(f, "{seconds}s"),
            CheckpointEvery::Steps(steps) => write!(f, "{steps} steps"),
        }
    }
}

/// Text that is no [`CheckpointEvery`].
#[derive(Debug, thiserror::Error)]
#[error("expected a time or a number of steps above 0, as 30s, 2m, 1h or 500steps, found `{0}`")]
pub struct NotAnInterval(String);

impl FromStr for CheckpointEvery {
    type Err = NotAnInterval;
    fn from_str(text: &str) -> Result<Self, NotAnInterval> {
        let wrong = || NotAnInterval(text.to_owned());
        let trimmed = text.trim();
        let unit_at = trimmed.find(|c: char| c.is_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = (trimmed[..unit_at].trim(), &trimmed[unit_at..]);
        let seconds = |each: f64| number.parse::<f64>().ok().map(|n| CheckpointEvery::Seconds(n * each));
        let every = match unit {
            "s" => seconds(1.0),
            "m" => seconds(60.0),
            "h" => seconds(3600.0),
            "step" | "steps" => number.parse().ok().map(CheckpointEvery::Steps),
            _ => None,
        };
        let is_positive = |every: &CheckpointEvery| match every {
            CheckpointEvery::Seconds(seconds) => seconds.is_finite() && *seconds > 0.0,
            CheckpointEvery::Steps(steps) => *steps > 0,
        };
        every.filter(is_positive).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_steps_are_read_and_written() {
        use CheckpointEvery::{Seconds, Steps};
        for (text, every) in [
            ("30s", Seconds(30.0)),
            ("0.5 s", Seconds(0.5)),
            ("2m", Seconds(120.0)),
            ("1h", Seconds(3600.0)),
            ("500 steps", Steps(500)),
            ("500steps", Steps(500)),
            ("1 step", Steps(1)),
        ] {
            assert_eq!(text.parse::<CheckpointEvery>().unwrap(), every, "{text}");
            assert_eq!(every.to_string().parse::<CheckpointEvery>().unwrap(), every, "{every}");
        }
    }

    #[test]
    fn what_is_no_interval_shows_the_forms() {
        for text in ["", "30", "s", "0s", "-1s", "0 steps", "1.5 steps", "2 days", "1e999s", "30s2"] {
            let error = text.parse::<CheckpointEvery>().unwrap_err();
            let forms = "expected a time or a number of steps above 0, as 30s, 2m, 1h or 500steps";
            assert_eq!(error.to_string(), format!("{forms}, found `{text}`"));
        }
    }

    #[test]
    fn a_checkpoint_is_due_after_the_seconds_or_the_steps_whichever_was_asked_for() {
        let (short, long) = (Duration::from_millis(1999), Duration::from_secs(2));
        let (seconds, steps) = (CheckpointEvery::Seconds(2.0), CheckpointEvery::Steps(3));
        assert_eq!([short, long].map(|since| seconds.is_due(since, 1000)), [false, true]);
        assert_eq!([2, 3].map(|done| steps.is_due(Duration::from_secs(999), done)), [false, true]);
    }
}
