//! Scripts run in Python.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of the tests, where it has ONNX Runtime.
pub(crate) fn tests_python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let python = std::env::var_os("PIPELINE_PYTHON").map_or(own, PathBuf::from);
    with(
        python,
        "import onnx, onnxruntime, PIL",
        "no Python with onnx, onnxruntime and pillow; run `cargo xtask test`, or set PIPELINE_PYTHON",
    )
}

/// A Python with PyTorch.
pub(crate) fn torch_python() -> Option<PathBuf> {
    let python = std::env::var_os("PIPELINE_TORCH_PYTHON").map(PathBuf::from).unwrap_or_default();
    with(
        python,
        "import torchvision, safetensors",
        "PIPELINE_TORCH_PYTHON does not name a Python with torchvision and safetensors",
    )
}

fn with(python: PathBuf, imports: &str, without: &str) -> Option<PathBuf> {
    let has = Command::new(&python).args(["-c", imports]).output().is_ok_and(|ran| ran.status.success());
    if !has {
        eprintln!("skipped: {without}");
    }
    has.then_some(python)
}

/// Runs the script (relative to the project) and returns what it printed to standard output.
#[track_caller]
pub(crate) fn run(python: &Path, script: &str, arguments: &[PathBuf]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(script);
    let output = Command::new(python)
        .arg(&script)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}: {out}{err}", script.display());
    out
}
