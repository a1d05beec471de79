//! [`Memo`]: digests of the files of one tree, so that nothing is hashed twice.
//!
//! A file keeps its digest as long as its size, times of modification and change, and inode are the same.
//! A file that was not [settled](Fingerprint::is_settled) when it was looked at is not remembered.
//!
//! A memo also says of which tree it is, so that it can go when the tree is gone. It is a cache: one that cannot be read is empty, and one that cannot be written costs time only.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use pipeline_stage::{Digest, Fingerprint};

use crate::store::write_atomically;

/// First bytes of the file; the last one is the version of its form.
const MAGIC: &[u8; 8] = b"plmemo\0\x02";

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
        let mut bytes = MAGIC.to_vec();
        let tree = std::path::absolute(tree)?.into_os_string().into_vec();
        bytes.extend(u32::try_from(tree.len()).map_err(io::Error::other)?.to_le_bytes());
        bytes.extend(tree);
        for (name, fingerprint, digest) in files {
            if !fingerprint.is_settled(looked_ns) {
                continue;
            }
            let Ok(length) = u32::try_from(name.len()) else { continue };
            bytes.extend(length.to_le_bytes());
            bytes.extend(name);
            bytes.extend(fingerprint.to_bytes());
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
        let fingerprint = Fingerprint::from_bytes(&take(&mut rest)?);
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
    fn a_file_that_is_not_settled_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memo");
        let young = Fingerprint { modified_ns: NOW, ..OLD };
        let files = [(b"a".as_slice(), young, Digest::of(b"abc")), (b"b", OLD, Digest::of(b"b"))];
        Memo::write(&path, TREE.as_ref(), NOW, files.into_iter()).unwrap();
        let memo = Memo::read(&path);
        assert_eq!((memo.get(b"a", &young), memo.get(b"b", &OLD)), (None, Some(Digest::of(b"b"))));
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
