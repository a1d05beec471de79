//! A page opened in Chromium by a script of `tests/browser/`. The Python is that of `PIPELINE_PYTHON`, or the one that
//! `cargo xtask test` sets up; Chromium is that of `PIPELINE_CHROMIUM`, or the one on the path. Where one is absent the test says
//! that it is skipped; where the environment names one that does not work, it fails.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that answers to `arguments`: that of a variable of the environment, or else another.
fn program(variable: &str, other: PathBuf, arguments: &[&str], skipped: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let program = given.clone().unwrap_or(other);
    let works = Command::new(&program).args(arguments).output().is_ok_and(|output| output.status.success());
    assert!(works || given.is_none(), "{variable} names {}, which fails on {arguments:?}", program.display());
    if !works {
        eprintln!("skipped: {skipped}");
    }
    works.then_some(program)
}

fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let skipped = "no Python with Playwright; run `cargo xtask test`, or set PIPELINE_PYTHON";
    program("PIPELINE_PYTHON", own, &["-c", "import playwright"], skipped)
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file());
    let skipped = "no chromium; `cargo xtask test` installs it as root on Debian, or set PIPELINE_CHROMIUM";
    program("PIPELINE_CHROMIUM", found.unwrap_or_default(), &["--version"], skipped)
}

/// Whether a script can be run; prints what is lacking where it cannot.
pub fn is_there() -> bool {
    python().is_some() && chromium().is_some()
}

/// Runs the script `name` of `tests/browser/` with Chromium's path and these arguments; what it printed, or `None` where the
/// test is skipped.
///
/// # Panics
/// With all that it printed, when it fails.
pub fn run(name: &str, arguments: &[&OsStr]) -> Option<String> {
    let (python, chromium) = (python()?, chromium()?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser").join(name);
    let mut command = Command::new(python);
    command.arg(script).arg(chromium).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}");
    assert!(output.status.success(), "{text}");
    Some(text.into_owned())
}
