//! Exit codes of the `pipeline` command: documented, stable, for scripts that call it.

/// Everything asked for is done.
pub const DONE: u8 = 0;
/// A stage or a download failed, or the disk said no.
pub const STAGE_FAILED: u8 = 1;
/// The config, another file or the arguments are wrong. Nothing was run.
pub const USAGE: u8 = 2;
/// `--dry-run --check` found work to do.
pub const WORK_TO_DO: u8 = 3;
/// A lock is held by another process.
pub const LOCKED: u8 = 4;
/// `verify` found damage.
pub const DAMAGED: u8 = 5;
/// Interrupted by Ctrl-C (SIGINT).
pub const INTERRUPTED: u8 = 130;
/// Stopped by SIGTERM.
pub const TERMINATED: u8 = 143;
