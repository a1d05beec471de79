//! [`Appearance`]: what a photo looks like, in a few numbers.

use crate::{Error, Result};
use std::path::Path;

/// What a photo looks like, in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Appearance {
    /// Perceptual hash: photos that look the same differ in few bits. `None` where it would be noise: a photo of one colour.
    pub phash: Option<u64>,
    /// Mean of R, G and B over all pixels, 0 to 255.
    pub mean: [f32; 3],
    /// Whether no pixel has a colour.
    pub is_grey: bool,
}

/// A hash as it stands in the table: 16 hexadecimal digits. As text, since tools that read numbers with gaps as float64
/// would round it.
pub(crate) fn hash_to_text(hash: u64) -> String {
    format!("{hash:016x}")
}

pub(crate) fn hash_from_text(text: &str, path: &Path) -> Result<u64> {
    let is_hash = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_hash).ok_or_else(|| Error::Word {
        path: path.to_owned(),
        column: "phash",
        found: text.to_owned(),
        expected: "16 hexadecimal digits",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_16_digits_and_comes_back() {
        for hash in [0, 1, 0x0f00_0000_0000_00a0, u64::MAX] {
            let text = hash_to_text(hash);
            assert_eq!(hash_from_text(&text, Path::new("a.parquet")).unwrap(), hash, "{text}");
        }
        assert_eq!(hash_to_text(0xa0), "00000000000000a0");
        for text in ["", "a0", "+0000000000000a0", "00000000000000a0f", "g000000000000000"] {
            let error = hash_from_text(text, Path::new("a.parquet")).unwrap_err().to_string();
            assert!(error.contains("phash") && error.contains("16 hexadecimal digits"), "{text}: {error}");
        }
    }
}
