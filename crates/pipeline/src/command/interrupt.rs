//! Ctrl-C and SIGTERM: the first asks the stages to stop, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use pipeline_stage::{Cancel, exit};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Listens for signals as long as the process lives.
pub(super) struct Interrupt {
    signal: Arc<AtomicI32>,
    /// Set when a signal came.
    pub(super) cancel: Cancel,
}

impl Interrupt {
    /// Begins to listen. Where signals cannot be caught, they end the process as usual.
    pub(super) fn listen() -> Self {
        let this = Interrupt { signal: Arc::new(AtomicI32::new(0)), cancel: Cancel::default() };
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
            let (seen, cancel) = (this.signal.clone(), this.cancel.clone());
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    if seen.swap(signal, Ordering::SeqCst) != 0 {
                        // Nothing half-made is ever visible, so leaving at once is safe.
                        crate::terminal::restore();
                        std::process::exit(i32::from(code(signal)));
                    }
                    cancel.cancel();
                }
            });
        }
        this
    }

    /// The exit code for the signal that came, if one did.
    pub(super) fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(code(signal)),
        }
    }
}

/// A write beyond a limit on file sizes (`ulimit -f`) becomes an error of that write instead of the end of the
/// process: there is something to tidy up and to say.
pub(super) fn outlive_file_size_limit() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

fn code(signal: i32) -> u8 {
    if signal == SIGTERM { exit::TERMINATED } else { exit::INTERRUPTED }
}
