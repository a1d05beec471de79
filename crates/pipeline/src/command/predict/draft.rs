//! [`Draft`]: a file that appears when it is whole, or not at all.

use std::io;
use std::path::{Path, PathBuf};

use super::wrong;
use crate::command::Stop;

/// A file in the making, hidden beside where it will be. Removed when dropped.
#[derive(Debug)]
pub(super) struct Draft {
    target: PathBuf,
    path: PathBuf,
    replaces: bool,
}

impl Draft {
    /// For the file `target`, which is not there, or may be replaced.
    ///
    /// # Errors
    /// It is there and may not be replaced, or is no file; the folder cannot be written.
    pub(super) fn of(target: &Path, replaces: bool) -> Result<Self, Stop> {
        let shown = target.display();
        match target.metadata() {
            Ok(metadata) if !metadata.is_file() => {
                return Err(wrong(
                    format!("cannot write `{shown}`: it is no ordinary file"),
                    "name another file with --out",
                ));
            }
            Ok(_) if !replaces => {
                return Err(wrong(
                    format!("cannot write `{shown}`: it is already there"),
                    "replace it with --force, or name another file with --out",
                ));
            }
            _ => {}
        }
        let Some(name) = target.file_name() else {
            return Err(wrong(
                format!("cannot write `{shown}`: it is no name of a file"),
                "name a file with --out",
            ));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        Ok(Draft { target: target.to_owned(), path: target.with_file_name(hidden), replaces })
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place.
    pub(super) fn publish(self) -> io::Result<()> {
        fs_err::File::open(&self.path)?.sync_all()?;
        if !self.replaces && self.target.symlink_metadata().is_ok() {
            let what =
                format!("cannot write `{}`: it was made by something else meanwhile", self.target.display());
            return Err(io::Error::other(what));
        }
        fs_err::rename(&self.path, &self.target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is not there where it was published, or not begun.
        let _ = fs_err::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(target: &Path, replaces: bool) -> String {
        match Draft::of(target, replaces) {
            Err(Stop::Error { message, hint: Some(_), .. }) => {
                message.replace(&target.parent().unwrap().display().to_string(), "DIR")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all_and_replaces_none_unless_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        let names = || fs_err::read_dir(dir.path()).unwrap().count();
        let draft = Draft::of(&target, false).unwrap();
        fs_err::write(draft.path(), "half").unwrap();
        assert!(!target.exists());
        drop(draft);
        assert_eq!(names(), 0);

        let draft = Draft::of(&target, false).unwrap();
        fs_err::write(draft.path(), "whole").unwrap();
        draft.publish().unwrap();
        assert_eq!((fs_err::read_to_string(&target).unwrap().as_str(), names()), ("whole", 1));
        assert_eq!(refused(&target, false), "cannot write `DIR/a.csv`: it is already there");
        assert!(Draft::of(&target, true).is_ok());
        fs_err::create_dir(dir.path().join("b")).unwrap();
        assert_eq!(refused(&dir.path().join("b"), true), "cannot write `DIR/b`: it is no ordinary file");

        let late = dir.path().join("late.csv");
        let draft = Draft::of(&late, false).unwrap();
        fs_err::write(draft.path(), "ours").unwrap();
        fs_err::write(&late, "theirs").unwrap();
        assert!(
            draft.publish().unwrap_err().to_string().ends_with("it was made by something else meanwhile")
        );
        assert_eq!(fs_err::read_to_string(&late).unwrap(), "theirs");
    }
}
