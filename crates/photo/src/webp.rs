//! WebP: finds its EXIF data by a walk over the chunks. The decoder finds it too, but allocates what the
//! chunk declares, up to 4 GiB. The pixels come from `image`.

/// The payload of the `EXIF` chunk, if it is whole. Chunks follow 12 bytes of header: type (4 bytes), length
/// (4, little-endian), the data and a padding byte where the length is odd (RFC 9649, 2.3).
pub(crate) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let data = after.get(..length)?;
        if header.starts_with(b"EXIF") {
            return Some(data);
        }
        rest = after.get(length + length % 2..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"RIFF\x1e\0\0\0WEBPVP8 \x03\0\0\0abc\0EXIF\x02\0\0\0MM";

    #[test]
    fn the_chunk_is_found_behind_a_padded_one() {
        assert_eq!(exif(FILE), Some(b"MM".as_slice()));
    }

    #[test]
    fn a_cut_file_has_none() {
        for end in 0..FILE.len() {
            assert_eq!(exif(&FILE[..end]), None);
        }
    }
}
