//! The digest of a file or a tree of files, with what is remembered of the last time.
//!
//! The digest of a tree is the hash of the sorted list of (relative path, digest of the content) of its
//! files: where it lies, times and permissions play no part. Clutter ([`is_clutter`]) is left out. Links are
//! followed; one that leads back into a folder above it is left out.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use pipeline_stage::source::is_clutter;
use pipeline_stage::{Digest, Progress};
use rayon::prelude::*;

use crate::error::Error;
use crate::memo::{Fingerprint, Memo};

/// A file of a tree.
struct Entry {
    /// Bytes of the path relative to the tree, with `/`.
    relative: Vec<u8>,
    path: PathBuf,
}

/// Digests of the files of one tree are remembered in the file `memo`, unless it cannot be written.
pub(crate) fn digest_tree(root: &Path, memo: Option<&Path>, progress: &Progress<'_>) -> Result<Digest, Error> {
    let mut entries = Vec::new();
    let real = fs_err::canonicalize(root).map_err(Error::io(DOING, root))?;
    walk(root, &[], &mut vec![real], &mut entries).map_err(Error::io(DOING, root))?;
    entries.sort_by(|a, b| a.relative.cmp(&b.relative));

    let digested = digest_entries(&entries, memo, progress, root)?;
    let mut hasher = blake3::Hasher::new();
    for (entry, digest) in entries.iter().zip(&digested) {
        // With its length before it, no name can be taken for another.
        hasher.update(&(entry.relative.len() as u64).to_le_bytes());
        hasher.update(&entry.relative);
        hasher.update(digest.as_bytes());
    }
    Ok(hasher.finalize().into())
}

/// The digest of one file, remembered in the same way.
pub(crate) fn digest_file(path: &Path, memo: Option<&Path>, progress: &Progress<'_>) -> Result<Digest, Error> {
    let entries = [Entry { relative: vec![], path: path.to_owned() }];
    Ok(digest_entries(&entries, memo, progress, path)?[0])
}

const DOING: &str = "look at the files of a source";

fn digest_entries(
    entries: &[Entry],
    memo: Option<&Path>,
    progress: &Progress<'_>,
    near: &Path,
) -> Result<Vec<Digest>, Error> {
    let known = memo.map(Memo::read).unwrap_or_default();
    let looked: Vec<(Fingerprint, Digest, bool)> = entries
        .par_iter()
        .map(|entry| {
            let metadata = match fs_err::metadata(&entry.path) {
                // Where a link leads nowhere, that is what its content is.
                Err(e) if e.kind() == io::ErrorKind::NotFound => fs_err::symlink_metadata(&entry.path),
                other => other,
            };
            let metadata = metadata.map_err(Error::io(DOING, near))?;
            let fingerprint = Fingerprint::of(&metadata);
            if let Some(digest) = known.get(&entry.relative, &fingerprint) {
                return Ok((fingerprint, digest, false));
            }
            let digest = if metadata.is_file() { digest_content(&entry.path)? } else { Digest::of(b"not a file") };
            progress.add(1)?;
            Ok((fingerprint, digest, true))
        })
        .collect::<Result<_, Error>>()?;

    if let Some(memo) = memo
        && looked.iter().any(|(_, _, new)| *new)
    {
        let files = entries.iter().zip(&looked).map(|(e, (print, digest, _))| (e.relative.as_slice(), *print, *digest));
        // A memo that cannot be written (a read-only store) costs time, nothing else.
        let _ = Memo::write(memo, files);
    }
    Ok(looked.into_iter().map(|(_, digest, _)| digest).collect())
}

fn digest_content(path: &Path) -> Result<Digest, Error> {
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
fn walk(folder: &Path, relative: &[u8], above: &mut Vec<PathBuf>, entries: &mut Vec<Entry>) -> io::Result<()> {
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

    use pipeline_stage::Cancel;
    use pipeline_stage::progress::Silent;

    use super::*;

    fn tree(root: &Path) -> Digest {
        let cancel = Cancel::default();
        digest_tree(root, None, &Progress::begin(&Silent, &cancel, "test", None, "files")).unwrap()
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
