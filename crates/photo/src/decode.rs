//! [`decode`](decode()): the one way from the bytes of a file to pixels.

use std::cell::Cell;
use std::error::Error;
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult, RgbImage};

use crate::orientation::Exif;
use crate::{Format, Limits, Reason, Rejected, bmp, gif, jpeg, png, tiff, webp};

/// A decoded photo.
#[derive(Debug, Clone)]
pub struct Photo {
    /// `[H, W, 3]`, u8, RGB, upright. Never empty.
    pub pixels: RgbImage,
    /// What the content is.
    pub format: Format,
    /// The EXIF orientation that was applied: 1 (as stored) to 8.
    pub orientation: u8,
    /// What is odd about the content, sorted, each once. Not empty means verdict `warn`.
    pub findings: Vec<Reason>,
    /// Whether a pixel is not opaque. Its colour is used and its transparency dropped, as Pillow and
    /// OpenCV do; no finding, since most such files are ordinary.
    pub transparent: bool,
}

/// Decodes the bytes of a picture file. Never panics.
///
/// Grey, palette, CMYK and 16-bit samples become RGB8 (16-bit ones by scaling), alpha is dropped without
/// blending, colour profiles are not applied. Of several frames or pages the first is used.
///
/// # Errors
/// [`Rejected`] with the reason when the bytes are no supported picture, are damaged or truncated, or
/// declare more than `limits` allow (checked before anything is allocated).
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, Rejected> {
    decode_to(bytes, limits, None)
}

/// As [`decode`](decode()), but a JPEG may come out at a half, a quarter or an eighth of its sides, rounded up: the smallest
/// that leaves the shorter side `least_side` pixels or more. A photo of 12 megapixels takes half the time then.
///
/// Its blocks are transformed at that size, as libjpeg's `scale_denom` and Pillow's `draft` do, so that no pixel is the same as
/// in the whole picture made smaller. For photos that were decoded whole before: damage is not told as strictly.
///
/// # Errors
/// As [`decode`](decode()).
pub fn decode_small(bytes: &[u8], limits: &Limits, least_side: u32) -> Result<Photo, Rejected> {
    decode_to(bytes, limits, Some(least_side))
}

fn decode_to(bytes: &[u8], limits: &Limits, least_side: Option<u32>) -> Result<Photo, Rejected> {
    let format = Format::sniff(bytes)?;
    // The decoders are other people's code: a panic on one damaged file must not end a run over thousands.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let _decoding = Decoding::begin();
        decode_as(format, bytes, limits, least_side)
    }));
    let decoded = decoded
        .unwrap_or_else(|_| Err(Rejected::new(Reason::Corrupt, Some(format), "the decoder broke off")))?;

    let Decoded { image, exif, mut findings } = decoded;
    if exif.malformed {
        findings.push(Reason::BadExif);
    }
    findings.sort();
    findings.dedup();
    let transparent = is_transparent(&image);
    let mut upright = DynamicImage::ImageRgb8(image.into_rgb8());
    let turn = Orientation::from_exif(exif.orientation).unwrap_or(Orientation::NoTransforms);
    upright.apply_orientation(turn);
    Ok(Photo { pixels: upright.into_rgb8(), format, orientation: exif.orientation, findings, transparent })
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// While it is there, this thread [is decoding](is_decoding).
pub(crate) struct Decoding {
    /// What was so before.
    before: bool,
}

impl Decoding {
    pub(crate) fn begin() -> Self {
        Decoding { before: DECODING.replace(true) }
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        DECODING.set(self.before);
    }
}

/// Whether this thread is inside a decoder. A panic hook can ask, since such a panic is caught.
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// What a decoder of one format gives: pixels as stored, in any sample type.
pub(crate) struct Decoded {
    pub(crate) image: DynamicImage,
    pub(crate) exif: Exif,
    pub(crate) findings: Vec<Reason>,
}

fn decode_as(
    format: Format,
    bytes: &[u8],
    limits: &Limits,
    least_side: Option<u32>,
) -> Result<Decoded, Rejected> {
    let input = Cursor::new(bytes);
    match format {
        Format::Jpeg => jpeg::decode(bytes, limits, least_side),
        Format::Png => {
            let chunks = png::Chunks::of(bytes);
            let completed = chunks.with_end(bytes);
            let input = Cursor::new(completed.as_deref().unwrap_or(bytes));
            let mut decoded = open(format, PngDecoder::with_limits(input, memory_limit(limits)))
                .and_then(|decoder| read(format, decoder, chunks.orientation(), limits))
                .map_err(|rejected| match rejected.reason {
                    // Cut between two chunks: what the decoder meets too early is our end chunk.
                    Reason::Corrupt if completed.is_some() => cut_off(format),
                    _ => rejected,
                })?;
            decoded.find(chunks.is_animated, Reason::FirstOfSeveral);
            decoded.find(!chunks.has_end, Reason::MinorDamage);
            decoded.find(chunks.has_end && chunks.whole < bytes.len(), Reason::TrailingData);
            Ok(decoded)
        }
        Format::Gif => {
            let blocks = gif::Blocks::of(bytes);
            let mut decoded = open(format, GifDecoder::new(input))
                .and_then(|decoder| read(format, decoder, Exif::ABSENT, limits))
                .map_err(|rejected| corrupt_by_end(rejected, blocks.is_cut))?;
            if let DynamicImage::ImageRgba8(image) = &mut decoded.image {
                gif::fill_beside(&blocks, image);
            }
            decoded.find(blocks.frames >= 2, Reason::FirstOfSeveral);
            decoded.find(blocks.end.is_none(), Reason::MinorDamage);
            decoded.find(blocks.end.is_some_and(|end| end < bytes.len()), Reason::TrailingData);
            Ok(decoded)
        }
        Format::Webp => {
            webp::check_frames(bytes, limits)?;
            let (length, end) = (bytes.len() as u64, webp::declared_end(bytes));
            let exif = webp::exif(bytes).map_or(Exif::ABSENT, Exif::read_chunk);
            let mut decoded = open(format, WebPDecoder::new(input))
                .and_then(|decoder| {
                    let is_animated = decoder.has_animation();
                    let mut decoded = read(format, decoder, exif, limits)?;
                    decoded.find(is_animated, Reason::FirstOfSeveral);
                    Ok(decoded)
                })
                .map_err(|rejected| corrupt_by_end(rejected, length < end))?;
            // A padding byte at the end is often left out.
            decoded.find(length + 1 < end, Reason::MinorDamage);
            decoded.find(length > end, Reason::TrailingData);
            Ok(decoded)
        }
        Format::Bmp => {
            let header = bmp::Header::of(bytes).ok_or_else(|| cut_off(format))?;
            limits.check(format, header.width, header.height, 3)?;
            let mut decoded = read(format, open(format, BmpDecoder::new(input))?, Exif::ABSENT, limits)?;
            decoded.find(bytes.len() as u64 > header.end, Reason::TrailingData);
            Ok(decoded)
        }
        Format::Tiff => {
            tiff::check_entries(bytes, limits)?;
            let exif = Exif::read(bytes);
            let mut decoded = read(format, open(format, TiffDecoder::new(input))?, exif, limits)?;
            decoded.find(exif.has_next, Reason::FirstOfSeveral);
            Ok(decoded)
        }
    }
}

impl Decoded {
    fn find(&mut self, found: bool, reason: Reason) {
        self.findings.extend(found.then_some(reason));
    }
}

/// Reads the pixels after checking the declared size: `image`'s own check only comes with a reader that
/// it opens itself.
fn read(
    format: Format,
    mut decoder: impl ImageDecoder,
    exif: Exif,
    limits: &Limits,
) -> Result<Decoded, Rejected> {
    let (width, height) = decoder.dimensions();
    let rgb8_copy = 3;
    limits.check(format, width, height, u64::from(decoder.color_type().bytes_per_pixel()) + rgb8_copy)?;
    open(format, decoder.set_limits(memory_limit(limits)))?;
    let image = open(format, DynamicImage::from_decoder(decoder))?;
    Ok(Decoded { image, exif, findings: Vec::new() })
}

fn memory_limit(limits: &Limits) -> image::Limits {
    let mut memory = image::Limits::no_limits();
    memory.max_alloc = Some(limits.max_memory_bytes);
    memory
}

/// Names the reason of a decoder's error.
fn open<T>(format: Format, result: ImageResult<T>) -> Result<T, Rejected> {
    result.map_err(|error| {
        let reason = match &error {
            ImageError::Limits(_) => Reason::TooLarge,
            ImageError::Unsupported(_) => Reason::UnsupportedFeature,
            _ if is_unexpected_end(&error) => Reason::Truncated,
            _ => Reason::Corrupt,
        };
        match reason {
            Reason::Truncated => cut_off(format),
            _ => Rejected::new(reason, Some(format), error.to_string().replace(['\n', '\r'], " ")),
        }
    })
}

/// The refusal of a file that ends too early.
pub(crate) fn cut_off(format: Format) -> Rejected {
    Rejected::new(Reason::Truncated, Some(format), "the file ends before the picture does")
}

/// What is corrupt in a file that ends too early is so because of that.
fn corrupt_by_end(rejected: Rejected, is_cut: bool) -> Rejected {
    match (rejected.reason, rejected.format) {
        (Reason::Corrupt, Some(format)) if is_cut => cut_off(format),
        _ => rejected,
    }
}

/// Whether an error or one of its sources is that the input ended.
fn is_unexpected_end(error: &(dyn Error + 'static)) -> bool {
    let io = match error.downcast_ref::<ImageError>() {
        Some(ImageError::IoError(io)) => Some(io),
        _ => error.downcast_ref::<std::io::Error>(),
    };
    match io {
        Some(io) if io.kind() == ErrorKind::UnexpectedEof => true,
        _ => error.source().is_some_and(is_unexpected_end),
    }
}

fn is_transparent(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(i) => i.pixels().any(|p| p.0[1] != u8::MAX),
        DynamicImage::ImageRgba8(i) => i.pixels().any(|p| p.0[3] != u8::MAX),
        DynamicImage::ImageLumaA16(i) => i.pixels().any(|p| p.0[1] != u16::MAX),
        DynamicImage::ImageRgba16(i) => i.pixels().any(|p| p.0[3] != u16::MAX),
        DynamicImage::ImageRgba32F(i) => i.pixels().any(|p| p.0[3] < 1.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::gif::GifEncoder;
    use image::{Frame, GrayImage, ImageFormat, Luma, LumaA, Rgba, RgbaImage};

    use super::*;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn decoded(bytes: &[u8]) -> Photo {
        decode(bytes, &Limits::default()).unwrap()
    }

    fn reason(bytes: &[u8]) -> Reason {
        decode(bytes, &Limits::default()).unwrap_err().reason
    }

    #[test]
    fn samples_of_16_bits_are_scaled_and_not_clipped() {
        // round(v / 257).
        let samples = vec![0_u16, 300, 32_768, 65_535, 257, 65_000];
        let grey = image::ImageBuffer::<Luma<u16>, _>::from_raw(3, 2, samples).unwrap();
        let photo = decoded(&encoded(DynamicImage::ImageLuma16(grey), ImageFormat::Png));
        let expected: Vec<u8> = [0, 1, 128, 255, 1, 253].into_iter().flat_map(|v| [v; 3]).collect();
        assert_eq!(photo.pixels.as_raw(), &expected);
    }

    #[test]
    fn grey_becomes_three_equal_channels() {
        let grey = GrayImage::from_fn(3, 2, |x, y| Luma([(x * 40 + y) as u8]));
        let photo = decoded(&encoded(grey, ImageFormat::Png));
        assert_eq!(
            photo.pixels.as_raw(),
            &[0, 0, 0, 40, 40, 40, 80, 80, 80, 1, 1, 1, 41, 41, 41, 81, 81, 81]
        );
    }

    #[test]
    fn alpha_is_dropped_without_blending_and_told() {
        let colours = |alpha| RgbaImage::from_fn(2, 1, move |x, _| Rgba([200, x as u8, 7, alpha]));
        let clear = decoded(&encoded(colours(3), ImageFormat::Png));
        assert_eq!(
            (clear.pixels.as_raw().as_slice(), clear.transparent),
            (&[200, 0, 7, 200, 1, 7][..], true)
        );
        assert_eq!(clear.findings, []);
        assert!(!decoded(&encoded(colours(255), ImageFormat::Png)).transparent);
        let grey = image::ImageBuffer::from_fn(2, 1, |x, _| LumaA([x as u8, 254]));
        assert!(decoded(&encoded(DynamicImage::ImageLumaA8(grey), ImageFormat::Png)).transparent);
    }

    #[test]
    fn the_first_frame_of_an_animation_is_used_and_told() {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for red in [250, 10] {
            encoder.encode_frame(Frame::new(RgbaImage::from_pixel(5, 3, Rgba([red, 0, 0, 255])))).unwrap();
        }
        drop(encoder);
        let photo = decoded(&bytes);
        assert_eq!(photo.findings, [Reason::FirstOfSeveral]);
        assert_eq!((photo.pixels.dimensions(), photo.pixels.get_pixel(4, 2).0), ((5, 3), [250, 0, 0]));
    }

    #[test]
    fn a_png_says_where_it_is_damaged() {
        let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
        let whole = encoded(picture.clone(), ImageFormat::Png);
        for cut in 1..=12 {
            let photo = decoded(&whole[..whole.len() - cut]);
            assert_eq!((&photo.pixels, photo.findings.as_slice()), (&picture, &[Reason::MinorDamage][..]));
        }
        assert_eq!(decoded(&[whole.as_slice(), b"more"].concat()).findings, [Reason::TrailingData]);
        // From behind the signature to the checksum of the pixels, which is before the end chunk.
        for end in 8..whole.len() - 16 {
            assert_eq!(reason(&whole[..end]), Reason::Truncated, "{end} of {} bytes", whole.len());
        }
        let mut changed = whole.clone();
        let middle = whole.len() / 2;
        changed[middle..middle + 4].fill(0x55);
        assert_eq!(reason(&changed), Reason::Corrupt);
    }

    #[test]
    fn limits_hold_for_every_format() {
        let limits = Limits { max_pixels: 34, ..Limits::default() };
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::Gif,
            ImageFormat::WebP,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
        ] {
            let rejected = decode(&encoded(RgbImage::new(7, 5), format), &limits).unwrap_err();
            let text = "too large: it declares 7 x 5 = 35 pixels, the limit is 34";
            assert_eq!(rejected.to_string(), text, "{format:?}");
        }
    }
}
