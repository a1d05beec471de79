//! [`Screen`]: the only place that prints. A reader that went away (a closed pipe) ends the output quietly.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Standard output and standard error.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// Standard output is a closed pipe.
    closed: AtomicBool,
}

impl Screen {
    /// Writes a line to standard output.
    pub(crate) fn line(&self, text: &str) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
            self.closed.store(true, Ordering::Relaxed);
        }
    }

    /// Writes a line to standard error.
    pub(crate) fn error(&self, text: &str) {
        // Nowhere is left to report to when this fails.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Writes an error with its details indented and the way out below.
    pub(crate) fn failure(&self, message: &str, hint: Option<&str>) {
        self.error(&format!("error: {}", message.replace('\n', "\n  ")));
        if let Some(hint) = hint {
            self.error(&format!("  hint: {}", hint.replace('\n', "\n  ")));
        }
    }

    /// Whether a person watches standard error, where bars are drawn.
    pub(crate) fn is_watched(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}
