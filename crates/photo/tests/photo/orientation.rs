//! The eight EXIF orientations of JPEG files.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use pipeline_photo::{Limits, RgbImage as Pixels, decode};

/// Columns and rows of the upright picture: multiples of 16, so that no block is filled up.
const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

/// Four quarters, each of one colour.
fn upright(x: u32, y: u32) -> Rgb<u8> {
    match (x < WIDTH / 2, y < HEIGHT / 2) {
        (true, true) => Rgb([220, 30, 30]),
        (false, true) => Rgb([30, 220, 30]),
        (true, false) => Rgb([30, 30, 220]),
        (false, false) => Rgb([220, 220, 30]),
    }
}

/// Where the pixel at stored column and row belongs when upright: EXIF 2.32, tag 0x0112, says which
/// upright side row 0 and column 0 are.
fn place(orientation: u8, column: u32, row: u32) -> (u32, u32) {
    let (right, bottom) = (WIDTH - 1, HEIGHT - 1);
    match orientation {
        1 => (column, row),
        2 => (right - column, row),
        3 => (right - column, bottom - row),
        4 => (column, bottom - row),
        5 => (row, column),
        6 => (right - row, column),
        7 => (right - row, bottom - column),
        _ => (row, bottom - column),
    }
}

/// A JPEG file stored so that `orientation` makes it upright.
fn jpeg(orientation: u8) -> Vec<u8> {
    let (width, height) = if orientation >= 5 { (HEIGHT, WIDTH) } else { (WIDTH, HEIGHT) };
    let stored = RgbImage::from_fn(width, height, |column, row| {
        let (x, y) = place(orientation, column, row);
        upright(x, y)
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(stored).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let bytes = bytes.into_inner();
    // After the start marker: an APP1 segment of 34 bytes, its TIFF structure with one SHORT entry.
    let app1 = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
    [&bytes[..2], app1, &[orientation], b"\0\0\0\0\0\0", &bytes[2..]].concat()
}

fn largest_difference(a: &Pixels, b: &Pixels) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn all_eight_show_the_same_upright_picture() {
    let expected = Pixels::from_fn(WIDTH, HEIGHT, upright);
    for orientation in 1..=8 {
        let photo = decode(&jpeg(orientation), &Limits::default()).unwrap();
        assert_eq!((photo.orientation, photo.findings.as_slice()), (orientation, [].as_slice()));
        let off = largest_difference(&photo.pixels, &expected);
        assert!(off <= 24, "orientation {orientation}: a sample is off by {off}");
    }
}
