//! [`Keys`]: single keys as they are pressed, for what is watched live.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal was before keys were listened to.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// Makes the terminal as it was, also for a process that ends without tidying up.
pub(crate) fn restore() {
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
}

/// Listens to the keyboard while it lives, where standard input is one.
pub(crate) struct Keys {
    /// How the terminal was before.
    before: Option<Termios>,
}

impl Keys {
    /// From now on keys come at once and are not shown. Ctrl-C remains a signal.
    pub(crate) fn listen() -> Self {
        let stdin = std::io::stdin();
        let before = if stdin.is_terminal() { tcgetattr(&stdin).ok() } else { None };
        if let Some(before) = &before {
            let mut single = before.clone();
            single.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // Where it is refused, keys come with the next line.
            let _ = BEFORE.set(before.clone());
            let _ = tcsetattr(&stdin, OptionalActions::Now, &single);
        }
        Keys { before }
    }

    /// Waits so long for a key: whether it came, and is `key`. A signal ends the waiting early.
    pub(crate) fn pressed_within(&self, key: u8, limit: Duration) -> bool {
        let stdin = std::io::stdin();
        if self.before.is_none() {
            std::thread::sleep(limit);
            return false;
        }
        let limit = Timespec::try_from(limit).ok();
        let is_there = matches!(poll(&mut [PollFd::new(&stdin, PollFlags::IN)], limit.as_ref()), Ok(1));
        let mut typed = [0; 16];
        let count = if is_there { rustix::io::read(&stdin, &mut typed).unwrap_or(0) } else { 0 };
        typed[..count].contains(&key)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}
