//! [`Check`]: what a check says; [`Asked`]: a check that is being made.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// A run would stop.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    pub(super) standing: Standing,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, standing: Standing::Ok, found: found.into(), hint: None }
    }

    pub(super) fn note(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { name, standing: Standing::Note, found: found.into(), hint: Some(hint.into()) }
    }

    pub(super) fn problem(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { name, standing: Standing::Problem, found: found.into(), hint: Some(hint.into()) }
    }

    /// A check that was given up.
    pub(super) fn unanswered(name: &'static str, limit: Duration) -> Check {
        let found = format!("no answer within {} s", limit.as_secs());
        let hint = "a disk or a file server may hang: look at `mount` and at the system's log";
        Check::problem(name, found, hint)
    }

    /// A line, and one with the way out.
    pub(super) fn text(&self) -> String {
        let Check { name, standing, found, hint } = self;
        let word = match standing {
            Standing::Ok => "ok",
            Standing::Note => "note",
            Standing::Problem => "problem",
        };
        let line = format!("{word:<9} {name:<10} {}", found.replace('\n', " "));
        match hint {
            Some(hint) => format!("{line}\n{:20} hint: {}", "", hint.replace('\n', " ")),
            None => line,
        }
    }
}

/// What a thread of its own finds out.
pub(super) struct Asked {
    name: &'static str,
    limit: Duration,
    began: Instant,
    answer: Receiver<Vec<Check>>,
}

impl Asked {
    /// Begins.
    pub(super) fn begin(
        name: &'static str,
        limit: Duration,
        look: impl FnOnce() -> Vec<Check> + Send + 'static,
    ) -> Asked {
        Asked { name, limit, began: Instant::now(), answer: begun(look) }
    }

    /// What it found, or that it was given up.
    pub(super) fn end(self) -> Vec<Check> {
        match self.answer.recv_timeout(self.limit.saturating_sub(self.began.elapsed())) {
            Ok(checks) => checks,
            Err(RecvTimeoutError::Timeout) => vec![Check::unanswered(self.name, self.limit)],
            Err(RecvTimeoutError::Disconnected) => {
                let found = "the check broke off";
                vec![Check::problem(self.name, found, "this is a fault of the program; please report it")]
            }
        }
    }
}

/// What `work` makes of it in a thread of its own; `None` where it takes longer.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    begun(work).recv_timeout(limit).ok()
}

/// The thread is left alone where it takes too long, and ends with the process.
fn begun<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, answer) = channel();
    // Where no thread can be had, nobody will answer, and that is said.
    let _ = std::thread::Builder::new().spawn(move || tell.send(work()));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_with_the_way_out_below() {
        assert_eq!(Check::ok("disk", "a\nb").text(), "ok        disk       a b");
        let note = Check::note("python", "none", "install it");
        assert_eq!(note.text(), "note      python     none\n                     hint: install it");
        let json =
            serde_json::json!({"name": "python", "standing": "note", "found": "none", "hint": "install it"});
        assert_eq!(serde_json::to_value(note).unwrap(), json);
        assert!(Check::ok("disk", "").hint.is_none());
    }

    #[test]
    fn a_check_that_hangs_is_given_up_and_one_that_breaks_off_is_a_problem() {
        let hangs = || {
            std::thread::sleep(Duration::from_secs(20));
            vec![]
        };
        let began = Instant::now();
        let found = Asked::begin("disk", Duration::from_secs(1), hangs).end();
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!((found[0].standing, found[0].found.as_str()), (Standing::Problem, "no answer within 1 s"));
        let found = Asked::begin("disk", Duration::from_secs(20), || panic!("as a test")).end();
        assert_eq!(found[0].found, "the check broke off");
        assert_eq!(within(Duration::from_secs(20), || 7), Some(7));
    }
}
