//! [`Gc`]: removes from a store what nobody needs any more.
//!
//! What is used is in `roots`, which artifacts go in `retention`, what killed runs leave in `leftovers`. [`Gc::survey`]
//! only looks; [`Gc::collect`] has the store alone while it looks and removes, so that no run of any project is going on:
//! it waits for those that are, or names one. Folders are moved to `tmp/` before they are deleted: a kill in between
//! leaves no half of an artifact, and the next run or `gc` removes what is there.
//!
//! Of an artifact that goes the manifest is kept in the store as long as one that stays was made from it: keys hold digests
//! of what was read, so what stays remains fresh. With the last that was made from it, it goes as well (`ancestry`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pipeline_stage::{Cancel, Digest, Event, Manifest, Progress, Report};

pub use crate::retention::Rules;
pub use crate::survey::{Doomed, Survey, What};

use crate::ancestry::makers;
use crate::clock;
use crate::draft::Draft;
use crate::error::Error;
use crate::leftovers::Leftovers;
use crate::lock::{Claim, sharer_of};
use crate::observer::Observer;
use crate::plan::Lookup;
use crate::retention::{Shelved, doomed};
use crate::roots::{Name, Roots};
use crate::store::Store;
use crate::survey::Finds;
use crate::weight::{Weight, freed};

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

impl Gc<'_> {
    /// What [`Gc::collect`] would remove now. Removes nothing, locks nothing, and writes nothing but remembered digests.
    ///
    /// # Errors
    /// When the store cannot be read, or it is not known what is in use.
    pub fn survey(&self) -> Result<Survey, Error> {
        let holder = sharer_of(&self.store.store_lock());
        let look = self.look(holder.is_some())?;
        let mut survey = look.finds.survey(look.kept);
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
        let Gc { store, cancel, observer, .. } = *self;
        let claim = Claim { command: &self.command, wait: self.wait_lock, cancel, observer };
        let _alone = store.lock_alone(&self.shown, &claim)?;
        let Look { finds, remembered, kept } = self.look(false)?;
        let mut survey = finds.survey(kept);
        for manifest in &remembered {
            // Before any artifact goes: what cannot be remembered is not removed.
            store.keep_manifest(manifest)?;
        }
        let draft = store.draft()?;
        let progress = Progress::begin(self, cancel, "remove", Some(finds.doomed.len() as u64), "items");
        let mut gone = vec![];
        for (place, (item, weight)) in finds.doomed.iter().enumerate() {
            match remove(&item.path, &draft, place) {
                Ok(()) => gone.push(weight),
                Err(error) => survey.failures.push(format!("cannot remove {}: {error}", item.path.display())),
            }
            progress.add(1)?;
        }
        survey.freed_bytes = freed(gone);
        store.clean_tmp()?;
        // Kinds of which nothing is left.
        for folder in ["store", "manifests", "partial"] {
            for kind in store.listed(folder)? {
                let _ = fs_err::remove_dir(kind);
            }
        }
        Ok(survey)
    }

    /// Looks at everything. `is_in_use` says that runs are going on.
    fn look(&self, is_in_use: bool) -> Result<Look, Error> {
        let Gc { store, rules, cancel, .. } = self;
        let now = clock::unix_seconds();
        let mut finds = Finds::default();
        let names = store.keys_in("store")?;
        let roots = Roots::find(store, &names, &self.forget)?;
        finds.notes.extend(roots.notes());
        let mut shelf = vec![];
        for name in names {
            let is_used = roots.used.contains_key(&name);
            match self.found(name, is_used) {
                Ok(found) => shelf.extend(found),
                Err(note) => finds.notes.push(note),
            }
        }
        let shelved: Vec<Shelved> = shelf.iter().map(|found| found.shelved.clone()).collect();
        let goes = doomed(&shelved, rules, now);
        let (mut going, mut staying) = (vec![], vec![]);
        for (goes, found) in goes.into_iter().zip(shelf) {
            if goes { going.push(found) } else { staying.push(found) }
        }

        // What stays was made from some of what goes, and of what went earlier: that is remembered.
        let stay: Vec<&Manifest> = staying.iter().filter_map(|found| found.manifest.as_deref()).collect();
        let left: BTreeSet<Name> = store.keys_in("manifests")?.into_iter().collect();
        let earlier = left.iter().filter_map(|name| Some((name.clone(), store.manifest(&name.0, &name.1)?)));
        let is_going = |found: &Found| found.damage.is_none();
        let going_whole = going.iter().filter(|found| is_going(found));
        let mut known: BTreeMap<Name, Arc<Manifest>> = earlier.collect();
        known.extend(going_whole.filter_map(|found| Some((found.name(), found.manifest.clone()?))));
        for found in &staying {
            known.remove(&found.name());
        }
        let makers = makers(stay.iter().copied(), &known);

        let remembered: Vec<&Arc<Manifest>> = makers.iter().filter_map(|name| known.get(name)).collect();
        let all = stay.iter().copied().chain(remembered.iter().map(|manifest| manifest.as_ref()));
        let kept_sources = all.flat_map(|manifest| manifest.parts.sources.values().copied()).collect();
        for found in &going {
            let is_remembered = makers.contains(&found.name());
            found.doom(store, now, is_remembered, &mut finds);
        }
        for (kind, key) in left.iter().filter(|name| !makers.contains(name)) {
            let path = store.kept_manifest(kind, key);
            let weight = Weight::of(&path);
            let age = now.saturating_sub(weight.changed());
            let name = format!("{kind} {}", key.short());
            finds.add(
                What::Manifest,
                name,
                path,
                (weight, age),
                "nothing that stays was made from what it is of",
            );
        }
        let remembered = remembered
            .into_iter()
            .filter(|manifest| !left.contains(&(manifest.parts.kind.clone(), manifest.key)));
        let remembered = remembered.cloned().collect();
        let leftovers = Leftovers { store, rules, roots: &roots, is_in_use, now, cancel, report: self };
        leftovers.find(&kept_sources, &mut finds)?;
        Ok(Look { finds, remembered, kept: staying.len() })
    }

    /// An artifact of the store; as an error, why it is left alone.
    fn found(&self, (kind, key): Name, is_used: bool) -> Result<Option<Found>, String> {
        let dir = self.store.artifact_dir(&kind, &key);
        let found = |made, damage, manifest| {
            let shelved = Shelved { kind: kind.clone(), made, is_used };
            Ok(Some(Found { shelved, key, damage, manifest }))
        };
        match self.store.lookup(&kind, &key) {
            Lookup::Hit(manifest) => {
                let made = manifest.made.unix_seconds.saturating_add(manifest.made.wall_seconds as u64);
                found(made, None, Some(manifest))
            }
            Lookup::Damaged(reason) if dir.is_dir() && !dir.is_symlink() => {
                found(Weight::of(&dir).changed(), Some(reason), self.store.manifest(&kind, &key))
            }
            Lookup::Damaged(reason) | Lookup::Unreadable(reason) => {
                Err(format!("{} is left alone: {reason}", dir.display()))
            }
            Lookup::Collected(_) | Lookup::Absent => Ok(None),
        }
    }
}

/// What was found.
struct Look {
    finds: Finds,
    /// The manifests of artifacts that go, as far as they are to be kept and are not yet.
    remembered: Vec<Arc<Manifest>>,
    /// How many artifacts stay.
    kept: usize,
}

/// An artifact that is there.
struct Found {
    shelved: Shelved,
    key: Digest,
    /// What is wrong with it.
    damage: Option<String>,
    /// Its manifest, where that can be read.
    manifest: Option<Arc<Manifest>>,
}

impl Found {
    fn name(&self) -> Name {
        (self.shelved.kind.clone(), self.key)
    }

    fn doom(&self, store: &Store, now: u64, is_remembered: bool, finds: &mut Finds) {
        let Shelved { kind, made, .. } = &self.shelved;
        let path = store.artifact_dir(kind, &self.key);
        let more = match &self.damage {
            Some(damage) => format!(", and it is damaged: {damage}"),
            None if is_remembered => "; its manifest stays, as what stays was made from it".to_owned(),
            None => String::new(),
        };
        let why = format!("no link leads to it{more}");
        let name = format!("{kind} {}", self.key.short());
        let weight = Weight::of(&path);
        finds.add(What::Artifact, name, path, (weight, now.saturating_sub(*made)), why);
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
