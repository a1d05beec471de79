//! JPEG pixels at a fraction of the sides, by the decoder that can transform blocks at a smaller size.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{ColorTransform, Decoder};
use rayon::{ThreadPool, ThreadPoolBuilder};
use zune_core::colorspace::ColorSpace;

use super::Frame;
use crate::decode::Decoding;

/// The pixels at 1/2, 1/4 or 1/8 of the sides, rounded up: the smallest whose shorter side is `least_side` or more. `None`
/// where the picture is not large enough for a half, is neither grey nor of three `colours`, or this decoder refuses it: the
/// other one decides then.
pub(super) fn pixels(
    bytes: &[u8],
    frame: Frame,
    colours: ColorSpace,
    least_side: u32,
) -> Option<DynamicImage> {
    let transform = match (colours, frame.components) {
        (ColorSpace::Luma, 1) => ColorTransform::Grayscale,
        (ColorSpace::YCbCr, 3) => ColorTransform::YCbCr,
        (ColorSpace::RGB, 3) => ColorTransform::RGB,
        _ => return None,
    };
    let denominator = denominator(frame, least_side)?;
    let small = |side: u16| side.div_ceil(denominator);
    let (width, height) = (small(frame.width), small(frame.height));
    let decode = || {
        let _decoding = Decoding::begin();
        let mut decoder = Decoder::new(bytes);
        decoder.set_color_transform(transform);
        // Another frame than the survey's is no concern of ours.
        (decoder.scale(width, height).ok()? == (width, height)).then(|| decoder.decode().ok())?
    };
    // A panic of this decoder is no verdict on the photo, which the other has read.
    let samples = catch_unwind(AssertUnwindSafe(|| in_one_thread(decode))).ok().flatten()?;
    let (width, height) = (width.into(), height.into());
    match transform {
        ColorTransform::Grayscale => {
            GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
        }
        _ => RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8),
    }
}

/// The decoder shares its work out to the pool that it runs in. Whoever calls is one of many who decode, so this is a
/// pool of one, kept with the thread.
fn in_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread_local! {
        static ALONE: Option<ThreadPool> = ThreadPoolBuilder::new().num_threads(1).build().ok();
    }
    ALONE.with(|alone| match alone {
        Some(alone) => alone.install(work),
        // Where no thread can be started, all share the pool of the process: slower, and the same pixels.
        None => work(),
    })
}

/// 2, 4 or 8; `None` where half is too small.
fn denominator(frame: Frame, least_side: u32) -> Option<u16> {
    let fits =
        |denominator: &u16| u32::from(frame.width.min(frame.height).div_ceil(*denominator)) >= least_side;
    [8, 4, 2].into_iter().find(fits)
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::{FilterType, resize};

    use crate::{Limits, decode, decode_small};

    /// Waves that are long beside a block.
    fn file(width: u32, height: u32, grey: bool) -> Vec<u8> {
        let wave = |at: u32, long: f32| (127.0 + 100.0 * (at as f32 / long).sin()) as u8;
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            Rgb([wave(x, 70.0), wave(y, 60.0), wave(x + y, 90.0)])
        });
        let picture = image::DynamicImage::ImageRgb8(picture);
        let picture = if grey { picture.to_luma8().into() } else { picture };
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&picture).unwrap();
        bytes
    }

    #[test]
    fn the_shorter_side_stays_at_least_as_long_as_asked() {
        let bytes = file(801, 403, false);
        // 403 / 2 = 201.5, / 4 = 100.75, / 8 = 50.4, rounded up.
        for (least, size) in [
            (203, (801, 403)),
            (202, (401, 202)),
            (102, (401, 202)),
            (101, (201, 101)),
            (51, (101, 51)),
            (1, (101, 51)),
        ] {
            let photo = decode_small(&bytes, &Limits::default(), least).unwrap();
            assert_eq!(photo.pixels.dimensions(), size, "{least}");
        }
    }

    #[test]
    fn pixels_are_near_those_of_the_whole_picture_made_smaller() {
        for grey in [false, true] {
            // A fraction of other sides would be stretched by part of a pixel.
            let bytes = file(808, 408, grey);
            let whole = decode(&bytes, &Limits::default()).unwrap().pixels;
            for least in [204, 102, 51] {
                let small = decode_small(&bytes, &Limits::default(), least).unwrap().pixels;
                let expected = resize(&whole, small.width(), small.height(), FilterType::Triangle);
                let off = expected.iter().zip(small.iter()).map(|(a, b)| a.abs_diff(*b));
                let (count, sum) =
                    off.fold((0u32, 0u32), |(count, sum), off| (count + 1, sum + u32::from(off)));
                let mean = f64::from(sum) / f64::from(count);
                assert!(mean < 1.5, "grey: {grey}, {:?}: off by {mean} of 255", small.dimensions());
            }
        }
    }

    #[test]
    fn what_the_scaling_decoder_refuses_is_left_to_the_other() {
        let whole = file(801, 403, false);
        let cut = &whole[..whole.len() / 2];
        let expected = decode(cut, &Limits::default()).err().unwrap();
        let found = decode_small(cut, &Limits::default(), 51).err().unwrap();
        assert_eq!((found.reason, found.detail), (expected.reason, expected.detail));
    }

    #[test]
    fn three_numbers_that_are_red_green_and_blue_are_not_taken_for_luma_and_chroma() {
        // Written as luma and chroma; Adobe's marker with transform 0 says that they are colours as they stand
        // (T.872, 6.5.3), whatever the ids of the components.
        let plain = file(808, 408, false);
        let adobe = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
        let bytes = [&plain[..2], adobe, &plain[2..]].concat();
        let whole = decode(&bytes, &Limits::default()).unwrap().pixels;
        assert_ne!(whole, decode(&plain, &Limits::default()).unwrap().pixels);
        let small = decode_small(&bytes, &Limits::default(), 102).unwrap().pixels;
        let expected = resize(&whole, small.width(), small.height(), FilterType::Triangle);
        let off: u64 = expected.iter().zip(small.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = off as f64 / expected.len() as f64;
        assert!(mean < 1.5, "off by {mean} of 255");
    }
}
