//! [`Balance`]: how evenly the classes are filled.

use std::collections::BTreeMap;

use pipeline_report::name;
use pipeline_stage::words;
use serde::Serialize;

/// A largest class of more than this many times the smallest is warned of.
pub const MOST_UNEVEN: f64 = 10.0;

/// How evenly the classes are filled.
#[derive(Debug, Serialize)]
pub(crate) struct Balance {
    /// Of train; the first by name of several.
    largest: OfClass,
    smallest: OfClass,
    /// Photos of the largest by those of the smallest, 1 or more.
    ratio: f64,
    /// Classes without a usable photo in valid.
    missing_from_valid: Vec<String>,
}

#[derive(Debug, Serialize)]
struct OfClass {
    class: String,
    photos: u64,
}

impl Balance {
    /// `None` where a class of train is empty, which is an error elsewhere.
    pub(crate) fn of(
        classes: &[String],
        train: &BTreeMap<String, u64>,
        valid: &BTreeMap<String, u64>,
    ) -> Option<Self> {
        let of_class = |class: &String| Some(OfClass { class: class.clone(), photos: *train.get(class)? });
        let counts: Vec<OfClass> = classes.iter().filter_map(of_class).collect();
        if counts.len() < classes.len() {
            return None;
        }
        // `max_by_key` would take the last of equals.
        let largest = counts.iter().rev().max_by_key(|c| c.photos)?;
        let smallest = counts.iter().min_by_key(|c| c.photos)?;
        let copy = |c: &OfClass| OfClass { class: c.class.clone(), photos: c.photos };
        Some(Balance {
            largest: copy(largest),
            smallest: copy(smallest),
            ratio: (largest.photos as f64 / smallest.photos as f64 * 100.0).round() / 100.0,
            missing_from_valid: classes.iter().filter(|c| !valid.contains_key(*c)).cloned().collect(),
        })
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        if self.ratio > MOST_UNEVEN {
            let of = |c: &OfClass| format!("`{}` with {}", c.class, words::count(c.photos));
            notes.push(format!(
                "the largest class of train has {} times the photos of the smallest: {}, {}",
                words::number((self.ratio * 10.0).round() / 10.0),
                of(&self.largest),
                of(&self.smallest),
            ));
        }
        if !self.missing_from_valid.is_empty() {
            let classes = name::listed(self.missing_from_valid.iter().map(String::as_str), 1);
            notes.push(format!("no photo in valid, so nothing is measured, of the class {classes}"));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(train: &[(&str, u64)], valid: &[&str]) -> Option<Balance> {
        let counts = |of: &[(&str, u64)]| of.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect();
        let valid: Vec<_> = valid.iter().map(|class| (*class, 1)).collect();
        Balance::of(&["a", "b", "c"].map(str::to_owned), &counts(train), &counts(&valid))
    }

    #[test]
    fn a_class_of_ten_times_another_is_even_enough_and_of_more_is_not() {
        let even = balance(&[("a", 10), ("b", 1), ("c", 10)], &["a", "b", "c"]).unwrap();
        assert_eq!((even.ratio, even.largest.class.as_str(), even.notes().len()), (10.0, "a", 0));
        let uneven = balance(&[("a", 2100), ("b", 200), ("c", 300)], &["a", "b", "c"]).unwrap();
        assert_eq!(
            uneven.notes(),
            [
                "the largest class of train has 10.5 times the photos of the smallest: `a` with 2,100, `b` with 200"
            ]
        );
        assert!(balance(&[("a", 1), ("b", 1)], &[]).is_none());
    }

    #[test]
    fn classes_that_are_missing_from_valid_are_named() {
        let missing = balance(&[("a", 1), ("b", 1), ("c", 1)], &["c"]).unwrap();
        assert_eq!(missing.missing_from_valid, ["a", "b"]);
        let note = "no photo in valid, so nothing is measured, of the class `a` and 1 more";
        assert_eq!(missing.notes(), [note]);
    }
}
