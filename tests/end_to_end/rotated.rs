//! Photos that EXIF data turns, and the same photos upright: the same pixels in ingest, precompute, evaluate and predict, to the last bit.

use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};
use pipeline_photo::{Limits, decode};
use pipeline_table::{FeaturesReader, ImageRow, ImagesReader, PredictionsReader};
use pipeline_testkit::Project;

use crate::drawn_project;

const CONFIG: &str = "\
pipeline: quick
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 64, dtype: f32 }
head: { batch_size: 8, epochs: 2 }
evaluate: { tta: flip, dtype: f32 }
";

/// Two projects whose photos have the same ids and show the same: in one they are turned and EXIF data says so, in the other
/// they are upright. Half of the turned ones are JPEG, the others PNG; the upright ones are PNG, whatever their names.
pub(crate) struct Twins {
    pub(crate) turned: Project,
    pub(crate) upright: Project,
}

impl Twins {
    /// Every orientation is there.
    pub(crate) fn new() -> Twins {
        let [turned, upright] = [(); 2].map(|()| drawn_project(["6", "4", "2"], CONFIG));
        for (at, path) in files(&turned.path("photos")).into_iter().enumerate() {
            let relative = path.strip_prefix(turned.path("photos")).unwrap();
            let drawn = decode(&fs_err::read(&path).unwrap(), &Limits::default()).unwrap().pixels;
            let (bytes, pixels) = turned_file(drawn, at as u8 % 8 + 1, at % 16 < 8);
            fs_err::write(&path, bytes).unwrap();
            fs_err::write(upright.path("photos").join(relative), encoded(&pixels, ImageFormat::Png)).unwrap();
        }
        Twins { turned, upright }
    }

    /// The same of both, after the same was done with both.
    pub(crate) fn both<T>(&self, of: impl Fn(&Project) -> T) -> [T; 2] {
        [of(&self.turned), of(&self.upright)]
    }
}

/// A photo stored so that `orientation`, 1 to 8, makes it upright, and its upright pixels: those of `drawn`, as far as they are kept.
fn turned_file(drawn: RgbImage, orientation: u8, is_png: bool) -> (Vec<u8>, RgbImage) {
    // Only the quarter turns are not their own inverse.
    let inverse = [1, 2, 3, 4, 5, 8, 7, 6][usize::from(orientation) - 1];
    let stored = turned(drawn.clone(), inverse);
    let tiff = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", &[orientation][..], &[0; 6]].concat();
    if is_png {
        let file = encoded(&stored, ImageFormat::Png);
        // After signature and header. Nobody looks at the checksum of this chunk but strict readers of it.
        let chunk = [&(tiff.len() as u32).to_be_bytes()[..], b"eXIf", &tiff].concat();
        let chunk = [chunk.as_slice(), &crc(&chunk[4..]).to_be_bytes()].concat();
        return ([&file[..33], &chunk, &file[33..]].concat(), drawn);
    }
    let file = encoded(&stored, ImageFormat::Jpeg);
    // What compression leaves of the pixels, told by a file that says nothing of orientation, and turned here.
    let left = decode(&file, &Limits::default()).unwrap().pixels;
    let length = (tiff.len() as u16 + 8).to_be_bytes();
    let exif = [b"\xFF\xE1", &length[..], b"Exif\0\0", &tiff].concat();
    ([&file[..2], &exif, &file[2..]].concat(), turned(left, orientation))
}

fn turned(pixels: RgbImage, orientation: u8) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(pixels);
    image.apply_orientation(Orientation::from_exif(orientation).unwrap());
    image.into_rgb8()
}

fn encoded(pixels: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(vec![]);
    pixels.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// CRC-32 (PNG, annex D).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Every file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_photo_that_is_turned_by_its_exif_data_is_its_upright_twin_everywhere() {
    let twins = Twins::new();
    twins.both(|project| project.succeed(&["run", "configs/c.yaml", "--threads", "1"]));

    let [turned, upright] = twins.both(|project| {
        let rows = ImagesReader::open(&project.path("out/c/ingest/images.parquet")).unwrap();
        rows.map(Result::unwrap).collect::<Vec<ImageRow>>()
    });
    let orientations: std::collections::BTreeSet<_> =
        turned.iter().map(|row| (row.orientation, row.format.clone())).collect();
    assert_eq!(orientations.len(), 16, "{orientations:?}");
    let seen = |rows: &[ImageRow]| -> Vec<_> {
        rows.iter().map(|row| (row.id.clone(), row.width, row.height, row.appearance)).collect()
    };
    assert_eq!(seen(&turned), seen(&upright), "ingest");

    let [turned, upright] = twins.both(|project| {
        let table = FeaturesReader::open(&project.path("out/c/precompute/features")).unwrap();
        let features = table.load(|_| true).unwrap();
        let rows: Vec<_> = features.rows.into_iter().map(|row| (row.id, row.view)).collect();
        (rows, features.emb.into_iter().map(f32::to_bits).collect::<Vec<u32>>())
    });
    assert_eq!(turned.0, upright.0);
    assert!(turned.1 == upright.1, "precompute: features differ");

    let [turned, upright] = twins.both(|project| {
        let rows = PredictionsReader::open(&project.path("out/c/evaluate/predictions.parquet")).unwrap();
        let row = |row: pipeline_table::PredictionRow| {
            (row.id, row.model, format!("{:?}", row.mode), row.probs.into_iter().map(f32::to_bits).collect())
        };
        rows.map(|found| row(found.unwrap())).collect::<Vec<(String, String, String, Vec<u32>)>>()
    });
    assert!(turned.len() > 8, "{} predictions", turned.len());
    assert_eq!(turned, upright, "evaluate");

    let [turned, upright] = twins.both(|project| {
        let said =
            project.succeed(&["predict", "out/c/head", "photos", "--format", "csv", "--dtype", "f32"]).stdout;
        // Names of the photos are those of two projects.
        said.lines().map(|line| line.replace(project.path("").to_str().unwrap(), "")).collect::<Vec<_>>()
    });
    assert!(turned.len() > 20, "{} answers", turned.len());
    assert_eq!(turned, upright, "predict");
}
