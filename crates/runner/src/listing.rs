//! [`Listing`]: the files of a tree, each with its size and the beginning of its digest, so that `explain` can name
//! those that changed. Keys and manifests hold one digest for the whole tree; its listing lies beside them in the
//! store, under that digest, and nothing but `explain` reads it.
//!
//! Names in order begin alike, and what two have in common is written once: some 20 bytes a file, 2 MB for 100,000.
//! It is written when a run first sees a tree, and never again; without it `explain` says less, and that is all.

use std::path::Path;

use pipeline_stage::Digest;

use crate::store::write_atomically;

/// First bytes of the file; the last one is the version of its form.
const MAGIC: &[u8; 8] = b"pltree\0\x01";

/// Trees of more files than this have no listing.
pub(crate) const MOST_FILES: usize = 1_000_000;

/// Bytes of a digest that are kept: two contents have the same ones by a chance of 1 in 2^64.
const KEPT: usize = 8;

/// What is known of a file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Bytes of the path relative to the tree, with `/`.
    pub(crate) path: Vec<u8>,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// The beginning of the digest of its content.
    pub(crate) content: [u8; KEPT],
}

/// The files of a tree, sorted by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing(pub(crate) Vec<Listed>);

impl Listed {
    pub(crate) fn new(path: &[u8], size_bytes: u64, digest: &Digest) -> Listed {
        let mut content = [0; KEPT];
        content.copy_from_slice(&digest.as_bytes()[..KEPT]);
        Listed { path: path.to_owned(), size_bytes, content }
    }
}

impl Listed {
    /// Whether this stands for its content.
    pub(crate) fn is(&self, content: &[u8]) -> bool {
        self.content == Digest::of(content).as_bytes()[..KEPT]
    }
}

impl Listing {
    /// Reads the listing at `path`; `None` where there is none or it makes no sense.
    pub(crate) fn read(path: &Path) -> Option<Listing> {
        parse(&fs_err::read(path).ok()?)
    }

    /// Writes it to `path`.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        let mut last: &[u8] = &[];
        for Listed { path, size_bytes, content } in &self.0 {
            let common = path.iter().zip(last).take_while(|(a, b)| a == b).count();
            put(&mut bytes, common as u64);
            put(&mut bytes, (path.len() - common) as u64);
            bytes.extend(&path[common..]);
            put(&mut bytes, *size_bytes);
            bytes.extend(content);
            last = path;
        }
        let checksum = Digest::of(&bytes);
        bytes.extend(checksum.as_bytes());
        write_atomically(path, &bytes)
    }
}

fn parse(bytes: &[u8]) -> Option<Listing> {
    let (content, checksum) = bytes.split_last_chunk::<32>()?;
    if Digest::of(content).as_bytes() != checksum {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC.as_slice())?;
    let mut files: Vec<Listed> = Vec::new();
    while !rest.is_empty() {
        let last = files.last().map_or(&[][..], |file| &file.path);
        let mut path = last.get(..usize::try_from(take(&mut rest)?).ok()?)?.to_owned();
        let length = usize::try_from(take(&mut rest)?).ok()?;
        let (end, after) = rest.split_at_checked(length)?;
        path.extend(end);
        rest = after;
        let size_bytes = take(&mut rest)?;
        let (content, after) = rest.split_first_chunk::<KEPT>()?;
        rest = after;
        files.push(Listed { path, size_bytes, content: *content });
    }
    Some(Listing(files))
}

/// Appends a number, seven bits a byte, the lowest first; the highest bit says that more follow (LEB128).
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What [`put`] has written.
fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let listed = |path: &str, size| Listed::new(path.as_bytes(), size, &Digest::of(path.as_bytes()));
        let sizes = [0, 127, 128, 300, u64::MAX];
        let names = ["a/cat.1.jpg", "a/cat.10.jpg", "a/cat.2.jpg", "a/dog.jpg", "b"];
        Listing(names.iter().zip(sizes).map(|(path, size)| listed(path, size)).collect())
    }

    #[test]
    fn what_is_written_is_read_and_a_damaged_listing_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree");
        assert_eq!(Listing::read(&path), None);
        listing().write(&path).unwrap();
        assert_eq!(Listing::read(&path), Some(listing()));
        let bytes = fs_err::read(&path).unwrap();
        for cut in 0..bytes.len() {
            fs_err::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(Listing::read(&path), None, "cut at {cut}");
        }
    }

    #[test]
    fn names_that_begin_alike_take_little_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree");
        let name = |n: u64| format!("train/cats/cat.{n:05}.jpg");
        let listed = |n: u64| Listed::new(name(n).as_bytes(), 20_000 + n, &Digest::of(name(n).as_bytes()));
        Listing((0..10_000).map(listed).collect()).write(&path).unwrap();
        let per_file = fs_err::metadata(&path).unwrap().len() / 10_000;
        assert!(per_file <= 20, "{per_file} bytes a file");
    }
}
