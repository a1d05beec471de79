//! The Python of the tests in `.tools/python`: the pinned packages of `tests/interop/requirements.txt`,
//! and no PyTorch.
//!
//! The environment is made without pip in it, and the machine's own pip installs into it: Debian has
//! what an environment with pip needs in a package of its own (`python3-venv`), which is then not needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::process;
use crate::step::{self, Outcome};
use crate::workspace::Workspace;

/// What is to be installed, relative to the workspace.
const REQUIREMENTS: &str = "tests/interop/requirements.txt";

/// Written last, inside the environment: the digest of what it was made from.
const STAMP: &str = "installed";

/// The environment's interpreter.
pub(crate) fn interpreter(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python/bin/python")
}

/// Makes sure that the environment has exactly what the requirements say.
///
/// # Errors
/// Those of Python and pip, and of files.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Outcome, Error> {
    let requirements = workspace.root.join(REQUIREMENTS);
    let version = process::output(
        Command::new("python3").args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]),
    )?;
    let stamp = stamp(&fs_err::read(&requirements)?, &version);

    let folder = workspace.tools().join("python");
    let detail = format!("{} (Python {version}, {REQUIREMENTS})", workspace.short(&folder));
    let known = fs_err::read_to_string(folder.join(STAMP)).ok();
    // A Python that was upgraded or removed leaves a link to nowhere behind.
    let runs = || process::ask(interpreter(workspace), &["--version"]).is_some();
    if known.as_deref() == Some(stamp.as_str()) && runs() {
        return Ok(Outcome::ready(detail));
    }

    step::note(&format!("installing {REQUIREMENTS} with pip"));
    install(&folder, &requirements, &stamp)?;
    Ok(Outcome::done("installed", detail))
}

fn install(folder: &Path, requirements: &Path, stamp: &str) -> Result<(), Error> {
    let partial = folder.with_extension("partial");
    for stale in [&partial, folder] {
        if stale.exists() {
            fs_err::remove_dir_all(stale)?;
        }
    }
    process::run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&partial))?;
    let packages = process::output(
        Command::new(partial.join("bin/python"))
            .args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]),
    )?;
    process::run(
        process::pip()
            // The packages of the machine's own Python are not seen from the environment, so they cannot conflict.
            .args(["install", "--only-binary=:all:", "--no-compile", "--no-warn-conflicts", "--target"])
            .arg(packages)
            .arg("--requirement")
            .arg(requirements)
            .args(process::pip_verbosity()),
    )?;
    fs_err::write(partial.join(STAMP), stamp)?;
    // Nothing in it holds its own path but the records of the environment, which Python does not read.
    fs_err::rename(&partial, folder)?;
    Ok(())
}

/// Another list or another Python is another environment.
fn stamp(requirements: &[u8], version: &str) -> String {
    let digest = Sha256::digest(requirements);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("python {version}, requirements {hex}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_names_the_python_and_the_digest_of_the_list() {
        // Digest: printf abc | sha256sum.
        assert_eq!(
            stamp(b"abc", "3.11.2"),
            "python 3.11.2, requirements ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        );
    }
}
