//! ONNX files in ONNX Runtime.

use pipeline_export::{Format, Precision, Provenance, export};
use pipeline_nn::{Pool, backbones, weights};
use pipeline_testkit::shared;

use crate::model::{self, Cases};
use crate::python;

const ONNX: Format = Format::Onnx { with_preprocessing: false };

#[test]
fn every_backbone_gives_the_same_probabilities_in_onnx_runtime_for_one_photo_and_for_three() {
    let Some(python) = python::tests_python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let every = backbones::BACKBONES.iter().map(|backbone| (backbone.arch, Pool::MaxAvg, 64));
    // At an odd size TensorFlow's padding is another one on each layer.
    let odd = ["resnet18", "efficientnet_lite0"].map(|arch| (arch, Pool::Avg, 75));
    let mut arguments = vec![];
    for (arch, pool, size) in every.chain(odd) {
        let at = dir.path().join(format!("{arch}.{size}"));
        let folder = model::random(&at, arch, pool, size);
        let to = dir.path().join(format!("{arch}.{size}.onnx"));
        export(&folder, &Provenance::default(), ONNX, Precision::F32, &to, false).unwrap();
        let mut cases = Cases::new(&at, "pixels", 1e-4);
        for photos in [1, 3] {
            cases.add_pixels(&folder, &model::pixels(photos, size.into()));
        }
        arguments.extend([to, cases.write()]);
    }
    eprintln!("{}", python::run(&python, "tests/interop/onnx_runtime.py", &arguments));
}

#[test]
fn real_weights_give_the_same_probabilities_in_onnx_runtime() {
    let Some(python) = python::tests_python() else { return };
    for (arch, file) in [
        ("resnet18", "weights/resnet18_imagenet.safetensors"),
        ("efficientnet_lite0", "weights/efficientnet_lite0_imagenet.safetensors"),
    ] {
        let Some(file) = shared(file) else { return };
        let dir = tempfile::tempdir().unwrap();
        model::write_with(dir.path(), arch, Pool::MaxAvg, 224, &weights::read(&file).unwrap());
        let folder = pipeline_export::ModelFolder::open(dir.path()).unwrap();
        let to = dir.path().join("model.onnx");
        export(&folder, &Provenance::default(), ONNX, Precision::F32, &to, false).unwrap();
        let mut cases = Cases::new(dir.path(), "pixels", 1e-4);
        for photos in [1, 3] {
            cases.add_pixels(&folder, &model::pixels(photos, 224));
        }
        let differences = python::run(&python, "tests/interop/onnx_runtime.py", &[to, cases.write()]);
        eprintln!("{arch}, real weights: {differences}");
    }
}

#[test]
fn photos_of_any_size_are_prepared_in_the_graph_as_they_are_here() {
    let Some(python) = python::tests_python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "resnet18", Pool::MaxAvg, 64);
    let to = dir.path().join("model.onnx");
    let with = Format::Onnx { with_preprocessing: true };
    export(&folder, &Provenance::default(), with, Precision::F32, &to, false).unwrap();
    // What a level makes of random weights, 0.0065; with trained ones it was 0.004 at most on 80 photos, 0.00005 on average.
    let mut cases = Cases::new(dir.path(), "photos", 2e-2);
    // Shrunk and enlarged, wide and tall, an odd rest of the crop, as it is.
    for (width, height) in [(500, 375), (375, 500), (40, 31), (97, 64), (64, 64), (1000, 130)] {
        let photo = model::photo(width, height);
        let pixels = model::prepared(&folder, &photo);
        cases.add(&folder, photo.as_raw(), &[1, height.into(), width.into(), 3], &pixels);
    }
    let differences = python::run(&python, "tests/interop/onnx_runtime.py", &[to, cases.write()]);
    eprintln!("with preprocessing: {differences}");
    // One level of 255 is at most 1 / (255 * 0.224) of normalised pixels.
    let pixels = differences.split_once("pixels ").unwrap().1.split(' ').next().unwrap();
    let pixels: f64 = pixels.parse().unwrap();
    assert!(pixels < 1.01 / (255.0 * 0.224), "{differences}");
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "efficientnet_lite0", Pool::Avg, 64);
    let written = |name: &str| {
        let to = dir.path().join(name);
        let written = export(&folder, &Provenance::default(), ONNX, Precision::F16, &to, false).unwrap();
        let bytes = fs_err::read(&to).unwrap();
        assert_eq!(written.size_bytes, bytes.len() as u64);
        bytes
    };
    assert!(written("a.onnx") == written("b.onnx"));
}
