//! JPEG: a survey of the segments, then the pixels by a strict decoder.
//!
//! `image` decodes JPEG leniently and fills what is missing with grey, so that a truncated photo looks
//! like a whole one. Here its decoder is asked to be strict. The survey finds what a strict decoder does
//! not say (where the picture ends, EXIF, kinds of JPEG that are not supported) and lets it pass over
//! what does no harm: bytes between segments and segments of impossible length are left out of what it
//! is given, as libjpeg skips them. The decoder is strict about a file that ends, and not about a picture whose end marker comes
//! too early, so it is not shown the end marker.

mod small;

use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::decode::{Decoded, cut_off};
use crate::orientation::Exif;
use crate::{Format, Limits, Reason, Rejected};

/// Decodes a JPEG file; where `least_side` is given, [smaller](crate::decode_small) if it can.
pub(crate) fn decode(bytes: &[u8], limits: &Limits, least_side: Option<u32>) -> Result<Decoded, Rejected> {
    let survey = Survey::of(bytes);
    let frame = check_frame(&survey, bytes)?;
    // Progressive pictures keep a 16-bit coefficient for each sample until the end.
    let coefficients = if frame.is_progressive() { 2 * u64::from(frame.components) } else { 0 };
    limits.check(Format::Jpeg, frame.width.into(), frame.height.into(), 3 + coefficients)?;

    let shown = survey.shown(bytes, frame);
    // The decoder of small pictures is not strict: it is given whole files only.
    let least_side = least_side.filter(|_| survey.end.is_some() && !survey.has_stray_bytes);
    let image = pixels(bytes, shown.as_deref().unwrap_or(bytes), frame, least_side);
    let image = image.map_err(|e| refusal(&survey, &e))?;

    let mut findings = Vec::new();
    if survey.has_stray_bytes || survey.end.is_none() {
        findings.push(Reason::MinorDamage);
    }
    // The further pictures of a multi-picture file are listed in it: nothing odd.
    if survey.end.is_some_and(|end| end < bytes.len()) && !survey.is_multi_picture {
        findings.push(Reason::TrailingData);
    }
    let exif = survey.exif.map_or(Exif::ABSENT, Exif::read);
    Ok(Decoded { image, exif, findings })
}

/// The frame, if this is a kind of JPEG that can be decoded.
fn check_frame(survey: &Survey<'_>, bytes: &[u8]) -> Result<Frame, Rejected> {
    let reject = |reason, detail: &str| Err(Rejected::new(reason, Some(Format::Jpeg), detail));
    let Some(frame) = survey.frame.filter(|_| survey.scans > 0) else {
        return if survey.end.is_some() {
            reject(Reason::Corrupt, "there is no picture between its start and end markers")
        } else {
            reject(Reason::Truncated, &format!("the file ends in its headers, after {} bytes", bytes.len()))
        };
    };
    match frame.marker {
        0xC0..=0xC2 if frame.precision != 8 => {
            reject(Reason::UnsupportedFeature, &format!("it has {} bits per sample", frame.precision))
        }
        0xC0..=0xC2 if !survey.has_huffman_tables => {
            reject(Reason::UnsupportedFeature, "it has no Huffman tables, as frames of motion JPEG video")
        }
        0xC0..=0xC2 => Ok(frame),
        0xC9..=0xCB | 0xCD..=0xCF => reject(Reason::UnsupportedFeature, "it is arithmetic-coded JPEG"),
        _ => reject(Reason::UnsupportedFeature, "it is lossless or hierarchical JPEG"),
    }
}

/// Strictly decoded pixels: grey or RGB; CMYK and YCCK become RGB. With a `least_side`, [small](small::pixels) ones if they can be
/// had.
fn pixels(
    bytes: &[u8],
    shown: &[u8],
    frame: Frame,
    least_side: Option<u32>,
) -> Result<DynamicImage, DecodeErrors> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(shown), options);
    decoder.decode_headers()?;
    // The limits were checked for what the survey found: the decoder must have found the same.
    if decoder.info().is_none_or(|i| (i.width, i.height) != (frame.width, frame.height)) {
        return Err(DecodeErrors::FormatStatic("it declares more than one size"));
    }
    // What the numbers of a pixel are is decided here for both.
    let colours = decoder.input_colorspace();
    if let Some(image) = least_side.and_then(|side| small::pixels(bytes, frame, colours?, side)) {
        return Ok(image);
    }
    let is_grey = colours == Some(ColorSpace::Luma);
    if is_grey {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let samples = decoder.decode()?;
    let (width, height) = decoder.info().map_or((0, 0), |i| (u32::from(i.width), u32::from(i.height)));
    let image = if is_grey {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    };
    image.ok_or(DecodeErrors::FormatStatic("the decoder returned another number of samples than declared"))
}

/// The decoder's words where the data ends too early.
const PREMATURE: &str = "Premature end of buffer";

fn refusal(survey: &Survey<'_>, error: &DecodeErrors) -> Rejected {
    let reject = |reason, detail: String| Rejected::new(reason, Some(Format::Jpeg), detail);
    match error {
        DecodeErrors::Unsupported(_) => reject(Reason::UnsupportedFeature, error.to_string()),
        _ if survey.end.is_none() => cut_off(Format::Jpeg),
        DecodeErrors::ExhaustedData | DecodeErrors::FormatStatic(PREMATURE) => {
            reject(Reason::Truncated, "its end marker comes before the end of the picture".to_owned())
        }
        _ => reject(Reason::Corrupt, format!("its data cannot be decoded ({})", one_line(error))),
    }
}

fn one_line(error: &DecodeErrors) -> String {
    error.to_string().replace(['\n', '"'], "")
}

/// The frame header: size and kind (ITU-T T.81, B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// Second byte of the marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, ...
    marker: u8,
    /// Bits per sample.
    precision: u8,
    width: u16,
    height: u16,
    components: u8,
}

impl Frame {
    fn is_progressive(self) -> bool {
        self.marker == 0xC2
    }

    /// From a segment's payload, which begins after its length.
    fn read(marker: u8, payload: &[u8]) -> Option<Frame> {
        let [precision, h1, h0, w1, w0, components, ..] = *payload else { return None };
        let height = u16::from_be_bytes([h1, h0]);
        Some(Frame { marker, precision, width: u16::from_be_bytes([w1, w0]), height, components })
    }
}

/// What a walk over the markers of the first picture in a file finds.
#[derive(Debug, Default)]
struct Survey<'a> {
    frame: Option<Frame>,
    /// TIFF structure of the first APP1 segment with the EXIF signature.
    exif: Option<&'a [u8]>,
    has_huffman_tables: bool,
    /// How often entropy-coded data begins.
    scans: u32,
    /// Whether an APP2 segment lists further pictures (CIPA DC-007).
    is_multi_picture: bool,
    /// Offset after the end marker; `None` when the file ends before one.
    end: Option<usize>,
    /// Whether there are bytes between segments or segments of impossible length.
    has_stray_bytes: bool,
    /// Everything but those, in order.
    kept: Vec<std::ops::Range<usize>>,
}

impl<'a> Survey<'a> {
    /// Walks from the start marker, as libjpeg does: to the next marker, over its segment, and after a
    /// scan header over the entropy-coded data.
    fn of(bytes: &'a [u8]) -> Self {
        let start = 0..2;
        let mut survey = Survey { kept: Vec::from([start]), ..Survey::default() };
        let mut at = 2;
        while let Some(marker_at) = next_marker(bytes, at) {
            // Fill bytes (0xFF) before a marker are legal.
            survey.has_stray_bytes |= bytes[at..marker_at].iter().any(|b| *b != 0xFF);
            let marker = bytes[marker_at + 1];
            if marker == 0xD9 {
                survey.kept.push(marker_at..marker_at + 2);
                survey.end = Some(marker_at + 2);
                break;
            }
            // Markers without a segment have no place between segments.
            if matches!(marker, 0x01 | 0xD0..=0xD8) {
                survey.has_stray_bytes = true;
                at = marker_at + 2;
                continue;
            }
            let Some(length) = bytes.get(marker_at + 2..marker_at + 4) else { break };
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length < 2 {
                survey.has_stray_bytes = true;
                at = marker_at + 4;
                continue;
            }
            let Some(payload) = bytes.get(marker_at + 4..marker_at + 2 + length) else { break };
            survey.note(marker, payload);
            at = marker_at + 2 + length;
            if marker == 0xDA {
                survey.scans += 1;
                at = end_of_scan(bytes, at);
            }
            survey.kept.push(marker_at..at);
        }
        survey
    }

    fn note(&mut self, marker: u8, payload: &'a [u8]) {
        match marker {
            0xC4 => self.has_huffman_tables = true,
            // 0xC8 is reserved and 0xCC defines arithmetic conditioning: no frames.
            0xC0..=0xCF if !matches!(marker, 0xC8 | 0xCC) => {
                self.frame = self.frame.or(Frame::read(marker, payload));
            }
            0xE1 if self.exif.is_none() => self.exif = payload.strip_prefix(b"Exif\0\0"),
            0xE2 if payload.starts_with(b"MPF\0") => self.is_multi_picture = true,
            _ => {}
        }
    }

    /// What the decoder is shown, where that is not the whole file: without stray bytes, and where all pixels are in one scan,
    /// without the end marker. Zeros stand for it, since the decoder reads ahead.
    fn shown(&self, bytes: &[u8], frame: Frame) -> Option<Vec<u8>> {
        let is_one_scan = self.scans == 1 && !frame.is_progressive();
        if !is_one_scan && !self.has_stray_bytes {
            return None;
        }
        let is_end = |range: &&std::ops::Range<usize>| self.end == Some(range.end);
        let kept = self.kept.iter().filter(|range| !(is_one_scan && is_end(range)));
        let mut shown: Vec<u8> = kept.flat_map(|range| &bytes[range.clone()]).copied().collect();
        if is_one_scan {
            shown.extend([0; READ_AHEAD]);
        }
        Some(shown)
    }
}

/// Bytes that the decoder may look at beyond what it needs.
const READ_AHEAD: usize = 8;

/// Offset of the 0xFF of the first marker at or after `at`.
fn next_marker(bytes: &[u8], at: usize) -> Option<usize> {
    let pairs = bytes.get(at..)?.windows(2);
    pairs.enumerate().find(|(_, p)| p[0] == 0xFF && !matches!(p[1], 0x00 | 0xFF)).map(|(i, _)| at + i)
}

/// Offset of the marker that ends the entropy-coded data which begins at `at`: any but a restart.
fn end_of_scan(bytes: &[u8], mut at: usize) -> usize {
    while let Some(marker_at) = next_marker(bytes, at) {
        if !matches!(bytes[marker_at + 1], 0xD0..=0xD7) {
            return marker_at;
        }
        at = marker_at + 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    /// A baseline JPEG of 83 x 45 pixels that begins with an APP0 segment and ends with the end marker.
    fn file() -> Vec<u8> {
        let picture = RgbImage::from_fn(83, 45, |x, y| Rgb([(x * 3) as u8, (y * 5) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).unwrap();
        bytes
    }

    fn found(bytes: &[u8]) -> (DynamicImage, Vec<Reason>) {
        let decoded = decode(bytes, &Limits::default(), None).unwrap();
        (decoded.image, decoded.findings)
    }

    fn refused(bytes: &[u8]) -> (Reason, String) {
        let rejected = decode(bytes, &Limits::default(), None).err().unwrap();
        (rejected.reason, rejected.detail)
    }

    fn inserted(segment: &[u8]) -> Vec<u8> {
        let file = file();
        [&file[..2], segment, &file[2..]].concat()
    }

    /// The file with every `from` marker turned into `to`.
    fn with_marker(from: u8, to: u8) -> Vec<u8> {
        let mut bytes = file();
        for at in 1..bytes.len() {
            if bytes[at - 1..=at] == [0xFF, from] {
                bytes[at] = to;
            }
        }
        bytes
    }

    #[test]
    fn a_file_cut_in_its_picture_or_headers_is_truncated() {
        let whole = file();
        for end in 3..whole.len() * 95 / 100 {
            assert_eq!(refused(&whole[..end]).0, Reason::Truncated, "{end} of {} bytes", whole.len());
        }
    }

    #[test]
    fn damage_beside_the_pixels_is_reported_and_changes_none_of_them() {
        let (pixels, none) = found(&file());
        assert_eq!(none, []);
        let no_end = &file()[..file().len() - 2];
        let stray = inserted(b"\x01\x02\x03\x04\x05\x06\x07");
        let empty_segment = inserted(b"\xFF\xE5\0\0");
        for bytes in [no_end, &stray, &empty_segment] {
            assert_eq!(found(bytes), (pixels.clone(), vec![Reason::MinorDamage]));
        }
        assert_eq!(found(&inserted(b"\xFF\xFF\xFF")), (pixels, vec![]), "fill bytes are legal");
    }

    #[test]
    fn bytes_after_the_end_are_reported_unless_they_are_announced() {
        let more = [file(), b"more".to_vec()].concat();
        assert_eq!(found(&more).1, [Reason::TrailingData]);
        let announced = [inserted(b"\xFF\xE2\0\x06MPF\0"), file()].concat();
        assert_eq!(found(&announced).1, []);
    }

    #[test]
    fn kinds_that_cannot_be_decoded_are_named() {
        for (bytes, detail) in [
            (with_marker(0xC0, 0xC9), "it is arithmetic-coded JPEG"),
            (with_marker(0xC0, 0xC3), "it is lossless or hierarchical JPEG"),
            (with_marker(0xC4, 0xE5), "it has no Huffman tables, as frames of motion JPEG video"),
        ] {
            assert_eq!(refused(&bytes), (Reason::UnsupportedFeature, detail.to_owned()));
        }
    }

    #[test]
    fn the_declared_size_is_checked_before_anything_is_decoded() {
        let mut bytes = file();
        let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDB]);
        let detail = "it declares 65499 x 65500 = 4290184500 pixels, the limit is 178956970";
        assert_eq!(refused(&bytes), (Reason::TooLarge, detail.to_owned()));
    }

    #[test]
    fn an_end_marker_that_comes_too_early_is_told_from_one_in_its_place() {
        let whole = file();
        for share in [60, 70, 80, 90] {
            let cut = [&whole[..whole.len() * share / 100], b"\xFF\xD9"].concat();
            let detail = "its end marker comes before the end of the picture";
            assert_eq!(refused(&cut), (Reason::Truncated, detail.to_owned()), "{share} %");
        }
        // Of one colour, a row of blocks is less than what the decoder reads ahead.
        for (width, height) in [(8, 8), (8, 400), (83, 45), (1, 1)] {
            let mut flat = Vec::new();
            let picture = RgbImage::from_pixel(width, height, Rgb([90, 90, 90]));
            JpegEncoder::new_with_quality(&mut flat, 90).encode_image(&picture).unwrap();
            assert_eq!(found(&flat).1, [], "{width} x {height}");
            assert_eq!(found(&flat[..flat.len() - 2]).1, [Reason::MinorDamage], "{width} x {height}");
        }
    }

    #[test]
    fn two_markers_are_no_picture() {
        let detail = "there is no picture between its start and end markers";
        assert_eq!(refused(b"\xFF\xD8\xFF\xD9"), (Reason::Corrupt, detail.to_owned()));
    }
}
