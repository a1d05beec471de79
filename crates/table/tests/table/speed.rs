//! A measurement, not a check: how long a table of the lesson's size takes.

use std::time::Instant;

use pipeline_table::{Features, FeaturesReader, Split};

use crate::rows::*;

#[test]
#[ignore = "measures time: cargo test --release -p pipeline-table --test table -- --ignored --nocapture"]
fn features_of_the_lesson() {
    let (n, dim) = (23_000, 1_024);
    // As pooled features are: about half of them small, no two alike.
    let mut bits = 1_u32;
    let mut next = || {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let uniform = (bits >> 8) as f32 / (1 << 24) as f32;
        -(1.0 - uniform).ln()
    };
    let rows = (0..n).map(|row| feature_row(&format!("train/cats/{row:06}.jpg"), Split::Train, 0)).collect();
    let features = Features { dim, rows, emb: (0..n * dim).map(|_| next()).collect() };
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    write_features(dir.path(), &features).unwrap();
    eprintln!("write {n} x {dim}: {:?}", start.elapsed());
    for _ in 0..3 {
        let start = Instant::now();
        let loaded = FeaturesReader::open(dir.path()).unwrap().load(|row| row.split == Split::Train).unwrap();
        eprintln!("load {n} x {dim}: {:?}", start.elapsed());
        assert_eq!(loaded.emb.len(), n * dim);
    }
    let start = Instant::now();
    let rows: usize =
        FeaturesReader::open(dir.path()).unwrap().batches(512).map(|b| b.unwrap().rows.len()).sum();
    eprintln!("batches of 512 of {rows} rows, one thread: {:?}", start.elapsed());
}
