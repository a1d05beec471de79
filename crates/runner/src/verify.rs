//! [`verify()`]: every byte of artifacts, against their manifests. Reads, and changes nothing.
//!
//! A plan looks at sizes, and a stage hashes what it is about to read; this hashes everything, also what nobody reads.
//! It takes no lock: what a run replaces or `gc` removes meanwhile is looked at again, or passed over.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;
use pipeline_stage::manifest::{FileEntry, MANIFEST_FILE};
use pipeline_stage::{Cancel, Digest, Manifest, Progress, Report};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::Error;
use crate::manifest::{NoManifest, read_manifest};
use crate::path_text;
use crate::roots::Roots;
use crate::store::Store;

/// Bytes that are hashed between two reports.
const CHUNK: usize = 1 << 20;

/// An artifact to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Stage kind.
    pub kind: String,
    /// Its key; `None` for one whose folder has no key for a name, which is damage.
    pub key: Option<Digest>,
    /// Its folder.
    pub dir: PathBuf,
    /// The links that lead to it.
    pub links: BTreeSet<PathBuf>,
}

/// An artifact that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    /// Stage kind.
    pub kind: String,
    /// Its key.
    pub key: Option<Digest>,
    /// Its folder.
    #[serde(serialize_with = "path_text::one")]
    pub path: PathBuf,
    /// The links that lead to it.
    #[serde(serialize_with = "path_text::all")]
    pub links: BTreeSet<PathBuf>,
    /// How many files its manifest names.
    pub files: usize,
    /// Their bytes.
    pub size_bytes: u64,
    /// What is damaged, by file.
    pub faults: Vec<Fault>,
    /// Why something of it could not be looked at.
    pub unreadable: Vec<String>,
}

/// Something that is not what the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Path in the artifact.
    pub file: String,
    /// What was found: `7 bytes`.
    pub found: String,
    /// What was expected: `9 bytes`.
    pub expected: String,
    /// How it is made whole again.
    pub way_out: WayOut,
}

/// How damage is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOut {
    /// A run finds it and makes the artifact again.
    Run,
    /// A run would take it for whole, as it looks at sizes: `--force` makes it again.
    Force,
    /// A file that nobody made: it is to be moved away.
    MoveAway,
}

/// Every artifact of `store`, in order of kind and key.
///
/// # Errors
/// When the store cannot be read.
pub fn all(store: &Store) -> Result<Vec<Target>, Error> {
    let names = store.keys_in("store")?;
    let mut roots = Roots::find(store, &names, &[])?;
    let target = |(kind, key): (String, Digest)| Target {
        dir: store.artifact_dir(&kind, &key),
        links: roots.used.remove(&(kind.clone(), key)).unwrap_or_default(),
        key: Some(key),
        kind,
    };
    Ok(names.into_iter().map(target).collect())
}

/// The artifact that the link of a stage leads to; `None` where there is no link, or it leads nowhere.
///
/// # Errors
/// When the link cannot be read.
pub fn current(link: &Path) -> Result<Option<Target>, Error> {
    let dir = match fs_err::canonicalize(link) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look for the artifact", link)(error)),
    };
    let name = |path: Option<&Path>| path.map(crate::paths::file_name).unwrap_or_default();
    let key = name(Some(&dir)).parse().ok();
    Ok(Some(Target { kind: name(dir.parent()), key, links: [link.to_owned()].into(), dir }))
}

/// Looks at every byte of `targets`, on all threads of the pool, which `report` is told of.
///
/// # Errors
/// [`Error::Cancelled`]. What cannot be read is said of the artifact.
pub fn verify(targets: Vec<Target>, report: &dyn Report, cancel: &Cancel) -> Result<Vec<Verified>, Error> {
    let size = |target: &Target| read_manifest(&target.dir).map_or(0, |manifest| manifest.size_bytes());
    let total = targets.iter().map(size).sum();
    let progress = Progress::begin(report, cancel, "verify", Some(total), "bytes");
    let looked: Vec<Option<Verified>> = targets
        .into_par_iter()
        .map(|target| {
            let (verified, manifest) = look(&target, &progress)?;
            let is_whole = verified.faults.is_empty() && verified.unreadable.is_empty();
            if is_whole || read_manifest(&target.dir).ok() == manifest && target.dir.exists() {
                return Ok(Some(verified));
            }
            // It was removed, or replaced, while it was looked at.
            if target.dir.exists() { Ok(Some(look(&target, &progress)?.0)) } else { Ok(None) }
        })
        .collect::<Result<_, Error>>()?;
    Ok(looked.into_iter().flatten().collect())
}

/// Looks at one artifact. Also returns its manifest.
fn look(target: &Target, progress: &Progress<'_>) -> Result<(Verified, Option<Manifest>), Error> {
    let Target { kind, key, dir, links } = target.clone();
    let mut verified =
        Verified { kind, key, path: dir, links, files: 0, size_bytes: 0, faults: vec![], unreadable: vec![] };
    let manifest = match read_manifest(&target.dir) {
        Ok(manifest) => manifest,
        Err(none) => {
            verified.add(bad_manifest(none));
            return Ok((verified, None));
        }
    };
    if key != Some(manifest.key) || manifest.key != manifest.parts.key() {
        let of = if key == Some(manifest.key) { manifest.parts.key() } else { manifest.key };
        let expected = key.map_or("an artifact of the store".to_owned(), |key| key.short());
        let found = format!("the manifest of {}", of.short());
        verified.add(Bad::fault(MANIFEST_FILE, found, expected, WayOut::Run));
    }
    (verified.files, verified.size_bytes) = (manifest.files.len(), manifest.size_bytes());
    let bad = manifest.files.par_iter().map(|file| check(&target.dir, file, progress));
    bad.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().for_each(|bad| verified.add(bad));
    let known: BTreeSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    match crate::draft::list(&target.dir) {
        Ok((found, _)) => {
            let mut found: Vec<String> = found;
            found.retain(|path| path != MANIFEST_FILE && !known.contains(path.as_str()));
            found.sort();
            for path in found {
                verified.add(Bad::fault(
                    &path,
                    "a file".to_owned(),
                    "none of this name".to_owned(),
                    WayOut::MoveAway,
                ));
            }
        }
        Err(error) => verified.add(Bad::Unreadable(error.to_string())),
    }
    Ok((verified, Some(manifest)))
}

/// What is wrong with an artifact.
enum Bad {
    Fault(Fault),
    Unreadable(String),
}

impl Bad {
    fn fault(file: &str, found: String, expected: String, way_out: WayOut) -> Bad {
        Bad::Fault(Fault { file: file.to_owned(), found, expected, way_out })
    }

    /// `file` could not be read.
    fn read(file: &str, expected: String, error: &io::Error) -> Bad {
        match error.kind() {
            io::ErrorKind::NotFound => Bad::fault(file, "nothing".to_owned(), expected, WayOut::Run),
            io::ErrorKind::NotADirectory => {
                Bad::fault(file, "a file above it".to_owned(), expected, WayOut::Run)
            }
            _ => Bad::Unreadable(error.to_string()),
        }
    }
}

impl Verified {
    fn add(&mut self, bad: Bad) {
        match bad {
            Bad::Fault(fault) => self.faults.push(fault),
            Bad::Unreadable(reason) => self.unreadable.push(reason),
        }
    }
}

/// What is wrong with the manifest itself.
fn bad_manifest(none: NoManifest) -> Bad {
    let found = match none {
        NoManifest::Missing => "nothing".to_owned(),
        NoManifest::BelowFile => "a file above it".to_owned(),
        NoManifest::NotAFile => "what is not a file".to_owned(),
        NoManifest::Garbled { bytes, reason } => format!("{bytes} bytes that are none: {reason}"),
        NoManifest::Foreign(key) => format!("the manifest of {}", key.short()),
        NoManifest::Unreadable(_) | NoManifest::Format(_) => return Bad::Unreadable(none.to_string()),
    };
    Bad::fault(MANIFEST_FILE, found, "a manifest".to_owned(), WayOut::Run)
}

/// Compares a file of the artifact in `dir` with its entry.
fn check(dir: &Path, entry: &FileEntry, progress: &Progress<'_>) -> Result<Option<Bad>, Error> {
    let path = dir.join(&entry.path);
    let size = |bytes: u64| format!("{bytes} bytes");
    let found = match fs_err::symlink_metadata(&path) {
        Ok(found) => found,
        Err(error) => return Ok(Some(Bad::read(&entry.path, size(entry.size_bytes), &error))),
    };
    let bad =
        |found: String, expected: String, way_out| Some(Bad::fault(&entry.path, found, expected, way_out));
    if !found.is_file() {
        return Ok(bad("what is not a file".to_owned(), size(entry.size_bytes), WayOut::Run));
    }
    if found.len() != entry.size_bytes {
        return Ok(bad(size(found.len()), size(entry.size_bytes), WayOut::Run));
    }
    match digest(&path, progress) {
        Ok(digest) if digest == entry.blake3 => Ok(None),
        Ok(digest) => Ok(bad(format!("blake3 {digest}"), entry.blake3.to_string(), WayOut::Force)),
        Err(Stopped::Cancelled) => Err(Error::Cancelled),
        Err(Stopped::Io(error)) => Ok(Some(Bad::read(&entry.path, size(entry.size_bytes), &error))),
    }
}

/// Why a file was not hashed to its end.
enum Stopped {
    Io(io::Error),
    Cancelled,
}

fn digest(path: &Path, progress: &Progress<'_>) -> Result<Digest, Stopped> {
    let mut file = File::open(path).map_err(Stopped::Io)?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match file.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Stopped::Io)?,
        };
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&chunk[..read]);
        progress.add(read as u64).map_err(|_| Stopped::Cancelled)?;
    }
}
