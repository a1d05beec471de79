//! [`parts`]: the segments, chunks or entries of a file, which begin with a type and a length.

use std::ops::Range;

/// A piece of a file that stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// All of it.
    pub(crate) whole: Range<usize>,
    /// What it holds, behind type and length.
    pub(crate) data: Range<usize>,
    /// Whether a CRC-32 of type and data follows, as in PNG.
    pub(crate) has_crc: bool,
}

/// The parts of a JPEG, PNG, WebP or TIFF file as far as they are whole; none of other formats.
pub(crate) fn parts(bytes: &[u8]) -> Vec<Part> {
    match bytes {
        [0xFF, 0xD8, ..] => jpeg(bytes),
        [0x89, b'P', b'N', b'G', ..] => {
            chunks(bytes, 8, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]), true)
        }
        [b'R', b'I', b'F', b'F', ..] => {
            chunks(bytes, 12, |b| u32::from_le_bytes([b[4], b[5], b[6], b[7]]), false)
        }
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => tiff(bytes),
        _ => vec![],
    }
}

fn jpeg(bytes: &[u8]) -> Vec<Part> {
    let mut parts = vec![];
    let mut at = 2;
    while let Some([0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        let end = at + 2 + usize::from(u16::from_be_bytes([*high, *low]));
        if end > bytes.len() || end < at + 4 {
            break;
        }
        parts.push(Part { whole: at..end, data: at + 4..end, has_crc: false });
        at = end;
        if *marker == 0xDA {
            // On to the next marker that is no restart.
            let is_marker = |p: &[u8]| p[0] == 0xFF && !matches!(p[1], 0x00 | 0xFF | 0xD0..=0xD7);
            at = bytes[at..].windows(2).position(is_marker).map_or(bytes.len(), |p| at + p);
        }
    }
    parts
}

/// Chunks of 8 bytes of type and length in either order, from `at`.
fn chunks(bytes: &[u8], mut at: usize, length: fn(&[u8]) -> u32, has_crc: bool) -> Vec<Part> {
    let mut parts = vec![];
    while let Some(header) = bytes.get(at..at + 8) {
        let length = length(header) as usize;
        let end = at + 8 + length + if has_crc { 4 } else { length % 2 };
        if end > bytes.len() {
            break;
        }
        parts.push(Part { whole: at..end, data: at + 8..at + 8 + length, has_crc });
        at = end;
    }
    parts
}

/// The entries of the first directory, 12 bytes each.
fn tiff(bytes: &[u8]) -> Vec<Part> {
    let is_big = bytes[0] == b'M';
    let number = |at: usize, length: usize| -> Option<usize> {
        let read = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        let bytes = bytes.get(at..at + length)?;
        Some(if is_big { bytes.iter().fold(0, read) } else { bytes.iter().rev().fold(0, read) })
    };
    let Some(directory) = number(4, 4) else { return vec![] };
    let entries = number(directory, 2).unwrap_or(0).min(100);
    let starts = (0..entries).map(|i| directory + 2 + 12 * i).filter(|at| at + 12 <= bytes.len());
    starts.map(|at| Part { whole: at..at + 12, data: at + 8..at + 12, has_crc: false }).collect()
}

/// CRC-32 as PNG has it (PNG 3rd edition, annex D).
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
