//! [`Draft`]: a folder in the store's `tmp/` that a stage writes into, and how it is made ready to publish.
//!
//! A draft belongs to the process that locks the file `<id>.owner` beside it. [`clean`] removes drafts whose
//! owner is gone; a lock on `tmp.lock` keeps it from looking between the making of the two.

use std::collections::HashMap;
use std::fs::{Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::{File, OpenOptions};
use pipeline_stage::manifest::{FileEntry, MANIFEST_FILE};
use pipeline_stage::{Artifact, Digest};
use rayon::prelude::*;

use crate::clock;
use crate::error::Error;
use crate::store::sync_dir;

const PUBLISH: &str = "publish the artifact";

/// Mode of published files: artifacts are linked to from `out/`, and must not be edited there.
const READ_ONLY: u32 = 0o444;

/// A folder of our own, removed when dropped.
#[derive(Debug)]
pub(crate) struct Draft {
    dir: PathBuf,
    owner_path: PathBuf,
    _owner: File,
}

impl Draft {
    /// Makes an empty draft in the folder `tmp`.
    pub(crate) fn new(tmp: &Path) -> io::Result<Draft> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let _gate = gate(tmp)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}-{}", std::process::id(), clock::unix_nanoseconds());
        let owner_path = tmp.join(format!("{id}.owner"));
        let owner = OpenOptions::new().create_new(true).write(true).open(&owner_path)?;
        owner.file().lock()?;
        let dir = tmp.join(id);
        fs_err::create_dir_all(dir.join("out"))?;
        Ok(Draft { dir, owner_path, _owner: owner })
    }

    /// The draft's own folder; whatever is in it beside [`Draft::out`] goes with it.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder that becomes the artifact.
    pub(crate) fn out(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// Hashes everything in [`Draft::out`], makes it read-only and brings it to the disk.
    ///
    /// A file that a stage hard-linked from one of its inputs keeps its digest without being read again, and
    /// is not touched. One that it linked from elsewhere becomes a copy: whoever changes the other
    /// name would change the artifact.
    ///
    /// # Errors
    /// [`Error::Unpublishable`] for anything that is not a file or a folder, and for a file in the manifest's
    /// place; else what the disk says.
    pub(crate) fn seal(&self, inputs: &[&Artifact]) -> Result<Vec<FileEntry>, Error> {
        let root = self.out();
        let io = |e| Error::io(PUBLISH, &root)(e);
        let (mut files, folders) = list(&root).map_err(io)?;
        files.sort();
        for relative in &files {
            let metadata = fs_err::symlink_metadata(root.join(relative)).map_err(io)?;
            let reason = match () {
                () if relative == MANIFEST_FILE => "this name is the manifest's",
                () if !metadata.is_file() => "it is not a file",
                () => continue,
            };
            return Err(Error::Unpublishable { file: relative.clone(), reason });
        }
        let known = known_inodes(inputs);
        let entries: io::Result<Vec<FileEntry>> =
            files.par_iter().map(|relative| self.seal_file(relative, &known)).collect();
        let entries = entries.map_err(io)?;
        // Folders after what they list, the outermost last.
        for folder in folders.iter().rev() {
            sync_dir(folder).map_err(io)?;
        }
        Ok(entries)
    }

    fn seal_file(&self, relative: &str, known: &HashMap<(u64, u64), Digest>) -> io::Result<FileEntry> {
        let path = self.out().join(relative);
        let mut metadata = fs_err::symlink_metadata(&path)?;
        let mut digest = known.get(&identity(&metadata)).copied();
        if metadata.nlink() > 1 && digest.is_none() {
            // Not in the artifact's folder, and of a name of its own: others are being copied beside it.
            let copy = tempfile::NamedTempFile::new_in(&self.dir)?;
            fs_err::copy(&path, copy.path())?;
            copy.persist(&path)?;
            metadata = fs_err::symlink_metadata(&path)?;
        }
        if metadata.nlink() == 1 {
            let file = File::open(&path)?;
            digest = Some(Digest::of_reader(&file)?);
            file.set_permissions(Permissions::from_mode(READ_ONLY))?;
            file.sync_all()?;
        }
        let blake3 = digest
            .ok_or_else(|| io::Error::other(format!("{} changed while it was hashed", path.display())))?;
        Ok(FileEntry { path: relative.to_owned(), size_bytes: metadata.len(), blake3 })
    }

    /// Writes the manifest: the last file of an artifact.
    pub(crate) fn write_manifest(&self, json: &[u8]) -> io::Result<()> {
        let path = self.out().join(MANIFEST_FILE);
        let mut file = File::create(&path)?;
        io::Write::write_all(&mut file, json)?;
        file.set_permissions(Permissions::from_mode(READ_ONLY))?;
        file.sync_all()?;
        sync_dir(&self.out())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed now has no owner afterwards, and is removed by the next run.
        let _ = fs_err::remove_dir_all(&self.dir);
        let _ = fs_err::remove_file(&self.owner_path);
    }
}

/// Paths of everything in `root` that is not a folder, relative with `/`, and all folders from `root` down.
pub(crate) fn list(root: &Path) -> io::Result<(Vec<String>, Vec<PathBuf>)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let relative = path.strip_prefix(root).unwrap_or(&path);
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    Ok((files, folders))
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Device and inode of every file of the inputs that has more than one name.
fn known_inodes(inputs: &[&Artifact]) -> HashMap<(u64, u64), Digest> {
    let files = inputs.iter().flat_map(|a| a.files.iter().map(|(path, digest)| (a.path(path), *digest)));
    files
        .filter_map(|(path, digest)| {
            let metadata = fs_err::symlink_metadata(path).ok().filter(|m| m.nlink() > 1)?;
            Some((identity(&metadata), digest))
        })
        .collect()
}

/// Removes from the folder `tmp` the drafts whose owners are gone. Returns how many.
pub(crate) fn clean(tmp: &Path) -> io::Result<usize> {
    let mut abandoned = Vec::new();
    {
        let _gate = gate(tmp)?;
        for entry in fs_err::read_dir(tmp)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(id) = name.strip_suffix(".owner") {
                let owner = match File::open(&path) {
                    Ok(owner) => owner,
                    // Its owner finished in this moment.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    Err(e) => return Err(e),
                };
                match owner.file().try_lock() {
                    Ok(()) => abandoned.push((tmp.join(id), Some(path), Some(owner))),
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(e)) => return Err(e),
                }
            } else if !tmp.join(format!("{name}.owner")).exists() {
                abandoned.push((path, None, None));
            }
        }
    }
    let mut count = 0;
    for (path, owner_path, owner) in abandoned {
        count += usize::from(remove(&path)?);
        if let Some(owner_path) = owner_path {
            remove(&owner_path)?;
        }
        drop(owner);
    }
    Ok(count)
}

/// Removes a file or folder; whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    let removed = match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Ok(()) => Ok(true),
        // Another run cleans, too.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Held for the moment in which a draft is made or looked for.
fn gate(tmp: &Path) -> io::Result<File> {
    let path = tmp.with_file_name("locks").join("tmp.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.file().lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn each_of_many_files_linked_from_outside_becomes_a_copy_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let outside = dir.path().join("outside");
        fs_err::create_dir(&outside).unwrap();
        let draft = store.draft().unwrap();
        let names: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
        for name in &names {
            fs_err::write(outside.join(name), name).unwrap();
            fs_err::hard_link(outside.join(name), draft.out().join(name)).unwrap();
        }
        let entries = draft.seal(&[]).unwrap();
        assert_eq!(entries.iter().map(|e| e.path.clone()).collect::<Vec<_>>(), names);
        for entry in entries {
            assert_eq!(entry.blake3, Digest::of(entry.path.as_bytes()), "{}", entry.path);
            let found = fs_err::metadata(draft.out().join(&entry.path)).unwrap();
            assert_eq!((found.nlink(), found.mode() & 0o777), (1, READ_ONLY), "{}", entry.path);
        }
        assert_eq!(fs_err::read_dir(draft.out()).unwrap().count(), names.len(), "no litter");
    }
}
