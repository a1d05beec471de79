//! [`printed`]: a line for each request, printed by a thread of its own, since a terminal or a pipe may take none for hours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use pipeline_serve::Asked;
use pipeline_serve::server::Log;

use crate::terminal::Screen;

/// Lines that may wait to be printed: some seconds of a busy server.
const MOST_WAITING: usize = 1024;

/// Most letters of a path: whoever asks chooses it.
const MOST_CHARS: usize = 1 << 10;

/// How long the end waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread that prints.
pub(super) struct Printer {
    /// Says nothing, and ends with the thread.
    done: Receiver<()>,
}

impl Printer {
    /// Waits a little until all lines are printed.
    pub(super) fn finish(self) {
        let _: Result<(), RecvTimeoutError> = self.done.recv_timeout(PATIENCE);
    }
}

/// A log that never waits, and the thread behind it, which ends after the log.
pub(super) fn printed() -> (Log, Printer) {
    let screen = Screen::default();
    let (lines, printer) = printer(move |line| screen.line(line));
    let log = move |asked: &Asked<'_>| {
        let Asked { method, path, status, took } = asked;
        let path: String = path.chars().take(MOST_CHARS).collect();
        lines.add(format!("{method} {path} {status} {:.3} s", took.as_secs_f64()));
    };
    (Box::new(log), printer)
}

/// Where lines go to.
struct Lines {
    waiting: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Prints a line soon; where too many wait, it is dropped and counted.
    fn add(&self, line: String) {
        if self.waiting.try_send(line).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Lines, and the thread that hands each to `print`.
fn printer(print: impl Fn(&str) + Send + 'static) -> (Lines, Printer) {
    let (waiting, lines) = sync_channel::<String>(MOST_WAITING);
    let (alive, done) = sync_channel(1);
    let dropped = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&dropped);
    std::thread::spawn(move || {
        let _alive: SyncSender<()> = alive;
        for line in lines {
            print(&line);
            match count.swap(0, Relaxed) {
                0 => {}
                dropped => print(&format!("({dropped} lines are left out: nobody took them)")),
            }
        }
    });
    (Lines { waiting, dropped }, Printer { done })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn lines_that_nobody_takes_are_dropped_and_counted_and_who_adds_them_does_not_wait() {
        let (go, paused) = channel::<()>();
        let printed = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&printed);
        let (lines, printer) = printer(move |line| {
            // Until `go` is dropped.
            let _ = paused.recv();
            seen.lock().unwrap().push(line.to_owned());
        });
        for i in 0..MOST_WAITING + 10 {
            lines.add(i.to_string());
        }
        drop((go, lines));
        printer.finish();
        let printed = printed.lock().unwrap();
        let said = printed.iter().find(|line| line.starts_with('(')).unwrap();
        // The first may have left the line before it was full.
        assert!(
            ["(9 lines are left out: nobody took them)", "(10 lines are left out: nobody took them)"]
                .contains(&said.as_str()),
            "{said}"
        );
        let rest: Vec<&String> = printed.iter().filter(|line| !line.starts_with('(')).collect();
        assert!(rest.iter().enumerate().all(|(i, line)| **line == i.to_string()), "{} lines", rest.len());
    }
}
