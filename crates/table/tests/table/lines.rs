//! Rows as lines of JSON, while training goes on.

use pipeline_stage::failure::full_message;
use pipeline_table::HistoryRow;
use pipeline_table::history::{TRAIN_PHASE, VALID_PHASE};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::rows::*;

#[test]
fn a_row_is_one_line_of_json_with_null_where_nothing_was_measured() {
    let row = HistoryRow {
        stage: "head \n 2".to_owned(),
        phase: TRAIN_PHASE.to_owned(),
        epoch: 2,
        step: 361,
        lr: vec![1e-4, 0.1 + 0.2],
        train_loss: f64::NAN,
        valid_loss: None,
        accuracy: None,
        seconds: 1.5,
    };
    let line = row.to_json_line();
    let expected =
        r#"{"stage":"head \n 2","phase":"train","epoch":2,"step":361,"lr":[0.0001,0.30000000000000004],"#
            .to_owned()
            + r#""train_loss":"NaN","valid_loss":null,"accuracy":null,"seconds":1.5}"#;
    assert_eq!(line, expected);
    assert!(HistoryRow::from_json_line(&line).unwrap().train_loss.is_nan());

    let measured = HistoryRow { phase: VALID_PHASE.to_owned(), ..history_row(2, 3) };
    assert_eq!(HistoryRow::from_json_line(&measured.to_json_line()).unwrap(), measured);
}

#[test]
fn a_line_that_was_cut_short_or_is_no_row_is_refused() {
    let line = history_row(2, 3).to_json_line();
    for length in 0..line.len() {
        let cut = &line[..length];
        let error = HistoryRow::from_json_line(cut).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read a line as a row of the history: found `"),
            "{error}"
        );
    }
    let broken = line.replace(r#""train_loss":0.35"#, r#""train_loss":null"#);
    let message = full_message(&HistoryRow::from_json_line(&broken).unwrap_err());
    assert!(message.contains("expected a number, `NaN`, `inf` or `-inf`"), "{message}");
}

/// Any number, with all bits as they may be; one NaN stands for all, since JSON's text has only one.
fn number() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(|bits| {
        let number = f64::from_bits(bits);
        if number.is_nan() { f64::NAN } else { number }
    })
}

/// A few that random bits hardly meet.
fn any_number() -> impl Strategy<Value = f64> {
    let odd = vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX, 1e16];
    prop_oneof![number(), proptest::sample::select(odd)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_bring_every_row_back_to_the_bit(
        (stage, epoch, step) in (any::<String>(), any::<u32>(), any::<u64>()),
        lr in vec(any_number(), 0..4),
        (train_loss, seconds) in (any_number(), any_number()),
        (valid_loss, accuracy) in (option::of(any_number()), option::of(any_number())),
    ) {
        let phase = VALID_PHASE.to_owned();
        let row = HistoryRow { stage, phase, epoch, step, lr, train_loss, valid_loss, accuracy, seconds };
        let line = row.to_json_line();
        prop_assert!(!line.contains(['\n', '\r']), "{}", line);
        let back = HistoryRow::from_json_line(&line).unwrap();
        let bits = |row: &HistoryRow| {
            let numbers = [Some(row.train_loss), row.valid_loss, row.accuracy, Some(row.seconds)];
            (row.lr.iter().map(|n| n.to_bits()).collect::<Vec<_>>(), numbers.map(|n| n.map(f64::to_bits)))
        };
        prop_assert_eq!(bits(&back), bits(&row), "{}", line);
        prop_assert_eq!((back.stage, back.epoch, back.step), (row.stage, row.epoch, row.step));
    }
}
