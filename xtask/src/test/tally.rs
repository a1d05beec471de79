//! [`Tally`]: what the tests' output says about how many passed and what was skipped.

use std::collections::BTreeMap;

/// Counts over all test binaries.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    skipped: BTreeMap<String, u64>,
}

impl Tally {
    /// Takes one line of output. A test that cannot run here prints `skipped: <why>` and passes.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(why) = line.strip_prefix("skipped: ") {
            *self.skipped.entry(why.trim_end().to_owned()).or_default() += 1;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += count(result, "passed");
            self.failed += count(result, "failed");
            self.ignored += count(result, "ignored");
        }
    }

    /// Each reason for skipping, and how many tests gave it.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = (&str, u64)> {
        self.skipped.iter().map(|(why, times)| (why.as_str(), *times))
    }

    /// In words. A skipped test also counts as passed: that is what it told the test harness.
    pub(crate) fn counts(&self) -> String {
        let skipped: u64 = self.skipped.values().sum();
        format!("{} passed, {} failed, {} ignored, {skipped} skipped", self.passed, self.failed, self.ignored)
    }
}

/// The number before `word` in `ok. 7 passed; 0 failed; 2 ignored; ...`.
fn count(result: &str, word: &str) -> u64 {
    let words: Vec<&str> = result.split([' ', ';', '.']).filter(|w| !w.is_empty()).collect();
    words
        .iter()
        .position(|w| *w == word)
        .and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let mut tally = Tally::default();
        tally.read("running 9 tests");
        tally.read("test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.read(
            "test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s",
        );
        assert_eq!(tally.counts(), "37 passed, 1 failed, 2 ignored, 0 skipped");
    }

    #[test]
    fn reasons_for_skipping_are_kept_in_words() {
        let mut tally = Tally::default();
        tally.read("skipped: no chromium");
        tally.read("skipped: no shared weights");
        tally.read("skipped: no chromium");
        tally.read("this test was skipped: not a reason");
        let skipped: Vec<_> = tally.skipped().collect();
        assert_eq!(skipped, [("no chromium", 2), ("no shared weights", 1)]);
    }
}
