//! [`List`]: the paths on standard input, one by one.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use pipeline_stage::Cancel;

/// Longest path in a list: far above what any system takes. What has no end is no list.
const MOST_BYTES: u64 = 1 << 16;

/// A list of paths on standard input.
pub(super) struct List {
    input: BufReader<Input>,
    /// What ends a path.
    separator: u8,
}

impl List {
    pub(super) fn of(separator: u8, cancel: Cancel) -> Self {
        List { input: BufReader::new(Input { cancel }), separator }
    }

    /// The next path; `None` where there is no more, or the command is to stop.
    pub(super) fn next(&mut self) -> io::Result<Option<PathBuf>> {
        listed(&mut self.input, self.separator)
    }
}

/// The next path of a list that is not empty.
fn listed(list: &mut impl BufRead, separator: u8) -> io::Result<Option<PathBuf>> {
    loop {
        let mut bytes = vec![];
        let read = list.by_ref().take(MOST_BYTES).read_until(separator, &mut bytes)?;
        if read as u64 == MOST_BYTES {
            let way = if separator == 0 { "" } else { " (of paths that end in the byte 0: --null)" };
            return Err(io::Error::other(format!(
                "cannot read the list on standard input: a path has {MOST_BYTES} bytes or more{way}"
            )));
        }
        if bytes.last() == Some(&separator) {
            bytes.pop();
            // Lists that were written on Windows.
            if separator == b'\n' && bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if separator != 0 && bytes.contains(&0) {
            return Err(io::Error::other(
                "cannot read the list on standard input: it has the byte 0, expected a path on each line (of paths that end in the byte 0: --null)",
            ));
        }
        if !bytes.is_empty() {
            return Ok(Some(Path::new(&OsString::from_vec(bytes)).components().collect()));
        }
        if read == 0 {
            return Ok(None);
        }
    }
}

/// Standard input, not waited for any longer once the command is to stop.
struct Input {
    cancel: Cancel,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        let stdin = io::stdin();
        loop {
            if self.cancel.is_cancelled() {
                return Ok(0);
            }
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&limit)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Also where nobody writes any more.
                Ok(_) => return Ok(rustix::io::read(&stdin, buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_path_a_line_or_between_zero_bytes_and_empty_ones_count_for_nothing() {
        let all = |mut text: &[u8], separator| {
            let mut found = vec![];
            while let Some(path) = listed(&mut text, separator).unwrap() {
                found.push(path);
            }
            found
        };
        assert_eq!(
            all(b"a b.jpg\n\n-x.jpg\n./c//d.jpg", b'\n'),
            ["a b.jpg", "-x.jpg", "./c/d.jpg"].map(PathBuf::from)
        );
        assert_eq!(all(b"a.jpg\r\n\r\nb\r.jpg\r\r\n", b'\n'), ["a.jpg", "b\r.jpg\r"].map(PathBuf::from));
        assert_eq!(all(b"a\r\0", 0), [PathBuf::from("a\r")]);
        let mixed = listed(&mut &b"a.jpg\0b.jpg\0"[..], b'\n').unwrap_err().to_string();
        assert!(mixed.contains("it has the byte 0, expected a path on each line"), "{mixed}");
        assert_eq!(all(b"a\nb.jpg\0c.jpg\0", 0), ["a\nb.jpg", "c.jpg"].map(PathBuf::from));
        let error = listed(&mut [b'x'; 1 << 17].as_slice(), b'\n').unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the list on standard input: a path has 65536 bytes or more"),
            "{error}"
        );
    }
}
