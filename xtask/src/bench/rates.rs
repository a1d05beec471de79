//! [`Rates`]: what programs print of their speed, over several runs.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The number that follows `key` in what a program printed.
pub(super) fn number_after(printed: &str, key: &str) -> Result<f64, Error> {
    let rest = printed.split_once(key).map_or("", |(_, rest)| rest);
    let number = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    number.parse().map_err(|_| Error::NoNumber { key: key.trim().to_owned(), printed: printed.to_owned() })
}

/// A path for a program that runs in another folder.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Photos a second, of several runs in turn.
pub(super) struct Rates(pub(super) Vec<f64>);

impl Rates {
    /// The median (of an even number, the higher of the two in the middle) with the slowest and the fastest.
    pub(super) fn shown(&self) -> String {
        let rates = self.sorted();
        match (rates.first(), rates.last()) {
            (Some(slowest), Some(fastest)) if slowest != fastest => {
                format!("{:.1} ({slowest:.1} to {fastest:.1})", median(&rates))
            }
            _ => format!("{:.1}", median(&rates)),
        }
    }

    /// How many times `other` this is: the median over the rounds, since a machine that others use changes its pace between them.
    pub(super) fn times(&self, other: &Rates) -> f64 {
        median(&Rates(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect()).sorted())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut rates = self.0.clone();
        rates.sort_by(f64::total_cmp);
        rates
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_are_compared_in_each_round() {
        let (ours, theirs) = (Rates(vec![50.0, 30.0, 52.0]), Rates(vec![20.0, 10.0, 26.0]));
        assert_eq!(ours.times(&theirs), 2.5);
        assert_eq!(ours.shown(), "50.0 (30.0 to 52.0)");
        assert_eq!(Rates(vec![4.0]).shown(), "4.0");
    }

    #[test]
    fn the_number_behind_a_key_is_read_and_its_absence_is_told_with_what_was_printed() {
        assert_eq!(number_after("decode 415.20\ntrunk 56.1\nstage 55", "stage ").unwrap(), 55.0);
        assert_eq!(
            number_after(r#"{"n": 2, "images_per_s": 46.51, "l2": 3.0}"#, "\"images_per_s\": ").unwrap(),
            46.51
        );
        let error = number_after("Traceback", "stage ").unwrap_err().to_string();
        assert_eq!(error, "expected a number behind `stage`, found: Traceback");
    }
}
