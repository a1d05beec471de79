//! The committed fixtures against a live PyTorch, where one is named: part of the nightly tests.

use std::process::Command;

#[test]
fn a_live_pytorch_agrees_with_the_fixtures() {
    let Ok(python) = std::env::var("PIPELINE_TORCH_PYTHON") else {
        eprintln!("skipped: PIPELINE_TORCH_PYTHON does not name a Python with torch and torchvision");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nn/make_fixtures.py");
    let output = Command::new(&python).args([script, "--check"]).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{python} {script} --check: {}{}", text[0], text[1]);
}
