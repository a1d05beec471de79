//! [`Format`]: which picture format the content of a file is in, told from its first bytes. The name of
//! the file plays no part; [`Format::fits_name`] only compares.
//!
//! What is recognised and cannot be decoded gets a reason of its own here, so that a person learns what
//! the file is and not only that it is no photo.

use serde::{Deserialize, Serialize};

use crate::{Reason, Rejected};

/// The picture formats that [`decode`](crate::decode()) reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JPEG (JFIF, EXIF), baseline or progressive.
    Jpeg,
    /// PNG, also animated.
    Png,
    /// GIF, also animated.
    Gif,
    /// WebP, lossy or lossless, also animated.
    Webp,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
}

impl Format {
    /// Every format.
    pub const ALL: &'static [Format] =
        &[Format::Jpeg, Format::Png, Format::Gif, Format::Webp, Format::Bmp, Format::Tiff];

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        self.endings()[0]
    }

    /// Whether `file_name` ends as files of this format do, whatever the case.
    pub fn fits_name(self, file_name: &str) -> bool {
        let ending = file_name.rsplit_once('.').map_or("", |(_, ending)| ending);
        self.endings().iter().any(|e| e.eq_ignore_ascii_case(ending))
    }

    /// The format that `bytes` (a whole file) begin like.
    ///
    /// # Errors
    /// The reason why they are no supported picture: what they are instead, where that is known.
    pub fn sniff(bytes: &[u8]) -> Result<Format, Rejected> {
        if bytes.is_empty() {
            return Err(Rejected::new(Reason::Empty, None, "it has no bytes"));
        }
        supported(bytes).ok_or_else(|| {
            let (reason, what) = unsupported(bytes);
            Rejected::new(reason, None, what)
        })
    }

    /// Name endings without the dot, the usual one (and word in tables) first.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpeg", "jpg", "jpe", "jfif"],
            Format::Png => &["png", "apng"],
            Format::Gif => &["gif"],
            Format::Webp => &["webp"],
            Format::Bmp => &["bmp", "dib"],
            Format::Tiff => &["tiff", "tif"],
        }
    }
}

fn supported(bytes: &[u8]) -> Option<Format> {
    // Canon's CR2 is a TIFF whose first picture is a thumbnail; `CR` tells it.
    let tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(Format::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some(Format::Gif)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::Webp)
    } else if bytes.starts_with(b"BM") && is_bmp_header(bytes) {
        Some(Format::Bmp)
    } else if tiff && bytes.get(8..10) != Some(b"CR") {
        Some(Format::Tiff)
    } else {
        None
    }
}

/// Sizes of the header that follows the 14 bytes of the file header: they tell a bitmap from a text that
/// begins with `BM`.
fn is_bmp_header(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
    matches!(size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// Signatures of pictures that are not decoded here, for their name in the message.
const OTHER_PICTURES: &[(&[u8], &str)] = &[
    (b"\xFF\x0A", "a JPEG XL picture"),
    (b"\0\0\0\x0CJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0CjP  ", "a JPEG 2000 picture"),
    (b"\xFF\x4F\xFF\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\0\0\x01\0", "a Windows icon"),
    (b"qoif", "a QOI picture"),
    (b"\x76\x2F\x31\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"DDS ", "a DirectDraw surface"),
    (b"AT&TFORM", "a DjVu document"),
    (b"II*\0", "camera raw data (Canon CR2)"),
    (b"FUJIFILMCCD-RAW", "camera raw data (Fujifilm)"),
    (b"IIRO", "camera raw data (Olympus)"),
    (b"IIRS", "camera raw data (Olympus)"),
    (b"MMOR", "camera raw data (Olympus)"),
    (b"IIU\0", "camera raw data (Panasonic)"),
];

/// Signatures of what is no picture at all.
const OTHER_FILES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "it is a ZIP archive"),
    (b"PK\x05\x06", "it is a ZIP archive"),
    (b"\x1F\x8B", "it is a gzip archive"),
    (b"7z\xBC\xAF\x27\x1C", "it is a 7-Zip archive"),
    (b"Rar!\x1A\x07", "it is a RAR archive"),
    (b"\x1A\x45\xDF\xA3", "it is a Matroska or WebM video"),
    (b"RIFF", "it is a RIFF file, perhaps a video"),
    (b"ID3", "it is an audio file"),
    (b"OggS", "it is an Ogg file"),
    (b"\x7FELF", "it is a program"),
    (b"PAR1", "it is a Parquet table"),
    (b"SQLite format 3\0", "it is a database"),
];

/// What bytes are that no supported format begins with.
fn unsupported(bytes: &[u8]) -> (Reason, &'static str) {
    if bytes.get(4..8) == Some(b"ftyp") {
        return iso_media(bytes);
    }
    let starts = |(signature, _): &&(&[u8], &str)| bytes.starts_with(signature);
    if let Some((_, what)) = OTHER_PICTURES.iter().find(starts) {
        return (Reason::UnsupportedFormat, what);
    }
    if let Some((_, what)) = OTHER_FILES.iter().find(starts) {
        return (Reason::NotAnImage, what);
    }
    // Readers look for the header of a PDF in the first kilobyte (PDF 1.7, annex H.3.4.1).
    let head = &bytes[..bytes.len().min(1024)];
    if contains(head, b"%PDF-") {
        return (Reason::Pdf, "it begins with `%PDF-`");
    }
    if head.starts_with(b"\x89PNG") || head.starts_with(b"PNG\r\n") {
        return (Reason::Corrupt, "a PNG whose signature is damaged, as by a transfer in text mode");
    }
    let trimmed = head.trim_ascii_start();
    if trimmed.len() < head.len() && supported(trimmed).is_some() {
        return (Reason::Corrupt, "a picture with blank lines before it");
    }
    text(trimmed, bytes)
}

/// The ISO base media file format by its brands (ISO 14496-12; HEIF: ISO 23008-12; AVIF 1.1).
fn iso_media(bytes: &[u8]) -> (Reason, &'static str) {
    let length = bytes.first_chunk::<4>().map_or(0, |l| u32::from_be_bytes(*l)) as usize;
    let end = length.min(bytes.len());
    // Major brand, 4 bytes of version, then the compatible brands.
    let brands: Vec<&[u8]> = bytes.get(8..end).unwrap_or_default().chunks_exact(4).collect();
    let has = |known: &[&[u8; 4]]| brands.iter().any(|b| known.iter().any(|k| b == k));
    if has(&[b"avif", b"avis"]) {
        (Reason::Avif, "it has the brand `avif`")
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        (Reason::Heic, "it has the brand of HEIF pictures")
    } else if has(&[b"crx "]) {
        (Reason::UnsupportedFormat, "camera raw data (Canon CR3)")
    } else {
        (Reason::NotAnImage, "it is a video or audio file")
    }
}

/// HTML, SVG, other text, or bytes that are nothing known.
fn text(trimmed: &[u8], bytes: &[u8]) -> (Reason, &'static str) {
    let markup = trimmed.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(trimmed).trim_ascii_start();
    let lower = markup.to_ascii_lowercase();
    if lower.starts_with(b"<") && contains(&lower, b"<svg") && !contains(&lower, b"<html") {
        return (Reason::Svg, "it has an `<svg>` element");
    }
    let page = [b"<!doctype html".as_slice(), b"<html", b"<head", b"<body", b"<script"];
    if lower.starts_with(b"<") && page.iter().any(|p| contains(&lower, p)) {
        return (Reason::HtmlPage, "it begins as web pages do");
    }
    let control = |b: &u8| *b < 0x20 && !b.is_ascii_whitespace();
    if std::str::from_utf8(bytes).is_err() || bytes.iter().any(control) {
        return (Reason::NotAnImage, "its content begins like no known picture");
    }
    match lower.first() {
        None => (Reason::NotAnImage, "it holds nothing but white space"),
        Some(b'{' | b'[') => (Reason::NotAnImage, "it is text, perhaps JSON"),
        Some(b'<') => (Reason::NotAnImage, "it is text, perhaps XML"),
        Some(_) => (Reason::NotAnImage, "it is text"),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> Reason {
        Format::sniff(bytes).unwrap_err().reason
    }

    #[test]
    fn the_content_tells_the_format() {
        let bmp = [b"BM".as_slice(), &[0; 12], &40u32.to_le_bytes()].concat();
        for (bytes, format) in [
            (b"\xFF\xD8\xFF\xE0".as_slice(), Format::Jpeg),
            (b"\x89PNG\r\n\x1a\nrest", Format::Png),
            (b"GIF89a", Format::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::Webp),
            (&bmp, Format::Bmp),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"MM\0*\0\0\0\x08", Format::Tiff),
        ] {
            assert_eq!(Format::sniff(bytes).unwrap(), format);
        }
    }

    #[test]
    fn what_is_recognised_and_not_decoded_has_a_reason_of_its_own() {
        assert_eq!(reason(b""), Reason::Empty);
        assert_eq!(reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Reason::Heic);
        assert_eq!(reason(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"), Reason::Heic);
        assert_eq!(reason(b"\0\0\0\x18ftypmif1\0\0\0\0avifmiaf"), Reason::Avif);
        assert_eq!(reason(b"\0\0\0\x18ftypisom\0\0\0\0isommp41"), Reason::NotAnImage);
        assert_eq!(reason(b"\n%PDF-1.7"), Reason::Pdf);
        assert_eq!(reason(b"<?xml version='1.0'?><svg xmlns='x'/>"), Reason::Svg);
        assert_eq!(reason(b"\xEF\xBB\xBF\n<!DOCTYPE html><html>"), Reason::HtmlPage);
        assert_eq!(reason(b"<html><body><svg/></body></html>"), Reason::HtmlPage);
        assert_eq!(reason(b"8BPS\0\x01"), Reason::UnsupportedFormat);
        assert_eq!(reason(b"II*\0\x10\0\0\0CR\x02\0"), Reason::UnsupportedFormat);
        assert_eq!(reason(b"\x89PNG\n\x1a\n\0\0"), Reason::Corrupt);
        assert_eq!(reason(b"\r\n\xFF\xD8\xFF\xE0"), Reason::Corrupt);
        for other in
            [b"id,label\n1,cat\n".as_slice(), b"BMW and others", b"PK\x03\x04", b"\0\x01\x02", b" \n"]
        {
            assert_eq!(reason(other), Reason::NotAnImage);
        }
    }

    #[test]
    fn every_prefix_of_a_signature_is_refused_without_panic() {
        for whole in
            [b"\0\0\0\x18ftypheic\0\0\0\0mif1".as_slice(), b"RIFF\x10\0\0\0WEBP", b"BM123456789012\x28\0\0\0"]
        {
            for end in 0..whole.len() {
                assert!(Format::sniff(&whole[..end]).is_err());
            }
        }
    }

    #[test]
    fn a_name_fits_by_its_ending_in_any_case() {
        assert!(Format::Jpeg.fits_name("a.b.JPG"));
        assert!(!Format::Jpeg.fits_name("a.png"));
        assert!(!Format::Jpeg.fits_name("jpg"));
        assert!(Format::Tiff.fits_name("x.Tif"));
    }

    #[test]
    fn words_of_the_table_are_fixed() {
        let words: Vec<&str> = Format::ALL.iter().map(|f| f.as_str()).collect();
        assert_eq!(words, ["jpeg", "png", "gif", "webp", "bmp", "tiff"]);
        assert_eq!(serde_json::to_value(Format::ALL).unwrap(), serde_json::json!(words));
    }
}
