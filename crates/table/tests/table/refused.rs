//! Rows that a writer refuses, each with the photo that led to it.

use std::path::Path;

use pipeline_stage::Hint;
use pipeline_table::{
    Error, FeaturesWriter, ImageRow, Mode, PredictionRow, PredictionsWriter, Split, Verdict,
};

use crate::rows::*;

/// The message, with the temporary folder left out.
fn text(error: &Error, dir: &Path) -> String {
    error.to_string().replace(&format!("{}/", dir.display()), "")
}

fn features_error(rows: &[(&str, &[f32])]) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = FeaturesWriter::create(&dir.path().join("features"), meta(2)).unwrap();
    let result = rows.iter().try_for_each(|(id, emb)| writer.write(&feature_row(id, Split::Train, 0), emb));
    result.expect_err("the rows were accepted")
}

#[test]
fn features_that_are_not_finite_name_the_photo_and_the_place() {
    for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let error = features_error(&[("a.jpg", &[1.0, 2.0]), ("b.jpg", &[1.0, value])]);
        let end = format!("features`: row `b.jpg` has {word} in `emb[1]`, expected finite numbers");
        assert!(error.to_string().ends_with(&end), "{error}");
        assert_eq!(error.hint().unwrap(), "look at this photo and at the weights of the backbone");
    }
}

#[test]
fn features_of_another_length_are_refused() {
    let error = features_error(&[("a.jpg", &[1.0, 2.0, 3.0])]);
    assert!(error.to_string().ends_with("row `a.jpg` has 3 numbers in `emb`, expected 2"), "{error}");
}

#[test]
fn features_out_of_order_name_both_photos() {
    let error = features_error(&[("b.jpg", &[1.0, 2.0]), ("a.jpg", &[1.0, 2.0])]);
    let end = "row `a.jpg` came after row `b.jpg`, expected ascending ids";
    assert!(error.to_string().ends_with(end), "{error}");
    let error = features_error(&[("b.jpg", &[1.0, 2.0]), ("b.jpg", &[1.0, 2.0])]);
    assert!(error.to_string().ends_with("row `b.jpg` came twice"), "{error}");
}

#[test]
fn a_features_folder_that_is_not_empty_and_an_impossible_length_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_features(dir.path(), &features(1, 3)).unwrap();
    let error = FeaturesWriter::create(dir.path(), meta(3)).err().unwrap();
    assert!(matches!(&error, Error::NotEmpty { found, .. } if found == "part-00000.parquet"), "{error}");
    let error = FeaturesWriter::create(&dir.path().join("f"), meta(0)).err().unwrap();
    assert_eq!(text(&error, dir.path()), "cannot write `f`: vectors of 0 numbers, expected 1 to 2147483647");
}

#[test]
fn images_that_contradict_themselves_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |row: ImageRow| {
        let error = write_images(&dir.path().join("images.parquet"), &[row]).unwrap_err();
        text(&error, dir.path())
    };
    assert_eq!(
        refused(ImageRow { label_id: None, ..image_row("a.jpg", Verdict::Ok) }),
        "cannot write `images.parquet`: row `a.jpg` has the label `dogs` and no `label_id`, expected both or none"
    );
    assert_eq!(
        refused(ImageRow { label: None, ..image_row("a.jpg", Verdict::Ok) }),
        "cannot write `images.parquet`: row `a.jpg` has a `label_id` and no label, expected both or none"
    );
    assert_eq!(
        refused(ImageRow { reason: None, ..image_row("a.jpg", Verdict::Bad) }),
        "cannot write `images.parquet`: row `a.jpg` has the verdict `bad` and no reason, \
         expected a reason for `warn` and `bad` and none for `ok`"
    );
    assert_eq!(
        refused(ImageRow { reason: Some("huge".to_owned()), ..image_row("a.jpg", Verdict::Ok) }),
        "cannot write `images.parquet`: row `a.jpg` has the verdict `ok` and the reason `huge`, \
         expected a reason for `warn` and `bad` and none for `ok`"
    );
}

#[test]
fn predictions_that_contradict_themselves_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let row = |id: &str| prediction_row(id, "head", Mode::Plain, [0.2, 0.7, 0.1]);
    let refused = |rows: &[PredictionRow]| {
        let error = write_predictions(&dir.path().join("p"), rows).unwrap_err();
        text(&error, dir.path())
    };
    assert_eq!(
        refused(&[PredictionRow { predicted: "cats".to_owned(), ..row("a.jpg") }]),
        "cannot write `p`: row `a.jpg` has the predicted class `cats` with number 1, expected the class `dogs`"
    );
    assert_eq!(
        refused(&[PredictionRow { predicted_id: 3, ..row("a.jpg") }]),
        "cannot write `p`: row `a.jpg` has the predicted class `dogs` with number 3, expected a number below 3"
    );
    assert_eq!(
        refused(&[PredictionRow { probs: vec![0.5, 0.5], ..row("a.jpg") }]),
        "cannot write `p`: row `a.jpg` has 2 numbers in `probs`, expected 3"
    );
    assert_eq!(
        refused(&[PredictionRow { loss: Some(f32::INFINITY), ..row("a.jpg") }]),
        "cannot write `p`: row `a.jpg` has inf in `loss`, expected finite numbers"
    );
    assert_eq!(
        refused(&[row("a.jpg"), row("a.jpg")]),
        "cannot write `p`: row `a.jpg of model head, plain` came twice"
    );
    assert_eq!(
        refused(&[row("b.jpg"), row("a.jpg")]),
        "cannot write `p`: row `a.jpg` came after row `b.jpg`, expected ascending ids"
    );
    assert_eq!(
        refused(&[PredictionRow { view_probs: Some(vec![vec![0.5; 3], vec![0.5; 2]]), ..row("a.jpg") }]),
        "cannot write `p`: row `a.jpg` has 2 numbers in `view_probs`, expected 3"
    );
    let mut without = PredictionsWriter::create(&dir.path().join("p"), &classes()).unwrap();
    let error = without.write(&PredictionRow { view_probs: Some(vec![]), ..row("a.jpg") }).unwrap_err();
    assert_eq!(
        text(&error, dir.path()),
        "cannot write `p`: row `a.jpg` has probabilities of views, expected none in a table without the column `view_probs`"
    );
    let error = PredictionsWriter::create(&dir.path().join("p"), &[]).err().unwrap();
    assert_eq!(text(&error, dir.path()), "cannot write `p`: vectors of 0 numbers, expected 1 to 2147483647");
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = write_images(&dir.path().join("none/images.parquet"), &[]).unwrap_err();
    assert!(text(&error, dir.path()).contains("none/images.parquet"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_that_names_the_table() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: no /dev/full here");
        return;
    }
    let error = write_images(full, &[image_row("a.jpg", Verdict::Ok)]).unwrap_err();
    assert_eq!(error.to_string(), "cannot write the table `/dev/full`");
    assert_eq!(error.hint().unwrap(), "make room on the disk, or move the store with `--store DIR`");
    let whole = pipeline_stage::failure::full_message(&error);
    assert!(whole.contains("No space left on device"), "{whole}");
}
