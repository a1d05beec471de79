//! [`Weight`]: how big something in the store is, what removing it frees, and when it changed last.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::roots::entries;

/// When something changed last, in seconds since 1970: the latest of its files.
pub(crate) fn changed(path: &Path) -> u64 {
    let times = Weight::of(path).0.into_iter().map(|file| file.changed);
    let own = fs_err::symlink_metadata(path).map(|found| found.mtime()).unwrap_or_default();
    u64::try_from(times.chain([own]).max().unwrap_or(own)).unwrap_or_default()
}

/// The files of something that goes.
pub(crate) struct Weight(Vec<Weighed>);

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
        let mut paths = vec![path.to_owned()];
        while let Some(path) = paths.pop() {
            let Ok(found) = fs_err::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                paths.extend(entries(&path));
            } else {
                files.push(Weighed::new(&found));
            }
        }
        Weight(files)
    }

    /// Bytes of its files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.0.iter().map(|file| file.size_bytes).sum()
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
pub(crate) fn freed(weights: &[Weight]) -> u64 {
    let mut names: BTreeMap<(u64, u64), (u64, &Weighed)> = BTreeMap::new();
    for file in weights.iter().flat_map(|weight| &weight.0) {
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
