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

use pipeline_stage::failure::full_message;
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
        let draft = store.draft()?;
        let progress = Progress::begin(self, cancel, "remove", Some(finds.doomed.len() as u64), "items");
        let mut gone = vec![];
        // What must be remembered goes last: on a full disk, what goes before makes room for that.
        let (last, first): (Vec<_>, Vec<_>) =
            finds.doomed.iter().partition(|(item, _)| remembered.contains_key(&item.path));
        for (place, (item, weight)) in first.into_iter().chain(last).enumerate() {
            let path = item.path.display();
            // Before its artifact goes: what cannot be remembered is not removed.
            let kept = remembered.get(&item.path).map_or(Ok(()), |manifest| store.keep_manifest(manifest));
            match kept {
                Err(error) => survey.failures.push(format!("{path} stays: {}", full_message(&error))),
                Ok(()) => match remove(&item.path, &draft, place) {
                    Ok(()) => gone.push(weight),
                    Err(error) => survey.failures.push(format!("cannot remove {path}: {error}")),
                },
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
        let (mut shelf, mut left_alone, mut is_blind) = (vec![], vec![], false);
        for name in names {
            let is_used = roots.used.contains_key(&name);
            match self.found(name.clone(), is_used) {
                Ok(found) => shelf.extend(found),
                Err(note) => {
                    finds.notes.push(note);
                    let manifest = store.manifest(&name.0, &name.1);
                    is_blind |= manifest.is_none();
                    left_alone.extend(manifest);
                }
            }
        }
        let shelved: Vec<Shelved> = shelf.iter().map(|found| found.shelved.clone()).collect();
        let goes = doomed(&shelved, rules, now);
        let (mut going, mut staying) = (vec![], vec![]);
        for (goes, found) in goes.into_iter().zip(shelf) {
            if goes { going.push(found) } else { staying.push(found) }
        }

        // What stays was made from some of what goes, and of what went earlier: that is remembered.
        let stay = staying.iter().filter_map(|found| found.manifest.as_deref());
        let stay: Vec<&Manifest> = stay.chain(left_alone.iter().map(Arc::as_ref)).collect();
        let earlier = Earlier::find(store, &mut finds)?;
        let mut known = earlier.whole.clone();
        known.extend(going.iter().filter_map(|found| Some((found.name(), found.manifest.clone()?))));
        let there: BTreeSet<Name> = staying.iter().map(Found::name).collect();
        known.retain(|name, _| !there.contains(name));
        // What cannot be read may have been made from anything.
        let is_blind = is_blind || !earlier.unread.is_empty();
        let makers = match is_blind {
            true => known.keys().cloned().collect(),
            false => makers(stay.iter().copied(), &known),
        };

        let remembered = || makers.iter().filter_map(|name| Some((name, known.get(name)?)));
        let all = stay.iter().copied().chain(remembered().map(|(_, manifest)| manifest.as_ref()));
        let kept_sources = all.flat_map(|manifest| manifest.parts.sources.values().copied()).collect();
        for found in &going {
            let is_remembered = makers.contains(&found.name());
            found.doom(store, now, is_remembered, &mut finds);
        }
        let unneeded = earlier.whole.keys().filter(|name| !makers.contains(name)).map(|name| {
            let why = match there.contains(name) {
                true => "the artifact that it is of is there again",
                false => "nothing that stays was made from what it is of",
            };
            (name, why.to_owned())
        });
        let broken = earlier.broken.iter().filter(|(name, _)| !makers.contains(name));
        for ((kind, key), why) in unneeded.chain(broken.map(|(name, why)| (name, why.clone()))) {
            let path = store.kept_manifest(kind, key);
            let weight = Weight::of(&path);
            let age = now.saturating_sub(weight.changed());
            finds.add(What::Manifest, format!("{kind} {}", key.short()), path, (weight, age), why);
        }
        let new = remembered().filter(|(name, _)| !earlier.whole.contains_key(name));
        let remembered =
            new.map(|((kind, key), manifest)| (store.artifact_dir(kind, key), manifest.clone())).collect();
        let leftovers = Leftovers { store, rules, roots: &roots, is_in_use, now, cancel, report: self };
        leftovers.find(&kept_sources, &(&makers | &earlier.unread), &mut finds)?;
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
    /// The manifests of artifacts that go, by their folders, as far as they are to be kept and are not yet.
    remembered: BTreeMap<PathBuf, Arc<Manifest>>,
    /// How many artifacts stay.
    kept: usize,
}

/// The manifests that were kept when their artifacts went.
#[derive(Default)]
struct Earlier {
    /// Those that can be read.
    whole: BTreeMap<Name, Arc<Manifest>>,
    /// Those that say nothing, and why.
    broken: BTreeMap<Name, String>,
    /// Those that are left alone.
    unread: BTreeSet<Name>,
}

impl Earlier {
    /// Looks at all of them. Those that may be whole although they cannot be read now are left alone, with a note.
    fn find(store: &Store, finds: &mut Finds) -> Result<Earlier, Error> {
        let mut earlier = Earlier::default();
        for name in store.keys_in("manifests")? {
            match store.read_kept(&name.0, &name.1) {
                Ok(manifest) => _ = earlier.whole.insert(name, Arc::new(manifest)),
                Err(none) if none.is_whole() => {
                    let path = store.kept_manifest(&name.0, &name.1);
                    finds.notes.push(format!("{} is left alone: {none}", path.display()));
                    earlier.unread.insert(name);
                }
                Err(none) => _ = earlier.broken.insert(name, none.to_string()),
            }
        }
        Ok(earlier)
    }
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
        let damage = self.damage.iter().map(|damage| format!(", and it is damaged: {damage}"));
        let stays = is_remembered.then(|| "; its manifest stays, as what stays was made from it".to_owned());
        let why: String = ["no link leads to it".to_owned()].into_iter().chain(damage).chain(stays).collect();
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
