//! [`Pace`]: how fast a piece of work goes, and how long it will take.

use std::time::Instant;

/// The pace of a piece of work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How many items there are, where it is known.
    pub(super) total: Option<u64>,
    /// When work was first done, and how much of it was done by then: a download goes on where it stopped.
    pub(super) first: Option<(Instant, u64)>,
}

impl Pace {
    /// Of work that begins.
    pub(super) fn new(total: Option<u64>) -> Self {
        Pace { total, first: None }
    }

    /// Notes that `done` items are done now.
    pub(super) fn note(&mut self, done: u64) {
        self.first.get_or_insert((Instant::now(), done));
    }

    /// Items in a second since the first of them; `None` before there are any.
    pub(super) fn per_second(&self, done: u64) -> Option<f64> {
        let (since, base) = self.first?;
        let items = done.checked_sub(base).filter(|items| *items > 0)?;
        Some(items as f64 / since.elapsed().as_secs_f64().max(1e-9))
    }

    /// Seconds until all is done, if it goes on like this.
    pub(super) fn seconds_left(&self, done: u64) -> Option<f64> {
        Some(self.total?.saturating_sub(done) as f64 / self.per_second(done)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_was_done_since_the_first_item_counts() {
        let start = Instant::now() - Duration::from_secs(10);
        let pace = Pace { total: Some(900), first: Some((start, 700)) };
        let near = |found: Option<f64>, expected: f64| (found.unwrap() / expected - 1.0).abs() < 0.01;
        assert!(near(pace.per_second(800), 10.0), "{:?}", pace.per_second(800));
        assert!(near(pace.seconds_left(800), 10.0), "{:?}", pace.seconds_left(800));
        assert_eq!(pace.seconds_left(900), Some(0.0));
        assert_eq!((pace.per_second(700), pace.seconds_left(700)), (None, None));
        assert_eq!(Pace { total: None, ..pace }.seconds_left(800), None);
        assert_eq!(Pace::new(Some(900)).per_second(800), None);
    }
}
