//! [`FileSystem`]: what the disk of a store has room for, and whether it can do what publishing uses.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, StatVfsMountFlags, renameat_with, statvfs};

/// The file system that a folder is on, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// The folder itself, or the nearest one above that is there.
    pub folder: PathBuf,
    /// Bytes that this user can write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub size_bytes: u64,
    /// Files that can be made; `None` where the file system sets no limit.
    pub free_files: Option<u64>,
    /// Whether it is mounted read-only.
    pub is_read_only: bool,
}

/// What a file system can do, tried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A file can have two names: without, trunks are copied from artifact to artifact.
    pub hard_links: bool,
    /// Two folders can be exchanged at once: without, `--force` leaves a moment with neither.
    pub exchange: bool,
}

impl FileSystem {
    /// That of `path`, which need not be there.
    ///
    /// # Errors
    /// Where no folder above it can be looked at.
    pub fn of(path: &Path) -> io::Result<FileSystem> {
        let path = std::path::absolute(path)?;
        let folder = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(&path).to_owned();
        let found = statvfs(&folder)
            .map_err(|error| io::Error::other(format!("cannot look at {}: {error}", folder.display())))?;
        Ok(FileSystem {
            folder,
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            size_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            // Some (Btrfs) have no table of files, and say 0 of 0.
            free_files: (found.f_files > 0).then_some(found.f_favail),
            is_read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// Tries it out in a temporary folder, which is removed.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn try_out(&self) -> io::Result<Abilities> {
        let trial = tempfile::Builder::new().prefix(".tmp-pipeline-").tempdir_in(&self.folder)?;
        let place = |name: &str| trial.path().join(name);
        fs_err::write(place("file"), "x")?;
        for folder in ["a", "b"] {
            fs_err::create_dir(place(folder))?;
        }
        Ok(Abilities {
            hard_links: fs_err::hard_link(place("file"), place("link")).is_ok(),
            exchange: renameat_with(CWD, place("a"), CWD, place("b"), RenameFlags::EXCHANGE).is_ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_on_the_disk_of_the_one_above_and_nothing_is_left_there() {
        let dir = tempfile::tempdir().unwrap();
        let found = FileSystem::of(&dir.path().join("a/b/.pipeline")).unwrap();
        assert_eq!(found.folder, dir.path());
        assert!(found.free_bytes > 0 && found.free_bytes <= found.size_bytes, "{found:?}");
        assert!(!found.is_read_only);
        let abilities = found.try_out().unwrap();
        assert!(abilities.hard_links, "{abilities:?}");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }
}
