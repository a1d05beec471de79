//! [`unpack`]: a zip or tar archive from a stranger becomes a folder, or nothing.
//!
//! No entry leaves the folder, links and devices are refused, and what an archive may hold is bounded. One folder that
//! holds everything else is looked through, as the lesson's `dogscats/`. The rules are here, the two formats in files of
//! their own.

mod tarred;
mod zipped;

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use fs_err::File;
use pipeline_stage::source::{MOST_DEEP, is_clutter};
use pipeline_stage::{Cancel, Cancelled, Event, Report, words};

/// Most entries of an archive.
const MAX_ENTRIES: usize = 50_000_000;
/// Most bytes that an archive may unpack to per byte of its own. Photos are compressed already; deflate reaches
/// 1,032 on zeros.
const MAX_RATIO: u64 = 100;
/// Bytes that any archive may unpack to, so that a small one with text beside the photos is not refused.
const FREE_BYTES: u64 = 64 << 20;

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Something is wrong with the archive.
    Archive(String),
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

/// The formats that are unpacked, told by the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A zip.
    Zip,
    /// A tar as it is.
    Tar,
    /// A tar compressed with gzip.
    TarGz,
}

impl Format {
    /// The format that the file begins like, if it is one of them.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Format>> {
        let start = beginning(path)?;
        Ok(match start.as_slice() {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
            [0x1f, 0x8b, ..] if tarred::is_tar(&tarred::inflated(&start)) => Some(Format::TarGz),
            start if tarred::is_tar(start) => Some(Format::Tar),
            _ => None,
        })
    }
}

/// What the file is, when it is no archive that can be opened.
pub(crate) fn not_an_archive(path: &Path) -> io::Result<Option<String>> {
    match Format::of(path)? {
        Some(Format::Zip) => return zipped::damage(path),
        Some(Format::Tar | Format::TarGz) => return Ok(None),
        None => {}
    }
    // A zip may begin with something else, as a program that unpacks it.
    if zipped::damage(path)?.is_none() {
        return Ok(None);
    }
    let start = beginning(path)?;
    let other = match start.as_slice() {
        [] => Some("an empty file"),
        [0x1f, 0x8b, ..] => Some("a gzip of something else than a tar"),
        [b'B', b'Z', b'h', ..] => Some("a bzip2 archive"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("an xz archive"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("a zstd archive"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some("a 7z archive"),
        [b'R', b'a', b'r', b'!', ..] => Some("a rar archive"),
        _ => None,
    };
    if let Some(other) = other {
        return Ok(Some(other.to_owned()));
    }
    let text = String::from_utf8_lossy(&start[..start.len().min(64)]);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Ok(Some("a web page".to_owned()));
    }
    let first: String = text.chars().take(16).collect();
    Ok(Some(format!("a file that begins with `{}`", printable(&first))))
}

/// Unpacks the archive at `archive` into the empty folder `out`, and to the disk. On a failure the folder holds a
/// part of it.
pub(crate) fn unpack(
    archive: &Path,
    out: &Path,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<(), Refused> {
    let mut extraction = Extraction { out, allowed: most_bytes(archive)?, top: Top::Unknown, clutter: 0 };
    match Format::of(archive)? {
        Some(Format::Tar) => tarred::unpack(archive, false, &mut extraction, report, cancel)?,
        Some(Format::TarGz) => tarred::unpack(archive, true, &mut extraction, report, cancel)?,
        Some(Format::Zip) | None => zipped::unpack(archive, &mut extraction, report, cancel)?,
    }
    if extraction.clutter > 0 {
        let count = words::count(extraction.clutter);
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        let entries = if extraction.clutter == 1 { "entry" } else { "entries" };
        report.emit(Event::Note(format!("left out of {name}: {count} hidden {entries} or of file managers")));
    }
    // One call for the whole file system: as many calls as there are photos would take minutes.
    sync_file_system(out)?;
    Ok(())
}

/// Bytes that the archive may unpack to.
fn most_bytes(archive: &Path) -> io::Result<u64> {
    let size_bytes = fs_err::metadata(archive)?.len();
    Ok(FREE_BYTES.saturating_add(size_bytes.saturating_mul(MAX_RATIO)))
}

fn too_much() -> Refused {
    Refused::Archive(format!("it unpacks to more than {MAX_RATIO} times its size, like a zip bomb"))
}

fn too_many() -> Refused {
    Refused::Archive(format!("it has more than {MAX_ENTRIES} entries"))
}

/// What an entry is, of those that are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

/// A folder that an archive is unpacked into.
struct Extraction<'a> {
    out: &'a Path,
    /// Bytes that may still be written.
    allowed: u64,
    top: Top,
    /// Entries that were left out.
    clutter: u64,
}

impl Extraction<'_> {
    /// Writes the entry with the path `relative`, which stays [inside], and the name `name` for messages.
    fn entry(
        &mut self,
        relative: &Path,
        name: &str,
        kind: Kind,
        content: &mut dyn Read,
    ) -> Result<(), Refused> {
        let relative = match &self.top {
            Top::Folder(top) => relative.strip_prefix(top).unwrap_or(relative),
            _ => relative,
        };
        if has_clutter(relative) {
            self.clutter += 1;
            return Ok(());
        }
        if relative.as_os_str().is_empty() {
            return Ok(());
        }
        let target = self.out.join(relative);
        let folder = if kind == Kind::Folder { Some(target.as_path()) } else { target.parent() };
        if let Some(folder) = folder {
            fs_err::create_dir_all(folder).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    Refused::Archive(format!("`{name}` lies in a file"))
                }
                _ => Refused::Io(error),
            })?;
        }
        if kind == Kind::Folder {
            return Ok(());
        }
        let mut options = fs_err::OpenOptions::new();
        let mut file = options.write(true).create_new(true).open(&target).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Refused::Archive(format!("`{name}` is there twice")),
            _ => Refused::Io(e),
        })?;
        // The declared size is a claim; what comes out is counted.
        let written = io::copy(&mut content.take(self.allowed.saturating_add(1)), &mut file)
            .map_err(|e| damaged(&format!("`{name}`"), e))?;
        self.allowed = self.allowed.checked_sub(written).ok_or_else(too_much)?;
        Ok(())
    }
}

/// The folder that holds every entry but clutter, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Top {
    /// No entry was seen yet.
    Unknown,
    Folder(PathBuf),
    None,
}

impl Top {
    /// Takes an entry into account.
    fn see(&mut self, relative: &Path, kind: Kind) {
        if has_clutter(relative) {
            return;
        }
        let mut parts = relative.components();
        let Some(first) = parts.next().map(|part| PathBuf::from(part.as_os_str())) else { return };
        let is_deeper = parts.next().is_some();
        *self = match self {
            _ if !is_deeper && kind == Kind::File => Top::None,
            Top::None => Top::None,
            Top::Folder(top) if *top != first => Top::None,
            _ => Top::Folder(first),
        };
    }
}

/// The error of reading `what`, an entry or the archive.
fn damaged(what: &str, error: io::Error) -> Refused {
    if error.get_ref().is_some_and(|inner| inner.is::<tarred::TooMuch>()) {
        return too_much();
    }
    if is_content(&error) {
        Refused::Archive(format!("{what} is damaged: {error}"))
    } else {
        Refused::Io(error)
    }
}

/// Whether an error is about the content that was read, and not about the reading.
fn is_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// The first bytes of a file: enough for the first header of a tar, compressed or not.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(4 << 10).read_to_end(&mut start)?;
    Ok(start)
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

fn has_clutter(relative: &Path) -> bool {
    relative.components().any(|part| is_clutter(&part.as_os_str().to_string_lossy()))
}

/// The text with its control characters escaped.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// An entry's path as one that stays inside.
fn inside(path: &Path) -> Result<PathBuf, Refused> {
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !stays || path.as_os_str().as_encoded_bytes().contains(&0) {
        let name = printable(&path.to_string_lossy());
        return Err(Refused::Archive(format!("`{name}` leads outside")));
    }
    let parts: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    if parts.components().count() > MOST_DEEP {
        let name: String = printable(&path.to_string_lossy()).chars().take(60).collect();
        return Err(Refused::Archive(format!("`{name}…` lies in more than {MOST_DEEP} folders")));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
