//! What is computed of a features table in one pass, and what can be read of it besides.

use pipeline_table::nearest::{cosine, nearest};
use pipeline_table::{FeatureStats, Features, FeaturesReader, FeaturesWriter, Split};

use crate::rows::*;

/// 2,500 rows in views 0 and 1 of each photo: several pages and batches.
fn table(dir: &std::path::Path) -> (Features, FeaturesReader) {
    let mut all = features(2_500, 7);
    for (at, row) in all.rows.iter_mut().enumerate() {
        *row = feature_row(&format!("train/{:05}.jpg", at / 2), Split::Train, at as u32 % 2);
    }
    write_features(dir, &all).unwrap();
    (all, FeaturesReader::open(dir).unwrap())
}

#[test]
fn the_nearest_are_those_of_a_sort_of_all_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (all, reader) = table(dir.path());
    let query = all.of(1_200);
    for k in [0, 1, 10, 3_000] {
        let found = nearest(&reader, query, k, |at, row| row.view == 0 && at != 1_200).unwrap();
        let mut expected: Vec<usize> = (0..2_500).filter(|at| at % 2 == 0 && *at != 1_200).collect();
        // A stable sort: of equals the first in the table.
        expected.sort_by(|a, b| cosine(query, all.of(*b)).total_cmp(&cosine(query, all.of(*a))));
        expected.truncate(k);
        assert_eq!(found.iter().map(|neighbor| neighbor.at).collect::<Vec<_>>(), expected, "k = {k}");
        for neighbor in &found {
            assert_eq!(neighbor.row, all.rows[neighbor.at]);
            assert_eq!(neighbor.cosine, cosine(query, all.of(neighbor.at)));
        }
    }
}

#[test]
fn of_rows_that_are_alike_the_first_by_id_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let rows = (0..6).map(|at| feature_row(&format!("{at}.jpg"), Split::Train, 0)).collect();
    // Rows 1, 3 and 5 point one way, at other lengths.
    let emb = vec![0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 4.0, 0.0];
    write_features(dir.path(), &Features { dim: 2, rows, emb }).unwrap();
    let reader = FeaturesReader::open(dir.path()).unwrap();
    let found = nearest(&reader, &[3.0, 0.0], 4, |_, _| true).unwrap();
    let found: Vec<(usize, f64)> = found.iter().map(|neighbor| (neighbor.at, neighbor.cosine)).collect();
    assert_eq!(found, [(1, 1.0), (3, 1.0), (5, 1.0), (0, 0.0)], "row 2 has no length, and comes after 0");
}

#[test]
fn one_row_and_keys_alone_can_be_read_and_every_part_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (all, reader) = table(dir.path());
    for at in [0, 1_023, 1_024, 2_499] {
        assert_eq!(reader.at(at).unwrap().as_deref(), Some(all.of(at)), "row {at}");
    }
    assert_eq!(reader.at(2_500).unwrap(), None);
    let keys: Vec<_> = reader.keys(999).flat_map(|batch| batch.unwrap().rows).collect();
    assert_eq!(keys, all.rows);
    assert!(reader.keys(999).all(|batch| batch.unwrap().emb.is_empty()));
    let parts: Vec<_> = reader.parts().map(|part| (part.rows, part.row_groups)).collect();
    assert_eq!(parts, [(2_500, 1)]);
    let types: Vec<String> =
        reader.columns().into_iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
    let expected = "id: string, split: string, label: string, label_id: uint32, view: uint32, emb: FixedSizeList<float32>[7]";
    assert_eq!(types.join(", "), expected);
}

#[test]
fn logits_are_a_column_of_their_own_and_a_table_without_is_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let meta = pipeline_table::FeaturesMeta { logits: 2, pool: "avg".to_owned(), ..meta(3) };
    let mut writer = FeaturesWriter::create(&dir.path().join("with"), meta.clone()).unwrap();
    for at in 0..300_u16 {
        let x = f32::from(at);
        let row = feature_row(&format!("{at:03}.jpg"), Split::Train, 0);
        writer.write(&row, &[x, x + 1.0, x + 2.0, -x, 0.5 * x]).unwrap();
        let error = writer.write(&row, &[0.0; 4]).unwrap_err().to_string();
        assert!(error.ends_with("has 1 numbers in `logits`, expected 2"), "{error}");
    }
    writer.finish().unwrap();
    let reader = FeaturesReader::open(&dir.path().join("with")).unwrap();
    assert_eq!(*reader.meta(), meta);
    let mut at = 0.0;
    for batch in reader.logits(100) {
        let batch = batch.unwrap();
        assert_eq!(batch.dim, 2);
        for logits in batch.emb.chunks_exact(2) {
            assert_eq!(logits, [-at, 0.5 * at]);
            at += 1.0;
        }
    }
    let emb = reader.load(|row| row.id == "007.jpg").unwrap();
    assert_eq!((at, emb.dim, emb.emb), (300.0, 3, vec![7.0, 8.0, 9.0]));
    assert!(reader.keys(10).all(|batch| batch.unwrap().emb.is_empty()));

    write_features(&dir.path().join("without"), &features(3, 3)).unwrap();
    let without = FeaturesReader::open(&dir.path().join("without")).unwrap();
    assert_eq!((without.meta().pool.as_str(), without.meta().logits), ("max_avg", 0));
    let error = without.logits(10).next().unwrap().err().unwrap().to_string();
    assert!(error.contains("found no column `logits`"), "{error}");
}

#[test]
fn what_is_said_of_features_does_not_depend_on_how_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (all, reader) = table(dir.path());
    let of = |rows: usize| {
        let mut stats = FeatureStats::new(7);
        for batch in reader.batches(rows) {
            let batch = batch.unwrap();
            batch.rows.iter().zip(batch.emb.chunks_exact(7)).for_each(|(row, emb)| stats.add(row, emb));
        }
        stats
    };
    assert_eq!(of(100), of(1_024));
    let (mean, std) = of(100).mean_and_std().unwrap();
    let count = all.emb.len() as f64;
    let expected = all.emb.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let squares: f64 = all.emb.iter().map(|x| (f64::from(*x) - expected).powi(2)).sum();
    assert!(
        (mean - expected).abs() < 1e-12 && (std - (squares / count).sqrt()).abs() < 1e-12,
        "{mean} {std}"
    );
}
