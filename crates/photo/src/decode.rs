//! [`decode`](decode()): the one way from the bytes of a file to pixels.

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
use crate::{Format, Limits, Reason, Rejected, gif, jpeg, png};

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
    let format = Format::sniff(bytes)?;
    // The decoders are other people's code: a panic on one damaged file must not end a run over thousands.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_as(format, bytes, limits)))
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

/// What a decoder of one format gives: pixels as stored, in any sample type.
pub(crate) struct Decoded {
    pub(crate) image: DynamicImage,
    pub(crate) exif: Exif,
    pub(crate) findings: Vec<Reason>,
}

fn decode_as(format: Format, bytes: &[u8], limits: &Limits) -> Result<Decoded, Rejected> {
    let input = Cursor::new(bytes);
    match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => {
            let chunks = png::Chunks::of(bytes);
            let decoder = open(format, PngDecoder::with_limits(input, memory_limit(limits)))?;
            let mut decoded = read(format, decoder, chunks.orientation(), limits)?;
            decoded.find(chunks.is_animated, Reason::FirstOfSeveral);
            decoded.find(chunks.end.is_none(), Reason::MinorDamage);
            decoded.find(chunks.end.is_some_and(|end| end < bytes.len()), Reason::TrailingData);
            Ok(decoded)
        }
        Format::Gif => {
            let mut decoded = read(format, open(format, GifDecoder::new(input))?, Exif::ABSENT, limits)?;
            decoded.find(gif::has_several_frames(bytes), Reason::FirstOfSeveral);
            Ok(decoded)
        }
        Format::Webp => {
            let mut decoder = open(format, WebPDecoder::new(input))?;
            let is_animated = decoder.has_animation();
            let chunk = open(format, decoder.exif_metadata())?;
            let exif = chunk.map_or(Exif::ABSENT, |chunk| Exif::read_chunk(&chunk));
            let mut decoded = read(format, decoder, exif, limits)?;
            decoded.find(is_animated, Reason::FirstOfSeveral);
            Ok(decoded)
        }
        Format::Bmp => read(format, open(format, BmpDecoder::new(input))?, Exif::ABSENT, limits),
        Format::Tiff => {
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
        let detail = match reason {
            Reason::Truncated => "the file ends before the picture does".to_owned(),
            _ => error.to_string().replace(['\n', '\r'], " "),
        };
        Rejected::new(reason, Some(format), detail)
    })
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
