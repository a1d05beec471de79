//! [`Direction`]: whether more or less of a metric is better. The one list of the names that stages give to the metrics
//! of their [`Summary`](crate::Summary).

/// Where a metric should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better: accuracies, rates.
    Up,
    /// Less is better: losses, waiting.
    Down,
}

/// The metrics of which it is known. A metric may have more before its name, and a dot: `head.tta.accuracy`.
const DIRECTIONS: &[(&str, Direction)] = &[
    ("accuracy", Direction::Up),
    ("log_loss", Direction::Down),
    ("valid_loss", Direction::Down),
    ("photos_per_second", Direction::Up),
    ("views_per_second", Direction::Up),
    ("waiting", Direction::Down),
    ("decode_seconds", Direction::Down),
    ("trunk_seconds", Direction::Down),
];

impl Direction {
    /// That of the metric `name`; `None` for one that is neither good nor bad, as a number of photos, or not known.
    pub fn of(name: &str) -> Option<Direction> {
        let last = name.rsplit('.').next().unwrap_or(name);
        DIRECTIONS.iter().find(|(known, _)| *known == last).map(|(_, direction)| *direction)
    }

    /// Whether `value` is better than `other`.
    pub fn is_better(self, value: f64, other: f64) -> bool {
        match self {
            Direction::Up => value > other,
            Direction::Down => value < other,
        }
    }

    /// A word for tables and files: `up`, `down`.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_goes_up_and_loss_down_whatever_stands_before_the_name() {
        for (name, direction) in [("accuracy", "up"), ("head.tta.accuracy", "up"), ("head.log_loss", "down")]
        {
            assert_eq!(Direction::of(name).map(Direction::word), Some(direction), "{name}");
        }
        assert_eq!(Direction::of("photos"), None);
        assert_eq!(Direction::of("accuracy.of"), None, "only the last part counts");
        assert!(Direction::Up.is_better(0.9, 0.8) && !Direction::Up.is_better(0.8, 0.8));
        assert!(Direction::Down.is_better(0.1, 0.2) && !Direction::Down.is_better(0.2, 0.2));
    }

    #[test]
    fn no_name_is_listed_twice() {
        let mut names: Vec<&str> = DIRECTIONS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DIRECTIONS.len());
    }
}
