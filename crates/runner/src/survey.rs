//! [`Survey`]: what goes from a store and what stays; [`Finds`], which it is made from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::path_text;
use crate::weight::{Weight, freed};

/// Something that goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doomed {
    /// What it is.
    pub what: What,
    /// Its name: `head 3f2a91bc…`.
    pub name: String,
    /// Its place.
    #[serde(serialize_with = "path_text::one")]
    pub path: PathBuf,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// How long ago it was made, or changed last.
    pub age_seconds: u64,
    /// Why it goes.
    pub why: String,
}

/// What something that goes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An artifact.
    Artifact,
    /// The manifest of an artifact that was removed earlier.
    Manifest,
    /// The checkpoints of a stage that is not done.
    Checkpoints,
    /// What a stage was writing when its process was killed, with what it was replacing.
    Draft,
    /// What an archive holds.
    Unpacked,
    /// The list of the files of a folder, for `explain`.
    Listing,
    /// An artifact that was found damaged and moved aside.
    Damaged,
    /// A file that was being written when its process was killed.
    Temporary,
    /// The name of a process that held a lock and was killed.
    Holder,
    /// A link that was being made when its process was killed.
    Link,
    /// The note of a link that was removed.
    Note,
    /// The record of a run.
    Run,
    /// A page about several artifacts.
    Page,
    /// The tables of a sweep.
    Sweep,
    /// Digests of files that are gone.
    Memo,
}

impl What {
    /// A word for tables.
    pub fn word(self) -> &'static str {
        match self {
            What::Artifact => "artifact",
            What::Manifest => "manifest",
            What::Checkpoints => "checkpoints",
            What::Draft => "draft",
            What::Unpacked => "unpacked archive",
            What::Listing => "list of files",
            What::Damaged => "damaged",
            What::Temporary => "temporary",
            What::Holder => "lock holder",
            What::Link => "link",
            What::Note => "note of a link",
            What::Run => "run",
            What::Page => "page",
            What::Sweep => "sweep",
            What::Memo => "digests",
        }
    }
}

/// What goes, or went, and what stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// What goes: artifacts by kind and age, then leftovers.
    pub doomed: Vec<Doomed>,
    /// Bytes of disk that this frees: a file that an artifact which stays has, too, frees nothing.
    pub freed_bytes: u64,
    /// How many artifacts stay.
    pub kept: usize,
    /// Worth knowing: what was left alone and why.
    pub notes: Vec<String>,
    /// What could not be removed, and why. It is not counted in `freed_bytes`.
    pub failures: Vec<String>,
}

impl Survey {
    /// How many things of each class go, and their bytes.
    pub fn classes(&self) -> BTreeMap<What, (usize, u64)> {
        let mut classes: BTreeMap<What, (usize, u64)> = BTreeMap::new();
        for item in &self.doomed {
            let class = classes.entry(item.what).or_default();
            *class = (class.0 + 1, class.1 + item.size_bytes);
        }
        classes
    }
}

/// What goes, each with its weight, for which all its files are looked at: so once.
#[derive(Default)]
pub(crate) struct Finds {
    pub(crate) doomed: Vec<(Doomed, Weight)>,
    pub(crate) notes: Vec<String>,
}

impl Finds {
    /// Adds something that goes: its weight, and how long ago in seconds it was made or changed last.
    pub(crate) fn add(
        &mut self,
        what: What,
        name: String,
        path: PathBuf,
        (weight, age_seconds): (Weight, u64),
        why: impl Into<String>,
    ) {
        let size_bytes = weight.size_bytes();
        let item = Doomed { what, name, path, size_bytes, age_seconds, why: why.into() };
        self.doomed.push((item, weight));
    }

    /// As if all of it was removed.
    pub(crate) fn survey(&self, kept: usize) -> Survey {
        Survey {
            doomed: self.doomed.iter().map(|(item, _)| item.clone()).collect(),
            freed_bytes: freed(self.doomed.iter().map(|(_, weight)| weight)),
            kept,
            notes: self.notes.clone(),
            failures: vec![],
        }
    }
}
