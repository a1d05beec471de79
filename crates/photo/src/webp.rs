//! WebP: a walk over its chunks for what the decoder does not tell: it allocates what the EXIF chunk declares, up to 4 GiB, and
//! what a frame declares, whatever the size of the picture. The pixels come from `image`.

use crate::{Format, Limits, Rejected};

/// Chunks in order: type (4 bytes), length (4, little-endian), the data and a padding byte where the length is odd (RFC 9649,
/// 2.3). The data of the last one ends where the file does, if that is before its length.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], bool)> {
    std::iter::from_fn(move || {
        let (header, after) = rest.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let data = &after[..length.min(after.len())];
        rest = after.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some((&header[..4], data, data.len() == length))
    })
}

/// The payload of the `EXIF` chunk, if it is whole. Chunks follow 12 bytes of header.
pub(crate) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut chunks = chunks(bytes.get(12..)?);
    chunks.find(|(kind, _, is_whole)| *kind == b"EXIF" && *is_whole).map(|(_, data, _)| data)
}

/// Checks the sizes that frames declare, besides that of the picture.
///
/// # Errors
/// [`Reason::TooLarge`](crate::Reason::TooLarge).
pub(crate) fn check_frames(bytes: &[u8], limits: &Limits) -> Result<(), Rejected> {
    for (kind, data, _) in chunks(bytes.get(12..).unwrap_or_default()) {
        check_frame(kind, data, limits)?;
        // Chunks of its own after 16 bytes on its place and time.
        if kind == b"ANMF" {
            for (kind, data, _) in chunks(data.get(16..).unwrap_or_default()) {
                check_frame(kind, data, limits)?;
            }
        }
    }
    Ok(())
}

fn check_frame(kind: &[u8], data: &[u8], limits: &Limits) -> Result<(), Rejected> {
    // 14 bits each, of lossless ones less one (RFC 6386, 9.1; RFC 9649, 3.4).
    let (width, height) = match (kind, data) {
        (b"VP8 ", [_, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..]) => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
            (side(*w0, *w1), side(*h0, *h1))
        }
        (b"VP8L", [0x2F, a, b, c, d, ..]) => {
            let bits = u32::from_le_bytes([*a, *b, *c, *d]);
            ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        }
        _ => return Ok(()),
    };
    // What declares no pixels is the decoder's to refuse.
    if width == 0 || height == 0 { Ok(()) } else { limits.check(Format::Webp, width, height, 3 + 4) }
}

/// Where the file ends as its header says, behind a padding byte where the length is odd (RFC 9649, 2.3 and 2.4).
pub(crate) fn declared_end(bytes: &[u8]) -> u64 {
    let length =
        bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |l| u32::from_le_bytes(*l));
    8 + u64::from(length) + u64::from(length % 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_where_the_file_ends() {
        assert_eq!(declared_end(b"RIFF\x1e\0\0\0WEBP"), 38);
        assert_eq!(declared_end(b"RIFF\x01\x02\0\0WEBP"), 8 + 513 + 1);
        assert_eq!(declared_end(b"RIFF\xff\xff\xff\xffWEBP"), (1 << 32) + 8);
    }

    const FILE: &[u8] = b"RIFF\x1e\0\0\0WEBPVP8 \x03\0\0\0abc\0EXIF\x02\0\0\0MM";

    #[test]
    fn the_chunk_is_found_behind_a_padded_one() {
        assert_eq!(exif(FILE), Some(b"MM".as_slice()));
    }

    #[test]
    fn a_frame_is_as_large_as_allowed_wherever_it_is() {
        let chunk = |kind: &[u8], data: &[u8]| [kind, &(data.len() as u32).to_le_bytes(), data].concat();
        // 300 x 200; 256 more in each byte would be the scale.
        let lossy = chunk(b"VP8 ", b"abc\x9D\x01\x2A\x2C\x41\xC8\x80");
        // 299 and 199 in 14 bits each.
        let lossless =
            chunk(b"VP8L", &[&[0x2F], (299u32 | 199 << 14).to_le_bytes().as_slice(), &[0]].concat());
        for frame in [&lossy, &lossless] {
            let inside = chunk(b"ANMF", &[&[0; 16], frame.as_slice()].concat());
            for chunks in [frame, &inside] {
                let file = [b"RIFF\0\0\0\0WEBPVP8X\x02\0\0\0ab", chunks.as_slice()].concat();
                let check = |max_pixels| check_frames(&file, &Limits { max_pixels, ..Limits::default() });
                assert_eq!(check(60_000), Ok(()));
                let text = "too large: it declares 300 x 200 = 60000 pixels, the limit is 59999";
                assert_eq!(check(59_999).unwrap_err().to_string(), text);
                for end in 0..file.len() {
                    let _ = check_frames(&file[..end], &Limits::default());
                }
            }
        }
    }

    #[test]
    fn a_cut_file_has_none() {
        for end in 0..FILE.len() {
            assert_eq!(exif(&FILE[..end]), None);
        }
    }
}
