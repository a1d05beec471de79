//! Every file of `hard_images` against its `expected.json`.

use std::collections::BTreeMap;

use pipeline_photo::{Limits, RgbImage, decode};
use serde_json::Value;

/// What is not as expected, with the reason. A file that gets better must be taken off this list.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Most that a mean of a channel may be off: what the data set suggests for lossy formats.
const TOLERANCE: f64 = 2.0;

#[test]
fn every_file_is_judged_as_expected() {
    let Some(folder) = pipeline_testkit::shared("data/hard_images") else { return };
    let expected = fs_err::read(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected.len(), 140);
    let mut failing = BTreeMap::new();
    for (name, expected) in &expected {
        let complaints = complaints(&fs_err::read(folder.join(name)).unwrap(), name, expected);
        if !complaints.is_empty() {
            println!("{name}: {complaints:?}");
            failing.insert(name.as_str(), complaints);
        }
    }
    let found: Vec<&str> = failing.keys().copied().collect();
    let mut known: Vec<&str> = EXCEPTIONS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(found, known, "{failing:#?}");
}

/// What is not as `expected` says.
fn complaints(bytes: &[u8], name: &str, expected: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let decoded = decode(bytes, &Limits::default());
    let verdict = match &decoded {
        Err(_) => "bad",
        // The name counts as it does where photos are taken in.
        Ok(photo) if photo.findings.is_empty() && photo.format.fits_name(name) => "ok",
        Ok(_) => "warn",
    };
    let also = expected["also_acceptable"].as_array().into_iter().flatten();
    if !also.chain([&expected["verdict"]]).any(|v| v == verdict) {
        complaints.push(format!("verdict {verdict}: {:?}", decoded.as_ref().map(|p| &p.findings)));
    }
    let Ok(photo) = decoded else { return complaints };
    let pixels = &photo.pixels;
    let (width, height) = pixels.dimensions();
    for (found, key) in [(width, "width"), (height, "height")] {
        if expected[key].as_u64().is_some_and(|e| e != u64::from(found)) {
            complaints.push(format!("{key} {found}, expected {}", expected[key]));
        }
    }
    compare(&mut complaints, "mean", mean(pixels, [0, 0, width, height]), &expected["mean_rgb"]);
    if let Some(quadrants) = expected["quadrants_rgb"].as_array() {
        // The middle column or row of an odd size is in none.
        let (across, down) = (width / 2, height / 2);
        let (right, bottom) = (width - across, height - down);
        let corners = [[0, 0], [right, 0], [0, bottom], [right, bottom]];
        for ([x, y], expected) in corners.into_iter().zip(quadrants) {
            compare(
                &mut complaints,
                &format!("quadrant at {x}, {y}"),
                mean(pixels, [x, y, across, down]),
                expected,
            );
        }
    }
    complaints
}

pub(crate) fn compare(complaints: &mut Vec<String>, what: &str, found: [f64; 3], expected: &Value) {
    let Some(expected) = expected.as_array() else { return };
    let off = |(f, e): (&f64, &Value)| (f - e.as_f64().unwrap()).abs();
    if found.iter().zip(expected).map(off).any(|off| off > TOLERANCE) {
        complaints.push(format!("{what} {found:.1?}, expected {expected:?}"));
    }
}

/// Mean per channel of the rectangle at `x`, `y` of `width` x `height`.
pub(crate) fn mean(pixels: &RgbImage, [x, y, width, height]: [u32; 4]) -> [f64; 3] {
    let mut sums = [0_u64; 3];
    for row in y..y + height {
        for column in x..x + width {
            for (sum, sample) in sums.iter_mut().zip(pixels.get_pixel(column, row).0) {
                *sum += u64::from(sample);
            }
        }
    }
    sums.map(|sum| sum as f64 / (f64::from(width) * f64::from(height)))
}
