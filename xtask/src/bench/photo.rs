//! [`bmp`]: photos to be counted and hashed, not looked at.

/// Width and height in pixels.
const SIDE: usize = 32;

/// A 24-bit BMP of a colour gradient and noise, another for each number: 32 x 32 pixels, 3,126 bytes.
pub(super) fn bmp(number: u32) -> Vec<u8> {
    let (header, pixels) = (54u32, (3 * SIDE * SIDE) as u32);
    let mut bytes = b"BM".to_vec();
    // File header: size of the file, nothing, where the pixels start. Then the header of the picture, 40 bytes: width,
    // height, one plane of 24 bits, no compression, size of the pixels; resolution and palette are left open.
    for word in
        [header + pixels, 0, header, 40, SIDE as u32, SIDE as u32, 1 | 24 << 16, 0, pixels, 0, 0, 0, 0]
    {
        bytes.extend(word.to_le_bytes());
    }
    // A linear congruential generator (the constants of Numerical Recipes): its high bits are noise enough.
    let mut state = number;
    for n in 0..3 * SIDE * SIDE {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((n / 24) as u8 / 2 + (state >> 26) as u8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_as_large_as_its_header_says_and_each_is_another() {
        let photo = bmp(7);
        assert_eq!(photo.len(), 3_126);
        assert_eq!(photo[2..6], 3_126u32.to_le_bytes());
        assert_eq!(photo[28..30], 24u16.to_le_bytes());
        assert!(photo != bmp(8) && photo == bmp(7));
    }
}
