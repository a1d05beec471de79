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

/// Photos a second, of several runs.
pub(super) struct Rates {
    pub(super) median: f64,
    slowest: f64,
    fastest: f64,
}

impl Rates {
    /// Of at least one; of an even number, the higher of the two in the middle.
    pub(super) fn of(mut rates: Vec<f64>) -> Rates {
        rates.sort_by(f64::total_cmp);
        let at = |at: usize| rates.get(at).copied().unwrap_or(f64::NAN);
        Rates { median: at(rates.len() / 2), slowest: at(0), fastest: at(rates.len().saturating_sub(1)) }
    }

    pub(super) fn shown(&self) -> String {
        let Rates { median, slowest, fastest } = self;
        if slowest == fastest {
            format!("{median:.1}")
        } else {
            format!("{median:.1} ({slowest:.1} to {fastest:.1})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
