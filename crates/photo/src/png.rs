//! PNG: a walk over its chunks for what the decoder does not tell. The pixels come from `image`.

use crate::orientation::Exif;

/// What a walk over the chunks finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunks<'a> {
    /// The TIFF structure of an `eXIf` chunk, before or after the pixels.
    pub exif: Option<&'a [u8]>,
    /// Whether an `acTL` chunk announces an animation.
    pub is_animated: bool,
    /// Offset after the `IEND` chunk; `None` when the file ends before it.
    pub end: Option<usize>,
}

impl<'a> Chunks<'a> {
    /// Walks from behind the 8 bytes of signature. Each chunk is its length (4 bytes), its type (4), the
    /// data and a checksum (4): PNG 3rd edition, 5.3.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut found = Chunks::default();
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let Some((header, after)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let Some(data) = after.get(..length) else { break };
            match &header[4..] {
                b"eXIf" => found.exif = Some(data),
                b"acTL" => found.is_animated = true,
                b"IEND" => {
                    let end = bytes.len() - after.len() + length + 4;
                    found.end = Some(end.min(bytes.len()));
                    break;
                }
                _ => {}
            }
            rest = after.get(length + 4..).unwrap_or_default();
        }
        found
    }

    /// The orientation.
    pub(crate) fn orientation(&self) -> Exif {
        self.exif.map_or(Exif::ABSENT, Exif::read_chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [length.as_slice(), kind, data, b"crc!"].concat()
    }

    #[test]
    fn chunks_are_found_and_the_end_is_behind_iend() {
        let parts = [b"8 bytes!".to_vec(), chunk(b"acTL", b"12345"), chunk(b"eXIf", b"MM"), chunk(b"IEND", b"")];
        let whole = parts.concat();
        let found = Chunks { exif: Some(b"MM".as_slice()), is_animated: true, end: Some(whole.len()) };
        assert_eq!(Chunks::of(&whole), found);
        assert_eq!(Chunks::of(&[whole.as_slice(), b"more"].concat()), found);
        assert_eq!(Chunks::of(&whole[..whole.len() - 12]).end, None);
    }

    #[test]
    fn a_length_beyond_the_file_ends_the_walk() {
        let huge = [b"8 bytes!".as_slice(), &u32::MAX.to_be_bytes(), b"IDAT", b"few"].concat();
        assert_eq!(Chunks::of(&huge), Chunks::default());
        assert_eq!(Chunks::of(b"short"), Chunks::default());
    }
}
