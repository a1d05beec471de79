//! The orientation in EXIF data: a value from 1 (as stored) to 8, read from the TIFF structure that
//! JPEG, PNG and WebP embed and that a TIFF file is.
//!
//! `image` reads it too, but does not tell an absent value from a malformed structure, which is reported.

/// What the TIFF structure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exif {
    /// 1 to 8; 1 where absent or malformed.
    pub orientation: u8,
    /// Whether the structure or the value is malformed.
    pub malformed: bool,
    /// Whether a second directory follows: another page in a TIFF file, the thumbnail elsewhere.
    pub has_next: bool,
}

impl Exif {
    /// No EXIF data: as stored.
    pub const ABSENT: Exif = Exif { orientation: 1, malformed: false, has_next: false };
    const MALFORMED: Exif = Exif { orientation: 1, malformed: true, has_next: false };

    /// Reads the first directory of `tiff`, which begins with the byte order (`II` or `MM`).
    pub fn read(tiff: &[u8]) -> Exif {
        Reader::new(tiff).and_then(Reader::first_directory).unwrap_or(Exif::MALFORMED)
    }

    /// Reads the payload of a JPEG APP1 segment after `Exif\0\0`, or the whole of an EXIF chunk, which
    /// some writers begin with the same six bytes.
    pub fn read_chunk(chunk: &[u8]) -> Exif {
        Exif::read(chunk.strip_prefix(b"Exif\0\0").unwrap_or(chunk))
    }
}

/// Tag 0x0112 of TIFF 6.0.
const ORIENTATION: u16 = 0x0112;

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        Some(Reader { bytes, big_endian })
    }

    /// `None` where the directory does not fit into the data.
    fn first_directory(self) -> Option<Exif> {
        let directory = self.u32(4)? as usize;
        let entries = usize::from(self.u16(directory)?);
        let next = self.u32(directory.checked_add(2 + entries * 12)?);
        let mut exif = Exif { has_next: next.is_some_and(|n| n != 0), ..Exif::ABSENT };
        for entry in (0..entries).map(|i| directory + 2 + i * 12) {
            // Every entry is whole, also where a short value ends before it does.
            let long = self.u32(entry + 8)?;
            if self.u16(entry)? != ORIENTATION {
                continue;
            }
            // BYTE, SHORT, LONG: only SHORT is right, all occur.
            let value = match self.u16(entry + 2)? {
                1 => u32::from(*self.bytes.get(entry + 8)?),
                3 => u32::from(self.u16(entry + 8)?),
                4 => long,
                _ => 0,
            };
            match u8::try_from(value) {
                Ok(value @ 1..=8) => exif.orientation = value,
                _ => exif.malformed = true,
            }
        }
        Some(exif)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One directory with one SHORT entry `tag` = `value`, then `next`.
    fn tiff(big: bool, tag: u16, value: u16, next: u32) -> Vec<u8> {
        let short = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let long = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let mut out = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        out.extend(long(8));
        out.extend(short(1));
        out.extend([short(tag), short(3)].concat());
        out.extend(long(1));
        out.extend([short(value), short(0)].concat());
        out.extend(long(next));
        out
    }

    #[test]
    fn the_value_is_read_in_both_byte_orders() {
        for big in [false, true] {
            let exif = Exif::read(&tiff(big, ORIENTATION, 6, 0));
            assert_eq!(exif, Exif { orientation: 6, malformed: false, has_next: false });
        }
    }

    #[test]
    fn other_tags_leave_the_picture_as_stored() {
        assert_eq!(Exif::read(&tiff(false, 0x010F, 6, 0)), Exif::ABSENT);
    }

    #[test]
    fn a_second_directory_is_noticed() {
        assert!(Exif::read(&tiff(true, ORIENTATION, 1, 40)).has_next);
    }

    #[test]
    fn values_outside_1_to_8_are_malformed() {
        for value in [0, 9, 65_535] {
            assert_eq!(Exif::read(&tiff(false, ORIENTATION, value, 0)), Exif::MALFORMED);
        }
    }

    #[test]
    fn a_structure_that_does_not_fit_is_malformed() {
        let whole = tiff(false, ORIENTATION, 6, 0);
        // The last 4 bytes are the offset of the next directory, which may be missing.
        for end in 0..whole.len() - 4 {
            assert_eq!(Exif::read(&whole[..end]), Exif::MALFORMED);
        }
        assert_eq!(Exif::read(&[b"XX*\0".as_slice(), &whole[4..]].concat()), Exif::MALFORMED);
        let mut far = whole.clone();
        far[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Exif::read(&far), Exif::MALFORMED);
    }

    #[test]
    fn the_signature_before_the_structure_is_optional() {
        let bare = tiff(true, ORIENTATION, 8, 0);
        let signed = [b"Exif\0\0".as_slice(), &bare].concat();
        assert_eq!(Exif::read_chunk(&bare).orientation, 8);
        assert_eq!(Exif::read_chunk(&signed).orientation, 8);
    }
}
