//! [`Findings`]: counts and lists of what was seen, as `ingest.json` and as the stage's summary.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_report::name;
use pipeline_stage::{Summary, words};
use pipeline_table::{ImageRow, Split, Verdict};
use serde::Serialize;

use crate::balance::Balance;
use crate::error::Error;
use crate::layout::{Layout, Notes, SplitsFrom};
use crate::look::Looked;
use crate::repeated::Repeated;
use crate::statistics::{OfSplit, Statistics};

/// Version of the form of `ingest.json`.
const FORMAT: u32 = 1;

/// Files listed under `set_aside` and under `remarks`. All of them are in the table.
const MOST_LISTED: usize = 10_000;

/// `ingest.json`. Content only: no times, no paths outside the data root.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    format: u32,
    pub(crate) classes: Vec<String>,
    /// Usable photos by split and class; those without label under `unlabelled`.
    pub(crate) photos: BTreeMap<Split, BTreeMap<String, u64>>,
    /// Files by verdict.
    verdicts: BTreeMap<Verdict, u64>,
    /// Files by reason, of those with a remark or set aside.
    reasons: BTreeMap<String, u64>,
    /// How evenly the classes are filled.
    pub(crate) balance: Option<Balance>,
    /// Photos that are there more than once.
    pub(crate) repeated: Option<Repeated>,
    /// Sizes and colours by split.
    pub(crate) statistics: BTreeMap<Split, OfSplit>,
    /// Photos with a side below 64 pixels, those at least three times as long as wide, and those without colour.
    #[serde(flatten)]
    pub(crate) odd: Statistics,
    /// Photos that could be decoded and have a pixel that is not opaque; transparency is dropped.
    transparent: u64,
    /// Files that are used nowhere.
    pub(crate) set_aside: Vec<Finding>,
    /// Files that are used, and have something odd.
    pub(crate) remarks: Vec<Finding>,
    /// What lies beside the split folders and is not part of the data.
    pub(crate) beside: Vec<String>,
    /// Links that lead back into a folder above them; not followed.
    pub(crate) loops: Vec<String>,
    /// What else was seen of names, folders and the table.
    #[serde(flatten)]
    pub(crate) layout: Notes,
    #[serde(skip)]
    splits_from: SplitsFrom,
    /// Files of each class in train that are set aside.
    #[serde(skip)]
    set_aside_of: BTreeMap<String, usize>,
    /// A few words on each reason of a bad file, with how many have it.
    #[serde(skip)]
    sentences: BTreeMap<&'static str, u64>,
}

/// A file that is set aside or has a remark.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: String,
    reason: String,
    /// What was found.
    pub(crate) detail: String,
    /// What can be done about it.
    pub(crate) hint: Option<&'static str>,
}

impl Findings {
    pub(crate) fn new(layout: &Layout) -> Self {
        Findings {
            format: FORMAT,
            classes: layout.classes.clone(),
            photos: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            reasons: BTreeMap::new(),
            balance: None,
            repeated: None,
            statistics: BTreeMap::new(),
            odd: Statistics::default(),
            transparent: 0,
            set_aside: vec![],
            remarks: vec![],
            beside: layout.beside.clone(),
            loops: layout.loops.clone(),
            layout: layout.notes.clone(),
            splits_from: layout.splits_from,
            set_aside_of: BTreeMap::new(),
            sentences: BTreeMap::new(),
        }
    }

    /// Counts one file.
    pub(crate) fn add(&mut self, looked: &Looked) {
        let row = &looked.row;
        *self.verdicts.entry(row.verdict).or_default() += 1;
        if let Some(reason) = &row.reason {
            *self.reasons.entry(reason.clone()).or_default() += 1;
            let list = if row.verdict == Verdict::Bad { &mut self.set_aside } else { &mut self.remarks };
            if list.len() < MOST_LISTED {
                let (id, reason, detail) = (row.id.clone(), reason.clone(), looked.detail.clone());
                list.push(Finding { id, reason, detail, hint: looked.way_out });
            }
        }
        if row.verdict == Verdict::Bad {
            *self.sentences.entry(looked.sentence).or_default() += 1;
            if let (Split::Train, Some(class)) = (row.split, &row.label) {
                *self.set_aside_of.entry(class.clone()).or_default() += 1;
            }
        } else {
            let class = row.label.clone().unwrap_or_else(|| "unlabelled".to_owned());
            *self.photos.entry(row.split).or_default().entry(class).or_default() += 1;
            self.transparent += u64::from(looked.transparent);
            self.odd.add(row);
        }
    }

    /// A photo that was added as usable is set aside after all.
    pub(crate) fn set_aside(&mut self, was: &ImageRow, now: &Looked) {
        let class = was.label.as_deref().unwrap_or("unlabelled");
        if let Some(classes) = self.photos.get_mut(&was.split) {
            take_one(classes, class);
        }
        self.transparent -= u64::from(now.transparent);
        take_one(&mut self.verdicts, &was.verdict);
        if let Some(reason) = &was.reason {
            take_one(&mut self.reasons, reason);
            self.remarks.retain(|remark| remark.id != was.id);
        }
        self.add(now);
    }

    /// When all have been added: what follows from the counts.
    pub(crate) fn conclude(&mut self) {
        self.set_aside.sort_by(|a, b| a.id.cmp(&b.id));
        let empty = BTreeMap::new();
        let of = |split| self.photos.get(&split).unwrap_or(&empty);
        self.balance = Balance::of(&self.classes, of(Split::Train), of(Split::Valid));
        self.statistics = self.odd.splits();
    }

    /// Every class must have a usable photo to train on, and valid one to measure on.
    pub(crate) fn check_classes(&self) -> Result<(), Error> {
        let count = |split, class: &str| {
            self.photos.get(&split).and_then(|classes| classes.get(class)).copied().unwrap_or(0)
        };
        for class in &self.classes {
            if count(Split::Train, class) == 0 {
                let set_aside = self.set_aside_of.get(class).copied().unwrap_or(0);
                let splits_from = self.splits_from;
                return Err(Error::EmptyClass { class: class.clone(), set_aside, splits_from });
            }
        }
        if self.total(Split::Valid) == 0 {
            return Err(Error::NothingToMeasure { splits_from: self.splits_from });
        }
        Ok(())
    }

    fn total(&self, split: Split) -> u64 {
        self.photos.get(&split).map_or(0, |classes| classes.values().sum())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut json = serde_json::to_string_pretty(self).map_err(Error::Json)?;
        json.push('\n');
        fs_err::write(path, json).map_err(Error::Io)
    }

    /// Files with this verdict.
    pub(crate) fn verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or(0)
    }

    /// `5 photos (3 train, 2 valid), 2 classes, 1 set aside`.
    pub(crate) fn line(&self) -> String {
        let splits: Vec<String> = Split::ALL
            .into_iter()
            .filter(|split| self.total(*split) > 0)
            .map(|split| format!("{} {split}", words::count(self.total(split))))
            .collect();
        let bad = match self.verdict(Verdict::Bad) {
            0 => String::new(),
            bad => format!(", {} set aside", words::count(bad)),
        };
        let all = words::count(self.all());
        format!("{all} photos ({}), {} classes{bad}", splits.join(", "), self.classes.len())
    }

    fn all(&self) -> u64 {
        Split::ALL.into_iter().map(|split| self.total(split)).sum()
    }

    pub(crate) fn summary(&self) -> Summary {
        let (all, bad) = (self.all(), self.verdict(Verdict::Bad));
        let mut notes: Vec<String> = self.repeated.iter().flat_map(Repeated::notes).collect();
        notes.extend(self.balance.iter().flat_map(Balance::notes));
        if bad > 0 {
            let counts: Vec<String> = self
                .sentences
                .iter()
                .map(|(sentence, n)| format!("{} {sentence}", words::count(*n)))
                .collect();
            let were =
                if bad == 1 { "1 file was".to_owned() } else { format!("{} files were", words::count(bad)) };
            let listed = match self.set_aside.len() as u64 {
                all if all == bad => "lists them".to_owned(),
                some => format!("lists the first {}, images.parquet all", words::count(some)),
            };
            notes.push(format!("{were} set aside (ingest.json {listed}): {}", counts.join(", ")));
        }
        if !self.beside.is_empty() {
            let names = name::listed(self.beside.iter().map(String::as_str), 5);
            notes.push(format!("not part of the data, since they are no split: {names}"));
        }
        notes.extend(self.layout.lines());
        let mut metrics: BTreeMap<String, f64> =
            [("photos".to_owned(), all as f64), ("set_aside".to_owned(), bad as f64)].into();
        if let Some(repeated) = &self.repeated {
            metrics.insert("leaks".to_owned(), repeated.leaks.count as f64);
        }
        Summary { line: self.line(), metrics, notes, ..Summary::default() }
    }
}

/// Takes one from the count of `key`, and the key with the last.
fn take_one<K, Q>(counts: &mut BTreeMap<K, u64>, key: &Q)
where
    K: Ord + std::borrow::Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
