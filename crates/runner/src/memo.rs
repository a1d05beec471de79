//! [`Memo`]: digests of the files of one tree, so that nothing is hashed twice.
//!
//! A file keeps its digest as long as its size, times of modification and change, and inode are the same.
//! A file that was changed less than [`RACY`] before it was looked at is not remembered: a second change
//! within the clock's grain could leave all four as they are.
//!
//! A memo also says of which tree it is, so that it can go when the tree is gone. It is a cache: one that cannot be read is empty, and one that cannot be written costs time only.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pipeline_stage::Digest;

use crate::store::write_atomically;

/// First bytes of the file; the last one is the version of its form.
const MAGIC: &[u8; 8] = b"plmemo\0\x02";

/// Grain of the coarsest file system clock (FAT's), in nanoseconds.
const RACY: i64 = 2_000_000_000;

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
}

impl Fingerprint {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Fingerprint {
            size_bytes: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// Digests by path relative to the tree.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Memo {
    /// The file's bytes: names stay where they are, as there may be many.
    bytes: Vec<u8>,
    /// The tree's absolute path.
    tree: Range<usize>,
    /// Sorted by name.
    records: Vec<Record>,
}

#[derive(Debug, PartialEq)]
struct Record {
    name: Range<usize>,
    fingerprint: Fingerprint,
    digest: Digest,
}

impl Memo {
    /// Reads the memo at `path`; empty when there is none or it makes no sense.
    pub(crate) fn read(path: &Path) -> Memo {
        fs_err::read(path).ok().and_then(parse).unwrap_or_default()
    }

    /// The digest of the file at `relative`, if it still looks as it did.
    pub(crate) fn get(&self, relative: &[u8], fingerprint: &Fingerprint) -> Option<Digest> {
        let place = self.records.binary_search_by(|r| self.bytes[r.name.clone()].cmp(relative)).ok()?;
        let record = &self.records[place];
        (record.fingerprint == *fingerprint).then_some(record.digest)
    }

    /// The absolute path of its tree; empty for an empty memo.
    pub(crate) fn tree(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes[self.tree.clone()]))
    }

    /// Writes a memo of these files of `tree`, which are sorted by name, to `path`. They were looked at not before
    /// `looked_ns`, in nanoseconds since 1970.
    pub(crate) fn write<'a>(
        path: &Path,
        tree: &Path,
        looked_ns: i64,
        files: impl Iterator<Item = (&'a [u8], Fingerprint, Digest)>,
    ) -> io::Result<()> {
        let settled = looked_ns.saturating_sub(RACY);
        let mut bytes = MAGIC.to_vec();
        let tree = std::path::absolute(tree)?.into_os_string().into_vec();
        bytes.extend(u32::try_from(tree.len()).map_err(io::Error::other)?.to_le_bytes());
        bytes.extend(tree);
        for (name, fingerprint, digest) in files {
            if fingerprint.modified_ns > settled || fingerprint.changed_ns > settled {
                continue;
            }
            let Ok(length) = u32::try_from(name.len()) else { continue };
            bytes.extend(length.to_le_bytes());
            bytes.extend(name);
            bytes.extend(fingerprint.size_bytes.to_le_bytes());
            bytes.extend(fingerprint.modified_ns.to_le_bytes());
            bytes.extend(fingerprint.changed_ns.to_le_bytes());
            bytes.extend(fingerprint.inode.to_le_bytes());
            bytes.extend(digest.as_bytes());
        }
        let checksum = Digest::of(&bytes);
        bytes.extend(checksum.as_bytes());
        write_atomically(path, &bytes)
    }
}

fn parse(bytes: Vec<u8>) -> Option<Memo> {
    let (content, checksum) = bytes.split_last_chunk::<32>()?;
    if Digest::of(content).as_bytes() != checksum {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC.as_slice())?;
    let name = |rest: &mut &[u8]| -> Option<Range<usize>> {
        let length = u32::from_le_bytes(take(rest)?) as usize;
        let start = content.len() - rest.len();
        *rest = rest.get(length..)?;
        Some(start..start + length)
    };
    let tree = name(&mut rest)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let name = name(&mut rest)?;
        let fingerprint = Fingerprint {
            size_bytes: u64::from_le_bytes(take(&mut rest)?),
            modified_ns: i64::from_le_bytes(take(&mut rest)?),
            changed_ns: i64::from_le_bytes(take(&mut rest)?),
            inode: u64::from_le_bytes(take(&mut rest)?),
        };
        let digest = Digest::from_bytes(take(&mut rest)?);
        records.push(Record { name, fingerprint, digest });
    }
    Some(Memo { bytes, tree, records })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "/photos";
    const OLD: Fingerprint = Fingerprint { size_bytes: 3, modified_ns: 5, changed_ns: 6, inode: 7 };
    const NOW: i64 = 1_795_582_500_000_000_000;

    #[test]
    fn a_file_that_looks_the_same_keeps_its_digest_and_any_other_look_loses_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memo");
        let digest = Digest::of(b"abc");
        Memo::write(&path, TREE.as_ref(), NOW, [(b"a/\xff".as_slice(), OLD, digest)].into_iter()).unwrap();
        let memo = Memo::read(&path);
        assert_eq!(memo.get(b"a/\xff", &OLD), Some(digest));
        for other in [
            Fingerprint { size_bytes: 4, ..OLD },
            Fingerprint { modified_ns: 4, ..OLD },
            Fingerprint { changed_ns: 4, ..OLD },
            Fingerprint { inode: 4, ..OLD },
        ] {
            assert_eq!(memo.get(b"a/\xff", &other), None);
        }
        assert_eq!(memo.get(b"b", &OLD), None);
        assert_eq!(memo.tree(), Path::new(TREE));
    }

    #[test]
    fn a_file_that_was_just_changed_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memo");
        let digest = Digest::of(b"abc");
        let get = |fingerprint: Fingerprint| {
            Memo::write(&path, TREE.as_ref(), NOW, [(b"a".as_slice(), fingerprint, digest)].into_iter())
                .unwrap();
            Memo::read(&path).get(b"a", &fingerprint)
        };
        assert_eq!(get(Fingerprint { modified_ns: NOW - RACY + 1, ..OLD }), None);
        assert_eq!(get(Fingerprint { changed_ns: NOW - RACY + 1, ..OLD }), None);
        assert_eq!(get(Fingerprint { modified_ns: NOW - RACY, changed_ns: NOW - RACY, ..OLD }), Some(digest));
    }

    #[test]
    fn a_damaged_memo_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memo");
        Memo::write(&path, TREE.as_ref(), NOW, [(b"a".as_slice(), OLD, Digest::of(b"abc"))].into_iter())
            .unwrap();
        let bytes = fs_err::read(&path).unwrap();
        for cut in 0..bytes.len() {
            fs_err::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(Memo::read(&path), Memo::default(), "cut at {cut}");
        }
        let mut changed = bytes;
        changed[20] ^= 1;
        fs_err::write(&path, changed).unwrap();
        assert_eq!(Memo::read(&path), Memo::default());
    }
}
