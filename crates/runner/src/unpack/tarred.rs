//! Tar archives, as they are or compressed with gzip.
//!
//! Entries are read raw, and long names (GNU's `L`, POSIX's `x`) put together here: the crate would read them whole into
//! memory, however long they say they are. A tar is read twice, once for the folder that holds everything.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use fs_err::File;
use pipeline_stage::{Cancel, Progress, Report};
use tar::{Archive, EntryType, Header};

use super::{Extraction, Kind, MAX_ENTRIES, Refused, damaged, inside, most_bytes, printable, too_many};

/// Bytes of a header and of what the size of an entry is rounded up to.
const BLOCK: usize = 512;
/// Most bytes of a long name, or of the attributes of an entry.
const MAX_EXTENSION: u64 = 1 << 20;

/// The error of a stream that is longer than an archive of its size should be.
#[derive(Debug, thiserror::Error)]
#[error("it is too long")]
pub(super) struct TooMuch;

/// A reader with a limit that is an error.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, TooMuch))?;
        Ok(read)
    }
}

/// Whether bytes begin with the header of a tar: its checksum is that of its bytes, with spaces in its own place
/// (POSIX.1-1988, ustar).
pub(super) fn is_tar(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<BLOCK>() else { return false };
    let header = Header::from_byte_slice(block);
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(i, byte)| u32::from(if (148..156).contains(&i) { b' ' } else { *byte }))
        .sum();
    header.cksum().is_ok_and(|checksum| checksum == sum)
}

/// The first block of what the gzip that begins with `start` holds; less where it holds less.
pub(super) fn inflated(start: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    // What cannot be read is no tar.
    let _ = MultiGzDecoder::new(start).take(BLOCK as u64).read_to_end(&mut block);
    block
}

pub(super) fn unpack(
    tar: &Path,
    is_gzip: bool,
    extraction: &mut Extraction<'_>,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<(), Refused> {
    if !is_gzip {
        check_end(tar)?;
    }
    let progress = Progress::begin(report, cancel, "look through", None, "entries");
    let mut count = 0u64;
    each(tar, is_gzip, &mut |relative, _, kind, _| {
        progress.add(1)?;
        count += 1;
        extraction.top.see(relative, kind);
        Ok(())
    })?;
    let progress = Progress::begin(report, cancel, "unpack", Some(count), "entries");
    each(tar, is_gzip, &mut |relative, name, kind, entry| {
        progress.add(1)?;
        extraction.entry(relative, name, kind, entry)
    })
}

/// A tar that is not compressed ends with empty blocks; without them nobody would notice that some are missing.
fn check_end(tar: &Path) -> Result<(), Refused> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(tar)?;
    let mut last = [1; BLOCK];
    let size_bytes = file.metadata()?.len();
    if size_bytes >= 2 * BLOCK as u64 {
        file.seek(SeekFrom::End(-(BLOCK as i64)))?;
        file.read_exact(&mut last)?;
    }
    if last == [0; BLOCK] { Ok(()) } else { Err(cut_short()) }
}

fn cut_short() -> Refused {
    Refused::Archive("it is cut short".to_owned())
}

/// What is done with an entry: its path, its name for messages, what it is, its content.
type Take<'a> = dyn FnMut(&Path, &str, Kind, &mut dyn Read) -> Result<(), Refused> + 'a;

/// Goes through the folders and files of a tar to its end.
fn each(tar: &Path, is_gzip: bool, take: &mut Take<'_>) -> Result<(), Refused> {
    let file = BufReader::with_capacity(256 << 10, File::open(tar)?);
    let left = most_bytes(tar)?;
    let mut plain;
    let mut inflating;
    let stream: &mut dyn Read = if is_gzip {
        inflating = Bounded { inner: MultiGzDecoder::new(file), left };
        &mut inflating
    } else {
        plain = file;
        &mut plain
    };
    let mut archive = Archive::new(&mut *stream);
    let mut long_name = None;
    for (number, entry) in archive.entries().map_err(wrong)?.raw(true).enumerate() {
        if number >= MAX_ENTRIES {
            return Err(too_many());
        }
        let mut entry = entry.map_err(wrong)?;
        let kind = match entry.header().entry_type() {
            // Of all entries, such as the commit that `git archive` notes.
            EntryType::XGlobalHeader | EntryType::GNULongLink => continue,
            EntryType::GNULongName => {
                let mut name = extension(&mut entry)?;
                name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                long_name = Some(name);
                continue;
            }
            EntryType::XHeader => {
                long_name = pax_name(&extension(&mut entry)?)?.or(long_name);
                continue;
            }
            other => kind(other),
        };
        let bytes = long_name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let path = Path::new(OsStr::from_bytes(&bytes));
        let name = printable(&path.to_string_lossy());
        let relative = inside(path)?;
        let kind = match kind {
            // Old tars have no folders but names that end so.
            Ok(_) if bytes.ends_with(b"/") => Kind::Folder,
            Ok(kind) => kind,
            Err(what) => return Err(Refused::Archive(format!("`{name}` is {what}"))),
        };
        take(&relative, &name, kind, &mut entry)?;
    }
    // To the end, where gzip has a checksum.
    io::copy(stream, &mut io::sink()).map_err(wrong)?;
    Ok(())
}

/// What an entry of a type is, or in words what is refused.
fn kind(entry_type: EntryType) -> Result<Kind, &'static str> {
    match entry_type {
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Folder),
        EntryType::Symlink => Err("a link"),
        EntryType::Link => Err("a hard link"),
        EntryType::Char | EntryType::Block => Err("a device"),
        EntryType::Fifo => Err("a pipe"),
        EntryType::GNUSparse => Err("a sparse file"),
        _ => Err("neither a file nor a folder"),
    }
}

/// The content of an entry that says something of the next one.
fn extension(entry: &mut dyn Read) -> Result<Vec<u8>, Refused> {
    let mut content = Vec::new();
    entry.take(MAX_EXTENSION + 1).read_to_end(&mut content).map_err(wrong)?;
    if content.len() as u64 > MAX_EXTENSION {
        return Err(Refused::Archive(format!("a name in it has more than {MAX_EXTENSION} bytes")));
    }
    Ok(content)
}

/// The path in records `<length> <key>=<value>\n` (POSIX.1-2001, pax). Those that change where or how long the content
/// is are refused: readers disagree about them.
fn pax_name(mut records: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    let wrong = || Refused::Archive("the attributes of an entry make no sense".to_owned());
    let mut path = None;
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let length = std::str::from_utf8(&records[..space]).ok().and_then(|text| text.parse::<usize>().ok());
        let length =
            length.filter(|length| (space + 2..=records.len()).contains(length)).ok_or_else(wrong)?;
        let record = &records[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        match (&record[..equals], &record[equals + 1..]) {
            (b"path", value) => path = Some(value.to_vec()),
            (b"size", _) => return Err(Refused::Archive("it has a file of more than 8 GiB".to_owned())),
            (key, _) if key.starts_with(b"GNU.sparse.") => {
                return Err(Refused::Archive("it has a sparse file".to_owned()));
            }
            _ => {}
        }
        records = &records[length..];
    }
    Ok(path)
}

/// The error of reading the archive. What the crate itself finds wrong is of no kind.
fn wrong(error: io::Error) -> Refused {
    let error = if error.kind() == io::ErrorKind::Other {
        io::Error::new(io::ErrorKind::InvalidData, error)
    } else {
        error
    };
    damaged("it", error)
}
