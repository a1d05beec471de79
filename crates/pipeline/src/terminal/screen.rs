//! [`Screen`]: the only place that prints. A reader that went away (a closed pipe) ends the output quietly.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::pictures::Room;

/// Standard output and standard error.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// Standard output is a closed pipe.
    closed: AtomicBool,
    /// Something could not be written for another reason: a full disk.
    lost: AtomicBool,
}

impl Screen {
    /// Writes a line to standard output, for people.
    pub(crate) fn line(&self, text: &str) {
        self.print(&plain(text));
    }

    /// Writes a line of JSON to standard output, for programs.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.print(&value.to_string());
    }

    /// Writes text of ours to standard output as it is, for programs.
    pub(crate) fn raw(&self, text: &str) {
        self.print(text.trim_end_matches('\n'));
    }

    /// Writes lines to standard output in the place of the `before` lines that were drawn there last. A line that is too
    /// wide is cut by the terminal.
    pub(crate) fn redraw(&self, text: &str, before: usize) {
        let up = if before > 0 { format!("\u{1b}[{before}A") } else { String::new() };
        // No wrapping; and each line erased behind its text, which flickers less than all of them at once.
        let lines = plain(text).replace('\n', "\u{1b}[K\n");
        self.print(&format!("\u{1b}[?7l{up}{lines}\u{1b}[K\u{1b}[?7h\u{1b}[J"));
    }

    /// Columns and rows of the terminal that standard output is; `None` where it is none.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        let out = std::io::stdout();
        let size = if out.is_terminal() { rustix::termios::tcgetwinsize(&out).ok()? } else { return None };
        // A terminal that does not know its size has the usual one.
        let or = |n: u16, usual| if n == 0 { usual } else { usize::from(n) };
        Some((or(size.ws_col, 80), or(size.ws_row, 24)))
    }

    /// Room for a picture; that of a usual terminal where standard output is none, or does not know.
    pub(crate) fn room(&self) -> Room {
        // A column of 10 pixels: it is 8 to 12 in common fonts.
        let usual = Room { columns: 80, width: 800 };
        let out = std::io::stdout();
        match rustix::termios::tcgetwinsize(&out) {
            Ok(size) if size.ws_col > 0 => {
                let columns = u32::from(size.ws_col);
                let width = if size.ws_xpixel > 0 { u32::from(size.ws_xpixel) } else { columns * 10 };
                Room { columns, width }
            }
            _ => usual,
        }
    }

    /// Writes a picture, as `pictures` has made it, to standard output.
    pub(crate) fn picture(&self, picture: &str) {
        self.print(picture);
    }

    /// Whether nobody reads standard output any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn print(&self, text: &str) {
        if self.is_closed() {
            return;
        }
        let mut out = std::io::stdout().lock();
        if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
            self.closed.store(true, Ordering::Relaxed);
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                self.lost.store(true, Ordering::Relaxed);
                self.error(&format!("error: cannot write to standard output: {error}"));
            }
        }
    }

    /// Whether something that should have been printed was not, other than to a reader that went away.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes a line to standard error.
    pub(crate) fn error(&self, text: &str) {
        // Nowhere is left to report to when this fails.
        let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
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

/// The text without control characters: names in configs and of files are other people's, and an escape
/// sequence in one could rewrite the screen.
fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    let is_control = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_control) {
        return text.into();
    }
    let shown = |c: char| if is_control(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\nc");
        assert_eq!(plain("grün"), "grün");
    }
}
