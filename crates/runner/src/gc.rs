//! [`Gc`]: removes from a store what nobody needs any more.
//!
//! What is used is in `roots`, which artifacts go in `retention`, what killed runs leave in `leftovers`. [`Gc::survey`]
//! only looks; [`Gc::collect`] has the store alone while it looks and removes, so that no run of any project is going on:
//! it waits for those that are, or names one. Folders are moved to `tmp/` before they are deleted: a kill in between
//! leaves no half of an artifact, and the next run or `gc` removes what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_stage::{Cancel, Digest, Event, Progress, Report};
use serde::Serialize;

pub use crate::retention::Rules;

use crate::clock;
use crate::draft::Draft;
use crate::error::Error;
use crate::leftovers::Leftovers;
use crate::lock::{Claim, sharer_of};
use crate::observer::Observer;
use crate::path_text;
use crate::plan::Lookup;
use crate::retention::{Shelved, doomed};
use crate::roots::Roots;
use crate::store::Store;
use crate::weight::{Weight, changed, freed};

/// What is to be removed from which store, and how that is waited for and shown.
pub struct Gc<'a> {
    /// The store.
    pub store: &'a Store,
    /// What stays although nothing uses it.
    pub rules: Rules,
    /// Folders of links that are gone for good, absolute.
    pub forget: Vec<PathBuf>,
    /// The store's folder as it is shown.
    pub shown: String,
    /// The command line, for whoever finds the store locked.
    pub command: String,
    /// How long to wait for runs that are going on; `None` fails at once.
    pub wait_lock: Option<Duration>,
    /// Stops between two removals.
    pub cancel: &'a Cancel,
    /// Told of waiting and of progress, as of a stage `gc`.
    pub observer: &'a dyn Observer,
}

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
    /// The checkpoints of a stage that is not done.
    Checkpoints,
    /// What a stage was writing when its process was killed, with what it was replacing.
    Draft,
    /// What a zip holds.
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
            What::Checkpoints => "checkpoints",
            What::Draft => "draft",
            What::Unpacked => "unpacked zip",
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

impl Gc<'_> {
    /// What [`Gc::collect`] would remove now. Removes nothing, locks nothing, and writes nothing but remembered digests.
    ///
    /// # Errors
    /// When the store cannot be read, or it is not known what is in use.
    pub fn survey(&self) -> Result<Survey, Error> {
        let holder = sharer_of(&self.store.store_lock());
        let mut survey = self.look(holder.is_some())?;
        if let Some(holder) = holder {
            survey.notes.push(format!(
                "the store {} is in use by {holder}: gc needs it alone; what killed runs left is not looked for meanwhile",
                self.shown
            ));
        }
        Ok(survey)
    }

    /// Removes what is not needed.
    ///
    /// # Errors
    /// [`Error::Locked`] while a run is going on that is not waited for, or for too long; as [`Gc::survey`].
    /// What cannot be removed is in the [`Survey`].
    pub fn collect(&self) -> Result<Survey, Error> {
        let Gc { cancel, observer, .. } = *self;
        let claim = Claim { command: &self.command, wait: self.wait_lock, cancel, observer };
        let _alone = self.store.lock_alone(&self.shown, &claim)?;
        let mut survey = self.look(false)?;
        let draft = self.store.draft()?;
        let progress = Progress::begin(self, cancel, "remove", Some(survey.doomed.len() as u64), "items");
        let mut gone = vec![];
        for (place, item) in survey.doomed.iter().enumerate() {
            let weight = Weight::of(&item.path);
            match remove(&item.path, &draft, place) {
                Ok(()) => gone.push(weight),
                Err(error) => survey.failures.push(format!("cannot remove {}: {error}", item.path.display())),
            }
            progress.add(1)?;
        }
        survey.freed_bytes = freed(&gone);
        self.store.clean_tmp()?;
        // Kinds of which nothing is left.
        for folder in self.store.listed("store")?.iter().chain(&self.store.listed("partial")?) {
            let _ = fs_err::remove_dir(folder);
        }
        Ok(survey)
    }

    /// Looks at everything. `is_in_use` says that runs are going on.
    fn look(&self, is_in_use: bool) -> Result<Survey, Error> {
        let now = clock::unix_seconds();
        let mut survey = Survey::default();
        let names = self.store.keys_in("store")?;
        let roots = Roots::find(self.store, &names, &self.forget)?;
        for folder in roots.away.iter().map(|folder| folder.display()) {
            survey.notes.push(format!(
                "{folder} is not there: what its links led to is kept; if it is gone for good, say --forget {folder}"
            ));
        }
        let mut shelf = vec![];
        for (kind, key) in names {
            let is_used = roots.used.contains_key(&(kind.clone(), key));
            match self.found(kind, key, is_used) {
                Ok(found) => shelf.extend(found),
                Err(note) => survey.notes.push(note),
            }
        }
        let shelved: Vec<Shelved> = shelf.iter().map(|found| found.shelved.clone()).collect();
        let mut kept_sources = BTreeSet::new();
        for (goes, found) in doomed(&shelved, &self.rules, now).into_iter().zip(shelf) {
            if goes {
                survey.doomed.push(found.doomed(self.store, now));
            } else {
                survey.kept += 1;
                kept_sources.extend(found.sources);
            }
        }
        let Gc { store, rules, cancel, .. } = self;
        let leftovers = Leftovers { store, rules, roots: &roots, is_in_use, now, cancel, report: self };
        leftovers.find(&kept_sources, &mut survey)?;
        let weights: Vec<Weight> = survey.doomed.iter().map(|item| Weight::of(&item.path)).collect();
        survey.freed_bytes = freed(&weights);
        Ok(survey)
    }

    /// An artifact of the store; as an error, why it is left alone.
    fn found(&self, kind: String, key: Digest, is_used: bool) -> Result<Option<Found>, String> {
        let dir = self.store.artifact_dir(&kind, &key);
        let found = |made, damage, sources| {
            Ok(Some(Found { shelved: Shelved { kind: kind.clone(), made, is_used }, key, damage, sources }))
        };
        match self.store.lookup(&kind, &key) {
            Lookup::Hit(manifest) => {
                let made = manifest.made.unix_seconds.saturating_add(manifest.made.wall_seconds as u64);
                found(made, None, manifest.parts.sources.values().copied().collect())
            }
            Lookup::Damaged(reason) if dir.is_dir() && !dir.is_symlink() => {
                found(changed(&dir), Some(reason), vec![])
            }
            Lookup::Damaged(reason) | Lookup::Unreadable(reason) => {
                Err(format!("{} is left alone: {reason}", dir.display()))
            }
            Lookup::Absent => Ok(None),
        }
    }
}

/// An artifact that is there.
struct Found {
    shelved: Shelved,
    key: Digest,
    /// What is wrong with it.
    damage: Option<String>,
    /// Digests of what it was made from outside.
    sources: Vec<Digest>,
}

impl Found {
    fn doomed(self, store: &Store, now: u64) -> Doomed {
        let Shelved { kind, made, .. } = self.shelved;
        let path = store.artifact_dir(&kind, &self.key);
        let why = "no link leads to it".to_owned();
        let why = self.damage.map_or(why.clone(), |damage| format!("{why}, and it is damaged: {damage}"));
        let name = format!("{kind} {}", self.key.short());
        Doomed::new(What::Artifact, name, path, now.saturating_sub(made), why)
    }
}

impl Doomed {
    pub(crate) fn new(
        what: What,
        name: String,
        path: PathBuf,
        age_seconds: u64,
        why: impl Into<String>,
    ) -> Doomed {
        let size_bytes = Weight::of(&path).size_bytes();
        Doomed { what, name, path, size_bytes, age_seconds, why: why.into() }
    }
}

impl Report for Gc<'_> {
    fn emit(&self, event: Event) {
        self.observer.stage_event("gc", &event);
    }
}

/// Removes what is at `path`: a folder by way of `draft`, as number `place`.
fn remove(path: &Path, draft: &Draft, place: usize) -> io::Result<()> {
    let found = match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return fs_err::remove_file(path);
    }
    let aside = draft.dir().join(place.to_string());
    match fs_err::rename(path, &aside) {
        Ok(()) => fs_err::remove_dir_all(&aside),
        // A part of the store that a link has put on another disk.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => fs_err::remove_dir_all(path),
        Err(error) => Err(error),
    }
}
