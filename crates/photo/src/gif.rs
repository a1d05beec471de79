//! GIF: counts its frames, which the decoder only tells by decoding them. The pixels come from `image`.

/// Whether the file has a second frame. A walk over the blocks (GIF89a, sections 17 to 27); damage ends it.
pub(crate) fn has_several_frames(bytes: &[u8]) -> bool {
    count_frames(bytes, 2).1 >= 2
}

/// Frames up to `enough`; the flag says whether the walk ended as it should.
fn count_frames(bytes: &[u8], enough: usize) -> (bool, usize) {
    let mut frames = 0;
    let Some(flags) = bytes.get(10) else { return (false, frames) };
    let mut at = 13 + color_table_bytes(*flags);
    while frames < enough {
        match bytes.get(at) {
            // An extension: its label, then sub-blocks.
            Some(0x21) => at += 2,
            // An image: position and size, flags, its colour table, the code size, then sub-blocks.
            Some(0x2C) => {
                let Some(flags) = bytes.get(at + 9) else { return (false, frames) };
                at += 10 + color_table_bytes(*flags) + 1;
                frames += 1;
            }
            Some(0x3B) => return (true, frames),
            _ => return (false, frames),
        }
        // Each sub-block is its length and so many bytes; a length of 0 ends them.
        while let Some(length) = bytes.get(at) {
            at += 1 + usize::from(*length);
            if *length == 0 {
                break;
            }
        }
    }
    (true, frames)
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
    fn frames_are_counted_over_extensions_and_tables() {
        assert_eq!(count_frames(&gif(1), 9), (true, 1));
        assert_eq!(count_frames(&gif(3), 9), (true, 3));
        assert!(has_several_frames(&gif(2)));
        assert!(!has_several_frames(&gif(1)));
    }

    #[test]
    fn a_cut_file_ends_the_walk() {
        let whole = gif(1);
        for end in 0..whole.len() {
            assert!(!has_several_frames(&whole[..end]));
        }
    }
}
