//! What is written is read back, and the same rows are the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipeline_table::{
    Appearance, FeatureRow, Features, FeaturesReader, HistoryReader, HistoryRow, ImageRow, ImagesReader,
    Mode, PredictionRow, PredictionsReader, Split, Verdict,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rows::*;

/// Any text, also empty, with slashes, quotes and scripts of the world.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{1,9}/[a-zé猫 '\"]{0,9}\\.jpg"]
}

fn finite() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

/// A label with its number, or neither.
fn label() -> impl Strategy<Value = (Option<String>, Option<u32>)> {
    option::of((text(), any::<u32>())).prop_map(Option::unzip)
}

fn verdict() -> impl Strategy<Value = (Verdict, Option<String>)> {
    prop_oneof![Just((Verdict::Ok, None)), (select(vec![Verdict::Warn, Verdict::Bad]), text().prop_map(Some)),]
}

/// None, or with and without a hash.
fn appearance() -> impl Strategy<Value = Option<Appearance>> {
    let mean = [0.0..=255.0f32, 0.0..=255.0f32, 0.0..=255.0f32];
    option::of(
        (option::of(any::<u64>()), mean, any::<bool>()).prop_map(|(phash, mean, is_grey)| Appearance {
            phash,
            mean,
            is_grey,
        }),
    )
}

fn image() -> impl Strategy<Value = ImageRow> {
    let size = (option::of(any::<u32>()), option::of(any::<u32>()));
    let file = (option::of(text()), option::of(any::<u8>()), any::<u64>(), text());
    (select(Split::ALL.to_vec()), label(), size, file, appearance(), verdict()).prop_map(
        |(
            split,
            (label, label_id),
            (width, height),
            (format, orientation, bytes, digest),
            appearance,
            (verdict, reason),
        )| {
            let id = String::new();
            ImageRow {
                id,
                split,
                label,
                label_id,
                width,
                height,
                format,
                orientation,
                bytes,
                digest,
                appearance,
                verdict,
                reason,
            }
        },
    )
}

fn images() -> impl Strategy<Value = Vec<ImageRow>> {
    btree_map(text(), image(), 0..600)
        .prop_map(|rows| rows.into_iter().map(|(id, row)| ImageRow { id, ..row }).collect())
}

fn some_features() -> impl Strategy<Value = Features> {
    (1_usize..7, btree_set((text(), any::<u32>()), 0..600)).prop_flat_map(|(dim, keys)| {
        let n = keys.len();
        (vec((select(Split::ALL.to_vec()), label()), n), vec(finite(), n * dim)).prop_map(
            move |(rest, emb)| {
                let row = |((id, view), (split, (label, label_id))): (&(String, u32), _)| FeatureRow {
                    id: id.clone(),
                    split,
                    label,
                    label_id,
                    view: *view,
                };
                Features { dim, rows: keys.iter().zip(rest).map(row).collect(), emb }
            },
        )
    })
}

fn predictions() -> impl Strategy<Value = Vec<PredictionRow>> {
    let said = btree_set((text(), select(Mode::ALL.to_vec())), 1..4);
    let views = option::of(vec(vec(finite(), 3), 0..4));
    let numbers = (finite(), option::of(finite()), vec(finite(), 3), views);
    let row = (select(Split::ALL.to_vec()), label(), 0_usize..3, numbers);
    btree_map(text(), (said, row), 0..200).prop_map(|photos: BTreeMap<_, _>| {
        let mut rows = Vec::new();
        for (id, (said, (split, (label, label_id), best, numbers))) in photos {
            let (confidence, loss, probs, view_probs) = numbers;
            for (model, mode) in said as BTreeSet<(String, Mode)> {
                rows.push(PredictionRow {
                    id: id.clone(),
                    split,
                    label: label.clone(),
                    label_id,
                    model,
                    mode,
                    predicted: classes()[best].clone(),
                    predicted_id: best as u32,
                    confidence,
                    loss,
                    probs: probs.clone(),
                    view_probs: view_probs.clone(),
                });
            }
        }
        rows
    })
}

fn history() -> impl Strategy<Value = Vec<HistoryRow>> {
    let number = || proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::INFINITE;
    let row = (
        (text(), text(), any::<u32>(), any::<u64>(), vec(number(), 0..5)),
        (number(), option::of(number()), option::of(number()), number()),
    );
    vec(
        row.prop_map(|((stage, phase, epoch, step, lr), (train_loss, valid_loss, accuracy, seconds))| {
            HistoryRow { stage, phase, epoch, step, lr, train_loss, valid_loss, accuracy, seconds }
        }),
        0..400,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_come_back_as_written(rows in images()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("images.parquet");
        write_images(&path, &rows).unwrap();
        let back: Vec<_> = ImagesReader::open(&path).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(back, rows);
    }

    #[test]
    fn features_come_back_as_written_whole_and_by_split(features in some_features(), batch_rows in 1_usize..700) {
        let dir = tempfile::tempdir().unwrap();
        write_features(dir.path(), &features).unwrap();
        prop_assert_eq!(&read_features(dir.path(), batch_rows).unwrap(), &features);
        check_splits(dir.path(), &features);
    }

    #[test]
    fn predictions_come_back_as_written(rows in predictions()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.parquet");
        write_predictions(&path, &rows).unwrap();
        let reader = PredictionsReader::open(&path).unwrap();
        prop_assert_eq!(reader.classes(), classes());
        prop_assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn history_comes_back_as_written(rows in history()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.parquet");
        write_history(&path, &rows).unwrap();
        prop_assert_eq!(HistoryReader::open(&path).unwrap().map(Result::unwrap).collect::<Vec<_>>(), rows);
    }
}

fn check_splits(dir: &Path, features: &Features) {
    let reader = FeaturesReader::open(dir).unwrap();
    assert_eq!(reader.meta(), &meta(features.dim));
    assert_eq!((reader.len(), reader.is_empty()), (features.rows.len(), features.rows.is_empty()));
    for split in Split::ALL {
        let loaded = reader.load(|row| row.split == split).unwrap();
        let wanted = (0..features.rows.len()).filter(|row| features.rows[*row].split == split);
        assert_eq!(loaded.rows.len(), wanted.clone().count(), "{split}");
        for (row, wanted) in wanted.enumerate() {
            assert_eq!(loaded.rows[row], features.rows[wanted], "{split} {row}");
            assert_eq!(loaded.of(row), features.of(wanted), "{split} {row}");
        }
    }
}

#[test]
fn a_table_of_several_row_groups_comes_back_whole_and_by_split() {
    let dir = tempfile::tempdir().unwrap();
    let features = features(2 * 8_192 + 777, 3);
    write_features(dir.path(), &features).unwrap();
    assert_eq!(read_features(dir.path(), 5_000).unwrap(), features);
    check_splits(dir.path(), &features);
}

#[test]
fn a_table_copied_in_batches_of_any_size_has_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    write_features(&original, &features(9_001, 5)).unwrap();
    let bytes = |folder: &Path| fs_err::read(folder.join("part-00000.parquet")).unwrap();
    for batch_rows in [1, 3, 1_000, 20_000] {
        let copy = dir.path().join(batch_rows.to_string());
        write_features(&copy, &read_features(&original, batch_rows).unwrap()).unwrap();
        assert!(bytes(&copy) == bytes(&original), "batches of {batch_rows}");
    }
}

#[test]
fn the_same_rows_are_the_same_bytes_in_every_table() {
    let dir = tempfile::tempdir().unwrap();
    let pair = |name: &str, write: &dyn Fn(&Path)| {
        let paths = ["a", "b"].map(|copy| dir.path().join(format!("{name}-{copy}")));
        paths.iter().for_each(|path| write(path));
        let [a, b] = paths.map(|path| fs_err::read(path).unwrap());
        assert!(a == b, "{name}");
    };
    let images: Vec<_> = (0..999).map(|row| image_row(&format!("{row:04}"), Verdict::ALL[row % 3])).collect();
    pair("images", &|path| write_images(path, &images).unwrap());
    let predictions: Vec<_> = (0..999)
        .map(|row| prediction_row(&format!("{row:04}"), "head", Mode::Plain, [0.1, 0.7, 0.2]))
        .collect();
    pair("predictions", &|path| write_predictions(path, &predictions).unwrap());
    let history: Vec<_> = (1..999).map(|epoch| history_row(epoch, 3)).collect();
    pair("history", &|path| write_history(path, &history).unwrap());
}

#[test]
fn tables_without_rows_are_tables() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write_images(&path("i"), &[]).unwrap();
    assert_eq!(ImagesReader::open(&path("i")).unwrap().count(), 0);
    write_predictions(&path("p"), &[]).unwrap();
    assert_eq!(PredictionsReader::open(&path("p")).unwrap().count(), 0);
    write_history(&path("h"), &[]).unwrap();
    assert_eq!(HistoryReader::open(&path("h")).unwrap().count(), 0);
    write_features(&path("f"), &features(0, 4)).unwrap();
    assert_eq!(
        FeaturesReader::open(&path("f")).unwrap().load(|row| row.split == Split::Train).unwrap(),
        features(0, 4)
    );
}
