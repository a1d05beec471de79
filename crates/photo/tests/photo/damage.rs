//! Changed, cut, lengthened and made-up bytes: `decode` answers, whatever they are.

use std::io::Cursor;
use std::sync::LazyLock;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use pipeline_photo::{Limits, decode};
use proptest::prelude::*;
use proptest::sample::Index;

/// Small, so that a changed size is refused and not allocated a thousand times.
const LIMITS: Limits = Limits { max_pixels: 1 << 20, max_memory_bytes: 1 << 24 };

/// One small valid file of each format.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let picture = RgbImage::from_fn(37, 23, |x, y| Rgb([(x * 6) as u8, (y * 9) as u8, (x * y) as u8]));
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
    ];
    let encode = |format| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(picture.clone()).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    formats.into_iter().map(encode).collect()
});

#[test]
fn the_files_are_fine_before_they_are_changed() {
    for file in FILES.iter() {
        let photo = decode(file, &LIMITS).unwrap();
        assert_eq!((photo.pixels.dimensions(), photo.findings), ((37, 23), Vec::new()), "{:?}", photo.format);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_are_answered(
        file in 0..6_usize,
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        // Headers are where sizes and offsets stand.
        header_changes in prop::collection::vec((0..64_usize, any::<u8>()), 0..3),
        cut in prop::option::of(any::<Index>()),
        added in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = FILES[file].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, value) in header_changes {
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes.extend(added);
        if let Ok(photo) = decode(&bytes, &LIMITS) {
            let (width, height) = photo.pixels.dimensions();
            prop_assert!((1..=LIMITS.max_pixels).contains(&(u64::from(width) * u64::from(height))));
        }
    }

    #[test]
    fn made_up_bytes_behind_a_signature_are_answered(
        file in 0..6_usize,
        kept in 0..40_usize,
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [&FILES[file][..kept], &rest].concat();
        // Whether they happen to be a picture does not matter: it returns.
        let _ = decode(&bytes, &LIMITS);
    }
}
