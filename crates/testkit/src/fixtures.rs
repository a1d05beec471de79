//! [`check_fixtures`]: committed fixtures against the programs that made them, where these are there.

use std::process::Command;

/// Runs `script`, a `make_fixtures.py`, with `--check` in the Python that `PIPELINE_TORCH_PYTHON` names: part of the
/// nightly tests. Prints that the test is skipped where none is named.
///
/// # Panics
/// When the script finds a difference, or does not run.
pub fn check_fixtures(script: &str) {
    let Ok(python) = std::env::var("PIPELINE_TORCH_PYTHON") else {
        eprintln!("skipped: PIPELINE_TORCH_PYTHON does not name a Python with torch and torchvision");
        return;
    };
    let output = Command::new(&python).args([script, "--check"]).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{python} {script} --check: {}{}", text[0], text[1]);
}
