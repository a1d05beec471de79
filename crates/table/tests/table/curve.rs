//! The table of the learning-rate finder.

use std::path::Path;

use pipeline_table::{CurveReader, CurveRow, Error, HistoryReader};

use crate::rows::*;

fn bits(rows: &[CurveRow]) -> Vec<(u64, [u64; 3])> {
    rows.iter().map(|row| (row.step, [row.lr, row.loss, row.smoothed].map(f64::to_bits))).collect()
}

#[test]
fn a_curve_comes_back_to_the_bit_also_where_it_diverged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lr_curve.parquet");
    // More rows than a writer collects at once.
    let mut rows = curve(700);
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE];
    for (row, loss) in rows.iter_mut().rev().zip(odd) {
        (row.loss, row.smoothed) = (loss, loss * 0.02);
    }
    write_curve(&path, &rows).unwrap();
    let back: Vec<CurveRow> = CurveReader::open(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(bits(&back), bits(&rows));
    write_curve(&path, &[]).unwrap();
    assert_eq!(CurveReader::open(&path).unwrap().count(), 0);
}

#[test]
fn steps_out_of_order_and_rates_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |second: CurveRow| {
        let row = CurveRow { step: 7, lr: 0.5, loss: 1.0, smoothed: 1.0 };
        let error = write_curve(&dir.path().join("c"), &[row, second]).unwrap_err();
        error.to_string().replace(&format!("{}/", dir.path().display()), "")
    };
    let row = CurveRow { step: 8, lr: 0.5, loss: 1.0, smoothed: 1.0 };
    assert_eq!(refused(CurveRow { step: 7, ..row }), "cannot write `c`: row `step 7` came twice");
    assert_eq!(
        refused(CurveRow { step: 5, ..row }),
        "cannot write `c`: row `step 5` came after row `step 7`, expected ascending ids"
    );
    for (lr, shown) in [(0.0, "0"), (-0.25, "-0.25"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(
            refused(CurveRow { lr, ..row }),
            format!(
                "cannot write `c`: row `step 8` has the learning rate {shown}, expected a finite one above 0"
            )
        );
    }
}

#[test]
fn another_table_is_refused_as_a_curve_and_a_curve_as_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write_curve(&path("c"), &curve(3)).unwrap();
    write_history(&path("h"), &[history_row(1, 2)]).unwrap();
    let refused = |error: Error, path: &Path| error.to_string().replace(&path.display().to_string(), "FILE");
    assert_eq!(
        refused(CurveReader::open(&path("h")).err().unwrap(), &path("h")),
        "cannot read `FILE`: found `history` as its metadata `pipeline.table`, expected `lr_curve`"
    );
    assert_eq!(
        refused(HistoryReader::open(&path("c")).err().unwrap(), &path("c")),
        "cannot read `FILE`: found `lr_curve` as its metadata `pipeline.table`, expected `history`"
    );
}

#[test]
fn the_same_curve_is_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = dir.path().join(name);
        write_curve(&path, &curve(300)).unwrap();
        fs_err::read(path).unwrap()
    };
    assert_eq!(bytes("a"), bytes("b"));
}
