//! [`Walk`]: the files below a folder one by one, as `ingest` walks: sorted by name in each folder, clutter left out, links followed
//! unless they lead back. Memory holds the names in the folders on the way down.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::source::{MOST_DEEP, is_clutter};

/// A way down from a folder.
#[derive(Debug)]
pub(super) struct Walk {
    /// Folders on the way, the first on top; each with what is left in it.
    levels: Vec<Level>,
    /// Real paths that are left out: what the command itself writes.
    own: Vec<PathBuf>,
    /// Files and folders that were left out because of their names.
    pub(super) clutter: u64,
    /// Links that lead back.
    pub(super) loops: u64,
}

#[derive(Debug)]
struct Level {
    folder: PathBuf,
    /// The folder without links.
    real: PathBuf,
    names: std::vec::IntoIter<OsString>,
}

impl Walk {
    /// Starts at `folder`.
    pub(super) fn from(folder: &Path, own: Vec<PathBuf>) -> io::Result<Self> {
        let mut walk = Walk { levels: vec![], own, clutter: 0, loops: 0 };
        let real = fs_err::canonicalize(folder)?;
        walk.enter(folder.to_owned(), real)?;
        Ok(walk)
    }

    fn enter(&mut self, folder: PathBuf, real: PathBuf) -> io::Result<()> {
        if self.levels.len() > MOST_DEEP {
            let above =
                self.levels.first().map(|level| level.folder.display().to_string()).unwrap_or_default();
            return Err(io::Error::other(format!(
                "more than {MOST_DEEP} folders lie in each other in {above}"
            )));
        }
        let mut names = vec![];
        for entry in fs_err::read_dir(&folder)? {
            let name = entry?.file_name();
            if is_clutter(&name.to_string_lossy()) {
                self.clutter += 1;
            } else {
                names.push(name);
            }
        }
        names.sort_unstable();
        self.levels.push(Level { folder, real, names: names.into_iter() });
        Ok(())
    }

    /// Goes into a folder that was met, unless it leads back or is the command's own.
    fn meet(&mut self, folder: PathBuf) -> io::Result<()> {
        let real = fs_err::canonicalize(&folder)?;
        if self.levels.iter().any(|level| level.real.starts_with(&real)) {
            self.loops += 1;
            return Ok(());
        }
        if self.own.contains(&real) { Ok(()) } else { self.enter(folder, real) }
    }

    fn is_own(&self, file: &Path) -> bool {
        let has_its_name = |own: &&PathBuf| own.file_name() == file.file_name();
        self.own
            .iter()
            .find(has_its_name)
            .is_some_and(|own| file.canonicalize().is_ok_and(|real| real == *own))
    }
}

impl Iterator for Walk {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let path = level.folder.join(name);
            if path.is_dir() {
                if let Err(error) = self.meet(path) {
                    return Some(Err(error));
                }
            } else if !self.is_own(&path) {
                return Some(Ok(path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_come_in_the_order_of_names_without_clutter_loops_and_what_is_the_commands_own() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in [
            "b/z.jpg",
            "b/.hidden",
            "b/c/a.jpg",
            "a.jpg",
            "b.jpg",
            "Thumbs.db",
            "sorted/cats/a.jpg",
            "out.csv",
        ] {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        symlink("..", root.join("b/up")).unwrap();
        symlink("../b/c", root.join("b/linked")).unwrap();
        symlink("nowhere", root.join("b/dangling")).unwrap();
        let own = ["sorted", "out.csv"].map(|name| root.join(name).canonicalize().unwrap());
        let mut walk = Walk::from(root, own.to_vec()).unwrap();
        let found: Vec<String> = walk
            .by_ref()
            .map(|path| path.unwrap().strip_prefix(root).unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, ["a.jpg", "b/c/a.jpg", "b/dangling", "b/linked/a.jpg", "b/z.jpg", "b.jpg"]);
        assert_eq!((walk.clutter, walk.loops), (2, 1));
    }
}
