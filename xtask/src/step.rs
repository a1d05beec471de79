//! What is printed: one line for each step with what became of it and its time, notes, and the error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one file that writes to the terminal")]

use std::time::{Duration, Instant};

use crate::error::Error;

/// What became of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// One word: `ready` when there was nothing to do, else what was done (`installed`, `built`).
    pub(crate) word: &'static str,
    /// What there is now, and where.
    pub(crate) detail: String,
}

impl Outcome {
    /// Nothing had to be done.
    pub(crate) fn ready(detail: impl Into<String>) -> Outcome {
        Outcome { word: "ready", detail: detail.into() }
    }

    /// It was done now.
    pub(crate) fn done(word: &'static str, detail: impl Into<String>) -> Outcome {
        Outcome { word, detail: detail.into() }
    }
}

/// Does one step and prints its line.
///
/// # Errors
/// The step's own, after a line that says that it failed.
pub(crate) fn run(name: &str, work: impl FnOnce() -> Result<Outcome, Error>) -> Result<(), Error> {
    let start = Instant::now();
    let result = work();
    let line = match &result {
        Ok(outcome) => line(name, outcome.word, start.elapsed(), &outcome.detail),
        Err(_) => line(name, "failed", start.elapsed(), ""),
    };
    println!("{line}");
    result.map(drop)
}

/// Prints what is about to happen, where the next step takes long.
pub(crate) fn note(text: &str) {
    println!("  {text}");
}

/// Prints text as it is.
pub(crate) fn text(text: &str) {
    println!("{text}");
}

/// Prints an error and its way out.
pub(crate) fn failure(error: &Error) {
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {hint}");
    }
}

/// Seconds below a minute, minutes and seconds from there.
pub(crate) fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{}m {:02} s", whole / 60, whole % 60)
    }
}

fn line(name: &str, word: &str, elapsed: Duration, detail: &str) -> String {
    format!("  {name:<10} {word:<10} {:>8}   {detail}", time(elapsed)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_step_its_outcome_and_its_time() {
        assert_eq!(
            line("weights", "fetched", Duration::from_millis(3_240), "data/weights/a.pth"),
            "  weights    fetched       3.2 s   data/weights/a.pth"
        );
        assert_eq!(line("test", "failed", Duration::from_secs(125), ""), "  test       failed      2m 05 s");
    }

    #[test]
    fn seconds_never_round_up_to_sixty() {
        assert_eq!(time(Duration::from_millis(59_940)), "59.9 s");
        assert_eq!(time(Duration::from_millis(59_960)), "1m 00 s");
    }
}
