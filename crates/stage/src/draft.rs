//! [`Draft`]: a file or folder in the making, beside its place, which it takes by one rename: whole or absent, also after a power cut.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::TempDir;

/// A file or folder in the making. Dropped, it leaves nothing but what was published; killed, a hidden folder beside its place,
/// whose name ends in `.partial`.
#[derive(Debug)]
pub struct Draft {
    /// Only its owner may enter, and nobody knew its name before: nothing in it is another's.
    dir: TempDir,
    path: PathBuf,
    to: PathBuf,
}

impl Draft {
    /// A draft of what is to be at `to`, in a new folder beside it. Nothing is at [`Draft::path`] yet.
    ///
    /// # Errors
    /// `to` has no name, as `..`; the folder around it is not there, or cannot be written. The message has the path.
    pub fn beside(to: &Path) -> io::Result<Self> {
        let failed =
            |kind, why: String| io::Error::new(kind, format!("cannot write `{}`: {why}", to.display()));
        let name =
            to.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput, "it has no name".to_owned()))?;
        let dir = tempfile::Builder::new().prefix(".").suffix(".partial").tempdir_in(around(to));
        let dir = dir.map_err(|error| failed(error.kind(), error.to_string()))?;
        Ok(Draft { path: dir.path().join(name), dir, to: to.to_owned() })
    }

    /// Where it is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written reach the disk and puts it in its place. Where `replace` is set, what is there goes: a file for a file, a
    /// folder for a folder.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where something is there and `replace` is not set; a full disk. What was there is as it was, and what
    /// was written still at [`Draft::path`].
    pub fn publish(&mut self, replace: bool) -> io::Result<()> {
        sync(&self.path)?;
        self.publish_unsynced(replace)?;
        // The rename is done; some file systems cannot sync a folder.
        let _ = fs_err::File::open(around(&self.to)).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// [`Draft::publish`] for what can be made again: after a power cut it may be empty.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    pub fn publish_unsynced(&mut self, replace: bool) -> io::Result<()> {
        let is_folder = fs_err::symlink_metadata(&self.path)?.is_dir();
        if !replace || fs_err::symlink_metadata(&self.to).is_err() {
            return rename_new(&self.path, &self.to);
        }
        if !is_folder {
            return fs_err::rename(&self.path, &self.to);
        }
        match renameat_with(CWD, &self.path, CWD, &self.to, RenameFlags::EXCHANGE) {
            // What was there goes with the draft.
            Ok(()) => Ok(()),
            Err(error) if cannot(error) => self.replace_in_two_steps(),
            Err(error) => Err(renaming(&self.path, &self.to, error.into())),
        }
    }

    /// For file systems that cannot exchange two folders.
    fn replace_in_two_steps(&mut self) -> io::Result<()> {
        let old = self.dir.path().join(".replaced");
        fs_err::rename(&self.to, &old)?;
        fs_err::rename(&self.path, &self.to).map_err(|error| {
            if fs_err::rename(&old, &self.to).is_ok() {
                return error;
            }
            self.dir.disable_cleanup(true);
            io::Error::new(error.kind(), format!("{error}; what was there is now `{}`", old.display()))
        })
    }
}

/// Writes a file, all of it or nothing; [`Draft::publish`] says when it replaces another.
///
/// # Errors
/// As [`Draft::beside`] and [`Draft::publish`].
pub fn write_whole(to: &Path, content: &[u8], replace: bool) -> io::Result<()> {
    let mut draft = Draft::beside(to)?;
    fs_err::write(draft.path(), content)?;
    draft.publish(replace)
}

/// Renames a file or folder to a name that nothing has.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where something has it, also when it came at this moment; [`ErrorKind::CrossesDevices`] for another file
/// system. The message has both paths.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(error) if cannot(error) => rename_to_taken_name(from, to),
        Err(error) => Err(renaming(from, to, error.into())),
    }
}

/// For file systems that cannot rename without replacing: the name is taken first, by something empty.
fn rename_to_taken_name(from: &Path, to: &Path) -> io::Result<()> {
    if fs_err::symlink_metadata(from)?.is_dir() {
        fs_err::create_dir(to)?;
        fs_err::rename(from, to).inspect_err(|_| drop(fs_err::remove_dir(to)))
    } else {
        drop(fs_err::OpenOptions::new().write(true).create_new(true).open(to)?);
        fs_err::rename(from, to).inspect_err(|_| drop(fs_err::remove_file(to)))
    }
}

/// Not every file system has this kind of rename (NFS), nor every kernel.
fn cannot(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

fn renaming(from: &Path, to: &Path, error: io::Error) -> io::Error {
    let message = format!("cannot rename `{}` to `{}`: {error}", from.display(), to.display());
    io::Error::new(error.kind(), message)
}

/// Makes a file, or a folder with all in it, reach the disk.
fn sync(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return fs_err::File::open(path)?.sync_all();
    }
    for entry in fs_err::read_dir(path)? {
        sync(&entry?.path())?;
    }
    // Some file systems cannot sync a folder.
    let _ = fs_err::File::open(path).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The folder that a path is in.
fn around(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all_and_replaces_none_unless_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a.csv");
        let draft = Draft::beside(&to).unwrap();
        fs_err::write(draft.path(), "half").unwrap();
        assert!(!to.exists());
        drop(draft);
        assert!(names(dir.path()).is_empty());

        let mut draft = Draft::beside(&to).unwrap();
        fs_err::write(draft.path(), "ours").unwrap();
        fs_err::write(&to, "theirs").unwrap();
        assert_eq!(draft.publish(false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs_err::read_to_string(&to).unwrap(), "theirs");
        draft.publish(true).unwrap();
        drop(draft);
        assert_eq!(fs_err::read_to_string(&to).unwrap(), "ours");
        assert_eq!(names(dir.path()), ["a.csv"]);

        // A link that leads nowhere has the name, too.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(write_whole(&link, b"x", false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(
            write_whole(Path::new(".."), b"x", true).unwrap_err().to_string().ends_with("it has no name")
        );
        let told = write_whole(&dir.path().join("no/a"), b"x", true).unwrap_err().to_string();
        assert!(told.starts_with("cannot write `") && told.contains("/no/a`: "), "{told}");
    }

    #[test]
    fn a_folder_replaces_a_folder_also_where_two_cannot_be_exchanged() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("m");
        let draft = |content: &str| {
            let draft = Draft::beside(&to).unwrap();
            fs_err::create_dir(draft.path()).unwrap();
            fs_err::write(draft.path().join("a"), content).unwrap();
            draft
        };
        draft("one").publish(false).unwrap();
        assert_eq!(draft("two").publish(false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        draft("two").publish(true).unwrap();
        assert_eq!(fs_err::read_to_string(to.join("a")).unwrap(), "two");
        draft("three").replace_in_two_steps().unwrap();
        assert_eq!(fs_err::read_to_string(to.join("a")).unwrap(), "three");
        // The second step fails: the first is taken back.
        let mut gone = draft("four");
        fs_err::remove_dir_all(gone.path()).unwrap();
        gone.replace_in_two_steps().unwrap_err();
        drop(gone);
        assert_eq!(fs_err::read_to_string(to.join("a")).unwrap(), "three");
        assert_eq!(names(dir.path()), ["m"]);
    }

    #[test]
    fn a_name_is_taken_by_one_alone_also_where_a_rename_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for rename in [rename_new, rename_to_taken_name] {
            for name in ["a", "b"] {
                fs_err::write(at(name), name).unwrap();
                fs_err::create_dir(at(&format!("{name}.d"))).unwrap();
            }
            for (from, to) in [("a", "b"), ("a.d", "b.d"), ("a", "b.d")] {
                assert_eq!(
                    rename(&at(from), &at(to)).unwrap_err().kind(),
                    ErrorKind::AlreadyExists,
                    "{from} {to}"
                );
            }
            rename(&at("gone"), &at("c")).unwrap_err();
            rename(&at("a"), &at("c")).unwrap();
            rename(&at("a.d"), &at("c.d")).unwrap();
            assert_eq!(fs_err::read_to_string(at("c")).unwrap(), "a");
            assert_eq!(names(dir.path()), ["b", "b.d", "c", "c.d"]);
            ["b", "c"].iter().for_each(|name| fs_err::remove_file(at(name)).unwrap());
            ["b.d", "c.d"].iter().for_each(|name| fs_err::remove_dir(at(name)).unwrap());
        }
    }
}
