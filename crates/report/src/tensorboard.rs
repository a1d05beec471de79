//! [`EventWriter`]: numbers over steps as an event file that TensorBoard reads.
//!
//! A file is a list of records, each `length u64, masked CRC of length u32, data, masked CRC of data u32`, all
//! little-endian: the TFRecord framing of `tensorflow/core/lib/io/record_writer.cc`. The CRC is CRC-32C (RFC 3720). The
//! data is one protobuf message `Event` of `tensorflow/core/util/event.proto`, of which these fields are written:
//!
//! | field | number | holds |
//! |---|---|---|
//! | `Event.wall_time` | 1, double | seconds since 1970 |
//! | `Event.step` | 2, int64 | |
//! | `Event.file_version` | 3, string | `brain.Event:2`, in the first record only |
//! | `Event.summary` | 5, message | one `Summary` |
//! | `Summary.value` | 1, message | one `Value` |
//! | `Value.tag` | 1, string | name of the curve |
//! | `Value.simple_value` | 2, float | |
//!
//! By hand, since the crates that write such files bring a protobuf compiler and the name of the host.

use std::io::Write;
use std::path::Path;

use fs_err::File;

use crate::error::Error;

/// Name of the file in its folder. TensorBoard finds files by `tfevents` in their name; its own have the time and the
/// host there, which a result must not depend on.
pub const FILE_NAME: &str = "events.out.tfevents.0.pipeline";

/// Says that the file is one of events, and which kind.
const VERSION: &[u8] = b"brain.Event:2";

// Protobuf field keys: number << 3 | wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes).
const EVENT_WALL_TIME: u8 = 1 << 3 | 1;
const EVENT_STEP: u8 = 2 << 3;
const EVENT_FILE_VERSION: u8 = 3 << 3 | 2;
const EVENT_SUMMARY: u8 = 5 << 3 | 2;
const SUMMARY_VALUE: u8 = 1 << 3 | 2;
const VALUE_TAG: u8 = 1 << 3 | 2;
const VALUE_SIMPLE_VALUE: u8 = 2 << 3 | 5;

/// Writes curves into [`FILE_NAME`], each record at once.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// Begins a new file in a folder that exists, in place of one that may be there. `wall_seconds` is when the run
    /// began, in seconds since any moment; TensorBoard takes it for 1970.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: &Path, wall_seconds: f64) -> Result<EventWriter, Error> {
        let mut writer = EventWriter { file: File::create(folder.join(FILE_NAME))? };
        let mut event = wall_time(wall_seconds);
        push_bytes(&mut event, EVENT_FILE_VERSION, VERSION);
        writer.record(&event)?;
        Ok(writer)
    }

    /// Adds a point to the curve `tag`; TensorBoard groups curves by what stands before the `/` in their tags.
    /// `wall_seconds` is when the value was measured, since the same moment.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn scalar(&mut self, tag: &str, step: u64, wall_seconds: f64, value: f32) -> Result<(), Error> {
        let mut point = Vec::new();
        push_bytes(&mut point, VALUE_TAG, tag.as_bytes());
        point.push(VALUE_SIMPLE_VALUE);
        point.extend(value.to_le_bytes());
        let mut summary = Vec::new();
        push_bytes(&mut summary, SUMMARY_VALUE, &point);
        let mut event = wall_time(wall_seconds);
        event.push(EVENT_STEP);
        push_varint(&mut event, step);
        push_bytes(&mut event, EVENT_SUMMARY, &summary);
        self.record(&event)
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<(), Error> {
        Ok(self.file.sync_all()?)
    }

    fn record(&mut self, data: &[u8]) -> Result<(), Error> {
        let length = (data.len() as u64).to_le_bytes();
        let length_crc = masked_crc(&length).to_le_bytes();
        let data_crc = masked_crc(data).to_le_bytes();
        Ok(self.file.write_all(&[&length, length_crc.as_slice(), data, &data_crc].concat())?)
    }
}

/// The start of an `Event`.
fn wall_time(seconds: f64) -> Vec<u8> {
    [&[EVENT_WALL_TIME], seconds.to_le_bytes().as_slice()].concat()
}

fn push_bytes(message: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    message.push(key);
    push_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// As records hold it: a CRC of data that holds CRCs would be weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: records are short and few.
fn crc32c(bytes: &[u8]) -> u32 {
    /// The polynomial 0x1edc6f41, lowest bit first.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let cases = [
            (vec![0; 32], 0x8a91_36aa),
            (vec![0xff; 32], 0x62a8_ab43),
            (ascending, 0x46dd_794e),
            (descending, 0x113f_db5c),
        ];
        for (bytes, expected) in cases {
            assert_eq!(crc32c(&bytes), expected, "{bytes:?}: {:#x}", crc32c(&bytes));
        }
    }
}
