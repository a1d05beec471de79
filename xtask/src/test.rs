//! `cargo xtask test`: every check that a change must pass, with what they need set up first.
//!
//! Clippy comes first: it checks what the tests then compile, and both use the same build of libtorch's
//! C++ bindings, as does the documentation. All checks run even when one fails.

mod tally;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::Error;
use crate::prerequisites::{self, Need};
use crate::process;
use crate::step::{self, Outcome};
use crate::test::tally::Tally;
use crate::workspace::Workspace;
use crate::{chromium, libtorch, python, weights};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also the slow tests: those marked `#[ignore]`, and longer forms of others.
    #[arg(long)]
    nightly: bool,
}

/// Sets up and runs every check; ends with what ran and what was skipped.
///
/// # Errors
/// A failed set-up at once; [`Error::Checks`] at the end.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let start = Instant::now();
    prerequisites::check(&[Need::Pip, Need::TestPython, Need::Compiler, Need::Components])?;
    {
        let _lock = workspace.lock()?;
        step::run("libtorch", || libtorch::ensure(workspace, None))?;
        step::run("weights", || weights::ensure(workspace))?;
        step::run("python", || python::ensure(workspace))?;
        step::run("chromium", chromium::ensure)?;
    }

    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut check = |name: &'static str, result: Result<(), Error>| {
        if let Err(error) = result {
            step::failure(&error);
            failed.push(name);
        }
    };
    let cargo = |arguments: &str| {
        let mut cargo = process::cargo();
        cargo.current_dir(&workspace.root).args(arguments.split(' '));
        cargo
    };

    check("fmt", simple("fmt", &mut cargo("fmt --all --check")));
    check(
        "clippy",
        simple("clippy", &mut cargo("clippy --release --workspace --all-targets -- -D warnings")),
    );
    check("test", step::run("test", || cargo_test(workspace, options, &mut tally)));
    check(
        "doc",
        simple(
            "doc",
            cargo("doc --release --workspace --no-deps --document-private-items")
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
    );

    step::text(&summary(&tally, &failed, &step::time(start.elapsed())));
    if failed.is_empty() { Ok(()) } else { Err(Error::Checks(failed)) }
}

fn simple(name: &str, command: &mut Command) -> Result<(), Error> {
    step::run(name, || {
        process::run(command)?;
        Ok(Outcome::done("passed", ""))
    })
}

/// Runs the tests, passes on what they print, and counts it.
fn cargo_test(workspace: &Workspace, options: &Options, tally: &mut Tally) -> Result<Outcome, Error> {
    let mut command = process::cargo();
    command
        .current_dir(&workspace.root)
        .args(["test", "--release", "--workspace", "--no-fail-fast", "--"])
        // Without it the words of a test that passes, and so of one that skips, are not to be seen.
        .arg("--show-output")
        .env("PIPELINE_PYTHON", python::interpreter(workspace))
        .stdout(Stdio::piped());
    if let Some(chromium) = chromium::program() {
        command.env("PIPELINE_CHROMIUM", chromium);
    }
    if options.nightly {
        command.arg("--include-ignored").env("PIPELINE_NIGHTLY", "1");
    }

    let mut child = process::start(&mut command)?;
    if let Some(stdout) = child.stdout.take() {
        let mut terminal = std::io::stdout().lock();
        for line in BufReader::new(stdout).split(b'\n') {
            let mut line = line?;
            tally.read(&String::from_utf8_lossy(&line));
            line.push(b'\n');
            terminal.write_all(&line)?;
        }
    }
    process::finish(&command, &mut child)?;
    Ok(Outcome::done("passed", tally.counts()))
}

fn summary(tally: &Tally, failed: &[&str], time: &str) -> String {
    let mut text = String::from("\n");
    for (why, times) in tally.skipped() {
        let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
        text.push_str(&format!("  skipped: {why}{times}\n"));
    }
    let verdict =
        if failed.is_empty() { "all passed".to_owned() } else { format!("FAILED: {}", failed.join(", ")) };
    text.push_str(&format!("fmt, clippy, test ({}), doc: {verdict} in {time}", tally.counts()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_ran_what_was_skipped_and_what_failed() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 7 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out");
        tally.read("skipped: no shared weights");
        tally.read("skipped: no shared weights");
        assert_eq!(
            summary(&tally, &[], "2m 05 s"),
            "\n  skipped: no shared weights (2 times)\n\
             fmt, clippy, test (7 passed, 0 failed, 2 ignored, 2 skipped), doc: all passed in 2m 05 s"
        );
        assert_eq!(
            summary(&Tally::default(), &["fmt", "doc"], "1.0 s"),
            "\nfmt, clippy, test (0 passed, 0 failed, 0 ignored, 0 skipped), doc: FAILED: fmt, doc in 1.0 s"
        );
    }
}
