//! Confident learning: labels that a model, trained without the photo at hand, contradicts with confidence (Northcutt et
//! al. 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels").
//!
//! How sure a model is differs from class to class, so that each class j has its own threshold: the mean probability of j
//! over the photos labelled j. What counts as an issue, and in which order, is that of cleanlab 2.9's
//! `find_label_issues(filter_by="confident_learning", return_indices_ranked_by="self_confidence")`.

use crate::Result;
use crate::argmax;
use crate::measures::check_probabilities;

/// Probabilities as near as this are taken for equal (cleanlab's `FLOATING_POINT_COMPARISON`).
const NEAR: f64 = 1e-6;

/// A label that is likely wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelIssue {
    /// Row of the photo.
    pub row: usize,
    /// The class that it is likely of.
    pub suggested: u32,
    /// Probability of the label, 0 to 1: the lower, the likelier the issue (cleanlab's self-confidence).
    pub label_probability: f32,
    /// Probability of the suggested class.
    pub suggested_probability: f32,
}

/// The likely wrong labels, those with the least probable label first, equal ones by row.
///
/// A photo is one where the model is confident of another class than the label, and does not find the label the most
/// probable class. Confident of a class means that its probability reaches the class's threshold; of several such classes
/// the most probable class of all counts, even one that misses its own threshold. A class without photos is suggested
/// only in this last way.
///
/// `labels`: `[N]`; `probs`: `[N, classes]`, row-major, 0 to 1, each row from a model that has not seen that photo.
///
/// # Errors
/// Lengths that do not fit, labels that are no class, probabilities that are none.
pub fn label_issues(labels: &[u32], probs: &[f32], classes: usize) -> Result<Vec<LabelIssue>> {
    check_probabilities("label issues", labels, probs, classes)?;
    let rows = || labels.iter().zip(probs.chunks_exact(classes.max(1))).enumerate();

    let (mut sums, mut counts) = (vec![0.0; classes], vec![0.0; classes]);
    for (_, (&label, of)) in rows() {
        sums[label as usize] += f64::from(of[label as usize]);
        counts[label as usize] += 1.0;
    }
    let threshold = |(sum, count): (&f64, &f64)| {
        // cleanlab's floor: else a probability of 0 could be confident.
        if *count == 0.0 { f64::INFINITY } else { (sum / count).max(2.0 * NEAR) }
    };
    let thresholds: Vec<f64> = sums.iter().zip(&counts).map(threshold).collect();

    let mut issues = vec![];
    for (row, (&label, of)) in rows() {
        let reaches = |(p, threshold): (&f32, &f64)| f64::from(*p) >= threshold - NEAR;
        let mut confident = (0..).zip(of.iter().zip(&thresholds)).filter(|(_, pair)| reaches(*pair));
        let suggested = match (confident.next(), confident.next()) {
            (None, _) => continue,
            (Some((only, _)), None) => only,
            (Some(_), Some(_)) => argmax(of),
        };
        if suggested == label || leads(of, label) {
            continue;
        }
        let [label_probability, suggested_probability] = [label, suggested].map(|class| of[class as usize]);
        issues.push(LabelIssue { row, suggested, label_probability, suggested_probability });
    }
    issues.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability));
    Ok(issues)
}

/// Whether the label is the most probable class, or as good as it.
fn leads(of: &[f32], label: u32) -> bool {
    let (before, from) = of.split_at(label as usize);
    let own = f64::from(from[0]) + NEAR;
    // Of equal classes the first is the most probable.
    before.iter().all(|p| f64::from(*p) < own) && from[1..].iter().all(|p| f64::from(*p) <= own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(labels: &[u32], probs: &[f32], classes: usize) -> Vec<(usize, u32)> {
        label_issues(labels, probs, classes)
            .unwrap()
            .iter()
            .map(|issue| (issue.row, issue.suggested))
            .collect()
    }

    #[test]
    fn a_label_is_an_issue_where_another_class_reaches_that_classs_threshold() {
        // By hand: the thresholds are (.9 + .8 + .1) / 3 = .6 and (.7 + .6) / 2 = .65. Row 2 says class 1 with .9; row 4 says
        // class 0 with .4 only.
        let probs = [0.9, 0.1, 0.8, 0.2, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6];
        let issue = LabelIssue { row: 2, suggested: 1, label_probability: 0.1, suggested_probability: 0.9 };
        assert_eq!(label_issues(&[0, 0, 0, 1, 1], &probs, 2).unwrap(), [issue]);
    }

    #[test]
    fn the_least_probable_label_comes_first_and_equal_ones_by_row() {
        let probs = [0.25, 0.75, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.8, 0.2];
        assert_eq!(rows(&[0, 0, 0, 0, 1, 1], &probs, 2), [(1, 1), (2, 1), (5, 0), (0, 1)]);
    }

    #[test]
    fn a_class_without_photos_is_suggested_only_where_two_others_are_confident() {
        // Thresholds .4, .3, none: row 0 is confident of its label only, though class 2 is the most probable.
        let probs = [0.4, 0.1, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.4];
        assert_eq!(rows(&[0, 0, 1], &probs, 3), []);
        // Thresholds .31, .3, none: every row is confident of 0 and 1. cleanlab 2.9 finds rows 2, 0, 1 as well.
        let probs = [0.31, 0.3, 0.39, 0.31, 0.3, 0.39, 0.31, 0.3, 0.39];
        assert_eq!(rows(&[0, 0, 1], &probs, 3), [(2, 2), (0, 2), (1, 2)]);
    }

    #[test]
    fn one_class_or_no_photos_have_no_issues_and_bad_rows_are_refused() {
        assert_eq!(rows(&[1, 1, 1], &[0.9, 0.1, 0.2, 0.8, 0.5, 0.5], 2), []);
        assert_eq!(rows(&[], &[], 2), []);
        let text = |labels: &[u32], probs: &[f32]| label_issues(labels, probs, 2).unwrap_err().to_string();
        assert_eq!(text(&[0], &[0.1]), "cannot compute label issues: found 1 probabilities, expected 2");
        assert_eq!(
            text(&[2], &[0.1, 0.9]),
            "cannot compute label issues: found class 2, expected a class below 2"
        );
        assert!(text(&[1], &[0.1, f32::NAN]).contains("NaN of class 1 in row 0"));
    }
}
