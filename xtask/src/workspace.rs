//! Where things are: the folders that set-up fills, and the lock that keeps two set-ups apart.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::step;

/// The workspace that this `cargo xtask` belongs to.
pub(crate) struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The workspace around this package. Cargo tells where that is now; the place at build time
    /// serves when the binary is started without Cargo.
    pub(crate) fn find() -> Workspace {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().map_or_else(|| package.clone(), Path::to_path_buf);
        Workspace { root }
    }

    /// What set-up installs; ignored by git.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Pretrained weights; ignored by git.
    pub(crate) fn weights(&self) -> PathBuf {
        self.root.join("data/weights")
    }

    /// `path` as it is written in messages: relative to the root where it lies inside.
    pub(crate) fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// Waits until no other `cargo xtask` sets up this workspace. Held until the value is dropped,
    /// and released by the kernel when the process dies.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        fs_err::create_dir_all(self.tools())?;
        let (file, path) = fs_err::File::create(self.tools().join("lock"))?.into_parts();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                step::note(&format!("waiting for another `cargo xtask` ({})", self.short(&path)));
                file.lock()?;
            }
            Err(TryLockError::Error(source)) => return Err(source.into()),
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_folder_with_the_workspace_manifest() {
        assert!(Workspace::find().root.join("clippy.toml").is_file());
    }

    #[test]
    fn paths_inside_are_written_relative_to_the_root() {
        let workspace = Workspace { root: PathBuf::from("/project") };
        assert_eq!(workspace.short(Path::new("/project/.tools/python")).to_string(), ".tools/python");
        assert_eq!(workspace.short(Path::new("/opt/libtorch")).to_string(), "/opt/libtorch");
    }
}
