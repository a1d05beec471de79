//! [`Store`]: the folder of artifacts. What it looks like on disk, looking an artifact up, and putting one in.
//!
//! ```text
//! .pipeline/
//!   store/<kind>/<key>/      one artifact: complete and read-only, or absent; artifact.json is its manifest
//!   manifests/<kind>/<key>.json  the manifest of an artifact that gc removed, while one that stays was made from it
//!   partial/<kind>/<key>/    checkpoints of a stage that is not done
//!   sources/<blake3>/        what the zip of that digest holds
//!   memo/                    digests of files outside, by size, times and inode
//!   known/<kind>/<version>/  what stages of that version keep to spare themselves work, each in its own way
//!   trees/<blake3>           the files of the folder of that digest, for `explain`, see `listing`
//!   tmp/<id>/, <id>.owner    being written; removed when the owner, who locks the second file, is gone
//!   locks/                   see `lock`
//!   links/<blake3>           where each link to an artifact is, see `roots`
//!   damaged/                 artifacts that were found not whole, moved aside
//!   runs/<time>-<id>/        records of runs
//!   sweeps/<time>-<id>/      tables of sweeps; nothing reads them
//!   reports/                 pages about several artifacts, made when someone asks; nothing reads them
//!   format                   version of all this
//!   CACHEDIR.TAG, .gitignore keep backups and git out
//! ```
//!
//! An artifact appears by one rename, after everything in it has reached the disk; before, the next run
//! finds only a folder in `tmp/` without an owner. So a manifest that is there and whose files have
//! their recorded sizes is a hit. How a stage's folder is made ready for that is in `draft`.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use pipeline_stage::manifest::MANIFEST_FILE;
use pipeline_stage::progress::Silent;
use pipeline_stage::{Cancel, Digest, Manifest, Progress};
use rayon::prelude::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::clock;
use crate::draft::Draft;
use crate::error::Error;
use crate::lock::{Claim, Exclusive, Shared};
use crate::manifest::{NoManifest, read_file, read_manifest};
use crate::paths::file_name;
use crate::plan::Lookup;

/// Version of the store's layout. Raised when an older command would misread it.
const FORMAT: u32 = 1;

/// The folders of a store; `damaged`, `reports` and `sweeps` are made when they are needed.
const FOLDERS: [&str; 11] =
    ["store", "manifests", "partial", "sources", "memo", "known", "trees", "tmp", "locks", "links", "runs"];

/// The first line is the signature that the specification asks for (bford.info/cachedir).
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Artifacts of `pipeline`. They can be made again, so backups may leave them out.\n";

const PUBLISH: &str = "publish the artifact";

/// The folder of artifacts of one or more projects.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// What came of publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Published {
    /// The artifact is new.
    New,
    /// An artifact of this key was there, with the same content; the old one stays.
    Same,
    /// An artifact of this key was there, with other content in this file; the new one replaced it.
    Replaced(String),
    /// An artifact of this key was there, but this file was no longer what its manifest says.
    Repaired {
        /// The file.
        file: String,
        /// Where the old artifact is now.
        aside: PathBuf,
    },
}

impl Store {
    /// The store at `dir`, for looking: nothing is written, and it need not be there.
    ///
    /// # Errors
    /// [`Error::StoreFormat`].
    pub fn at(dir: &Path) -> Result<Store, Error> {
        let path = dir.join("format");
        match fs_err::read_to_string(&path) {
            Ok(text) if text.trim() == FORMAT.to_string() => {}
            Ok(text) => {
                let found = text.trim().to_owned();
                return Err(Error::StoreFormat { path: dir.to_owned(), found, expected: FORMAT });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("open the store", dir)(e)),
        }
        Ok(Store { dir: dir.to_owned() })
    }

    /// The store at `dir`, which is there.
    ///
    /// # Errors
    /// As [`Store::at`]; [`Error::NoStore`]; [`Error::NotAStore`].
    pub fn existing(dir: &Path) -> Result<Store, Error> {
        let store = Store::at(dir)?;
        if dir.join("format").exists() {
            return Ok(store);
        }
        match store.stranger().map_err(Error::io("open the store", dir))? {
            Some(found) => Err(Error::NotAStore { path: dir.to_owned(), found }),
            None => Err(Error::NoStore { path: dir.to_owned() }),
        }
    }

    /// The store at `dir`, for writing: made if it is not there.
    ///
    /// # Errors
    /// As [`Store::at`]; [`Error::NotAStore`]; when it cannot be made.
    pub fn open(dir: &Path) -> Result<Store, Error> {
        let store = Store::at(dir)?;
        if let Some(found) = store.stranger().map_err(Error::io("open the store", dir))? {
            return Err(Error::NotAStore { path: dir.to_owned(), found });
        }
        let make = || -> io::Result<()> {
            for folder in FOLDERS {
                fs_err::create_dir_all(dir.join(folder))?;
            }
            for (name, text) in
                [("CACHEDIR.TAG", CACHEDIR_TAG), (".gitignore", "*\n"), ("format", &format!("{FORMAT}\n"))]
            {
                if !dir.join(name).exists() {
                    // To the disk: a `format` that a power cut left empty would lock the store's artifacts in.
                    write_durably(&dir.join(name), text.as_bytes())?;
                }
            }
            Ok(())
        };
        make().map_err(Error::io("open the store", dir))?;
        Ok(store)
    }

    /// Something in the folder that shows it to be no store: marked as one, backups would leave it out.
    fn stranger(&self) -> io::Result<Option<String>> {
        if self.dir.join("format").exists() || !self.dir.exists() {
            return Ok(None);
        }
        for entry in fs_err::read_dir(&self.dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // What a kill while the store was being made leaves; names that begin with a dot are temporary.
            let ours = FOLDERS.contains(&name.as_str())
                || matches!(name.as_str(), "CACHEDIR.TAG" | "damaged" | "lost+found");
            let ours = ours || name.starts_with('.');
            if !ours {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The store that the folder of an artifact lies in; `None` for one outside, as a copy is.
    pub fn around(artifact: &Path) -> Option<Store> {
        let real = fs_err::canonicalize(artifact).ok()?;
        // <store>/store/<kind>/<key>
        let dir = real.ancestors().nth(2).filter(|kinds| kinds.ends_with("store"))?.parent()?;
        dir.join("format").is_file().then(|| Store::at(dir).ok())?
    }

    /// Kind and key of the artifacts that links were noted to lead to, whether or not they still do; notes that cannot be
    /// read are passed over.
    pub fn noted(&self) -> Vec<(String, Digest)> {
        crate::roots::noted(self)
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the artifact of `key` is or will be.
    pub fn artifact_dir(&self, kind: &str, key: &Digest) -> PathBuf {
        self.dir.join("store").join(kind).join(key.to_string())
    }

    /// Where the manifest of an artifact is that `gc` removed.
    pub(crate) fn kept_manifest(&self, kind: &str, key: &Digest) -> PathBuf {
        self.dir.join("manifests").join(kind).join(format!("{key}.json"))
    }

    /// Where a stage that is not done keeps its checkpoints.
    pub fn partial_dir(&self, kind: &str, key: &Digest) -> PathBuf {
        self.dir.join("partial").join(kind).join(key.to_string())
    }

    /// Where the content of the zip with the digest `zip` is or will be.
    pub(crate) fn unpacked_dir(&self, zip: &Digest) -> PathBuf {
        self.dir.join("sources").join(zip.to_string())
    }

    /// Where the digests of what is at `path` are remembered.
    pub(crate) fn memo_file(&self, path: &Path) -> PathBuf {
        let name = Digest::of(path.as_os_str().as_encoded_bytes());
        self.dir.join("memo").join(&name.to_string()[..32])
    }

    /// Where stages of this kind and version keep what spares them work; made if it is not there. `None` where it cannot be made.
    pub(crate) fn stage_memo_dir(&self, kind: &str, version: u32) -> Option<PathBuf> {
        let dir = self.dir.join("known").join(kind).join(version.to_string());
        fs_err::create_dir_all(&dir).ok().map(|()| dir)
    }

    /// Where the files of the tree with this digest are listed.
    pub(crate) fn listing_file(&self, tree: &Digest) -> PathBuf {
        self.dir.join("trees").join(tree.to_string())
    }

    /// Where it is noted which links lead to artifacts.
    pub(crate) fn links_dir(&self) -> PathBuf {
        self.dir.join("links")
    }

    /// What is in a folder of the store, in order of name; nothing where the folder is not there.
    pub(crate) fn listed(&self, folder: &str) -> Result<Vec<PathBuf>, Error> {
        let path = self.dir.join(folder);
        let entries = match fs_err::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(Error::io("look into the store", &path)(e)),
        };
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(Error::io("look into the store", &path))?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Kind and key of everything that is where an artifact, its checkpoints (`partial`), or its manifest without it
    /// (`manifests`) would be, in order.
    pub(crate) fn keys_in(&self, folder: &str) -> Result<Vec<(String, Digest)>, Error> {
        let ending = if folder == "manifests" { ".json" } else { "" };
        let mut found = vec![];
        for kind in self.listed(folder)?.iter().filter(|kind| kind.is_dir()) {
            let kind = file_name(kind);
            let names = self.listed(&format!("{folder}/{kind}"))?;
            let names = names.iter().map(|path| file_name(path));
            // Anything else there is not ours.
            let keys = names.filter_map(|name| {
                let name = name.strip_suffix(ending)?;
                name.parse().ok().filter(|key: &Digest| key.to_string() == name)
            });
            found.extend(keys.map(|key| (kind.clone(), key)));
        }
        Ok(found)
    }

    /// Where the records of runs are.
    pub fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Writes a page about several artifacts to `reports/`, all of it or nothing, and returns its path.
    ///
    /// # Errors
    /// As [`Store::open`]; when the disk says no.
    pub fn write_report(&self, name: &str, page: &str) -> Result<PathBuf, Error> {
        Store::open(&self.dir)?;
        let path = self.dir.join("reports").join(name);
        write_whole(&path, page, "write the page")?;
        Ok(path)
    }

    /// Writes `sweep.json` into the folder of a sweep, all of it or nothing.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn write_sweep(&self, folder: &Path, json: &str) -> Result<(), Error> {
        write_whole(&folder.join("sweep.json"), json, "write the table")
    }

    /// A new folder for the tables of a sweep, `sweeps/<time>-<id>/`.
    ///
    /// # Errors
    /// As [`Store::open`]; when the disk says no.
    pub fn new_sweep(&self) -> Result<PathBuf, Error> {
        Store::open(&self.dir)?;
        let folder = self.dir.join("sweeps").join(clock::new_name());
        fs_err::create_dir_all(&folder).map_err(Error::io("make a folder for the sweep", &folder))?;
        Ok(folder)
    }

    /// Looks an artifact up. It is a hit when its manifest is there and every file has its recorded size;
    /// the content is not read. Of one that is not there, `gc` may have kept the manifest.
    pub fn lookup(&self, kind: &str, key: &Digest) -> Lookup {
        let dir = self.artifact_dir(kind, key);
        // Not through a link: one here is not ours, wherever it leads.
        match fs_err::symlink_metadata(&dir) {
            Ok(found) if !found.is_dir() => Lookup::Damaged("it is not a folder".to_owned()),
            Ok(_) => check(&dir, key).map_or_else(|unfit| unfit, |manifest| Lookup::Hit(Arc::new(manifest))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.kept(kind, key),
            Err(error) => Lookup::Unreadable(error.to_string()),
        }
    }

    /// What is known of an artifact that is not there. A manifest that cannot be read is as none: it says nothing that
    /// making the artifact again would not say.
    fn kept(&self, kind: &str, key: &Digest) -> Lookup {
        self.read_kept(kind, key).map_or(Lookup::Absent, |manifest| Lookup::Collected(Arc::new(manifest)))
    }

    /// The manifest of an artifact that `gc` removed.
    pub(crate) fn read_kept(&self, kind: &str, key: &Digest) -> Result<Manifest, NoManifest> {
        of_key(read_file(&self.kept_manifest(kind, key))?, key)
    }

    /// The manifest of an artifact, whole or not, also where `gc` removed the rest of it.
    pub fn manifest(&self, kind: &str, key: &Digest) -> Option<Arc<Manifest>> {
        let found = read_manifest(&self.artifact_dir(kind, key)).and_then(|manifest| of_key(manifest, key));
        found.or_else(|_| self.read_kept(kind, key)).ok().map(Arc::new)
    }

    /// The manifest of the artifact that `link` was noted to lead to, where `gc` removed that.
    pub fn collected(&self, link: &Path) -> Option<Arc<Manifest>> {
        let (kind, key) = crate::roots::noted_of(self, link)?;
        match self.lookup(&kind, &key) {
            Lookup::Collected(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// The manifest of the artifact in the folder `dir`, whether or not that is in a store; of one in a store also where `gc`
    /// removed the rest.
    pub fn manifest_at(dir: &Path) -> Option<Manifest> {
        let kept = || {
            // <store>/store/<kind>/<key>
            let store = dir.ancestors().nth(2).filter(|kinds| kinds.ends_with("store"))?.parent()?;
            let key = file_name(dir).parse().ok()?;
            Store::at(store).ok()?.read_kept(&file_name(dir.parent()?), &key).ok()
        };
        read_manifest(dir).ok().or_else(kept)
    }

    /// Keeps, before an artifact is removed, its manifest.
    pub(crate) fn keep_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let (kind, key) = (&manifest.parts.kind, &manifest.key);
        let path = self.kept_manifest(kind, key);
        let keep = || -> io::Result<()> {
            let folder = folder_of(&path);
            if !folder.exists() {
                fs_err::create_dir_all(folder)?;
                sync_dir(folder_of(folder))?;
            }
            // Another name takes no room, which a full disk has not. Not every file system can give one.
            match fs_err::hard_link(self.artifact_dir(kind, key).join(MANIFEST_FILE), &path) {
                // To the disk: the artifact goes next.
                Ok(()) => sync_dir(folder),
                Err(_) => write_durably(&path, &serde_json::to_vec_pretty(manifest)?),
            }
        };
        keep().map_err(Error::io("keep the manifest", &path))
    }

    /// Takes part in the store's lock, as every run does.
    pub(crate) fn lock_shared(&self, shown: &str, claim: &Claim<'_>) -> Result<Shared, Error> {
        Shared::acquire(&self.store_lock(), &format!("the store {shown}"), claim)
    }

    /// Has the store alone, as whatever deletes must.
    pub(crate) fn lock_alone(&self, shown: &str, claim: &Claim<'_>) -> Result<Exclusive, Error> {
        Exclusive::acquire(&self.store_lock(), &format!("the store {shown}"), claim)
    }

    /// Where the store's own lock is.
    pub(crate) fn store_lock(&self) -> PathBuf {
        self.dir.join("locks/store.lock")
    }

    /// The lock of one stage key, without which nothing is written under that key.
    pub(crate) fn lock_stage(
        &self,
        name: &str,
        kind: &str,
        key: &Digest,
        claim: &Claim<'_>,
    ) -> Result<Exclusive, Error> {
        self.lock_named(&format!("{kind}-{key}"), &format!("stage `{name}`"), claim)
    }

    /// Takes part in the lock of one stage key, as workers do that make pieces of one artifact.
    pub(crate) fn share_stage(
        &self,
        name: &str,
        kind: &str,
        key: &Digest,
        claim: &Claim<'_>,
    ) -> Result<Shared, Error> {
        let path = self.dir.join("locks").join(format!("{kind}-{key}.lock"));
        Shared::acquire(&path, &format!("stage `{name}`"), claim)
    }

    /// A lock of this name; `what` is for the message.
    pub(crate) fn lock_named(&self, name: &str, what: &str, claim: &Claim<'_>) -> Result<Exclusive, Error> {
        Exclusive::acquire(&self.dir.join("locks").join(format!("{name}.lock")), what, claim)
    }

    /// A folder of our own in `tmp/`.
    pub(crate) fn draft(&self) -> Result<Draft, Error> {
        Draft::new(&self.dir.join("tmp")).map_err(Error::io("make a temporary folder", &self.dir))
    }

    /// Removes from `tmp/` what owners that are gone have left.
    pub(crate) fn clean_tmp(&self) -> Result<(), Error> {
        let tmp = self.dir.join("tmp");
        crate::draft::clean(&tmp).map(drop).map_err(Error::io("clean the store", &tmp))
    }

    /// Puts a sealed draft into the store. `records` are the files that differ from run to run and do not
    /// count when the artifact is compared with one that is there. Asks for the stage's lock, so that
    /// nobody else writes under this key.
    ///
    /// # Errors
    /// When the disk says no. Then the old artifact, if there was one, is where it was, unless it is the disk
    /// that cannot confirm the new one.
    pub(crate) fn publish(
        &self,
        draft: Draft,
        manifest: &Manifest,
        records: &[&str],
        _lock: &Exclusive,
        cancel: &Cancel,
    ) -> Result<Published, Error> {
        let (kind, key) = (&manifest.parts.kind, &manifest.key);
        let target = self.artifact_dir(kind, key);
        let io = |e| Error::io(PUBLISH, &self.dir)(e);

        let before = self.lookup(kind, key);
        let (mut difference, mut damage) = (None, None);
        if let Lookup::Hit(old) = &before {
            difference = first_difference(old, manifest, records);
            if difference.is_none() {
                let progress = Progress::begin(&Silent, cancel, "check the old artifact", None, "files");
                damage = rotten(&target, &old.digests(), &progress)?;
            }
            if difference.is_none() && damage.is_none() {
                return Ok(Published::Same);
            }
        }
        // Everything that needs room on the disk comes before the old artifact is touched.
        let json = serde_json::to_vec_pretty(manifest).map_err(|e| io(e.into()))?;
        draft.write_manifest(&json).map_err(io)?;
        let parent = self.dir.join("store").join(kind);
        if !parent.exists() {
            fs_err::create_dir_all(&parent).map_err(io)?;
            sync_dir(&self.dir.join("store")).map_err(io)?;
        }

        let published = if let Some(file) = difference {
            exchange(&draft, &target).map_err(io)?;
            Published::Replaced(file)
        } else if let Some(file) = damage {
            let aside = self.move_aside(kind, key)?;
            fs_err::rename(draft.out(), &target).map_err(io)?;
            Published::Repaired { file, aside }
        } else {
            if let Lookup::Damaged(_) = before {
                self.move_aside(kind, key)?;
            }
            fs_err::rename(draft.out(), &target).map_err(io)?;
            Published::New
        };
        sync_dir(&parent).map_err(io)?;
        Ok(published)
    }

    /// Moves an artifact that is not whole to `damaged/`, where nothing looks, and returns its new place.
    pub(crate) fn move_aside(&self, kind: &str, key: &Digest) -> Result<PathBuf, Error> {
        let folder = self.dir.join("damaged");
        let io = |e| Error::io("move the damaged artifact aside", &self.dir)(e);
        fs_err::create_dir_all(&folder).map_err(io)?;
        let name = format!("{kind}-{}", &key.to_string()[..16]);
        let free = (1..).map(|n| folder.join(format!("{name}-{n}"))).find(|p| !p.exists());
        let place = free.unwrap_or_else(|| folder.join(name));
        fs_err::rename(self.artifact_dir(kind, key), &place).map_err(io)?;
        Ok(place)
    }
}

/// Puts what a draft holds in the place of `target`, whose old content goes with the draft.
fn exchange(draft: &Draft, target: &Path) -> io::Result<()> {
    match renameat_with(CWD, draft.out(), CWD, target, RenameFlags::EXCHANGE) {
        // Not every file system can (NFS), nor every kernel.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            let replaced = draft.dir().join("replaced");
            fs_err::rename(target, &replaced)?;
            fs_err::rename(draft.out(), target).inspect_err(|_| {
                let _ = fs_err::rename(&replaced, target);
            })
        }
        other => Ok(other?),
    }
}

/// The manifest, if it is that of `key`.
fn of_key(manifest: Manifest, key: &Digest) -> Result<Manifest, NoManifest> {
    if manifest.key == *key { Ok(manifest) } else { Err(NoManifest::Foreign(manifest.key)) }
}

/// Reads the manifest in `dir` and compares it with what is there. An error is [`Lookup::Damaged`] or
/// [`Lookup::Unreadable`].
fn check(dir: &Path, key: &Digest) -> Result<Manifest, Lookup> {
    let damaged = |reason: String| Err(Lookup::Damaged(reason));
    let unfit = |error: io::Error, name: &str| match error.kind() {
        io::ErrorKind::NotFound => Lookup::Damaged(format!("{name} is missing")),
        io::ErrorKind::NotADirectory => Lookup::Damaged(format!("{name} lies below a file")),
        // No rights, a network that is away: the artifact itself may be in order.
        _ => Lookup::Unreadable(error.to_string()),
    };
    let manifest = read_manifest(dir).and_then(|manifest| of_key(manifest, key));
    let manifest = manifest.map_err(|none| match none.is_whole() {
        true => Lookup::Unreadable(none.to_string()),
        false => Lookup::Damaged(none.to_string()),
    })?;
    for file in &manifest.files {
        let found = fs_err::symlink_metadata(dir.join(&file.path)).map_err(|e| unfit(e, &file.path))?;
        if !found.is_file() {
            return damaged(format!("{} is not a file", file.path));
        }
        if found.len() != file.size_bytes {
            return damaged(format!("{} has {} bytes, expected {}", file.path, found.len(), file.size_bytes));
        }
    }
    Ok(manifest)
}

/// The first file, by path, of those in `dir` whose bytes are not the expected ones. `progress` counts files.
pub(crate) fn rotten(
    dir: &Path,
    files: &BTreeMap<String, Digest>,
    progress: &Progress<'_>,
) -> Result<Option<String>, Error> {
    let is_sound = |(path, expected): (&String, &Digest)| {
        let file = dir.join(path);
        let digest = File::open(&file).and_then(Digest::of_reader);
        progress.add(1)?;
        Ok(digest.map_err(Error::io("look at the bytes of an artifact", &file))? == *expected)
    };
    let sound: Vec<bool> = files.par_iter().map(is_sound).collect::<Result<_, Error>>()?;
    Ok(files.keys().zip(sound).find(|(_, sound)| !sound).map(|(path, _)| path.clone()))
}

/// The first file, by path, that only one has or whose content differs; `records` do not count.
fn first_difference(old: &Manifest, new: &Manifest, records: &[&str]) -> Option<String> {
    let content = |manifest: &Manifest| {
        let mut digests = manifest.digests();
        digests.retain(|path, _| !records.contains(&path.as_str()));
        digests
    };
    let (old, new) = (content(old), content(new));
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths.into_iter().find(|path| old.get(*path) != new.get(*path)).cloned()
}

/// Makes what a folder lists reach the disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a file so that there is all of it or what was there before. After a power cut it may be empty.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    written_beside(path, content)?.persist(path)?;
    Ok(())
}

/// Writes a file for people, all of it or nothing, in a folder that is made where it is not there.
fn write_whole(path: &Path, text: &str, doing: &'static str) -> Result<(), Error> {
    fs_err::create_dir_all(folder_of(path))
        .and_then(|()| write_atomically(path, text.as_bytes()))
        .map_err(Error::io(doing, path))
}

/// Writes a file so that there is all of it or what was there before, also after a power cut.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = written_beside(path, content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_dir(folder_of(path))
}

fn written_beside(path: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    // Temporary files are private unless told otherwise; a store may be shared by several people.
    let like_other_files = Permissions::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    let mut file = builder.permissions(like_other_files).tempfile_in(folder_of(path))?;
    io::Write::write_all(&mut file, content)?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use pipeline_stage::KeyParts;

    use super::*;
    use crate::observer::Unobserved;

    /// Seals the one file `text` with this content; the key is always the same.
    fn draft(store: &Store, content: &str) -> (Draft, Manifest) {
        let draft = store.draft().unwrap();
        fs_err::write(draft.out().join("text"), content).unwrap();
        let files = draft.seal(&[]).unwrap();
        let parts = KeyParts {
            kind: "toy".to_owned(),
            version: 1,
            params: BTreeMap::new(),
            seed: None,
            sources: BTreeMap::new(),
            inputs: BTreeMap::new(),
        };
        let manifest = crate::toy::manifest(parts, files);
        (draft, manifest)
    }

    fn lock(store: &Store, manifest: &Manifest) -> Exclusive {
        let cancel = Cancel::default();
        let claim = Claim { command: "", wait: None, cancel: &cancel, observer: &Unobserved };
        store.lock_stage("toy", "toy", &manifest.key, &claim).unwrap()
    }

    fn publish(
        store: &Store,
        (draft, manifest): (Draft, &Manifest),
        lock: &Exclusive,
    ) -> Result<Published, Error> {
        store.publish(draft, manifest, &[], lock, &Cancel::default())
    }

    #[test]
    fn an_artifact_stays_when_the_one_that_should_replace_it_cannot_be_published() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let (old, manifest) = draft(&store, "old");
        let lock = lock(&store, &manifest);
        assert_eq!(publish(&store, (old, &manifest), &lock).unwrap(), Published::New);

        let (new, other) = draft(&store, "new one");
        fs_err::remove_dir_all(new.out()).unwrap();
        publish(&store, (new, &other), &lock).unwrap_err();
        let text = store.artifact_dir("toy", &manifest.key).join("text");
        assert_eq!(fs_err::read_to_string(text).unwrap(), "old");
        assert!(matches!(store.lookup("toy", &manifest.key), Lookup::Hit(found) if *found == manifest));
    }

    #[test]
    fn while_an_artifact_is_replaced_there_is_always_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let (first, manifest) = draft(&store, "0");
        let lock = lock(&store, &manifest);
        publish(&store, (first, &manifest), &lock).unwrap();
        let target = store.artifact_dir("toy", &manifest.key);
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs_err::create_dir(&a).unwrap();
        fs_err::create_dir(&b).unwrap();
        if renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).is_err() {
            eprintln!("skipped: this file system cannot exchange two folders");
            return;
        }
        let done = std::sync::atomic::AtomicBool::new(false);
        let started = std::time::Instant::now();
        let looks = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut looks = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) && started.elapsed().as_secs() < 60 {
                    assert!(target.join(MANIFEST_FILE).exists(), "after {looks} looks");
                    looks += 1;
                }
                looks
            });
            for number in 1..200 {
                let (next, manifest) = draft(&store, &number.to_string());
                let published = publish(&store, (next, &manifest), &lock).unwrap();
                assert_eq!(published, Published::Replaced("text".to_owned()));
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(looks > 200, "{looks} looks are too few to see a gap");
        assert_eq!(fs_err::read_to_string(target.join("text")).unwrap(), "199");
    }

    #[test]
    fn files_of_the_store_can_be_read_by_whoever_may_read_new_files() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        Store::open(&store).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        let plain = dir.path().join("plain");
        fs_err::write(&plain, "").unwrap();
        assert_eq!(mode(&store.join("format")), mode(&plain));
    }
}
