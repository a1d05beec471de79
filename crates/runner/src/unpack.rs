//! [`unpack`]: a zip from a stranger becomes a folder, or nothing.
//!
//! No entry leaves the folder, links are refused, and what a zip may hold is bounded. One folder that holds
//! everything else is looked through, as the lesson's `dogscats/`.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use fs_err::File;
use pipeline_stage::source::is_clutter;
use pipeline_stage::{Cancel, Cancelled, Progress, Report};
use zip::ZipArchive;
use zip::result::ZipError;

/// Most entries of a zip.
const MAX_ENTRIES: usize = 50_000_000;
/// Most bytes that a zip may unpack to per byte of its own. Photos are compressed already; deflate reaches
/// 1,032 on zeros.
const MAX_RATIO: u64 = 100;
/// Bytes that any zip may unpack to, so that a small one with text beside the photos is not refused.
const FREE_BYTES: u64 = 64 << 20;

const ENCRYPTED: &str = "it is encrypted, and there is no way to give a password";

/// Why a zip was not unpacked.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Something is wrong with the zip.
    Zip(String),
    /// The disk said no.
    Io(io::Error),
    /// The run was asked to stop.
    Cancelled,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused::Io(error)
    }
}

impl From<Cancelled> for Refused {
    fn from(_: Cancelled) -> Self {
        Refused::Cancelled
    }
}

impl From<ZipError> for Refused {
    fn from(error: ZipError) -> Self {
        Refused::Zip(error.to_string())
    }
}

/// Whether the file begins like a zip.
pub(crate) fn is_zip(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(matches!(start.as_slice(), b"PK\x03\x04" | b"PK\x05\x06"))
}

/// Whether an error is about the content that was read, and not about the reading.
fn is_content(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// What the file is, when it is no zip that can be opened.
pub(crate) fn not_a_zip(path: &Path) -> io::Result<Option<String>> {
    let error = match ZipArchive::new(File::open(path)?) {
        Ok(_) => return Ok(None),
        Err(ZipError::Io(error)) if !is_content(error.kind()) => return Err(error),
        Err(error) => error,
    };
    if is_zip(path)? {
        return Ok(Some(format!("a damaged zip ({error})")));
    }
    let mut start = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_lowercase();
    Ok(Some(match () {
        () if start.is_empty() => "an empty file".to_owned(),
        () if lower.starts_with("<!doctype html") || lower.starts_with("<html") => "a web page".to_owned(),
        () => {
            let first: String = text.chars().take(16).collect();
            format!("a file that begins with `{}`", printable(&first))
        }
    }))
}

/// Unpacks the zip at `zip` into the empty folder `out`, and to the disk. On a failure the folder holds a
/// part of it.
pub(crate) fn unpack(zip: &Path, out: &Path, report: &dyn Report, cancel: &Cancel) -> Result<(), Refused> {
    let zip_bytes = fs_err::metadata(zip)?.len();
    let mut archive = ZipArchive::new(File::open(zip)?)?;
    if archive.len() > MAX_ENTRIES {
        return Err(Refused::Zip(format!("it has {} entries, the limit is {MAX_ENTRIES}", archive.len())));
    }
    let mut allowed = FREE_BYTES.saturating_add(zip_bytes.saturating_mul(MAX_RATIO));
    let top = common_top(&mut archive)?;
    let progress = Progress::begin(report, cancel, "unpack", Some(archive.len() as u64), "entries");
    for index in 0..archive.len() {
        progress.add(1)?;
        let mut entry = archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Refused::Zip(ENCRYPTED.to_owned()),
            other => other.into(),
        })?;
        let name = entry.name()?.into_owned();
        let relative = inside(&name)?;
        if entry.is_symlink() {
            return Err(Refused::Zip(format!("`{name}` is a link")));
        }
        let relative = match &top {
            Some(top) => relative.strip_prefix(top).unwrap_or(&relative).to_owned(),
            None => relative,
        };
        if relative.as_os_str().is_empty() || has_clutter(&relative) {
            continue;
        }
        let target = out.join(&relative);
        if entry.is_dir() {
            fs_err::create_dir_all(&target)?;
            continue;
        }
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        // The declared size is a claim; what comes out is counted.
        let mut file =
            fs_err::OpenOptions::new().write(true).create_new(true).open(&target).map_err(|e| {
                match e.kind() {
                    io::ErrorKind::AlreadyExists => Refused::Zip(format!("`{name}` is there twice")),
                    _ => Refused::Io(e),
                }
            })?;
        let written =
            io::copy(&mut (&mut entry).take(allowed + 1), &mut file).map_err(|e| match e.kind() {
                kind if is_content(kind) => Refused::Zip(format!("`{name}` is damaged: {e}")),
                _ => Refused::Io(e),
            })?;
        allowed = allowed.checked_sub(written).ok_or_else(|| {
            Refused::Zip(format!("it unpacks to more than {MAX_RATIO} times its size, like a zip bomb"))
        })?;
    }
    // One call for the whole file system: as many calls as there are photos would take minutes.
    sync_file_system(out)?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// The folder that holds every entry but clutter, if there is one.
fn common_top(archive: &mut ZipArchive<File>) -> Result<Option<PathBuf>, Refused> {
    let mut top: Option<PathBuf> = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        let relative = inside(&entry.name()?)?;
        if has_clutter(&relative) {
            continue;
        }
        let mut parts = relative.components();
        let first = parts.next().map(|c| PathBuf::from(c.as_os_str())).unwrap_or_default();
        let is_deeper = parts.next().is_some();
        match &top {
            _ if !is_deeper && !entry.is_dir() => return Ok(None),
            Some(top) if *top != first => return Ok(None),
            _ => top = Some(first),
        }
    }
    Ok(top)
}

fn has_clutter(relative: &Path) -> bool {
    relative.components().any(|part| is_clutter(&part.as_os_str().to_string_lossy()))
}

/// The text with its control characters escaped.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// An entry's name as a path that stays inside.
fn inside(name: &str) -> Result<PathBuf, Refused> {
    if name.contains('\\') {
        return Err(Refused::Zip(format!(
            "`{}` has a backslash in its name, a zip has `/` there",
            printable(name)
        )));
    }
    let path = Path::new(name);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !stays || name.contains('\0') {
        return Err(Refused::Zip(format!("`{}` leads outside", printable(name))));
    }
    Ok(path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use pipeline_stage::progress::Silent;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A zip with these entries; a name that ends in `/` is a folder.
    fn zip_of(path: &Path, entries: &[(&str, &[u8])]) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    fn unpacked(entries: &[(&str, &[u8])]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let (zip, out) = (dir.path().join("a.zip"), dir.path().join("out"));
        zip_of(&zip, entries);
        assert!(is_zip(&zip).unwrap());
        fs_err::create_dir(&out).unwrap();
        unpack(&zip, &out, &Silent, &Cancel::default()).map_err(|refused| format!("{refused:?}"))?;
        let mut found = vec![];
        let mut folders = vec![out.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs_err::read_to_string(&path).unwrap();
                    found.push(format!("{}={content}", path.strip_prefix(&out).unwrap().display()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    #[test]
    fn one_folder_that_holds_everything_is_looked_through_and_clutter_is_left_out() {
        let entries: [(&str, &[u8]); 4] = [
            ("dogscats/train/a.jpg", b"1"),
            ("dogscats/valid/b.jpg", b"2"),
            ("__MACOSX/dogscats/train/._a.jpg", b"x"),
            ("dogscats/.DS_Store", b"x"),
        ];
        assert_eq!(unpacked(&entries).unwrap(), ["train/a.jpg=1", "valid/b.jpg=2"]);
        let two: [(&str, &[u8]); 2] = [("train/a.jpg", b"1"), ("valid/b.jpg", b"2")];
        assert_eq!(unpacked(&two).unwrap(), ["train/a.jpg=1", "valid/b.jpg=2"]);
    }

    #[test]
    fn entries_that_lead_outside_are_refused() {
        for name in ["../a", "train/../../a", "/etc/a"] {
            let refused = unpacked(&[("train/b.jpg", b"1"), (name, b"2")]).unwrap_err();
            assert!(refused.contains("leads outside"), "{name}: {refused}");
        }
    }

    #[test]
    fn a_backslash_in_a_name_is_called_so() {
        for name in [r"a\b.jpg", r"a\..\b"] {
            let refused = unpacked(&[("train/b.jpg", b"1"), (name, b"2")]).unwrap_err();
            let expected =
                format!("Zip({:?})", format!("`{name}` has a backslash in its name, a zip has `/` there"));
            assert_eq!(refused, expected);
        }
    }

    /// A zip of one file, then changed at `change` bytes after the start of each header that begins with
    /// `header`, and what comes of unpacking it.
    fn changed(headers: &[(&[u8], usize)]) -> Refused {
        let dir = tempfile::tempdir().unwrap();
        let (zip, out) = (dir.path().join("a.zip"), dir.path().join("out"));
        zip_of(&zip, &[("train/a.jpg", b"123456")]);
        let mut bytes = fs_err::read(&zip).unwrap();
        for (header, change) in headers {
            let at = bytes.windows(4).position(|four| four == *header).unwrap();
            bytes[at + change] ^= 1;
        }
        fs_err::write(&zip, &bytes).unwrap();
        assert_eq!(not_a_zip(&zip).unwrap(), None);
        fs_err::create_dir(&out).unwrap();
        unpack(&zip, &out, &Silent, &Cancel::default()).unwrap_err()
    }

    #[test]
    fn an_encrypted_zip_is_called_so() {
        // The first bit of the flags of both headers (APPNOTE 4.4.4).
        let refused = changed(&[(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]);
        assert_eq!(format!("{refused:?}"), format!("Zip({ENCRYPTED:?})"));
    }

    #[test]
    fn an_entry_with_another_checksum_is_damaged() {
        // The CRC-32 in the central directory (APPNOTE 4.3.12).
        let refused = changed(&[(b"PK\x01\x02", 16)]);
        let Refused::Zip(reason) = &refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("`train/a.jpg` is damaged: "), "{reason}");
    }

    #[test]
    fn what_is_no_zip_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let what = |content: &[u8]| {
            fs_err::write(&path, content).unwrap();
            not_a_zip(&path).unwrap().unwrap()
        };
        assert_eq!(what(b"\n<!DOCTYPE HTML><title>Sign in"), "a web page");
        assert_eq!(what(b""), "an empty file");
        assert_eq!(what(b"{\"error\": \"no such file\"}"), r#"a file that begins with `{"error": "no su`"#);
        assert!(what(b"PK\x03\x04 and no more").starts_with("a damaged zip ("));
    }

    #[test]
    fn links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, out) = (dir.path().join("a.zip"), dir.path().join("out"));
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        zip.add_symlink("train/a", "/etc", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        fs_err::create_dir(&out).unwrap();
        let refused = unpack(&path, &out, &Silent, &Cancel::default()).unwrap_err();
        assert_eq!(format!("{refused:?}"), r#"Zip("`train/a` is a link")"#);
    }

    #[test]
    fn a_zip_bomb_is_refused() {
        let zeros = vec![0u8; (FREE_BYTES + (16 << 20)) as usize];
        let refused = unpacked(&[("a/zeros", &zeros), ("b/x", b"1")]).unwrap_err();
        assert!(refused.contains("like a zip bomb"), "{refused}");
    }

    #[test]
    fn a_damaged_zip_is_refused_and_something_else_is_no_zip() {
        let dir = tempfile::tempdir().unwrap();
        let (zip, out) = (dir.path().join("a.zip"), dir.path().join("out"));
        zip_of(&zip, &[("train/a.jpg", b"123456")]);
        let bytes = fs_err::read(&zip).unwrap();
        fs_err::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
        fs_err::create_dir(&out).unwrap();
        assert!(matches!(unpack(&zip, &out, &Silent, &Cancel::default()), Err(Refused::Zip(_))));
        fs_err::write(&zip, "text").unwrap();
        assert!(!is_zip(&zip).unwrap());
    }
}
