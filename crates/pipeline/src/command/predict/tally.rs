//! [`Tally`]: what is said in the end, in counts, whatever the number of photos.

use std::collections::BTreeMap;

use pipeline_stage::words::{count, duration};
use pipeline_table::AnswerRow;

use super::UNSURE;
use super::sorter::Sorted;
use crate::terminal::words;

/// Classes, and reasons, that the summary names.
const MOST_NAMED: usize = 10;

/// What came of the photos so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) photos: u64,
    /// Of each class.
    classes: Vec<u64>,
    unsure: u64,
    /// By what is wrong with them, in words.
    bad: BTreeMap<&'static str, u64>,
    pub(super) placed: u64,
    pub(super) known: u64,
    /// Photos that could not be copied or moved.
    pub(super) unplaced: u64,
}

impl Tally {
    pub(super) fn new(classes: usize) -> Self {
        Tally { classes: vec![0; classes], ..Tally::default() }
    }

    /// Counts an answer; `why` is what is wrong with a photo that is bad, in words.
    pub(super) fn add(&mut self, row: &AnswerRow, why: Option<&'static str>) {
        self.photos += 1;
        match (&row.answer, why) {
            (Ok(said), _) => match said.predicted_id.and_then(|id| self.classes.get_mut(id as usize)) {
                Some(class) => *class += 1,
                None => self.unsure += 1,
            },
            (Err(_), why) => *self.bad.entry(why.unwrap_or("bad")).or_default() += 1,
        }
    }

    /// Counts what became of a photo.
    pub(super) fn sorted(&mut self, sorted: Sorted) {
        match sorted {
            Sorted::Placed => self.placed += 1,
            Sorted::Known => self.known += 1,
        }
    }

    pub(super) fn bad(&self) -> u64 {
        self.bad.values().sum()
    }

    /// `1,000 photos in 21.4 s, 47 photos/s: 512 cats, 480 dogs, 5 unsure, 3 bad (2 truncated, 1 not an image)`
    pub(super) fn line(&self, classes: &[String], seconds: f64) -> String {
        let named = classes.iter().map(String::as_str).zip(self.classes.iter().copied());
        let mut parts = largest(named.filter(|(_, count)| *count > 0), "classes");
        parts.extend((self.unsure > 0).then(|| format!("{} {UNSURE}", count(self.unsure))));
        if self.bad() > 0 {
            let reasons = largest(self.bad.iter().map(|(why, count)| (*why, *count)), "reasons");
            parts.push(format!("{} bad ({})", count(self.bad()), reasons.join(", ")));
        }
        let photos = if self.photos == 1 { "photo" } else { "photos" };
        let rate = words::rate(self.photos as f64 / seconds.max(1e-9), "photos");
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        format!("{} {photos} in {}, {rate}{parts}", count(self.photos), duration(seconds))
    }
}

/// The largest counts with their names, the largest first, and how many there are besides.
fn largest<'a>(named: impl Iterator<Item = (&'a str, u64)>, of: &str) -> Vec<String> {
    let mut named: Vec<(&str, u64)> = named.collect();
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = named.len().saturating_sub(MOST_NAMED);
    let mut parts: Vec<String> =
        named.iter().take(MOST_NAMED).map(|(name, found)| format!("{} {name}", count(*found))).collect();
    let besides: u64 = named.iter().skip(MOST_NAMED).map(|(_, found)| found).sum();
    parts.extend((more > 0).then(|| format!("{} of {more} other {of}", count(besides))));
    parts
}

#[cfg(test)]
mod tests {
    use pipeline_table::{Refused, Said};

    use super::*;

    fn row(predicted_id: Option<u32>) -> AnswerRow {
        let said = Said { predicted: String::new(), predicted_id, confidence: 0.5, probs: vec![] };
        AnswerRow { id: String::new(), answer: Ok(said) }
    }

    #[test]
    fn counts_are_said_with_the_largest_classes_first_and_every_reason() {
        let classes: Vec<String> = (0..12).map(|class| format!("c{class}")).collect();
        let mut tally = Tally::new(12);
        for class in 0..12 {
            (0..=class).for_each(|_| tally.add(&row(Some(class)), None));
        }
        tally.add(&row(None), None);
        let refused = Refused { reason: "truncated".to_owned(), detail: String::new() };
        (0..2).for_each(|_| {
            tally.add(&AnswerRow { id: String::new(), answer: Err(refused.clone()) }, Some("truncated"))
        });
        assert_eq!(
            tally.line(&classes, 2.0),
            "81 photos in 2.0 s, 41 photos/s: 12 c11, 11 c10, 10 c9, 9 c8, 8 c7, 7 c6, 6 c5, 5 c4, 4 c3, 3 c2, \
             3 of 2 other classes, 1 unsure, 2 bad (2 truncated)"
        );
        let mut one = Tally::new(1);
        one.add(&row(Some(0)), None);
        assert_eq!(one.line(&["cats".to_owned()], 0.5), "1 photo in 0.5 s, 2.0 photos/s: 1 cats");
    }
}
