//! Scripts run in Python.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of the tests, where it has ONNX Runtime.
pub(crate) fn tests_python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    with(
        "PIPELINE_PYTHON",
        own,
        "import onnx, onnxruntime, PIL",
        "no Python with onnx, onnxruntime and pillow; run `cargo xtask test`, or set PIPELINE_PYTHON",
    )
}

/// A Python with PyTorch.
pub(crate) fn torch_python() -> Option<PathBuf> {
    with(
        "PIPELINE_TORCH_PYTHON",
        PathBuf::new(),
        "import torchvision, safetensors",
        "PIPELINE_TORCH_PYTHON does not name a Python with torchvision and safetensors",
    )
}

/// The Python that a variable of the environment names, or else `own`, if it has these packages. One that is named and has
/// them not is an error.
fn with(variable: &str, own: PathBuf, imports: &str, without: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let python = named.clone().unwrap_or(own);
    let has = Command::new(&python).args(["-c", imports]).output().is_ok_and(|ran| ran.status.success());
    assert!(has || named.is_none(), "{variable} names {}, which fails on `{imports}`", python.display());
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
