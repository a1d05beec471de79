//! PNG: a walk over its chunks for what the decoder does not tell. The pixels come from `image`.

use crate::orientation::Exif;

/// What a walk over the chunks finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunks<'a> {
    /// The TIFF structure of an `eXIf` chunk, before or after the pixels.
    pub exif: Option<&'a [u8]>,
    /// Whether an `acTL` chunk announces an animation.
    pub is_animated: bool,
    /// Offset after the last whole chunk.
    pub whole: usize,
    /// Whether that is the end chunk.
    pub has_end: bool,
}

/// The whole `IEND` chunk.
const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

impl<'a> Chunks<'a> {
    /// Walks from behind the 8 bytes of signature. Each chunk is its length (4 bytes), its type (4), the
    /// data and a checksum (4): PNG 3rd edition, 5.3.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut found = Chunks { whole: bytes.len().min(8), ..Chunks::default() };
        while let Some((header, after)) = bytes[found.whole..].split_first_chunk::<8>() {
            let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let (Some(data), Some(_)) = (after.get(..length), after.get(length..length + 4)) else { break };
            found.whole += 8 + length + 4;
            match &header[4..] {
                b"eXIf" => found.exif = Some(data),
                b"acTL" => found.is_animated = true,
                b"IEND" => {
                    found.has_end = true;
                    break;
                }
                _ => {}
            }
        }
        found
    }

    /// The file with the end chunk that it lacks, where nothing else is cut off: the decoder hands out the
    /// last rows only when it sees another chunk.
    pub(crate) fn with_end(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let lacks_end = !self.has_end && END.starts_with(&bytes[self.whole..]);
        lacks_end.then(|| [&bytes[..self.whole], END].concat())
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

    fn file() -> Vec<u8> {
        [b"8 bytes!".to_vec(), chunk(b"acTL", b"12345"), chunk(b"eXIf", b"MM"), END.to_vec()].concat()
    }

    #[test]
    fn chunks_are_found_up_to_the_end_chunk() {
        let file = file();
        let exif = Some(b"MM".as_slice());
        let found = Chunks { exif, is_animated: true, whole: file.len(), has_end: true };
        assert_eq!(Chunks::of(&file), found);
        assert_eq!(Chunks::of(&[file.as_slice(), b"more"].concat()), found);
        assert_eq!(found.with_end(&file), None);
    }

    #[test]
    fn an_end_chunk_that_is_missing_in_part_or_whole_is_completed() {
        let file = file();
        for cut in 1..=12 {
            let cut = &file[..file.len() - cut];
            assert_eq!(Chunks::of(cut).with_end(cut).as_ref(), Some(&file));
        }
        let cut = &file[..file.len() - 13];
        assert_eq!(Chunks::of(cut).with_end(cut), None, "another chunk is cut");
    }

    #[test]
    fn a_length_beyond_the_file_ends_the_walk() {
        let huge = [b"8 bytes!".as_slice(), &u32::MAX.to_be_bytes(), b"IDAT", b"few"].concat();
        assert_eq!(Chunks::of(&huge), Chunks { whole: 8, ..Chunks::default() });
        assert_eq!(Chunks::of(b"short"), Chunks { whole: 5, ..Chunks::default() });
    }
}
