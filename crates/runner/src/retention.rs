//! Which artifacts and records of runs go: a pure function of what is there and of the time.
//!
//! 1. What a link leads to stays.
//! 2. What is younger than [`Rules::older_than`] stays; so does what was made in the future, by another clock.
//! 3. The latest [`Rules::keep_last`] of each stage kind, of those that no link leads to, stay.
//! 4. The rest goes.
//!
//! Records of runs go by the same rules, with the config for the stage kind: a run that is going on and the latest of each
//! config count as used, and without an age those of the last [`Rules::RECORDS`] stay.

use std::collections::BTreeMap;
use std::time::Duration;

/// What stays although no link leads to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// So many of each stage kind stay.
    pub keep_last: usize,
    /// What is younger stays. `None` is no time for artifacts, [`Rules::CHECKPOINTS`] for the checkpoints of stages that
    /// are not done, and [`Rules::RECORDS`] for records of runs and pages.
    pub older_than: Option<Duration>,
}

impl Rules {
    /// How long the checkpoints of a stage that was interrupted are kept at least: a week, in which somebody will have
    /// noticed.
    pub const CHECKPOINTS: Duration = Duration::from_secs(7 * 24 * 3600);

    /// How long records of runs, and pages that somebody asked for, are kept at least: a quarter. They are small, and
    /// cannot be made again.
    pub const RECORDS: Duration = Duration::from_secs(90 * 24 * 3600);

    /// The rules for records of runs, and for pages.
    pub(crate) fn of_records(&self) -> Rules {
        Rules { older_than: Some(self.older_than.unwrap_or(Rules::RECORDS)), ..self.clone() }
    }

    /// Whether something of this age in seconds is old enough to go.
    pub(crate) fn is_old(&self, age_seconds: u64) -> bool {
        self.older_than.is_none_or(|limit| age_seconds >= limit.as_secs())
    }

    /// The same for checkpoints.
    pub(crate) fn are_old_checkpoints(&self, age_seconds: u64) -> bool {
        age_seconds >= self.older_than.unwrap_or(Rules::CHECKPOINTS).as_secs()
    }
}

/// An artifact, or the record of a run, as far as the rules look at it.
#[derive(Debug, Clone)]
pub(crate) struct Shelved {
    /// The stage kind, or the config.
    pub(crate) kind: String,
    /// When it was done, in seconds since 1970.
    pub(crate) made: u64,
    /// Whether a link leads to it, or it is a run that is going on or the latest of its config.
    pub(crate) is_used: bool,
}

/// Whether each of `artifacts` goes.
pub(crate) fn doomed(artifacts: &[Shelved], rules: &Rules, now: u64) -> Vec<bool> {
    let mut unused: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, artifact) in artifacts.iter().enumerate().filter(|(_, artifact)| !artifact.is_used) {
        unused.entry(&artifact.kind).or_default().push(place);
    }
    let mut goes = vec![false; artifacts.len()];
    for places in unused.values_mut() {
        // The latest first; of two of one second, the first.
        places.sort_by_key(|place| std::cmp::Reverse(artifacts[*place].made));
        for place in places.iter().skip(rules.keep_last) {
            goes[*place] = rules.is_old(now.saturating_sub(artifacts[*place].made));
        }
    }
    goes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn shelved(kind: &str, age: i64, is_used: bool) -> Shelved {
        Shelved { kind: kind.to_owned(), made: NOW.checked_add_signed(-age).unwrap(), is_used }
    }

    fn rules(keep_last: usize, older_than: Option<u64>) -> Rules {
        Rules { keep_last, older_than: older_than.map(Duration::from_secs) }
    }

    fn goes(artifacts: &[Shelved], rules: Rules) -> Vec<usize> {
        let goes = doomed(artifacts, &rules, NOW);
        (0..goes.len()).filter(|place| goes[*place]).collect()
    }

    #[test]
    fn what_a_link_leads_to_stays_and_does_not_count_among_the_last() {
        let all = [shelved("head", 10, true), shelved("head", 20, false), shelved("head", 30, false)];
        assert_eq!(goes(&all, rules(0, None)), [1, 2]);
        assert_eq!(goes(&all, rules(1, None)), [2]);
        assert_eq!(goes(&all, rules(2, None)), [0; 0]);
    }

    #[test]
    fn the_last_of_each_kind_stay_whatever_the_order() {
        let all = [
            shelved("head", 30, false),
            shelved("ingest", 500, false),
            shelved("head", 10, false),
            shelved("head", 20, false),
            shelved("ingest", 600, false),
        ];
        assert_eq!(goes(&all, rules(1, None)), [0, 3, 4]);
        assert_eq!(goes(&all, rules(2, None)), [0]);
    }

    #[test]
    fn what_is_younger_than_the_age_stays_and_so_does_what_was_made_in_the_future() {
        let all = [shelved("head", 59, false), shelved("head", 60, false), shelved("head", -5, false)];
        assert_eq!(goes(&all, rules(0, Some(60))), [1]);
        assert_eq!(goes(&all, rules(0, Some(61))), [0; 0]);
        assert_eq!(goes(&all, rules(0, None)), [0, 1, 2]);
    }

    #[test]
    fn the_last_are_kept_also_when_they_are_old_and_the_young_also_when_they_are_many() {
        let all = [shelved("head", 900, false), shelved("head", 800, false), shelved("head", 700, false)];
        assert_eq!(goes(&all, rules(1, Some(750))), [0, 1]);
        assert_eq!(goes(&all, rules(1, Some(850))), [0]);
    }

    #[test]
    fn checkpoints_stay_a_week_unless_an_age_is_given() {
        let week = 7 * 24 * 3600;
        assert!(!rules(0, None).are_old_checkpoints(week - 1));
        assert!(rules(0, None).are_old_checkpoints(week));
        assert!(rules(0, Some(5)).are_old_checkpoints(5));
        assert!(!rules(0, Some(5)).are_old_checkpoints(4));
    }

    #[test]
    fn records_stay_a_quarter_unless_an_age_is_given() {
        let quarter = 90 * 24 * 3600;
        assert_eq!(rules(2, None).of_records(), rules(2, Some(quarter)));
        assert_eq!(rules(2, Some(5)).of_records(), rules(2, Some(5)));
    }
}
