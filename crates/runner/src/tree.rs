//! The digest of a file or a tree of files, with what is remembered of the last time.
//!
//! The digest of a tree is the hash of the sorted list of (relative path, digest of the content) of its
//! files: where it lies, times and permissions play no part. Clutter ([`is_clutter`]) is left out. Links are
//! followed; one that leads back into a folder above it is left out.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use pipeline_stage::source::is_clutter;
use pipeline_stage::{Cancel, Digest, Progress, Report};
use rayon::prelude::*;

use crate::error::Error;
use crate::memo::{Fingerprint, Memo};

/// A file of a tree.
struct Entry {
    /// Bytes of the path relative to the tree, with `/`.
    relative: Vec<u8>,
    path: PathBuf,
}

/// Where digests are remembered, and who is told of the hashing.
pub(crate) struct Hashing<'a> {
    /// The memo's file; `None` where there is no store yet.
    pub(crate) memo: Option<PathBuf>,
    /// Told only when something has to be hashed.
    pub(crate) report: &'a dyn Report,
    /// Ends the hashing.
    pub(crate) cancel: &'a Cancel,
}

impl Hashing<'_> {
    /// The digest of the tree at `root`.
    pub(crate) fn tree(&self, root: &Path) -> Result<Digest, Error> {
        let mut entries = Vec::new();
        let real = fs_err::canonicalize(root).map_err(Error::io(DOING, root))?;
        walk(root, &[], &mut vec![real], &mut entries).map_err(Error::io(DOING, root))?;
        entries.sort_by(|a, b| a.relative.cmp(&b.relative));

        let digests = self.entries(&entries, root)?;
        let mut hasher = blake3::Hasher::new();
        for (entry, digest) in entries.iter().zip(&digests) {
            // With its length before it, no name can be taken for another.
            hasher.update(&(entry.relative.len() as u64).to_le_bytes());
            hasher.update(&entry.relative);
            hasher.update(digest.as_bytes());
        }
        Ok(hasher.finalize().into())
    }

    /// The digest of one file.
    pub(crate) fn file(&self, path: &Path) -> Result<Digest, Error> {
        let entries = [Entry { relative: vec![], path: path.to_owned() }];
        Ok(self.entries(&entries, path)?[0])
    }

    /// The digest of each entry: looks at all, reads those that do not look as they did.
    fn entries(&self, entries: &[Entry], near: &Path) -> Result<Vec<Digest>, Error> {
        let memo = self.memo.as_deref().map(Memo::read).unwrap_or_default();
        let looked: Vec<(Fingerprint, Option<Digest>)> = entries
            .par_iter()
            .map(|entry| {
                let fingerprint = Fingerprint::of(&metadata(&entry.path)?);
                Ok((fingerprint, memo.get(&entry.relative, &fingerprint)))
            })
            .collect::<io::Result<_>>()
            .map_err(Error::io(DOING, near))?;

        let unknown = looked.iter().filter(|(_, digest)| digest.is_none()).count();
        if unknown == 0 {
            return Ok(looked.into_iter().filter_map(|(_, digest)| digest).collect());
        }
        let progress = Progress::begin(self.report, self.cancel, "hash files", Some(unknown as u64), "files");
        let digests: Vec<Digest> = entries
            .par_iter()
            .zip(&looked)
            .map(|(entry, (_, known))| {
                let Some(digest) = known else {
                    let digest = digest_content(&entry.path)?;
                    progress.add(1)?;
                    return Ok(digest);
                };
                Ok(*digest)
            })
            .collect::<Result<_, Error>>()?;

        if let Some(memo) = &self.memo {
            let files = entries.iter().zip(&looked).zip(&digests);
            let files =
                files.map(|((entry, (print, _)), digest)| (entry.relative.as_slice(), *print, *digest));
            // A memo that cannot be written (a read-only store) costs time, nothing else.
            let _ = Memo::write(memo, files);
        }
        Ok(digests)
    }
}

const DOING: &str = "look at the files of a source";

/// Of what a link leads to, or of the link where it leads nowhere.
fn metadata(path: &Path) -> io::Result<Metadata> {
    match fs_err::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs_err::symlink_metadata(path),
        other => other,
    }
}

fn digest_content(path: &Path) -> Result<Digest, Error> {
    // Reading a pipe would not end.
    if !metadata(path).map_err(Error::io(DOING, path))?.is_file() {
        return Ok(Digest::of(b"not a file"));
    }
    let hash = || -> io::Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(hasher.finalize().into())
    };
    match hash() {
        // Ingest reports such a file; it must not keep the others from being used.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(Digest::of(b"permission denied")),
        other => other.map_err(Error::io(DOING, path)),
    }
}

/// Collects what is in `folder` but folders. `above` holds the real paths of the folders on the way.
fn walk(
    folder: &Path,
    relative: &[u8],
    above: &mut Vec<PathBuf>,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_clutter(&name.to_string_lossy()) {
            continue;
        }
        let mut below = relative.to_vec();
        if !below.is_empty() {
            below.push(b'/');
        }
        below.extend(name.as_bytes());
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_dir = kind.is_dir() || (kind.is_symlink() && path.is_dir());
        if !is_dir {
            entries.push(Entry { relative: below, path });
            continue;
        }
        if !kind.is_symlink() {
            walk(&path, &below, above, entries)?;
            continue;
        }
        let real = fs_err::canonicalize(&path)?;
        if !above.iter().any(|folder| folder.starts_with(&real)) {
            above.push(real);
            walk(&path, &below, above, entries)?;
            above.pop();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use pipeline_stage::progress::Silent;

    use super::*;

    fn tree(root: &Path) -> Digest {
        Hashing { memo: None, report: &Silent, cancel: &Cancel::default() }.tree(root).unwrap()
    }

    fn write(root: &Path, relative: &str, content: &str) {
        fs_err::create_dir_all(root.join(relative).parent().unwrap()).unwrap();
        fs_err::write(root.join(relative), content).unwrap();
    }

    #[test]
    fn equal_trees_have_equal_digests_wherever_they_are_and_clutter_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("deep/b"));
        for root in [&a, &b] {
            write(root, "train/x.jpg", "one");
            write(root, "valid/y.jpg", "two");
        }
        let digest = tree(&a);
        assert_eq!(tree(&b), digest);
        write(&b, "train/.DS_Store", "litter");
        write(&b, "__MACOSX/x.jpg", "litter");
        assert_eq!(tree(&b), digest);
        symlink(&a, dir.path().join("link")).unwrap();
        assert_eq!(tree(&dir.path().join("link")), digest);
    }

    #[test]
    fn a_changed_a_renamed_and_a_moved_file_change_the_digest() {
        let dir = tempfile::tempdir().unwrap();
        let variants = [
            [("a/x", "one"), ("b/y", "two")],
            [("a/x", "two"), ("b/y", "one")],
            [("a/z", "one"), ("b/y", "two")],
            [("b/x", "one"), ("b/y", "two")],
            [("a/x", "onetwo"), ("b/y", "")],
        ];
        let digests: std::collections::BTreeSet<Digest> = variants
            .iter()
            .enumerate()
            .map(|(i, files)| {
                let root = dir.path().join(i.to_string());
                files.iter().for_each(|(name, content)| write(&root, name, content));
                tree(&root)
            })
            .collect();
        assert_eq!(digests.len(), variants.len());
    }

    #[test]
    fn links_that_lead_back_or_nowhere_do_not_stop_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a/x", "one");
        symlink(dir.path(), dir.path().join("a/back")).unwrap();
        symlink("nowhere", dir.path().join("a/broken")).unwrap();
        tree(dir.path());
    }
}
