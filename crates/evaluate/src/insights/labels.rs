//! [`find`]: labels that heads, trained on the other photos, contradict with confidence.

use pipeline_fit::label_issues;
use pipeline_report::evaluation::{Insights, SuspectLabel};
use pipeline_report::name::listed;
use pipeline_stage::params::Problem;
use pipeline_stage::{Context, Failure, words};

use super::csv::Csv;
use super::folds::{Folds, Labelled};
use super::is_plain;
use crate::model::Table;

/// Folds that can be asked for. More are as many heads to train, for little more to train each on.
const FEWEST_FOLDS: u32 = 2;
const MOST_FOLDS: u32 = 20;
/// Numbers of features in memory: 0.8 GB, 195,000 photos of 1,024 features.
const MOST_VALUES: usize = 200_000_000;

/// The problem of a parameter `label_issues` that is neither 0 nor a number of folds.
pub(crate) fn check_folds(folds: u32) -> Option<Problem> {
    let is_right = folds == 0 || (FEWEST_FOLDS..=MOST_FOLDS).contains(&folds);
    let message = || format!("expected 0, or {FEWEST_FOLDS} to {MOST_FOLDS} folds, found {folds}");
    (!is_right).then(|| Problem::new("label_issues", message()))
}

/// Looks for likely wrong labels in all splits, and writes `label_issues.csv`. Where it cannot, a note says why.
pub(crate) fn find(
    table: &Table,
    folds: u32,
    cx: &Context<'_>,
    insights: &mut Insights,
) -> Result<(), Failure> {
    if folds == 0 {
        insights.notes.push("Labels were not checked: `label_issues` is 0.".to_owned());
        return Ok(());
    }
    let meta = table.reader.meta();
    let mut counts = vec![0; meta.classes.len()]; // labelled photos of each class
    for label in table.reader.rows()?.iter().filter(|row| is_plain(row)).filter_map(|row| row.label_id) {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let rare = |count: usize| (1..folds as usize).contains(&count);
    insights.notes.extend(left_out(&meta.classes, &counts, folds));
    counts.iter_mut().filter(|count| rare(**count)).for_each(|count| *count = 0);
    if let Some(reason) = obstacle(&counts, meta.dim) {
        insights.notes.push(format!("Labels were not checked: {reason}."));
        return Ok(());
    }

    let is_checked = |label: u32| counts.get(label as usize).is_some_and(|count| *count > 0);
    let features = table.reader.load(|row| is_plain(row) && row.label_id.is_some_and(is_checked))?;
    let labels: Vec<u32> = features.rows.iter().filter_map(|row| row.label_id).collect();
    let classes = meta.classes.len();
    let data = Labelled { features: &features.emb, dim: features.dim, labels: &labels, classes };
    let folds = Folds { count: folds as usize, seed: cx.seed, threads: cx.threads };
    let progress = cx.progress("check labels: train heads", Some(folds.work(&labels)), "rows");
    let probs = folds.probabilities(&data, &|rows| progress.add(rows))?;

    insights.labels_checked = Some(labels.len() as u64);
    let suspects = label_issues(&labels, &probs, classes)?.into_iter().map(|issue| SuspectLabel {
        id: features.rows[issue.row].id.clone(),
        split: features.rows[issue.row].split.to_string(),
        label: labels[issue.row],
        suggested: issue.suggested,
        label_probability: issue.label_probability,
        suggested_probability: issue.suggested_probability,
    });
    insights.label_issues = suspects.collect();
    let mut csv =
        Csv::new(&["id", "split", "label", "suggested", "label_probability", "suggested_probability"]);
    for suspect in &insights.label_issues {
        let [label, suggested] =
            [suspect.label, suspect.suggested].map(|class| &meta.classes[class as usize]);
        let [own, other] =
            [suspect.label_probability, suspect.suggested_probability].map(|p| format!("{p:.6}"));
        csv.row(&[&suspect.id, &suspect.split, label, suggested, &own, &other]);
    }
    Ok(csv.write(&cx.out.join("label_issues.csv"))?)
}

/// Which classes have fewer photos than there are folds: a head would have to know a class that it has not seen.
fn left_out(classes: &[String], counts: &[usize], folds: u32) -> Option<String> {
    /// Classes that are named.
    const NAMED: usize = 3;
    let rare = classes.iter().zip(counts).filter(|(_, count)| (1..folds as usize).contains(count));
    let names: Vec<&str> = rare.map(|(class, _)| class.as_str()).collect();
    (!names.is_empty()).then(|| {
        let names = listed(names.iter().copied(), NAMED);
        format!(
            "Labels were not checked of classes with fewer than {folds} photos (`label_issues`): {names}."
        )
    })
}

/// Why labels cannot be checked. `counts`: labelled photos of each class; a class without any takes no part.
fn obstacle(counts: &[usize], dim: usize) -> Option<String> {
    let photos: usize = counts.iter().sum();
    let most = MOST_VALUES / dim;
    match () {
        _ if counts.iter().filter(|count| **count > 0).count() < 2 => {
            Some("there are enough labelled photos of fewer than two classes".to_owned())
        }
        _ if photos > most => Some(format!(
            "there are {} labelled photos, and no more than {} of {} features are held in memory",
            words::count(photos as u64),
            words::count(most as u64),
            words::count(dim as u64)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_labels_from_being_checked_is_said() {
        let classes = ["cats", "dogs", "emus"].map(str::to_owned);
        let of = |counts: [usize; 3]| obstacle(&counts, 1024);
        assert_eq!(of([5, 0, 5]), None, "a class without photos takes no part");
        let few = "there are enough labelled photos of fewer than two classes";
        assert_eq!(of([9, 0, 0]).as_deref(), Some(few));
        assert_eq!(of([0, 0, 0]).as_deref(), Some(few));
        assert_eq!(left_out(&classes, &[9, 5, 0], 5), None);
        let note = |shown: &str| {
            format!("Labels were not checked of classes with fewer than 5 photos (`label_issues`): {shown}.")
        };
        assert_eq!(left_out(&classes, &[9, 4, 7], 5), Some(note("`dogs`")));
        let four = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(left_out(&four, &[1, 2, 3, 4], 5), Some(note("`a`, `b`, `c` and 1 more")));
        let many = "there are 195,313 labelled photos, and no more than 195,312 of 1,024 features are held in memory";
        assert_eq!(of([195_300, 6, 7]).as_deref(), Some(many));
        assert_eq!(of([195_300, 6, 6]), None);
    }

    #[test]
    fn one_fold_and_more_than_twenty_are_refused() {
        for folds in [0, 2, 5, 20] {
            assert!(check_folds(folds).is_none(), "{folds}");
        }
        for folds in [1, 21] {
            let message = check_folds(folds).unwrap().message;
            assert_eq!(message, format!("expected 0, or 2 to 20 folds, found {folds}"));
        }
    }
}
