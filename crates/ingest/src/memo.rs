//! [`Memo`]: what was seen of each file of a tree, so that a file that is as it was is not read again.
//!
//! A file of lines, one for each file of the tree in order of their ids. Reading and writing go along with the tree, so it may
//! be of any length. It lies in a folder of this version of the stage ([`Context::memo`](pipeline_stage::Context::memo)):
//! whoever changes what [`Content`] says of a file raises that version. A line that is damaged is no line, and a memo that
//! cannot be written costs time only.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;
use pipeline_stage::{Digest, Fingerprint};
use serde::{Deserialize, Serialize};

use crate::content::Content;

/// Longest line: the longest path, escaped, and some hundred bytes. A longer one is damage.
const LONGEST: u64 = 1 << 16;

/// Digits of the digest that begins a line.
const DIGITS: usize = 16;

/// What was seen of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) id: String,
    /// Of the file before it was read.
    fingerprint: [u8; Fingerprint::BYTES],
    pub(crate) content: Content,
}

impl Known {
    pub(crate) fn new(id: &str, fingerprint: Fingerprint, content: Content) -> Self {
        Known { id: id.to_owned(), fingerprint: fingerprint.to_bytes(), content }
    }

    /// What is in the file, if it is as it was; `is_decoded`: where that must say what decoding it told.
    pub(crate) fn content_of(&self, fingerprint: Fingerprint, is_decoded: bool) -> Option<&Content> {
        let is_enough = self.content.picture.is_some() || !is_decoded;
        (self.fingerprint == fingerprint.to_bytes() && is_enough).then_some(&self.content)
    }
}

/// The memo of a tree: what was known before, and what will be known.
#[derive(Default)]
pub(crate) struct Memo {
    before: Option<BufReader<File>>,
    /// What comes next in it.
    next: Option<Known>,
    after: Option<Written>,
    began_ns: i64,
}

/// The memo that is being written, and where it goes.
struct Written {
    file: BufWriter<File>,
    path: PathBuf,
    goes_to: PathBuf,
}

impl Memo {
    /// That of the tree at `tree` in `folder`; nothing is known or kept where there is no folder. It is written in `partial`, on
    /// the same disk.
    pub(crate) fn of(folder: Option<&Path>, tree: &Path, partial: &Path) -> Memo {
        let Some(folder) = folder else { return Memo::default() };
        let name = Digest::of(tree.as_os_str().as_encoded_bytes()).to_string();
        let goes_to = folder.join(&name[..32]);
        let path = partial.join("memo");
        let before = File::open(&goes_to).ok().map(BufReader::new);
        let after = File::create(&path).ok();
        let after = after.map(|file| Written { file: BufWriter::new(file), path, goes_to });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let mut memo = Memo { before, next: None, after, began_ns: i64::try_from(now).unwrap_or(0) };
        memo.next = memo.read();
        memo
    }

    /// What is known of the file `id`, which comes after those asked for before.
    pub(crate) fn take(&mut self, id: &str) -> Option<Known> {
        while self.next.as_ref()?.id.as_str() < id {
            self.next = self.read();
        }
        if self.next.as_ref()?.id != id {
            return None;
        }
        let found = self.next.take();
        self.next = self.read();
        found
    }

    /// Keeps what was seen of a file, in the order of ids. One that had changed just before is looked at again the next time.
    pub(crate) fn keep(&mut self, known: &Known) {
        let is_settled = Fingerprint::from_bytes(&known.fingerprint).is_settled(self.began_ns);
        if let (Some(after), true) = (&mut self.after, is_settled)
            && after.write(known).is_err()
        {
            self.after = None;
        }
    }

    /// Puts the new one in the place of the old.
    pub(crate) fn finish(self) {
        // What was known before is closed before it is replaced.
        drop(self.before);
        if let Some(Written { file, path, goes_to }) = self.after
            && file.into_inner().is_ok()
        {
            let _ = fs_err::rename(path, goes_to);
        }
    }

    /// The next line that is whole; `None` at the end.
    fn read(&mut self) -> Option<Known> {
        let before = self.before.as_mut()?;
        let mut line = String::new();
        loop {
            line.clear();
            match before.by_ref().take(LONGEST).read_line(&mut line) {
                Ok(0) => return None,
                // What is no text is damage, and the rest of it is skipped with it.
                Err(error) if error.kind() != io::ErrorKind::InvalidData => return None,
                _ => {}
            }
            if let Some(known) = parse(line.trim_end_matches('\n')) {
                return Some(known);
            }
        }
    }
}

impl Written {
    fn write(&mut self, known: &Known) -> io::Result<()> {
        let json = serde_json::to_string(known)?;
        let digest = Digest::of(json.as_bytes()).to_string();
        writeln!(self.file, "{} {json}", &digest[..DIGITS])
    }
}

fn parse(line: &str) -> Option<Known> {
    let (digits, json) = line.split_once(' ')?;
    let digest = Digest::of(json.as_bytes()).to_string();
    if digits != &digest[..DIGITS] {
        return None;
    }
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Fingerprint = Fingerprint { size_bytes: 3, modified_ns: 5, changed_ns: 6, inode: 7 };

    /// A memo in a folder of its own.
    struct Bench(tempfile::TempDir);

    impl Bench {
        fn of(known: &[Known]) -> Bench {
            let bench = Bench(tempfile::tempdir().unwrap());
            let mut memo = bench.memo();
            known.iter().for_each(|known| memo.keep(known));
            memo.finish();
            bench
        }

        fn memo(&self) -> Memo {
            Memo::of(Some(self.0.path()), Path::new("/photos"), self.0.path())
        }

        fn path(&self) -> PathBuf {
            let name = Digest::of(b"/photos").to_string();
            self.0.path().join(&name[..32])
        }
    }

    fn known(id: &str, fingerprint: Fingerprint) -> Known {
        Known::new(id, fingerprint, Content::of(id.as_bytes(), true))
    }

    #[test]
    fn what_was_kept_is_known_and_what_lies_between_is_not() {
        let bench = Bench::of(&[known("a", OLD), known("c \n\"é", OLD), known("d", OLD)]);
        let mut memo = bench.memo();
        assert_eq!(memo.take("a"), Some(known("a", OLD)));
        assert_eq!(memo.take("b"), None);
        assert_eq!(memo.take("d"), Some(known("d", OLD)));
        assert_eq!(memo.take("e"), None);
        assert_eq!(Memo::of(Some(bench.0.path()), Path::new("/others"), bench.0.path()).take("a"), None);
        assert_eq!(Memo::of(None, Path::new("/photos"), bench.0.path()).take("a"), None);
    }

    #[test]
    fn a_file_that_looks_different_or_must_be_decoded_after_all_is_not_known() {
        let known = known("a", OLD);
        assert_eq!(known.content_of(OLD, true), Some(&known.content));
        for other in [
            Fingerprint { size_bytes: 4, ..OLD },
            Fingerprint { modified_ns: 4, ..OLD },
            Fingerprint { changed_ns: 4, ..OLD },
            Fingerprint { inode: 4, ..OLD },
        ] {
            assert_eq!(known.content_of(other, true), None);
        }
        let hashed = Known::new("a", OLD, Content::of(b"a", false));
        assert_eq!(hashed.content_of(OLD, true), None);
        assert_eq!(hashed.content_of(OLD, false), Some(&hashed.content));
    }

    #[test]
    fn a_file_that_had_just_changed_is_not_kept() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let young = Fingerprint { changed_ns: now - 1_000_000_000, ..OLD };
        assert_eq!(Bench::of(&[known("a", young)]).memo().take("a"), None);
    }

    #[test]
    fn a_damaged_line_is_no_line_and_the_others_stay() {
        let bench = Bench::of(&[known("a", OLD), known("b", OLD)]);
        let whole = fs_err::read(bench.path()).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in 0..first {
            let mut changed = whole.clone();
            changed[at] = 0xFF;
            fs_err::write(bench.path(), &changed).unwrap();
            let mut memo = bench.memo();
            assert_eq!(memo.take("a"), None, "changed at {at}");
            // Without the end of its line, the next one goes with it.
            let expected = if at + 1 < first { Some(known("b", OLD)) } else { None };
            assert_eq!(memo.take("b"), expected, "changed at {at}");
        }
        for cut in 0..first - 1 {
            fs_err::write(bench.path(), &whole[..cut]).unwrap();
            assert_eq!(bench.memo().take("a"), None, "cut at {cut}");
        }
        fs_err::write(bench.path(), vec![b'x'; 5 << 16]).unwrap();
        assert_eq!(bench.memo().take("a"), None);
    }
}
