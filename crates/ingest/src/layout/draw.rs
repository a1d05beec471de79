//! [`Draw`]: which photos are held out, where no folder and no table says it.

use std::collections::BTreeMap;

use pipeline_stage::params::Problem;
use pipeline_stage::random::{Stream, below};
use pipeline_table::Split;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LayoutError, Photo};

/// How photos are drawn for valid and test; all others are for train.
///
/// Each photo, or group of photos, has a place in line that follows from the seed and its id alone. The photos in front
/// are test, those behind them valid. So the shares are exact but for rounding, and a photo that is added or removed
/// moves at most one other photo or group over each of the two borders. Shares of a hash would move none, and would hold
/// out 2 or 7 of 20 photos where a fifth was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Draw {
    /// Share of the photos for valid, above 0.
    pub valid: f64,
    /// Share of the photos for test, from 0; less than 1 together with `valid`.
    pub test: f64,
    /// Another seed draws other photos.
    pub seed: u64,
    /// Whether the shares hold within each class, else within the whole. A group of several classes counts as its most frequent one.
    pub stratify: bool,
    /// What tells photos that belong together (of one animal, one patient, one burst): they go to one split. Without it each photo is drawn for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
}

impl Default for Draw {
    fn default() -> Self {
        Draw { valid: 0.2, test: 0.0, seed: 42, stratify: true, group_by: None }
    }
}

/// What tells the group of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// A regular expression that finds it in the id: what its group `(?<group>...)` matches, else its first group, else the whole. An id that it does not match is a group of its own.
    Regex(String),
    /// A column of the table.
    Column(String),
}

impl Draw {
    /// Reports shares that cannot be, and an expression that is none.
    pub(crate) fn check(&self, problems: &mut Vec<Problem>) {
        if !(self.valid > 0.0 && self.valid < 1.0) {
            let message = format!("expected a share above 0 and below 1, found {}", self.valid);
            problems.push(Problem::new("valid", message));
        }
        if !(self.test >= 0.0 && self.test < 1.0) {
            let message = format!("expected a share from 0 to below 1, found {}", self.test);
            problems.push(Problem::new("test", message));
        } else if self.valid < 1.0 && self.valid + self.test >= 1.0 {
            let message = format!("expected less than 1 together with `valid`, found {}", self.test);
            problems.push(Problem::new("test", message).hint("nothing would be left to train on"));
        }
        if let Some(GroupBy::Regex(pattern)) = &self.group_by
            && let Err(reason) = compiled(pattern)
        {
            problems.push(Problem::new("regex", reason).under("group_by"));
        }
    }

    /// Gives each photo that has no split one. Unlabelled ones go to test, and those that are set aside stay in train.
    pub(super) fn draw(&self, photos: &mut [Photo]) -> Result<(), LayoutError> {
        if let Some(GroupBy::Regex(pattern)) = &self.group_by {
            group(photos, pattern)?;
        }
        for photo in photos.iter_mut().filter(|photo| photo.split.is_none() && !photo.is_drawn()) {
            photo.split = Some(if photo.misplaced.is_some() { Split::Train } else { Split::Test });
        }
        for line in self.lines(photos) {
            let total: usize = line.iter().map(|group| group.len()).sum();
            let test_ends = self.test * total as f64;
            let valid_ends = (self.test + self.valid) * total as f64;
            let mut before = 0;
            for group in line {
                let middle = before as f64 + group.len() as f64 / 2.0;
                before += group.len();
                let split = match middle {
                    middle if middle < test_ends => Split::Test,
                    middle if middle < valid_ends => Split::Valid,
                    _ => Split::Train,
                };
                for photo in group {
                    photos[photo].split = Some(split);
                }
            }
        }
        Ok(())
    }

    /// The groups of each stratum, in the order in which they stand in line, as places of their photos.
    fn lines(&self, photos: &[Photo]) -> Vec<Vec<Vec<usize>>> {
        // A photo without a group is one, and not that of the photos whose group is called like it.
        let mut groups: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
        for (place, photo) in photos.iter().enumerate().filter(|(_, photo)| photo.is_drawn()) {
            let key = photo.group.as_deref().map_or((false, photo.id.as_str()), |group| (true, group));
            groups.entry(key).or_default().push(place);
        }
        let mut lines: BTreeMap<&str, Vec<(u64, Vec<usize>)>> = BTreeMap::new();
        for ((_, key), members) in groups {
            let stratum = if self.stratify { most_frequent_label(photos, &members) } else { "" };
            let mut random =
                Stream { seed: self.seed, purpose: "split", item: key, ..Stream::default() }.start();
            lines.entry(stratum).or_default().push((below(u64::MAX, &mut random), members));
        }
        let sorted = |mut line: Vec<(u64, Vec<usize>)>| {
            // Stable: equal numbers stay in order of the key.
            line.sort_by_key(|(number, _)| *number);
            line.into_iter().map(|(_, members)| members).collect()
        };
        lines.into_values().map(sorted).collect()
    }
}

/// The first by name of equally frequent ones.
fn most_frequent_label<'a>(photos: &'a [Photo], members: &[usize]) -> &'a str {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in members.iter().filter_map(|place| photos[*place].label.as_deref()) {
        *counts.entry(label).or_default() += 1;
    }
    let most = counts.values().max().copied();
    counts.into_iter().find(|(_, count)| Some(*count) == most).map_or("", |(label, _)| label)
}

/// Gives each photo that is drawn its group.
fn group(photos: &mut [Photo], pattern: &str) -> Result<(), LayoutError> {
    let regex = compiled(pattern).map_err(|reason| LayoutError::Pattern { reason })?;
    let mut first = None;
    let mut matched = 0usize;
    for photo in photos.iter_mut().filter(|photo| photo.is_drawn()) {
        let found = regex.captures(&photo.id);
        let key = found.as_ref().and_then(|c| c.name("group").or(c.get(1)).or(c.get(0)));
        photo.group = key.map(|key| key.as_str().to_owned());
        matched += usize::from(photo.group.is_some());
        first.get_or_insert_with(|| photo.id.clone());
    }
    match first {
        Some(first) if matched == 0 => Err(LayoutError::NoGroup { pattern: pattern.to_owned(), first }),
        _ => Ok(()),
    }
}

/// The regular expression, or what is wrong with it.
pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("expected a regular expression, found `{pattern}`: {reason}")
    })
}

#[cfg(test)]
mod tests;
