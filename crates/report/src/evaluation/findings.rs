//! What the features and ingest say of the data: likely wrong labels, near duplicates, outliers, the map, findings.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Value, context};

use super::album::source;
use super::number::{count, counted, fixed, percent};
use super::{Evaluation, Insights, NearDuplicate};

/// Entries of each list that are shown; the artifact's files have them all.
const MAX_SHOWN: usize = 50;
/// So many of them at once, the others when asked for.
const MAX_UNFOLDED: usize = 12;

impl Evaluation {
    /// The section on the data.
    pub(super) fn data(&self) -> Value {
        context! {
            insights => self.insights.as_ref().map(|insights| self.insights(insights)),
            findings => self.findings.clone(),
            features_by => self.features_by.clone(),
        }
    }

    fn insights(&self, insights: &Insights) -> Value {
        let places = self.places();
        let thumbnail = |id: &str| {
            let photo = places.get(id).copied();
            let own = photo.and_then(|at| self.photos[at].thumbnail.as_ref());
            let source = insights.thumbnails.get(id).or(own).map(|jpeg| source("jpeg", jpeg));
            context! { id, source, photo }
        };

        let issue = |issue: &super::SuspectLabel| {
            context! {
                id => &issue.id,
                split => &issue.split,
                thumbnail => thumbnail(&issue.id),
                label => self.class(issue.label),
                suggested => self.class(issue.suggested),
                label_probability => percent(f64::from(issue.label_probability)),
                suggested_probability => percent(f64::from(issue.suggested_probability)),
            }
        };
        let duplicate = |pair: &&NearDuplicate| {
            let side = |at: usize| {
                context! {
                    id => &pair.ids[at],
                    split => &pair.splits[at],
                    label => &pair.labels[at],
                    thumbnail => thumbnail(&pair.ids[at]),
                }
            };
            context! {
                sides => vec![side(0), side(1)],
                similarity => fixed(f64::from(pair.similarity), 4),
                is_across => pair.splits[0] != pair.splits[1],
                is_unlike => pair.labels[0] != pair.labels[1] && pair.labels.iter().all(|label| !label.is_empty()),
            }
        };
        let outlier = |outlier: &super::Outlier| {
            context! {
                id => &outlier.id,
                split => &outlier.split,
                label => &outlier.label,
                thumbnail => thumbnail(&outlier.id),
                similarity => fixed(f64::from(outlier.similarity), 3),
            }
        };
        let duplicates = duplicates(insights);
        let across = duplicates.iter().filter(|pair| pair.splits[0] != pair.splits[1]).count();
        context! {
            checked => insights.labels_checked.map(|n| counted(n, "photo", "photos")),
            issues_count => count(insights.label_issues.len() as u64),
            issues => folded(insights.label_issues.iter().take(MAX_SHOWN).map(issue)),
            issues_left => left(insights.label_issues.len()),
            duplicates_count => counted(duplicates.len() as u64, "pair", "pairs"),
            across => if across == 0 { "none".to_owned() } else { count(across as u64) },
            duplicates => folded(duplicates.iter().take(MAX_SHOWN).map(duplicate)),
            duplicates_left => left(duplicates.len()),
            outliers => folded(insights.outliers.iter().take(MAX_SHOWN).map(outlier)),
            outliers_left => left(insights.outliers.len()),
            map => self.map(insights),
            notes => insights.notes.clone(),
        }
    }

    /// The places of measured photos that this section shows a thumbnail of.
    pub(super) fn shown_in_data(&self) -> BTreeSet<usize> {
        let Some(insights) = &self.insights else { return BTreeSet::new() };
        let places = self.places();
        shown(insights).into_iter().filter_map(|id| places.get(id).copied()).collect()
    }

    /// Where each measured photo stands.
    fn places(&self) -> BTreeMap<&str, usize> {
        self.photos.iter().enumerate().map(|(at, photo)| (photo.id.as_str(), at)).collect()
    }
}

/// The entries of a list: some at once, the others when asked for.
fn folded(entries: impl Iterator<Item = Value>) -> Value {
    let mut shown: Vec<Value> = entries.collect();
    let folded = shown.split_off(shown.len().min(MAX_UNFOLDED));
    context! { shown, folded_count => folded.len(), folded }
}

/// Ids of what is shown, each once.
pub(super) fn shown(insights: &Insights) -> Vec<&str> {
    let issues = insights.label_issues.iter().take(MAX_SHOWN).map(|issue| &issue.id);
    let pairs = duplicates(insights).into_iter().take(MAX_SHOWN).flat_map(|pair| &pair.ids);
    let outliers = insights.outliers.iter().take(MAX_SHOWN).map(|outlier| &outlier.id);
    let mut seen = BTreeSet::new();
    issues.chain(pairs).chain(outliers).map(String::as_str).filter(|id| seen.insert(*id)).collect()
}

/// Pairs in two splits come first: a photo that is trained on and measured makes the measure too good.
fn duplicates(insights: &Insights) -> Vec<&NearDuplicate> {
    let mut pairs: Vec<_> = insights.near_duplicates.iter().collect();
    pairs.sort_by_key(|pair| pair.splits[0] == pair.splits[1]);
    pairs
}

/// How many of a list are not shown, if any.
fn left(all: usize) -> Option<String> {
    all.checked_sub(MAX_SHOWN).filter(|n| *n > 0).map(|n| count(n as u64))
}
