//! BMP: its header, for what the decoder does not tell. The pixels come from `image`.

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Where the file ends: after the pixels, where they are not compressed, or where the header says, whichever is later.
    pub(crate) end: u64,
}

impl Header {
    /// `None` where it is cut off. File header: size at 2, offset of the pixels at 10. Then its own size, and width, height, planes, bits
    /// per pixel, 2 bytes each where its own size is 12, else 4, 4, 2, 2, and the compression (BITMAPCOREHEADER, BITMAPINFOHEADER).
    pub(crate) fn of(bytes: &[u8]) -> Option<Header> {
        let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let (width, height, bits, is_plain) = if long(14)? == 12 {
            (short(18)?.into(), short(20)?.into(), short(24)?, true)
        } else {
            // A negative height tells rows from the top.
            let height = i32::from_le_bytes(*bytes.get(22..)?.first_chunk()?).unsigned_abs();
            (long(18)?, height, short(28)?, matches!(long(30), Some(0 | 3)))
        };
        // Rows are filled up to 4 bytes.
        let row_bytes = (u64::from(width) * u64::from(bits)).div_ceil(32) * 4;
        let pixels_end = u64::from(long(10)?).saturating_add(row_bytes.saturating_mul(height.into()));
        let end = if is_plain { pixels_end.max(long(2)?.into()) } else { u64::MAX };
        Some(Header { width, height, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u32, width: i32, height: i32, bits: u16, compression: u32) -> Vec<u8> {
        let long = |v: u32| v.to_le_bytes();
        let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
        let rest = [&1u16.to_le_bytes()[..], &bits.to_le_bytes(), &long(compression)].concat();
        [b"BM", &long(size)[..], &long(0), &long(54), &long(40), &sides, &rest].concat()
    }

    #[test]
    fn rows_are_filled_up_and_may_stand_from_the_top() {
        // 5 pixels of 3 bytes in 16 bytes; 9 bits in 4 bytes.
        assert_eq!(Header::of(&file(0, 5, -3, 24, 0)), Some(Header { width: 5, height: 3, end: 54 + 48 }));
        assert_eq!(Header::of(&file(99, 9, 2, 1, 0)).unwrap().end, 99);
        assert_eq!(
            Header::of(&file(0, 9, 2, 8, 1)).unwrap().end,
            u64::MAX,
            "of compressed ones nothing is known"
        );
        let small = [
            b"BM".as_slice(),
            &[0; 8],
            &26u32.to_le_bytes(),
            &12u32.to_le_bytes(),
            &[5, 0, 3, 0, 1, 0, 24, 0],
        ];
        assert_eq!(Header::of(&small.concat()), Some(Header { width: 5, height: 3, end: 26 + 48 }));
    }

    #[test]
    fn a_cut_header_and_the_largest_sides_are_answered() {
        let whole = file(0, i32::MIN, i32::MIN, 65_535, 0);
        for end in 0..30 {
            assert_eq!(Header::of(&whole[..end]), None);
        }
        assert!(Header::of(&whole).unwrap().end > 1 << 60);
    }
}
