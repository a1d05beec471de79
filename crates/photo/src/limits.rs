//! [`Limits`]: what a picture may ask for before anything is allocated for it.

use crate::{Format, Reason, Rejected};

/// Bounds that are checked against the declared size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width times height) a picture may declare.
    pub max_pixels: u64,
    /// Most bytes that decoding one picture may allocate at a time.
    pub max_memory_bytes: u64,
}

impl Default for Limits {
    /// Pillow's limit on pixels (twice its `Image.MAX_IMAGE_PIXELS`, above which it refuses to open), and
    /// the memory that a picture of that size needs with 16-bit RGBA samples beside its RGB8 copy.
    fn default() -> Self {
        let max_pixels = 178_956_970;
        Limits { max_pixels, max_memory_bytes: max_pixels * (8 + 3) }
    }
}

impl Limits {
    /// Checks a declared size; decoding needs `bytes_per_pixel` for each pixel.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] when over a limit, [`Reason::Corrupt`] when a side is 0.
    pub(crate) fn check(
        &self,
        format: Format,
        width: u32,
        height: u32,
        bytes_per_pixel: u64,
    ) -> Result<(), Rejected> {
        let pixels = u64::from(width) * u64::from(height);
        let memory = pixels.saturating_mul(bytes_per_pixel);
        let reject = |reason, detail| Err(Rejected::new(reason, Some(format), detail));
        if pixels == 0 {
            reject(Reason::Corrupt, format!("it declares {width} x {height} pixels"))
        } else if pixels > self.max_pixels {
            let limit = self.max_pixels;
            reject(
                Reason::TooLarge,
                format!("it declares {width} x {height} = {pixels} pixels, the limit is {limit}"),
            )
        } else if memory > self.max_memory_bytes {
            let limit = self.max_memory_bytes;
            reject(
                Reason::TooLarge,
                format!("its {width} x {height} pixels need {memory} bytes of memory, the limit is {limit}"),
            )
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: Limits, width: u32, height: u32, bytes_per_pixel: u64) -> String {
        limits.check(Format::Png, width, height, bytes_per_pixel).unwrap_err().to_string()
    }

    #[test]
    fn the_limits_themselves_are_allowed_and_one_more_is_not() {
        let limits = Limits { max_pixels: 12, max_memory_bytes: 48 };
        assert!(limits.check(Format::Png, 3, 4, 4).is_ok());
        assert_eq!(check(limits, 13, 1, 1), "too large: it declares 13 x 1 = 13 pixels, the limit is 12");
        assert_eq!(
            check(limits, 3, 4, 5),
            "too large: its 3 x 4 pixels need 60 bytes of memory, the limit is 48"
        );
    }

    #[test]
    fn a_side_of_zero_is_corrupt() {
        assert_eq!(check(Limits::default(), 0, 7, 3), "corrupt: it declares 0 x 7 pixels");
    }

    #[test]
    fn the_largest_sides_do_not_overflow() {
        assert!(check(Limits::default(), u32::MAX, u32::MAX, 16).starts_with("too large"));
    }
}
