//! Zip archives.

use std::io;
use std::path::{Path, PathBuf};

use fs_err::File;
use pipeline_stage::{Cancel, Progress, Report};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Extraction, Kind, MAX_ENTRIES, Refused, inside, is_content, printable, too_many};

pub(super) const ENCRYPTED: &str = "it is encrypted, and there is no way to give a password";

impl From<ZipError> for Refused {
    fn from(error: ZipError) -> Self {
        Refused::Archive(error.to_string())
    }
}

/// What is wrong with the file as a zip; `None` where it can be opened.
pub(super) fn damage(path: &Path) -> io::Result<Option<String>> {
    match ZipArchive::new(File::open(path)?) {
        Ok(_) => Ok(None),
        Err(ZipError::Io(error)) if !is_content(&error) => Err(error),
        Err(error) => Ok(Some(format!("a damaged zip ({error})"))),
    }
}

pub(super) fn unpack(
    zip: &Path,
    extraction: &mut Extraction<'_>,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<(), Refused> {
    let mut archive = ZipArchive::new(File::open(zip)?)?;
    if archive.len() > MAX_ENTRIES {
        return Err(too_many());
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        let kind = if entry.is_dir() { Kind::Folder } else { Kind::File };
        extraction.top.see(&relative(&entry.name()?)?, kind);
    }
    let progress = Progress::begin(report, cancel, "unpack", Some(archive.len() as u64), "entries");
    for index in 0..archive.len() {
        progress.add(1)?;
        let mut entry = archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
                Refused::Archive(ENCRYPTED.to_owned())
            }
            other => other.into(),
        })?;
        let name = entry.name()?.into_owned();
        let relative = relative(&name)?;
        if entry.is_symlink() {
            return Err(Refused::Archive(format!("`{}` is a link", printable(&name))));
        }
        let kind = if entry.is_dir() { Kind::Folder } else { Kind::File };
        extraction.entry(&relative, &printable(&name), kind, &mut entry)?;
    }
    Ok(())
}

/// An entry's name as a path that stays inside.
fn relative(name: &str) -> Result<PathBuf, Refused> {
    if name.contains('\\') {
        let name = printable(name);
        return Err(Refused::Archive(format!("`{name}` has a backslash in its name, a zip has `/` there")));
    }
    inside(Path::new(name))
}
