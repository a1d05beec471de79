//! Files that come from strangers, opened only where they are files.

use std::io;
use std::path::Path;

use fs_err::File;

/// Opens the file at `path` to read it. What has no end, such as `/dev/zero`, or waits for a writer, as a named pipe does, is an
/// error, and so is a folder.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if fs_err::metadata(path)?.is_file() {
        return File::open(path);
    }
    let problem = format!("cannot read `{}`: it is no ordinary file", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_waits_for_a_writer_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for name in ["zero", "pipe", "."] {
            let message = open(&path(name)).unwrap_err().to_string();
            assert_eq!(message, format!("cannot read `{}`: it is no ordinary file", path(name).display()));
        }
        assert!(open(&path("none")).unwrap_err().to_string().contains("none"));
        fs_err::write(path("a"), b"text").unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        assert_eq!(io::read_to_string(open(&path("link")).unwrap()).unwrap(), "text");
    }
}
