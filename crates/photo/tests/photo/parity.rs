//! The square that a network is given against Pillow 13's, as `resize_parity/README.md` describes it.

use std::path::{Path, PathBuf};

use pipeline_photo::{Limits, Preprocessing, Resizer, RgbImage, decode};

/// Largest and mean absolute difference of samples, in levels of 255.
struct Off {
    max: u8,
    mean: f64,
}

/// The photos: path without the ending, sorted.
fn photos() -> Vec<PathBuf> {
    let Some(folder) = pipeline_testkit::shared("data/resize_parity") else { return Vec::new() };
    let paths = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<PathBuf> =
        paths.filter(|p| p.extension().is_some_and(|e| e == "jpg")).map(|p| p.with_extension("")).collect();
    stems.sort();
    assert_eq!(stems.len(), 12);
    stems
}

/// How far the crop of the file with `ending` is from Pillow's.
fn crop_off(stem: &Path, ending: &str) -> Off {
    let beside = |ending: &str| PathBuf::from(format!("{}.{ending}", stem.display()));
    let photo = decode(&fs_err::read(beside(ending)).unwrap(), &Limits::default()).unwrap();
    let rule = Preprocessing::new(224, [0.0; 3], [1.0; 3]);
    let cropped = rule.crop(&photo.pixels, &mut Resizer::new());
    off(&cropped, &npy(&beside("crop224_bilinear.npy"), "(224, 224, 3)"))
}

fn off(found: &RgbImage, expected: &[u8]) -> Off {
    assert_eq!(found.as_raw().len(), expected.len());
    let differences = || found.as_raw().iter().zip(expected).map(|(f, e)| f.abs_diff(*e));
    let sum: u64 = differences().map(u64::from).sum();
    Off { max: differences().max().unwrap(), mean: sum as f64 / expected.len() as f64 }
}

/// The samples of a NumPy file: version 1.0, u8, C order, of this shape.
fn npy(path: &Path, shape: &str) -> Vec<u8> {
    let bytes = fs_err::read(path).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    let samples_at = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..samples_at]).unwrap();
    for part in ["'descr': '|u1'", "'fortran_order': False", &format!("'shape': {shape}")] {
        assert!(header.contains(part), "{header}");
    }
    bytes[samples_at..].to_vec()
}

#[test]
fn the_crop_of_decoded_pixels_is_as_pillows() {
    for stem in photos() {
        let off = crop_off(&stem, "decoded.png");
        println!("{}: mean {:.3}, max {}", stem.display(), off.mean, off.max);
        assert!(off.mean <= 0.5 && off.max <= 3, "{}: mean {}, max {}", stem.display(), off.mean, off.max);
    }
}

/// JPEG decoders round the inverse transform and interpolate chroma a little differently: against
/// libjpeg-turbo 3.2 the worst of these photos is off by 0.44 in the mean and by 4 at most.
#[test]
fn the_crop_of_a_decoded_jpeg_is_close_to_pillows() {
    for stem in photos() {
        let off = crop_off(&stem, "jpg");
        println!("{}: mean {:.3}, max {}", stem.display(), off.mean, off.max);
        assert!(off.mean <= 0.6 && off.max <= 6, "{}: mean {}, max {}", stem.display(), off.mean, off.max);
    }
}
