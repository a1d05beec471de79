//! [`Weight`]: how big something in the store is, what removing it frees, and when it changed last.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::paths::entries;

/// The files of something that goes.
pub(crate) struct Weight {
    files: Vec<Weighed>,
    /// When what is there itself changed.
    changed: i64,
}

struct Weighed {
    device: u64,
    inode: u64,
    names: u64,
    size_bytes: u64,
    changed: i64,
}

impl Weight {
    /// Looks at what is at `path`, or below; what cannot be looked at weighs nothing.
    pub(crate) fn of(path: &Path) -> Weight {
        let mut files = vec![];
        let mut paths: Vec<PathBuf> = vec![path.to_owned()];
        while let Some(path) = paths.pop() {
            let Ok(found) = fs_err::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                paths.extend(entries(&path));
            } else {
                files.push(Weighed::new(&found));
            }
        }
        let changed = fs_err::symlink_metadata(path).map_or(0, |found| found.mtime());
        Weight { files, changed }
    }

    /// Bytes of its files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// When it changed last, in seconds since 1970: the latest of its files, or itself.
    pub(crate) fn changed(&self) -> u64 {
        let times = self.files.iter().map(|file| file.changed).chain([self.changed]);
        u64::try_from(times.max().unwrap_or(self.changed)).unwrap_or_default()
    }
}

impl Weighed {
    fn new(found: &Metadata) -> Weighed {
        Weighed {
            device: found.dev(),
            inode: found.ino(),
            names: found.nlink(),
            size_bytes: found.len(),
            changed: found.mtime(),
        }
    }
}

/// Bytes of the files all of whose names are among these.
pub(crate) fn freed<'a>(weights: impl IntoIterator<Item = &'a Weight>) -> u64 {
    let mut names: BTreeMap<(u64, u64), (u64, &Weighed)> = BTreeMap::new();
    for file in weights.into_iter().flat_map(|weight| &weight.files) {
        names.entry((file.device, file.inode)).or_insert((0, file)).0 += 1;
    }
    names.values().filter(|(seen, file)| *seen >= file.names).map(|(_, file)| file.size_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_freed_with_the_last_of_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for folder in ["a/deep", "b", "c"] {
            fs_err::create_dir_all(path(folder)).unwrap();
        }
        fs_err::write(path("a/deep/own"), [0; 3]).unwrap();
        fs_err::write(path("a/shared"), [0; 40]).unwrap();
        fs_err::hard_link(path("a/shared"), path("b/shared")).unwrap();
        fs_err::hard_link(path("a/shared"), path("c/shared")).unwrap();
        let weigh = |names: &[&str]| names.iter().map(|name| Weight::of(&path(name))).collect::<Vec<_>>();
        assert_eq!(Weight::of(&path("a")).size_bytes(), 43);
        assert_eq!(freed(&weigh(&["a"])), 3);
        assert_eq!(freed(&weigh(&["a", "b"])), 3);
        assert_eq!(freed(&weigh(&["a", "b", "c"])), 43);
        assert_eq!(freed(&weigh(&["none"])), 0);
    }
}
