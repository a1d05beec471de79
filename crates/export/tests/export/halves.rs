//! Weights in half precision: smaller, read again, and nearly the same answers.

use pipeline_export::{Format, ModelFolder, Precision, Provenance, export};
use pipeline_nn::{Kind, Pool, Tensor};

use crate::model::{self, Cases};
use crate::python;

fn probabilities(folder: &ModelFolder, pixels: &Tensor) -> Tensor {
    folder.model.log_probs(pixels).unwrap().softmax(1, Kind::Float)
}

#[test]
fn a_folder_in_half_precision_is_half_as_large_loads_again_and_answers_nearly_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "resnet18", Pool::MaxAvg, 64);
    let pixels = model::pixels(3, 64);
    let expected = probabilities(&folder, &pixels);
    let mut sizes = vec![];
    for (precision, bound) in [(Precision::F32, 0.0), (Precision::F16, 2e-3), (Precision::Bf16, 2e-2)] {
        let to = dir.path().join(precision.as_str());
        let written = export(&folder, &Provenance::default(), Format::Folder, precision, &to, false).unwrap();
        sizes.push(written.size_bytes);
        let again = ModelFolder::open(&to).unwrap();
        assert_eq!(again.model.record.classes, folder.model.record.classes);
        let off = (probabilities(&again, &pixels) - &expected).abs().max().double_value(&[]);
        eprintln!("{}: probabilities off by {off:.1e}", precision.as_str());
        assert!(off <= bound, "{}: off by {off}", precision.as_str());
        assert_eq!(off == 0.0, precision == Precision::F32);
    }
    // resnet18 with a small head: 11.2 million numbers, of which 0.1 % are not halved.
    assert!(
        sizes[0] > 44_000_000 && sizes[1] < sizes[0] * 51 / 100 && sizes[1].abs_diff(sizes[2]) < 100,
        "{sizes:?}"
    );
}

#[test]
fn an_onnx_file_in_half_precision_is_what_the_halved_folder_computes() {
    let Some(python) = python::tests_python() else { return };
    for precision in [Precision::F16, Precision::Bf16] {
        let dir = tempfile::tempdir().unwrap();
        let folder = model::random(&dir.path().join("model"), "efficientnet_lite0", Pool::MaxAvg, 64);
        let to = dir.path().join("model.onnx");
        let onnx = Format::Onnx { with_preprocessing: false };
        export(&folder, &Provenance::default(), onnx, precision, &to, false).unwrap();
        let bound = if precision == Precision::F16 { 1e-2 } else { 1e-1 };
        let mut cases = Cases::new(dir.path(), "pixels", bound);
        // Rounded after batch norm was folded in, where the folder's are rounded before.
        cases.feature_tolerance = bound;
        cases.add_pixels(&folder, &model::pixels(3, 64));
        let differences = python::run(&python, "tests/interop/onnx_runtime.py", &[to, cases.write()]);
        eprintln!("{}: {differences}", precision.as_str());
    }
}
