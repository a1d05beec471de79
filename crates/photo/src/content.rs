//! [`content`](content()): the bytes of a file that somebody calls a photo, or why they are not to be had.

use std::io::{self, ErrorKind};
use std::path::Path;

use pipeline_stage::source::is_link_loop;

use crate::{Reason, Rejected};

/// Files above this size are not read. Far above any photo: an uncompressed picture of the largest
/// allowed number of pixels.
pub const MAX_BYTES: u64 = 2 << 30;

/// The content of the file at `path`. Whatever is wrong with the file is the inner answer; it does not name the file, since
/// paths are no content.
///
/// # Errors
/// When the disk or the network fails while it is read: that says nothing of the file.
pub fn content(path: &Path) -> io::Result<Result<Vec<u8>, Rejected>> {
    let rejected = |reason, detail: String| Ok(Err(Rejected::new(reason, None, detail)));
    let read = || {
        let metadata = fs_err::metadata(path)?;
        // Whoever opens a named pipe waits for a writer, perhaps for ever.
        if !metadata.is_file() {
            return rejected(Reason::Unreadable, "it is no ordinary file".to_owned());
        }
        if metadata.len() > MAX_BYTES {
            let detail = format!("it has {} bytes, the limit is {MAX_BYTES}", metadata.len());
            return rejected(Reason::TooLarge, detail);
        }
        fs_err::read(path).map(Ok)
    };
    let lasting =
        match read() {
            Ok(content) => return Ok(content),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                if path.is_symlink() { "it is a link that leads nowhere" } else { "there is no such file" }
            }
            Err(e) if e.kind() == ErrorKind::PermissionDenied => "there is no permission to read it",
            Err(_) if is_link_loop(path) => "it is a link that leads to itself",
            Err(e) => return Err(e),
        };
    rejected(Reason::Unreadable, lasting.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said_and_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs_err::write(path("a"), b"text").unwrap();
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        std::os::unix::fs::symlink("loop", path("loop")).unwrap();
        fs_err::File::create(path("huge")).unwrap().set_len(MAX_BYTES + 1).unwrap();
        let told = |name: &str| match content(&path(name)).unwrap() {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(rejected) => rejected.to_string(),
        };
        assert_eq!(told("a"), "text");
        assert_eq!(told("."), "unreadable: it is no ordinary file");
        assert_eq!(told("dangling"), "unreadable: it is a link that leads nowhere");
        assert_eq!(told("a/b"), "unreadable: there is no such file");
        assert_eq!(told("gone"), "unreadable: there is no such file");
        assert_eq!(told("loop"), "unreadable: it is a link that leads to itself");
        assert_eq!(told("huge"), "too large: it has 2147483649 bytes, the limit is 2147483648");
    }
}
