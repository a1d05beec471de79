//! GIF: a walk over its blocks for what the decoder does not tell. The pixels come from `image`, but for those
//! beside a first frame that is smaller than the picture: they are as Pillow has them.

use image::{Rgba, RgbaImage};

/// What a walk over the blocks finds (GIF89a, sections 17 to 27).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Frames whose data is whole.
    pub(crate) frames: u64,
    /// Offset after the trailer; `None` where the file ends before it, or something else stands in its place.
    pub(crate) end: Option<usize>,
    /// Whether the file ends before the trailer.
    pub(crate) is_cut: bool,
    first: Option<FirstFrame>,
}

/// Of the first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FirstFrame {
    /// Left, top, width and height, in pixels.
    place: [u32; 4],
    /// The colour of its transparent index, where it has one, or of its index 0.
    beside: Option<[u8; 3]>,
}

impl Blocks {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut found = Blocks::default();
        let is_cut = found.walk(bytes).is_none();
        Blocks { is_cut, ..found }
    }

    /// `None` where the file ends.
    fn walk(&mut self, bytes: &[u8]) -> Option<()> {
        let mut at = 13 + color_table_bytes(*bytes.get(10)?);
        let mut transparent = 0;
        loop {
            let is_frame = match bytes.get(at)? {
                // An extension: its label, then sub-blocks.
                0x21 => {
                    // The graphic control extension: its length, 4, then flags, time and the transparent index.
                    if let Some([0xF9, 4, flags, _, _, index]) = bytes.get(at + 1..at + 7) {
                        transparent = if flags & 1 == 1 { usize::from(*index) } else { 0 };
                    }
                    at += 2;
                    false
                }
                // An image: position and size, flags, its colour table, the code size, then sub-blocks.
                0x2C => {
                    self.first = self.first.or_else(|| FirstFrame::at(bytes, at, transparent));
                    at += 10 + color_table_bytes(*bytes.get(at + 9)?) + 1;
                    true
                }
                0x3B => {
                    self.end = Some(at + 1);
                    return Some(());
                }
                _ => return Some(()),
            };
            // Each sub-block is its length and so many bytes; a length of 0 ends them.
            loop {
                let length = usize::from(*bytes.get(at)?);
                at += 1 + length;
                if length == 0 {
                    break;
                }
            }
            self.frames += u64::from(is_frame);
        }
    }
}

impl FirstFrame {
    /// Of the image descriptor at `at`.
    fn at(bytes: &[u8], at: usize, index: usize) -> Option<Self> {
        let descriptor = bytes.get(at..)?.first_chunk::<10>()?;
        let place = [1, 3, 5, 7].map(|i| u16::from_le_bytes([descriptor[i], descriptor[i + 1]]).into());
        let global = if bytes.get(10)? & 0x80 == 0 { None } else { Some(13) };
        let table = if descriptor[9] & 0x80 == 0 { global } else { Some(at + 10) };
        let colour = |table: usize| bytes.get(table + 3 * index..)?.first_chunk::<3>().copied();
        Some(FirstFrame { place, beside: table.and_then(colour) })
    }
}

/// Gives the pixels beside the first frame the colour that they have in Pillow, and leaves them transparent.
pub(crate) fn fill_beside(blocks: &Blocks, image: &mut RgbaImage) {
    let Some(FirstFrame { place: [left, top, width, height], beside: Some([r, g, b]) }) = blocks.first else {
        return;
    };
    if left == 0 && top == 0 && width >= image.width() && height >= image.height() {
        return;
    }
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        if !(left..left + width).contains(&x) || !(top..top + height).contains(&y) {
            *pixel = Rgba([r, g, b, 0]);
        }
    }
}

fn color_table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header with a global table of 2 colours, `frames` images of 3 x 2 with one data block, trailer.
    fn gif(frames: usize) -> Vec<u8> {
        let mut out = b"GIF89a\x03\0\x02\0\x80\0\0".to_vec();
        out.extend([0; 6]);
        for _ in 0..frames {
            out.extend(b"\x21\xF9\x04\0\0\0\0\0");
            out.extend(b"\x2C\0\0\0\0\x03\0\x02\0\0\x02\x02\x44\x01\0");
        }
        out.push(0x3B);
        out
    }

    #[test]
    fn frames_are_counted_over_extensions_and_tables_up_to_the_trailer() {
        for frames in [1, 3] {
            let file = gif(frames);
            for bytes in [file.clone(), [file.as_slice(), b"more"].concat()] {
                let found = Blocks::of(&bytes);
                assert_eq!((found.frames, found.end, found.is_cut), (frames as u64, Some(file.len()), false));
                let place = [0, 0, 3, 2];
                assert_eq!(found.first, Some(FirstFrame { place, beside: Some([0, 0, 0]) }));
            }
        }
    }

    #[test]
    fn a_cut_file_ends_the_walk() {
        let whole = gif(1);
        for end in 0..whole.len() {
            let found = Blocks::of(&whole[..end]);
            assert!(found.is_cut && found.end.is_none(), "{end}: {found:?}");
            assert_eq!(found.frames, u64::from(end + 1 == whole.len()), "{end}");
        }
    }

    #[test]
    fn what_is_no_block_ends_the_walk_without_a_trailer() {
        let mut file = gif(1);
        *file.last_mut().unwrap() = 7;
        let found = Blocks::of(&file);
        assert_eq!((found.frames, found.end, found.is_cut), (1, None, false));
    }
}
