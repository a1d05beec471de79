//! Other programs: run one, or run one and read what it prints.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::{Child, Command, Stdio};

use crate::error::Error;

/// Runs a command to its end. It writes to our own terminal.
///
/// # Errors
/// [`Error::Start`] and [`Error::Failed`].
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let mut child = start(command)?;
    finish(command, &mut child)
}

/// Starts a command; [`finish`] waits for it.
///
/// # Errors
/// [`Error::Start`].
pub(crate) fn start(command: &mut Command) -> Result<Child, Error> {
    command.spawn().map_err(|source| Error::Start { command: shown(command), source })
}

/// Waits for the end of a command that was started.
///
/// # Errors
/// [`Error::Failed`].
pub(crate) fn finish(command: &Command, child: &mut Child) -> Result<(), Error> {
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: shown(command), status }) }
}

/// Runs a command to its end and returns what it wrote to standard output, trimmed.
///
/// # Errors
/// [`Error::Start`] and [`Error::Failed`]; what it wrote to standard error is shown by the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Start { command: shown(command), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(Error::Failed { command: shown(command), status: output.status })
    }
}

/// What a command prints, or `None` when it is not there or fails. For looking at the machine.
pub(crate) fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the machine computes with, for a line of measurements: the processor's name where Linux says it, and how many.
pub(crate) fn processor() -> String {
    let known = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = known.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {count} processors", name.map_or("a processor without a name", |(_, name)| name))
}

/// The Cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `python3 -m pip`, with settings that do not depend on the user's own: `--user` as a default would
/// forbid `--target`. Broken downloads are taken up again by a pip that can (25.1); others ignore that.
pub(crate) fn pip() -> Command {
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip"])
        .env("PIP_USER", "0")
        .env("PIP_NO_INPUT", "1")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_RESUME_RETRIES", "20");
    command
}

/// For pip: its progress bars belong on a terminal only.
pub(crate) fn pip_verbosity() -> &'static [&'static str] {
    if std::io::stdout().is_terminal() { &[] } else { &["--quiet"] }
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    let words: Vec<String> = words
        .iter()
        .map(|w| if w.contains([' ', '\n']) { format!("'{w}'") } else { w.to_string() })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_not_there_is_named_with_its_arguments() {
        let error = run(Command::new("no-such-program").arg("two words")).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot start `no-such-program 'two words'`: "),
            "found: {error}"
        );
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_exit_status() {
        let error = run(&mut Command::new("false")).unwrap_err();
        assert_eq!(error.to_string(), "`false` failed with exit status: 1");
    }

    #[test]
    fn output_is_trimmed() {
        assert_eq!(output(Command::new("echo").arg(" a b ")).unwrap(), "a b");
        assert_eq!(ask("echo", &["x"]).as_deref(), Some("x"));
        assert_eq!(ask("no-such-program", &[]), None);
    }
}
