//! [`mutated`]: a file that was changed at random.

use std::ops::Range;

use pipeline_stage::random::{Random, below};
use rand_core::RngCore;

use crate::parts::{Part, crc, parts};

/// Longest file that is made.
const LONGEST: usize = 1 << 18;

/// Numbers at which decoders go wrong, cut to the size of the field.
const EDGES: [u32; 14] =
    [0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

/// One of `files`, changed in 1 to 8 ways; half of them in 1 or 2.
pub(crate) fn mutated(files: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = files[pick(files.len(), random)].clone();
    let changes = 1 + pick([2, 2, 4, 8][pick(4, random)], random);
    for _ in 0..changes {
        change(&mut bytes, files, random);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.next_u32() as u8);
    }
    let length = bytes.len();
    match pick(16, random) {
        0 | 1 => bytes[anywhere(length, random)] ^= 1 << pick(8, random),
        2 => bytes[anywhere(length, random)] = random.next_u32() as u8,
        3 | 4 => set_number(bytes, random),
        5 => bytes.truncate(pick(length + 1, random)),
        6 => drop(bytes.drain(range(length, random))),
        7 => {
            let piece = bytes[range(length, random)].to_vec();
            insert(bytes, &piece, random);
        }
        8 => {
            let mut piece = vec![0; 1 + pick(12, random)];
            random.fill_bytes(&mut piece);
            insert(bytes, &piece, random);
        }
        9 => splice(bytes, files, random),
        10 => insert(bytes, &segment(random), random),
        11 => bytes[range_of(length, 64, random)].fill(random.next_u32() as u8),
        _ => change_part(bytes, random),
    }
}

/// A number of 1, 2 or 4 bytes in either order becomes one of the [`EDGES`], or a little more or less than it was.
fn set_number(bytes: &mut [u8], random: &mut Random) {
    let length = [1, 2, 4][pick(3, random)].min(bytes.len());
    let at = anywhere(bytes.len() + 1 - length, random);
    let field = &mut bytes[at..at + length];
    let is_big = pick(2, random) == 0;
    if !is_big {
        field.reverse();
    }
    let was = field.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    let becomes = match pick(3, random) {
        0 => was.wrapping_add(pick(9, random) as u32).wrapping_sub(4),
        _ => EDGES[pick(EDGES.len(), random)],
    };
    field.copy_from_slice(&becomes.to_be_bytes()[4 - length..]);
    if !is_big {
        field.reverse();
    }
}

/// Its beginning, and the end of another.
fn splice(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    let other = &files[pick(files.len(), random)];
    bytes.truncate(pick(bytes.len() + 1, random));
    bytes.extend(&other[pick(other.len() + 1, random)..]);
}

/// A JPEG segment with any marker.
fn segment(random: &mut Random) -> Vec<u8> {
    let mut payload = vec![0; pick(40, random)];
    random.fill_bytes(&mut payload);
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&[0xFF, 0xC0 | random.next_u32() as u8], length.as_slice(), &payload].concat()
}

/// A part is left out, doubled, moved, told to be longer or shorter, or changed inside with its checksum made right.
fn change_part(bytes: &mut Vec<u8>, random: &mut Random) {
    let parts = parts(bytes);
    if parts.is_empty() {
        return set_number(bytes, random);
    }
    let part = parts[pick(parts.len(), random)].clone();
    let piece = bytes[part.whole.clone()].to_vec();
    let elsewhere = parts[pick(parts.len(), random)].whole.start;
    match pick(8, random) {
        0 => drop(bytes.drain(part.whole)),
        1 => drop(bytes.splice(elsewhere..elsewhere, piece)),
        2 => {
            let other = parts[pick(parts.len(), random)].whole.clone();
            if part.whole.end <= other.start {
                let swapped = [&bytes[other.clone()], &bytes[part.whole.end..other.start], &piece].concat();
                bytes.splice(part.whole.start..other.end, swapped);
            }
        }
        3 => set_number(&mut bytes[part.whole.start..part.data.start], random),
        _ => {
            if !part.data.is_empty() {
                let data = &mut bytes[part.data.clone()];
                match pick(3, random) {
                    0 => data[pick(data.len(), random)] ^= 1 << pick(8, random),
                    1 => data[anywhere(data.len(), random)] = random.next_u32() as u8,
                    _ => set_number(data, random),
                }
            }
            mend_crc(bytes, &part);
        }
    }
}

fn mend_crc(bytes: &mut [u8], part: &Part) {
    if part.has_crc {
        // It is over type and data: the four bytes before the data on.
        let crc = crc(&bytes[part.data.start - 4..part.data.end]);
        bytes[part.data.end..part.whole.end].copy_from_slice(&crc.to_be_bytes());
    }
}

fn insert(bytes: &mut Vec<u8>, piece: &[u8], random: &mut Random) {
    let at = pick(bytes.len() + 1, random);
    bytes.splice(at..at, piece.iter().copied());
}

/// 0 to `n - 1`; `n` is at least 1.
fn pick(n: usize, random: &mut Random) -> usize {
    below(n as u64, random) as usize
}

/// As [`pick`], half of the time in the first 256: headers are where sizes and offsets stand.
fn anywhere(n: usize, random: &mut Random) -> usize {
    pick(if pick(2, random) == 0 { n.min(256) } else { n }, random)
}

fn range(length: usize, random: &mut Random) -> Range<usize> {
    range_of(length, length, random)
}

/// At most `longest`, and not empty; `length` is at least 1.
fn range_of(length: usize, longest: usize, random: &mut Random) -> Range<usize> {
    let start = pick(length, random);
    start..start + 1 + pick(longest.min(length - start), random)
}
