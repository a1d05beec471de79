//! [`seeds`]: whole small files of every format, to be changed.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage};

/// Larger files of a folder are left out: they are slow, and headers are at the beginning.
const LARGEST: u64 = 1 << 16;

/// Files made here, those of `tests/photo/variants`, and those of `folders`, in the order of their names.
pub(crate) fn seeds(folders: &[PathBuf]) -> std::io::Result<Vec<Vec<u8>>> {
    let mut files = made();
    let variants = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photo/variants");
    for folder in [variants].iter().chain(folders) {
        let mut paths: Vec<PathBuf> =
            fs_err::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let metadata = fs_err::metadata(&path)?;
            if metadata.is_file() && (1..=LARGEST).contains(&metadata.len()) {
                files.push(fs_err::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn made() -> Vec<Vec<u8>> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let picture = RgbImage::from_fn(37, 23, |x, y| Rgb([(x * 6) as u8, (y * 9) as u8, (x * y) as u8]));
    let rgb = DynamicImage::ImageRgb8(picture);
    let kinds = [
        rgb.clone(),
        rgb.to_luma8().into(),
        rgb.to_luma_alpha8().into(),
        rgb.to_rgba8().into(),
        rgb.to_luma16().into(),
        rgb.to_rgb16().into(),
        rgb.to_rgba16().into(),
    ];
    let mut files = vec![];
    for format in [Jpeg, Png, Gif, Bmp, Tiff, WebP] {
        for kind in &kinds {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format has every kind.
            if kind.write_to(&mut bytes, format).is_ok() {
                files.push(bytes.into_inner());
            }
        }
    }
    let mut animated = Vec::new();
    let mut encoder = GifEncoder::new(&mut animated);
    let frames = [rgb.to_rgba8(), rgb.fliph().to_rgba8()];
    let is_written = encoder.encode_frames(frames.map(Frame::new)).is_ok();
    drop(encoder);
    files.extend(is_written.then_some(animated));
    files
}
