//! [`Draft`]: an export in the making, beside its place, which it then takes by one rename.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, TRUNK_FILE};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::card::CARD_FILE;
use crate::error::Error;

/// What a folder holds that an export has written.
const FILES: [&str; 4] = [MODEL_FILE, TRUNK_FILE, HEAD_FILE, CARD_FILE];

/// An export in the making. Dropped before it is published, it leaves nothing; killed, a hidden folder beside its place.
pub(crate) struct Draft {
    dir: TempDir,
    to: PathBuf,
    is_folder: bool,
    replace: bool,
}

impl Draft {
    /// A draft of what is to be at `to`, in a new folder beside it: an empty folder, or a file that is not there yet.
    pub(crate) fn new(to: &Path, is_folder: bool, replace: bool) -> Result<Self, Error> {
        check(to, is_folder, replace)?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs_err::create_dir_all(parent)?;
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", parent.display()));
        let dir = tempfile::Builder::new().prefix(".export-").tempdir_in(parent).map_err(at)?;
        let draft = Draft { dir, to: to.to_owned(), is_folder, replace };
        if is_folder {
            fs_err::create_dir(draft.path())?;
        }
        Ok(draft)
    }

    /// Where it is written.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("whole")
    }

    /// Bytes of all its files.
    pub(crate) fn size_bytes(&self) -> Result<u64, Error> {
        if !self.is_folder {
            return Ok(fs_err::metadata(self.path())?.len());
        }
        let sizes = fs_err::read_dir(self.path())?.map(|entry| Ok(entry?.metadata()?.len()));
        Ok(sizes.sum::<io::Result<u64>>()?)
    }

    /// Takes its place.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let (from, to) = (self.path(), &self.to);
        // Looked at again: writing took a while.
        check(to, self.is_folder, self.replace)?;
        let is_there = fs_err::symlink_metadata(to).is_ok();
        let flags = match (is_there, self.is_folder) {
            (false, _) => RenameFlags::NOREPLACE,
            // What was there goes with the draft.
            (true, true) => RenameFlags::EXCHANGE,
            (true, false) => return Ok(fs_err::rename(from, to)?),
        };
        match renameat_with(CWD, &from, CWD, to, flags) {
            // Not every file system can (NFS), nor every kernel.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                if is_there {
                    fs_err::rename(to, self.dir.path().join("replaced"))?;
                }
                Ok(fs_err::rename(from, to)?)
            }
            Err(Errno::EXIST) => Err(Error::Exists { path: to.clone() }),
            Err(error) => {
                let error = io::Error::from(error);
                let message = format!("cannot put the export at {}: {error}", to.display());
                Err(io::Error::new(error.kind(), message).into())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Whether something may be put at `to`.
fn check(to: &Path, is_folder: bool, replace: bool) -> Result<(), Error> {
    let found = match fs_err::symlink_metadata(to) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !replace {
        return Err(Error::Exists { path: to.to_owned() });
    }
    let refuse = |why: String| Err(Error::NotAnExport { path: to.to_owned(), why });
    match (found.is_dir(), is_folder) {
        (true, true) => {}
        (true, false) => return refuse("it is a folder, expected a file".to_owned()),
        (false, true) => return refuse("it is no folder".to_owned()),
        (false, false) if found.is_file() => return Ok(()),
        (false, false) => return refuse("it is no plain file".to_owned()),
    }
    let mut stray: Option<OsString> = None;
    for entry in fs_err::read_dir(to)? {
        let name = entry?.file_name();
        // The first by name, whatever the order of the folder.
        if FILES.iter().all(|file| name != *file) && stray.as_ref().is_none_or(|first| name < *first) {
            stray = Some(name);
        }
    }
    match stray {
        Some(name) => refuse(format!("it holds `{}`", name.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(to: &Path, is_folder: bool, replace: bool) -> String {
        let error = Draft::new(to, is_folder, replace).map(drop).unwrap_err().to_string();
        error.replace(&to.parent().unwrap().display().to_string(), "DIR")
    }

    #[test]
    fn nothing_is_overwritten_unasked_and_asked_only_an_export() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("m.onnx"), dir.path().join("m"));
        fs_err::write(&file, "old").unwrap();
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join(MODEL_FILE), "old").unwrap();
        std::os::unix::fs::symlink(&folder, dir.path().join("link")).unwrap();
        assert_eq!(refused(&file, false, false), "`DIR/m.onnx` is there already");
        assert_eq!(refused(&folder, true, false), "`DIR/m` is there already");
        assert_eq!(refused(&folder, false, true), "cannot replace `DIR/m`: it is a folder, expected a file");
        assert_eq!(refused(&file, true, true), "cannot replace `DIR/m.onnx`: it is no folder");
        assert_eq!(
            refused(&dir.path().join("link"), true, true),
            "cannot replace `DIR/link`: it is no folder"
        );

        for (to, is_folder) in [(&file, false), (&folder, true)] {
            let draft = Draft::new(to, is_folder, true).unwrap();
            let new = if is_folder { draft.path().join(MODEL_FILE) } else { draft.path() };
            fs_err::write(new, "new one").unwrap();
            assert_eq!(draft.size_bytes().unwrap(), 7);
            draft.publish().unwrap();
        }
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "new one");
        assert_eq!(fs_err::read_to_string(folder.join(MODEL_FILE)).unwrap(), "new one");

        fs_err::write(folder.join("photo.jpg"), "mine").unwrap();
        assert_eq!(refused(&folder, true, true), "cannot replace `DIR/m`: it holds `photo.jpg`");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 3, "no draft stays");
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing_and_what_appeared_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("below/m.onnx");
        drop(Draft::new(&to, false, false).unwrap());
        assert_eq!(fs_err::read_dir(to.parent().unwrap()).unwrap().count(), 0);
        let draft = Draft::new(&to, false, false).unwrap();
        fs_err::write(draft.path(), "new").unwrap();
        fs_err::write(&to, "another's").unwrap();
        assert!(matches!(draft.publish(), Err(Error::Exists { .. })));
        assert_eq!(fs_err::read_to_string(&to).unwrap(), "another's");
    }
}
