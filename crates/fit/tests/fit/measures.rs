//! What measures keep to whatever the answers are.

use pipeline_fit::{Answers, Estimate, Interval, MeasureOptions, Measures};
use pipeline_stage::random::{Stream, below};

use crate::OPTIONS;

/// Answers with the losses that follow from the probabilities.
fn answers(classes: usize, labels: &[u32], probs: &[f32]) -> Answers {
    let loss = |(row, &label): (usize, &u32)| -probs[row * classes + label as usize].ln();
    let losses = labels.iter().enumerate().map(loss).collect();
    Answers { classes, labels: labels.to_vec(), probs: probs.to_vec(), losses }
}

/// Drawn answers; class c has c + 1 parts of the photos, and the label is somewhat likelier than other classes.
fn drawn(classes: u32, photos: usize) -> Answers {
    let mut random = Stream { seed: 5, purpose: "test", ..Stream::default() }.start();
    let (mut labels, mut probs) = (vec![], vec![]);
    for _ in 0..photos {
        let mut place = below(u64::from(classes * (classes + 1) / 2), &mut random);
        let mut label = 0;
        while place > u64::from(label) {
            place -= u64::from(label) + 1;
            label += 1;
        }
        let weight = |class| 1 + below(1000, &mut random) + if class == label { 500 } else { 0 };
        let weights: Vec<u64> = (0..classes).map(weight).collect();
        let sum = weights.iter().sum::<u64>();
        probs.extend(weights.iter().map(|weight| *weight as f32 / sum as f32));
        labels.push(label);
    }
    answers(classes as usize, &labels, &probs)
}

/// Every estimate there is.
fn estimates(m: &Measures) -> Vec<Estimate> {
    let overall = [Some(m.accuracy), Some(m.log_loss), m.top_2, m.top_5, Some(m.macro_f1), m.cohen_kappa];
    let more = [m.roc_auc, m.average_precision, Some(m.calibration.ece)];
    let calibrated = [m.calibration.temperature, m.calibration.log_loss_cross_fitted];
    let of_bin = m.calibration.bins.iter().map(|bin| Some(bin.accuracy));
    let of_class =
        m.per_class.iter().flat_map(|c| [c.precision, c.recall, c.f1, c.roc_auc, c.average_precision]);
    overall.into_iter().chain(more).chain(calibrated).chain(of_class).chain(of_bin).flatten().collect()
}

/// The interval of a measure that is the same in every resample.
fn always(value: f64) -> Option<Estimate> {
    Some(Estimate { value, interval: Some(Interval { low: value, high: value }) })
}

/// Both ends of an interval.
fn ends(estimate: Estimate) -> [f64; 2] {
    estimate.interval.map(|Interval { low, high }| [low, high]).unwrap()
}

fn width(estimate: Estimate) -> f64 {
    let [low, high] = ends(estimate);
    high - low
}

#[test]
fn without_resamples_there_are_values_and_no_intervals() {
    let measures = drawn(7, 83).measure(&MeasureOptions { resamples: 0, ..OPTIONS }).unwrap();
    let estimates = estimates(&measures);
    assert_eq!(estimates.len(), 11 + 7 * 5 + measures.calibration.bins.len());
    assert!(estimates.iter().all(|estimate| estimate.interval.is_none()), "{measures:#?}");
    let resamples =
        [measures.resamples, measures.ranking_resamples, measures.calibration.temperature_resamples];
    assert_eq!(resamples, [0; 3]);
    let json = serde_json::to_value(measures.accuracy).unwrap();
    assert_eq!(json["interval"], serde_json::Value::Null, "{json}");
}

#[test]
fn intervals_are_in_order_and_wider_levels_hold_narrower_ones() {
    let at = |level| estimates(&drawn(3, 90).measure(&MeasureOptions { level, ..OPTIONS }).unwrap());
    let (narrow, wide) = (at(0.5), at(0.99));
    let mut strictly = 0;
    for (narrow, wide) in narrow.into_iter().map(ends).zip(wide.into_iter().map(ends)) {
        assert!(narrow[0] <= narrow[1], "{narrow:?}");
        assert!(wide[0] <= narrow[0] && narrow[1] <= wide[1], "{narrow:?} {wide:?}");
        strictly += usize::from(narrow[0] < narrow[1] && wide[0] < narrow[0] && narrow[1] < wide[1]);
    }
    // Of the bins a few hold one or two photos.
    assert!(strictly >= 25, "{strictly} of {}", estimates(&drawn(3, 90).measure(&OPTIONS).unwrap()).len());
}

#[test]
fn the_seed_alone_moves_intervals_and_it_moves_nothing_else() {
    let measure = |seed| drawn(3, 90).measure(&MeasureOptions { seed, ..OPTIONS }).unwrap();
    assert_eq!(measure(1), measure(1));
    let (one, other) = (measure(1), measure(2));
    assert_ne!(one.accuracy, other.accuracy);
    assert_ne!(one.calibration.temperature, other.calibration.temperature);
    for (one, other) in estimates(&one).iter().zip(estimates(&other)) {
        assert_eq!(one.value, other.value);
    }
}

#[test]
fn twice_the_same_photos_have_the_same_measures() {
    // An even number, so that both halves are twice the same ones too.
    let once = drawn(7, 84);
    let mut twice = once.clone();
    twice.labels.extend(&once.labels);
    twice.probs.extend(&once.probs);
    twice.losses.extend(&once.losses);
    let [once, twice] = [once, twice].map(|answers| answers.measure(&OPTIONS).unwrap());
    assert_eq!((twice.photos, twice.errors), (2 * once.photos, 2 * once.errors));
    for (a, b) in estimates(&once).iter().zip(estimates(&twice)) {
        assert!((a.value - b.value).abs() < 1e-12, "{a:?} {b:?}");
    }
    assert!(width(twice.accuracy) < width(once.accuracy), "{:?} {:?}", once.accuracy, twice.accuracy);
    let [a, b] = [once, twice].map(|measures| measures.calibration.temperature.unwrap());
    assert!(width(b) < width(a), "{a:?} {b:?}");
}

#[test]
fn measures_stay_the_same_through_json() {
    let measures = drawn(7, 83).measure(&OPTIONS).unwrap();
    let json = serde_json::to_string(&measures).unwrap();
    assert_eq!(serde_json::from_str::<Measures>(&json).unwrap(), measures);
}

#[test]
fn all_right_answers_have_no_temperature_and_all_measures_are_1() {
    let right = answers(2, &[0, 1, 0, 1, 1], &[0.9, 0.1, 0.2, 0.8, 0.5, 0.5, 0.3, 0.7, 0.0, 1.0]);
    let m = right.measure(&OPTIONS).unwrap();
    assert_eq!(
        (m.errors, m.accuracy.value, m.roc_auc, m.average_precision),
        (0, 1.0, always(1.0), always(1.0))
    );
    // Of 5 right answers of 5: 0.025^(1/5).
    let [low, high] = ends(m.accuracy);
    assert!((low - 0.478_176).abs() < 1e-6 && high == 1.0, "{:?}", m.accuracy);
    assert_eq!((m.cohen_kappa, Some(m.macro_f1), m.top_2), (always(1.0), always(1.0), None));
    let c = m.calibration;
    assert_eq!((c.temperature, c.log_loss_at_temperature, c.log_loss_cross_fitted), (None, None, None));
}

#[test]
fn all_wrong_answers_have_no_temperature_and_areas_of_0() {
    let wrong = answers(2, &[1, 0, 1], &[0.9, 0.1, 0.2, 0.8, 0.7, 0.3]);
    let m = wrong.measure(&OPTIONS).unwrap();
    assert_eq!((m.errors, m.accuracy.value, m.roc_auc), (3, 0.0, always(0.0)));
    // Of none of 3: 1 - 0.025^(1/3).
    let [low, high] = ends(m.accuracy);
    assert!((high - 0.707_598).abs() < 1e-6 && low == 0.0, "{:?}", m.accuracy);
    // By hand: of 3 photos the least likely two are of class 1: (1/2 + 2/3) / 2.
    assert!((m.average_precision.unwrap().value - 7.0 / 12.0).abs() < 1e-12, "{:?}", m.average_precision);
    assert!(m.cohen_kappa.unwrap().value < 0.0, "{:?}", m.cohen_kappa);
    assert_eq!(m.calibration.temperature, None);
}

#[test]
fn one_photo_is_measured() {
    let m = answers(3, &[2], &[0.25, 0.25, 0.5]).measure(&OPTIONS).unwrap();
    assert_eq!((m.photos, m.errors), (1, 0));
    let [low, high] = ends(m.accuracy);
    assert!(m.accuracy.value == 1.0 && (low - 0.025).abs() < 1e-12 && high == 1.0, "{:?}", m.accuracy);
    assert_eq!((m.roc_auc, m.average_precision, m.cohen_kappa), (None, None, None));
    assert_eq!((m.per_class[0].f1, m.per_class[2].f1), (None, always(1.0)));
    assert_eq!(Some(m.calibration.ece), always(0.5));
}

#[test]
fn a_class_without_photos_has_no_recall_and_no_area() {
    let m = answers(2, &[1, 1, 1], &[0.9, 0.1, 0.2, 0.8, 0.7, 0.3]).measure(&OPTIONS).unwrap();
    let absent = &m.per_class[0];
    assert_eq!((absent.recall, absent.roc_auc, absent.average_precision), (None, None, None));
    assert_eq!((absent.support, absent.predicted, absent.precision.unwrap().value), (0, 2, 0.0));
    assert_eq!((m.roc_auc, m.average_precision), (None, None));
    let curves = answers(2, &[1, 1], &[0.5; 4]).curves().unwrap();
    assert!(curves.iter().all(|c| c.roc.is_empty() && c.precision_recall.is_empty()), "{curves:?}");
}

#[test]
fn probabilities_that_are_0_in_float32_are_measured_by_their_loss() {
    // The last of ten is wrong with certainty. By hand: as one in ten is wrong, 1 / 10 is the best probability of the less
    // likely class, which it has near T = 90 / ln 9 = 41.
    let mut answers =
        answers(2, &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1], &[[1.0, 0.0].repeat(5), [0.0, 1.0].repeat(5)].concat());
    answers.losses = vec![1e-12; 10];
    (answers.labels[9], answers.losses[9]) = (0, 90.0);
    let m = answers.measure(&OPTIONS).unwrap();
    assert!((m.log_loss.value - 9.0).abs() < 1e-9, "{:?}", m.log_loss);
    let c = m.calibration;
    assert!((c.temperature.unwrap().value - 41.0).abs() < 2.0, "{c:?}");
    // -(0.9 ln 0.9 + 0.1 ln 0.1)
    assert!((c.log_loss_at_temperature.unwrap() - 0.325).abs() < 0.01, "{c:?}");
    assert!(c.ece_at_temperature.unwrap() < 0.01 && (c.ece.value - 0.1).abs() < 1e-9, "{c:?}");
}

#[test]
fn the_first_of_equally_likely_classes_counts() {
    let even = [1.0 / 6.0; 6];
    let m = answers(6, &[4, 5], &[even, even].concat()).measure(&OPTIONS).unwrap();
    assert_eq!((m.errors, m.per_class[0].predicted, m.top_5.unwrap().value), (2, 2, 0.5));
    assert_eq!(m.top_2.unwrap().value, 0.0);
}

/// By hand: probabilities (.5, .3, .2) put 0, 1, 2 in this order.
#[test]
fn a_label_among_the_two_likeliest_counts_and_one_behind_them_does_not() {
    let probs = [0.5, 0.3, 0.2].repeat(4);
    let m = answers(3, &[0, 1, 2, 1], &probs).measure(&OPTIONS).unwrap();
    assert_eq!((m.accuracy.value, m.top_2.map(|top| top.value), m.top_5), (0.25, Some(0.75), None));
}

/// Every photo of class 0 is right: Clopper and Pearson's interval of 4 of 4, 0.025^(1/4), and not one without width.
#[test]
fn a_recall_of_all_photos_has_an_interval_by_their_number() {
    let probs = [[0.9, 0.1].repeat(4), vec![0.6, 0.4], [0.2, 0.8].repeat(3)].concat();
    let m = answers(2, &[0, 0, 0, 0, 1, 1, 1, 1], &probs).measure(&OPTIONS).unwrap();
    let recall = m.per_class[0].recall.unwrap();
    let [low, high] = ends(recall);
    assert!(recall.value == 1.0 && (low - 0.397_635).abs() < 1e-6 && high == 1.0, "{recall:?}");
}

/// Nearly all photos are right with certainty, so some resamples have none that is wrong: there the lowest temperature is
/// best, and the interval begins with it.
#[test]
fn an_interval_of_the_temperature_reaches_its_end_where_resamples_have_no_error() {
    let mut probs = [0.9, 0.1].repeat(12);
    probs.extend([0.7, 0.3]);
    let labels: Vec<u32> = (0..13).map(|row| u32::from(row == 12)).collect();
    let temperature = answers(2, &labels, &probs).measure(&OPTIONS).unwrap().calibration.temperature.unwrap();
    // No error is drawn with the chance (12 / 13)^13 = 0.35.
    assert_eq!(ends(temperature)[0], 0.01, "{temperature:?}");
    assert!(ends(temperature)[1] > temperature.value, "{temperature:?}");
}

#[test]
fn curves_of_many_photos_are_thinned_and_keep_their_ends_and_areas() {
    let answers = drawn(3, 20_000);
    let (curves, measures) =
        (answers.curves().unwrap(), answers.measure(&MeasureOptions { resamples: 0, ..OPTIONS }));
    for (curves, class) in curves.iter().zip(measures.unwrap().per_class) {
        let (roc, pr) = (&curves.roc, &curves.precision_recall);
        assert!(
            (150..=200).contains(&roc.len()) && (50..=200).contains(&pr.len()),
            "{} {}",
            roc.len(),
            pr.len()
        );
        assert_eq!((roc[0], roc[roc.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
        assert_eq!((pr[0], pr[pr.len() - 1].0), ((0.0, 1.0), 1.0));
        let area = |points: &[(f64, f64)]| -> f64 {
            points.windows(2).map(|p| (p[1].0 - p[0].0) * (p[0].1 + p[1].1) / 2.0).sum()
        };
        let expected = (class.roc_auc.unwrap().value, class.average_precision.unwrap().value);
        assert!((area(roc) - expected.0).abs() < 1e-3, "{} {expected:?}", area(roc));
        assert!((area(pr) - expected.1).abs() < 1e-2, "{} {expected:?}", area(pr));
    }
}

/// 2 blocks of classes, the last resamples fewer than are walked side by side.
#[test]
fn intervals_of_many_classes_hold_their_values() {
    let m = drawn(19, 2000).measure(&MeasureOptions { resamples: 101, ..OPTIONS }).unwrap();
    assert_eq!((m.per_class.len(), m.resamples, m.ranking_resamples), (19, 101, 101));
    for area in m.per_class.iter().flat_map(|c| [c.roc_auc, c.average_precision]).chain([m.roc_auc]) {
        let area = area.unwrap();
        let [low, high] = ends(area);
        assert!(low < area.value && area.value < high, "{area:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_place() {
    let good = || answers(2, &[0, 1], &[0.9, 0.1, 0.2, 0.8]);
    let refusal = |spoil: &dyn Fn(&mut Answers)| {
        let mut answers = good();
        spoil(&mut answers);
        assert_eq!(
            answers.curves().err().map(|e| e.to_string()),
            answers.check().err().map(|e| e.to_string())
        );
        answers.measure(&OPTIONS).unwrap_err().to_string()
    };
    let texts = [
        refusal(&|a| a.probs[3] = f32::NAN),
        refusal(&|a| a.probs[2] = -0.5),
        refusal(&|a| a.losses[1] = f32::INFINITY),
        refusal(&|a| a.labels[1] = 2),
        refusal(&|a| a.losses.truncate(1)),
        refusal(&|a| a.probs.truncate(3)),
        refusal(&|a| *a = Answers { classes: 2, ..Answers::default() }),
        good().measure(&MeasureOptions { level: f64::NAN, ..OPTIONS }).unwrap_err().to_string(),
    ];
    assert_eq!(
        texts,
        [
            "cannot compute measures: found probability NaN of class 1 in row 1, expected a number from 0 to 1",
            "cannot compute measures: found probability -0.5 of class 0 in row 1, expected a number from 0 to 1",
            "cannot compute measures: found loss inf in row 1, expected a finite number of 0 or more",
            "cannot compute measures: found class 2, expected a class below 2",
            "cannot compute measures: found 1 losses, expected 2",
            "cannot compute measures: found 3 probabilities, expected 4",
            "cannot compute measures of 0 rows",
            "cannot compute intervals of level NaN, expected a number from 0 to 1",
        ]
    );
}
