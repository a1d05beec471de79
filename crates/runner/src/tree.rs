//! The digest of a file or a tree of files, with what is remembered of the last time.
//!
//! The digest of a tree is the hash of the sorted list of (relative path, digest of the content) of its
//! files: where it lies, times and permissions play no part. Clutter ([`is_clutter`]) is left out. Links are
//! followed; one that leads to a folder on the way to it, or above one, is left out, as ingest does.
//!
//! A tree in which nothing changed is looked at and not read: a call per file, on all cores.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use fs_err::{DirEntry, File};
use pipeline_stage::source::{MOST_DEEP, is_clutter, is_link_loop};
use pipeline_stage::{Cancel, Digest, Fingerprint, Progress, Report};
use rayon::prelude::*;

use crate::clock;
use crate::error::Error;
use crate::listing::{Listed, Listing, MOST_FILES};
use crate::memo::Memo;

/// What stands for the content of a file that may not be read.
pub(crate) const DENIED: &[u8] = b"permission denied";

/// What stands for the content of a pipe, whose reading would not end, and of a link that leads nowhere.
pub(crate) const NOT_A_FILE: &[u8] = b"not a file";

const DOING: &str = "look at the files of a source";

/// Where digests are remembered, and who is told of the hashing.
pub(crate) struct Hashing<'a> {
    /// The memo's file; `None` where there is no store yet.
    pub(crate) memo: Option<PathBuf>,
    /// Real paths of folders in the tree that are not part of it: the store and the links to artifacts.
    pub(crate) left_out: Vec<PathBuf>,
    /// Told only when something has to be hashed.
    pub(crate) report: &'a dyn Report,
    /// Ends the hashing.
    pub(crate) cancel: &'a Cancel,
}

/// A file of a tree.
struct Entry {
    /// Bytes of the path relative to the tree, with `/`; empty for a tree that is one file.
    relative: Vec<u8>,
    fingerprint: Fingerprint,
    is_file: bool,
}

/// A tree that was looked at.
pub(crate) struct Tree {
    /// The digest of the whole.
    pub(crate) digest: Digest,
    /// Its files, sorted by path, and the digest of each.
    entries: Vec<Entry>,
    digests: Vec<Digest>,
}

impl Tree {
    /// Its files; `None` where there are too many.
    pub(crate) fn listing(&self) -> Option<Listing> {
        let files = self.entries.iter().zip(&self.digests);
        let listed = |(entry, digest): (&Entry, &Digest)| {
            Listed::new(&entry.relative, entry.fingerprint.size_bytes, digest)
        };
        (self.entries.len() <= MOST_FILES).then(|| Listing(files.map(listed).collect()))
    }
}

impl Hashing<'_> {
    /// The tree at `root`.
    pub(crate) fn tree(&self, root: &Path) -> Result<Tree, Error> {
        self.tree_at(root, clock::unix_nanoseconds())
    }

    /// The same, when it is `looked_ns` by the clock.
    fn tree_at(&self, root: &Path, looked_ns: i64) -> Result<Tree, Error> {
        let real = fs_err::canonicalize(root).map_err(Error::io(DOING, root))?;
        let above = Above { real, left_out: &self.left_out, next: None };
        let entries = walk(root, &[], &above).map_err(Error::io(DOING, root))?;
        let digests = self.digests(root, &entries, looked_ns)?;
        let mut hasher = blake3::Hasher::new();
        for (entry, digest) in entries.iter().zip(&digests) {
            // With its length before it, no name can be taken for another.
            hasher.update(&(entry.relative.len() as u64).to_le_bytes());
            hasher.update(&entry.relative);
            hasher.update(digest.as_bytes());
        }
        Ok(Tree { digest: hasher.finalize().into(), entries, digests })
    }

    /// The digest of one file.
    pub(crate) fn file(&self, path: &Path) -> Result<Digest, Error> {
        let looked_ns = clock::unix_nanoseconds();
        let metadata = fs_err::metadata(path).map_err(Error::io(DOING, path))?;
        Ok(self.digests(path, &[Entry::new(vec![], &metadata)], looked_ns)?[0])
    }

    /// The digest of each entry; those that look as they did are not read.
    fn digests(&self, root: &Path, entries: &[Entry], looked_ns: i64) -> Result<Vec<Digest>, Error> {
        let memo = self.memo.as_deref().map(Memo::read).unwrap_or_default();
        let known: Vec<Option<Digest>> = entries.par_iter().map(|entry| entry.known(&memo)).collect();
        let was_known: Vec<bool> = known.iter().map(Option::is_some).collect();
        let unknown = was_known.iter().filter(|known| !**known).count();
        if unknown == 0 {
            return Ok(known.into_iter().flatten().collect());
        }

        let progress = Progress::begin(self.report, self.cancel, "hash files", Some(unknown as u64), "files");
        let digests: Vec<Digest> = entries
            .par_iter()
            .zip(known)
            .map(|(entry, known)| {
                let Some(digest) = known else {
                    let digest = entry.read(root)?;
                    progress.add(1)?;
                    return Ok(digest);
                };
                Ok(digest)
            })
            .collect::<Result<_, Error>>()?;

        let denied = Digest::of(DENIED);
        // A file that may not be read is asked again each time; that alone is no reason to write all the others.
        let news = entries.iter().zip(&digests).zip(&was_known);
        let news = news.filter(|((entry, digest), known)| !**known && entry.is_read(digest, &denied)).count();
        if let (Some(path), true) = (&self.memo, news > 0) {
            let files = entries.iter().zip(&digests).filter(|(entry, digest)| entry.is_read(digest, &denied));
            let files = files.map(|(entry, digest)| (entry.relative.as_slice(), entry.fingerprint, *digest));
            // A memo that cannot be written (a read-only store) costs time, nothing else.
            let _ = Memo::write(path, root, looked_ns, files);
        }
        Ok(digests)
    }
}

impl Entry {
    fn new(relative: Vec<u8>, metadata: &Metadata) -> Entry {
        Entry { relative, fingerprint: Fingerprint::of(metadata), is_file: metadata.is_file() }
    }

    /// Its digest, if that is known without reading it.
    fn known(&self, memo: &Memo) -> Option<Digest> {
        if !self.is_file {
            return Some(Digest::of(NOT_A_FILE));
        }
        memo.get(&self.relative, &self.fingerprint)
    }

    /// Whether `digest` is that of its content. Anything else is not remembered: whether a file may be read
    /// does not show in its fingerprint.
    fn is_read(&self, digest: &Digest, denied: &Digest) -> bool {
        self.is_file && digest != denied
    }

    /// The digest of its content.
    fn read(&self, root: &Path) -> Result<Digest, Error> {
        let path = if self.relative.is_empty() {
            root.to_owned()
        } else {
            root.join(OsStr::from_bytes(&self.relative))
        };
        let hash = || -> io::Result<Digest> { Digest::of_reader(File::open(&path)?) };
        match hash() {
            // Ingest reports such a file; it must not keep the others from being used.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(Digest::of(DENIED)),
            other => other.map_err(Error::io(DOING, &path)),
        }
    }
}

/// Real paths of the root, and of the folders of the links on the way down to a folder and where they lead.
struct Above<'a> {
    real: PathBuf,
    /// As in [`Hashing`].
    left_out: &'a [PathBuf],
    next: Option<&'a Above<'a>>,
}

impl Above<'_> {
    /// Whether `folder` is one of them or above one of them.
    fn has(&self, folder: &Path) -> bool {
        self.real.starts_with(folder) || self.next.is_some_and(|next| next.has(folder))
    }

    /// Whether the folder at `path` is no part of the tree.
    fn is_left_out(&self, path: &Path) -> io::Result<bool> {
        Ok(!self.left_out.is_empty() && self.left_out.contains(&fs_err::canonicalize(path)?))
    }
}

/// Everything in `folder` but folders, sorted by the bytes of the relative path.
fn walk(folder: &Path, relative: &[u8], above: &Above<'_>) -> io::Result<Vec<Entry>> {
    if relative.iter().filter(|byte| **byte == b'/').count() > MOST_DEEP {
        let start = String::from_utf8_lossy(&relative[..relative.len().min(60)]).into_owned();
        return Err(io::Error::other(format!(
            "more than {MOST_DEEP} folders lie in each other at `{start}…`"
        )));
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_clutter(&name.to_string_lossy()) {
            continue;
        }
        let kind = entry.file_type()?;
        let is_dir = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        let mut below = [relative, name.into_vec().as_slice()].concat();
        if is_dir && above.is_left_out(&entry.path())? {
            continue;
        }
        if is_dir {
            // A folder's files sort as its name with this, not as its name.
            below.push(b'/');
        }
        found.push((below, entry, is_dir));
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let parts: io::Result<Vec<Vec<Entry>>> = found
        .into_par_iter()
        .map(|(below, entry, is_dir)| {
            if is_dir { enter(&entry, &below, above) } else { Ok(look(&entry, below)?.into_iter().collect()) }
        })
        .collect();
    Ok(parts?.into_iter().flatten().collect())
}

/// What is in a folder, or in the folder that a link leads to.
fn enter(folder: &DirEntry, relative: &[u8], above: &Above<'_>) -> io::Result<Vec<Entry>> {
    let path = folder.path();
    if !folder.file_type()?.is_symlink() {
        return walk(&path, relative, above);
    }
    let real = fs_err::canonicalize(&path)?;
    let here = fs_err::canonicalize(path.parent().unwrap_or(Path::new(".")))?;
    let above = Above { real: here, left_out: above.left_out, next: Some(above) };
    if above.has(&real) {
        Ok(vec![])
    } else {
        walk(&path, relative, &Above { real, left_out: above.left_out, next: Some(&above) })
    }
}

/// Whether a link leads nowhere: to nothing, through a file, to itself. Not whether a disk or a network is away.
fn leads_nowhere(link: &Path, error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) || is_link_loop(link)
}

/// A file, or what a link leads to, or a link that leads nowhere; nothing when it went away meanwhile.
fn look(entry: &DirEntry, relative: Vec<u8>) -> io::Result<Option<Entry>> {
    let is_link = entry.file_type()?.is_symlink();
    let target = if is_link { fs_err::metadata(entry.path()) } else { entry.metadata() };
    let metadata = match target {
        // Ingest names such a link and sets it aside.
        Err(e) if is_link && leads_nowhere(&entry.path(), &e) => entry.metadata(),
        other => other,
    };
    match metadata {
        Ok(metadata) => Ok(Some(Entry::new(relative, &metadata))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU64, Ordering};

    use fs_err::OpenOptions;
    use pipeline_stage::Event;
    use pipeline_stage::progress::Silent;

    use super::*;

    fn tree(root: &Path) -> Digest {
        Hashing { memo: None, left_out: vec![], report: &Silent, cancel: &Cancel::default() }
            .tree(root)
            .unwrap()
            .digest
    }

    fn write(root: &Path, relative: &str, content: &str) {
        fs_err::create_dir_all(root.join(relative).parent().unwrap()).unwrap();
        fs_err::write(root.join(relative), content).unwrap();
    }

    #[test]
    fn folders_that_are_left_out_and_links_that_lead_to_themselves_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        write(&root, "train/x.jpg", "one");
        let before = tree(&root);
        write(&root, "out/c/ingest/images.parquet", "made from it");
        assert_ne!(tree(&root), before);
        let (left_out, cancel) = (vec![root.join("out")], Cancel::default());
        let without =
            Hashing { memo: None, left_out, report: &Silent, cancel: &cancel }.tree(&root).unwrap().digest;
        assert_eq!(without, before);
        symlink("q", root.join("train/q")).unwrap();
        symlink("x.jpg/", root.join("train/r")).unwrap();
        assert_ne!(tree(&root), without);
    }

    #[test]
    fn folders_that_lie_too_deep_in_each_other_are_an_error_and_no_overflow() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("photos");
        fs_err::create_dir_all(root.join("a/".repeat(MOST_DEEP))).unwrap();
        let cancel = Cancel::default();
        let look = || Hashing { memo: None, left_out: vec![], report: &Silent, cancel: &cancel }.tree(&root);
        look().unwrap();
        fs_err::create_dir_all(root.join("a/".repeat(MOST_DEEP + 1))).unwrap();
        let error = look().err().unwrap();
        let message = pipeline_stage::failure::full_message(&error);
        assert!(message.contains("more than 128 folders lie in each other at `a/a/a/"), "{message}");
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
    fn files_are_sorted_by_the_bytes_of_their_whole_path() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x", "a.b/x", "a-b", "a0", "b/c/x", "b/c-d", "B"] {
            write(dir.path(), name, "one");
        }
        let above = Above { real: dir.path().to_owned(), left_out: &[], next: None };
        let found: Vec<Vec<u8>> =
            walk(dir.path(), &[], &above).unwrap().into_iter().map(|e| e.relative).collect();
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(found, sorted);
        assert_eq!(found.len(), 7);
    }

    #[test]
    fn links_that_lead_back_or_nowhere_do_not_stop_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a/x", "one");
        symlink(dir.path(), dir.path().join("a/back")).unwrap();
        symlink("nowhere", dir.path().join("a/broken")).unwrap();
        let above = Above { real: fs_err::canonicalize(dir.path()).unwrap(), left_out: &[], next: None };
        let found = walk(dir.path(), &[], &above).unwrap();
        let names: Vec<_> = found.iter().map(|e| String::from_utf8_lossy(&e.relative).into_owned()).collect();
        assert_eq!(names, ["a/broken", "a/x"]);
        tree(dir.path());
    }

    /// The same case as in ingest's `links_to_folders_on_the_way_or_above_are_left_out`.
    #[test]
    fn links_to_folders_on_the_way_or_above_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data/photos");
        write(&root, "train/cats/x", "one");
        write(dir.path(), "data/beside/y", "two");
        symlink(dir.path().join("data"), root.join("train/cats/above")).unwrap();
        symlink(&root, root.join("train/cats/root")).unwrap();
        symlink(root.join("train"), root.join("train/cats/split")).unwrap();
        symlink(root.join("train/cats"), root.join("train/cats/self")).unwrap();
        symlink(dir.path().join("data/beside"), root.join("train/cats/linked")).unwrap();
        symlink(root.join("train"), dir.path().join("data/beside/back")).unwrap();
        let above = Above { real: fs_err::canonicalize(&root).unwrap(), left_out: &[], next: None };
        let found = walk(&root, &[], &above).unwrap();
        let names: Vec<_> = found.iter().map(|e| String::from_utf8_lossy(&e.relative).into_owned()).collect();
        assert_eq!(names, ["train/cats/linked/y", "train/cats/x"]);
    }

    /// Counts the files that are read.
    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Report for Counter {
        fn emit(&self, event: Event) {
            if let Event::Begin { total: Some(total), .. } = event {
                self.0.fetch_add(total, Ordering::Relaxed);
            }
        }
    }

    /// A tree with a memo, looked at when its files are no longer young.
    struct Remembered {
        dir: tempfile::TempDir,
        root: PathBuf,
    }

    impl Remembered {
        fn new() -> Remembered {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("tree");
            write(&root, "a/x", "one");
            write(&root, "a/y", "two");
            write(&root, "b", "six");
            Remembered { dir, root }
        }

        /// The digest, and how many files were read for it.
        fn look(&self) -> (Digest, u64) {
            let read = Counter::default();
            let memo = Some(self.dir.path().join("memo"));
            let hashing = Hashing { memo, left_out: vec![], report: &read, cancel: &Cancel::default() };
            let later = clock::unix_nanoseconds() + 10_000_000_000;
            let digest = hashing.tree_at(&self.root, later).unwrap().digest;
            assert_eq!(digest, tree(&self.root), "the memo changes no digest");
            (digest, read.0.into_inner())
        }
    }

    #[test]
    fn a_file_that_did_not_change_is_not_read_again() {
        let remembered = Remembered::new();
        let (first, read) = remembered.look();
        assert_eq!(read, 3);
        assert_eq!(remembered.look(), (first, 0));
        write(&remembered.root, "a/y", "another");
        let (second, read) = remembered.look();
        assert_eq!(read, 1, "the changed one only");
        assert_ne!(second, first);
        assert_eq!(remembered.look(), (second, 0));
    }

    #[test]
    fn a_file_that_is_rewritten_with_the_same_size_and_time_is_noticed() {
        let remembered = Remembered::new();
        let (first, _) = remembered.look();
        let path = remembered.root.join("a/x");
        let modified = fs_err::metadata(&path).unwrap().modified().unwrap();
        // Only the time of its change tells; let the clock of the file system go on.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs_err::write(&path, "eno").unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().file().set_modified(modified).unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().modified().unwrap(), modified);
        let (second, read) = remembered.look();
        assert_eq!(read, 1);
        assert_ne!(second, first);
    }

    #[test]
    fn what_stands_for_a_file_that_cannot_be_read_is_not_remembered() {
        let remembered = Remembered::new();
        symlink("nowhere", remembered.root.join("broken")).unwrap();
        remembered.look();
        let memo = Memo::read(&remembered.dir.path().join("memo"));
        let above = Above { real: remembered.root.clone(), left_out: &[], next: None };
        let entries = walk(&remembered.root, &[], &above).unwrap();
        let remembers = |entry: &&Entry| memo.get(&entry.relative, &entry.fingerprint).is_some();
        let names: Vec<&[u8]> = entries.iter().filter(remembers).map(|e| e.relative.as_slice()).collect();
        assert_eq!(names, [b"a/x".as_slice(), b"a/y", b"b"]);

        let file = entries.iter().find(|entry| entry.is_file).unwrap();
        let denied = Digest::of(DENIED);
        assert!(!file.is_read(&denied, &denied) && file.is_read(&Digest::of(b"one"), &denied));
    }
}
