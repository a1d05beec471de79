//! [`check`]: what must hold of any bytes whatever.

use std::fmt;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pipeline_photo::orientation::Exif;
use pipeline_photo::{Format, Limits, Photo, Rejected, decode, decode_small, is_decoding};

/// Small, so that what is too large is refused, and not decoded a million times.
pub(crate) const LIMITS: Limits = Limits { max_pixels: 1 << 18, max_memory_bytes: 1 << 22 };

/// Most that decoding may take beyond the limit: tables of the decoders, and a few copies of the file.
const SLACK_BYTES: u64 = 2 << 20;
const SLACK_COPIES: u64 = 3;

/// Of WebP and JPEG, besides. The decoder of WebP makes room for a partition (RFC 6386, 9.5) of at most so much before it looks
/// whether the file has it; that of JPEG keeps a row of blocks, 32 rows of at most 65,535 pixels, of which a picture may use one.
const ROOM: u64 = 1 << 24;

/// Most that one decoding may take. A tenth of a second is usual for the slowest; other work on the machine may hold it up.
pub(crate) const MOST_TIME: Duration = Duration::from_secs(10);

/// How bytes were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    Decoded,
    Rejected,
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Complaint {
    Memory { bytes: u64, most: u64 },
    Slow { took: Duration },
    TwoAnswers { first: String, second: String },
    Size { width: u32, height: u32 },
    Orientation(u8),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::Memory { bytes, most } => {
                write!(f, "it took {bytes} bytes of memory, at most {most} were expected")
            }
            Complaint::Slow { took } => write!(f, "it took {took:?}"),
            Complaint::TwoAnswers { first, second } => write!(f, "two answers: {first} and {second}"),
            Complaint::Size { width, height } => write!(f, "it has {width} x {height} pixels"),
            Complaint::Orientation(value) => write!(f, "it has the orientation {value}"),
        }
    }
}

/// Decodes bytes in every way and twice. A panic that leaves a decoder is the caller's to catch.
pub(crate) fn check(bytes: &[u8]) -> Result<Checked, Complaint> {
    let _ = Format::sniff(bytes);
    for exif in [Exif::read(bytes), Exif::read_chunk(bytes)] {
        if !(1..=8).contains(&exif.orientation) {
            return Err(Complaint::Orientation(exif.orientation));
        }
    }
    let whole = twice(bytes, None)?;
    // An eighth of the sides, where they are long enough.
    let _ = twice(bytes, Some(8))?;
    Ok(if whole.is_ok() { Checked::Decoded } else { Checked::Rejected })
}

fn twice(bytes: &[u8], least_side: Option<u32>) -> Result<Result<Photo, Rejected>, Complaint> {
    let (first, second) = (answer(bytes, least_side)?, answer(bytes, least_side)?);
    if same(&first, &second) {
        Ok(first)
    } else {
        Err(Complaint::TwoAnswers { first: told(&first), second: told(&second) })
    }
}

/// The answer of one decoding, within its memory and time.
fn answer(bytes: &[u8], least_side: Option<u32>) -> Result<Result<Photo, Rejected>, Complaint> {
    let started = Instant::now();
    let mut result = None;
    let memory = allocation_counter::measure(|| {
        result = Some(match least_side {
            None => decode(bytes, &LIMITS),
            Some(side) => decode_small(bytes, &LIMITS, side),
        });
    });
    let took = started.elapsed();
    let has_room = matches!(Format::sniff(bytes), Ok(Format::Webp | Format::Jpeg));
    let room = if has_room { ROOM } else { 0 };
    let most = room + LIMITS.max_memory_bytes + SLACK_BYTES + SLACK_COPIES * bytes.len() as u64;
    if memory.bytes_max > most {
        return Err(Complaint::Memory { bytes: memory.bytes_max, most });
    }
    if took > MOST_TIME {
        return Err(Complaint::Slow { took });
    }
    let result = result.unwrap_or_else(|| unreachable!("measure calls what it is given"));
    if let Ok(photo) = &result {
        let (width, height) = photo.pixels.dimensions();
        if !(1..=LIMITS.max_pixels).contains(&(u64::from(width) * u64::from(height))) {
            return Err(Complaint::Size { width, height });
        }
        if !(1..=8).contains(&photo.orientation) {
            return Err(Complaint::Orientation(photo.orientation));
        }
    }
    Ok(result)
}

fn same(a: &Result<Photo, Rejected>, b: &Result<Photo, Rejected>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => {
            a.pixels == b.pixels
                && (a.format, a.orientation, &a.findings, a.transparent)
                    == (b.format, b.orientation, &b.findings, b.transparent)
        }
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}

fn told(answer: &Result<Photo, Rejected>) -> String {
    match answer {
        Ok(photo) => format!("{:?} pixels, {:?}", photo.pixels.dimensions(), photo.findings),
        Err(rejected) => rejected.to_string(),
    }
}

/// Panics inside decoders, which `decode` catches.
static BROKEN_OFF: AtomicU64 = AtomicU64::new(0);

/// Counts panics inside decoders instead of printing them.
pub(crate) fn silence_decoders() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_decoding() {
            BROKEN_OFF.fetch_add(1, Ordering::Relaxed);
        } else {
            before(info);
        }
    }));
}

/// Panics counted so far.
pub(crate) fn broken_off() -> u64 {
    BROKEN_OFF.load(Ordering::Relaxed)
}
