//! The same answers measured here and by the libraries that `make_fixtures.py` calls.

use std::collections::BTreeMap;

use pipeline_fit::{Answers, Estimate, McNemar, MeasureOptions, label_issues};
use serde::Deserialize;

use crate::OPTIONS;

#[derive(Deserialize)]
struct Fixtures {
    /// Only the first right, only the second right, p-value.
    p_values: Vec<(u64, u64, f64)>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    input: Input,
    measures: Expected,
    /// Both ends of each interval.
    intervals: BTreeMap<String, [f64; 2]>,
    curves: Vec<Curves>,
    /// Rows in order.
    label_issues: Vec<usize>,
}

#[derive(Deserialize)]
struct Input {
    classes: usize,
    labels: Vec<u32>,
    probs: Vec<f32>,
    losses: Vec<f32>,
}

#[derive(Deserialize)]
struct Expected {
    per_class: Vec<BTreeMap<String, Option<f64>>>,
    /// Low, high, photos, confidence, accuracy.
    bins: Vec<[f64; 5]>,
    #[serde(flatten)]
    numbers: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Curves {
    roc: Vec<(f64, f64)>,
    precision_recall: Vec<(f64, f64)>,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("fixtures.json")).unwrap()
}

impl Case {
    fn answers(&self) -> Answers {
        let Input { classes, labels, probs, losses } = &self.input;
        Answers { classes: *classes, labels: labels.clone(), probs: probs.clone(), losses: losses.clone() }
    }
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}

/// The overall measures with intervals by the names of the fixtures.
fn estimates(answers: &Answers, options: &MeasureOptions) -> BTreeMap<&'static str, Estimate> {
    let m = answers.measure(options).unwrap();
    let pairs = [
        ("accuracy", Some(m.accuracy)),
        ("log_loss", Some(m.log_loss)),
        ("top_2", m.top_2),
        ("top_5", m.top_5),
        ("macro_f1", Some(m.macro_f1)),
        ("cohen_kappa", m.cohen_kappa),
        ("roc_auc", m.roc_auc),
        ("average_precision", m.average_precision),
        ("ece", Some(m.calibration.ece)),
        ("temperature", m.calibration.temperature),
        ("log_loss_cross_fitted", m.calibration.log_loss_cross_fitted),
    ];
    pairs.into_iter().filter_map(|(name, estimate)| Some((name, estimate?))).collect()
}

#[test]
fn overall_measures_are_those_of_scikit_learn() {
    for (name, case) in fixtures().cases {
        let found = estimates(&case.answers(), &MeasureOptions { resamples: 0, ..OPTIONS });
        let expected: Vec<_> =
            case.measures.numbers.iter().filter(|(key, _)| !key.ends_with("_at_temperature")).collect();
        assert!(expected.iter().map(|(key, _)| key.as_str()).eq(found.keys().copied()), "{name}: {found:?}");
        for (key, expected) in expected {
            // Losses and probabilities are rounded to float32 each by itself; scipy searches the temperature.
            let is_exact = !key.contains("log_loss") && key != "temperature";
            near(
                found[key.as_str()].value,
                *expected,
                if is_exact { 1e-9 } else { 1e-6 },
                &format!("{name}: {key}"),
            );
        }
    }
}

#[test]
fn measures_of_each_class_are_those_of_scikit_learn() {
    for (name, case) in fixtures().cases {
        let measures = case.answers().measure(&OPTIONS).unwrap();
        assert_eq!(measures.per_class.len(), case.measures.per_class.len());
        for (class, (found, expected)) in measures.per_class.iter().zip(&case.measures.per_class).enumerate()
        {
            let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
            let found = [
                ("support", Some(found.support as f64)),
                ("predicted", Some(found.predicted as f64)),
                ("precision", value(found.precision)),
                ("recall", value(found.recall)),
                ("f1", value(found.f1)),
                ("roc_auc", value(found.roc_auc)),
                ("average_precision", value(found.average_precision)),
            ];
            for (key, found) in found {
                let what = format!("{name}: {key} of class {class}");
                match (found, expected[key]) {
                    (Some(found), Some(expected)) => near(found, expected, 1e-9, &what),
                    (found, expected) => assert_eq!(found, expected, "{what}"),
                }
            }
        }
    }
}

#[test]
fn calibration_is_that_of_guo_et_al_also_at_the_best_temperature() {
    for (name, case) in fixtures().cases {
        let found = case.answers().measure(&OPTIONS).unwrap().calibration;
        let bins: Vec<_> = found
            .bins
            .iter()
            .map(|b| [b.low, b.high, b.photos as f64, b.confidence, b.accuracy.value])
            .collect();
        assert_eq!(bins.len(), case.measures.bins.len(), "{name}: {bins:?}");
        for (found, expected) in bins.iter().flatten().zip(case.measures.bins.iter().flatten()) {
            near(*found, *expected, 1e-12, &format!("{name}: {bins:?}"));
        }
        for (key, found) in [
            ("log_loss_at_temperature", found.log_loss_at_temperature),
            ("ece_at_temperature", found.ece_at_temperature),
        ] {
            near(found.unwrap(), case.measures.numbers[key], 1e-6, &format!("{name}: {key}"));
        }
    }
}

#[test]
fn intervals_are_those_of_a_bootstrap_in_numpy() {
    for (name, case) in fixtures().cases {
        let found = estimates(&case.answers(), &MeasureOptions { resamples: 4000, ..OPTIONS });
        assert_eq!(found.len(), case.intervals.len());
        for (key, [low, high]) in &case.intervals {
            // Ends of two bootstraps with unlike random numbers: one photo of 57 to 64 more or less, or 5 % of the width; 10 %
            // of that of temperatures, of which the highest lie far apart.
            let share = if key == "temperature" { 0.1 } else { 0.05 };
            let tolerance = (share * (high - low)).max(0.018);
            let (found, what) = (found[key.as_str()].interval.unwrap(), format!("{name}: {key}"));
            near(found.low, *low, tolerance, &what);
            near(found.high, *high, tolerance, &what);
        }
    }
}

#[test]
fn curves_are_those_of_scikit_learn() {
    for (name, case) in fixtures().cases {
        let found = case.answers().curves().unwrap();
        assert_eq!(found.len(), case.curves.len());
        for (class, (found, expected)) in found.iter().zip(&case.curves).enumerate() {
            let pairs = [(&found.roc, &expected.roc), (&found.precision_recall, &expected.precision_recall)];
            for (found, expected) in pairs {
                assert_eq!(found.len(), expected.len(), "{name}: class {class}: {found:?}");
                for (found, expected) in found.iter().zip(expected) {
                    near(found.0, expected.0, 1e-12, &format!("{name}: class {class}"));
                    near(found.1, expected.1, 1e-12, &format!("{name}: class {class}"));
                }
            }
        }
    }
}

#[test]
fn p_values_are_those_of_statsmodels() {
    for (first, second, expected) in fixtures().p_values {
        let found = McNemar::of(first, second).p_value;
        near(found, expected, 1e-9 * expected, &format!("{first} against {second}"));
    }
}

#[test]
fn label_issues_are_those_of_cleanlab_in_its_order() {
    for (name, case) in fixtures().cases {
        let Input { classes, labels, probs, .. } = &case.input;
        let rows: Vec<usize> =
            label_issues(labels, probs, *classes).unwrap().iter().map(|issue| issue.row).collect();
        assert_eq!(rows, case.label_issues, "{name}");
    }
}
