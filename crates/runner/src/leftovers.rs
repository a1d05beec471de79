//! [`Leftovers`]: what killed runs leave in a store and beside the links to it, what only artifacts that are gone
//! needed, and records and pages that are old.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::{Cancel, Digest, Report};

use crate::error::Error;
use crate::lock::sharer_of;
use crate::memo::Memo;
use crate::paths::{entries, file_name, is_temporary, straight};
use crate::plan::Lookup;
use crate::retention::{Rules, Shelved, doomed};
use crate::roots::{Dead, Name, Roots};
use crate::runs::RunRecord;
use crate::store::Store;
use crate::survey::{Finds, What};
use crate::tree::Hashing;
use crate::weight::Weight;

/// So long the tables of a sweep may be half written without its process being gone.
const WRITING_SECONDS: u64 = 3600;

/// Looks for leftovers.
pub(crate) struct Leftovers<'a> {
    pub(crate) store: &'a Store,
    pub(crate) rules: &'a Rules,
    pub(crate) roots: &'a Roots,
    /// Whether runs are going on: then what they may be using is passed over.
    pub(crate) is_in_use: bool,
    /// Seconds since 1970.
    pub(crate) now: u64,
    pub(crate) cancel: &'a Cancel,
    pub(crate) report: &'a dyn Report,
}

impl Leftovers<'_> {
    /// Adds what goes to `finds`. `kept_sources` are the digests of what the artifacts that stay were made from,
    /// `remembered` those that go whose manifests stay.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn find(
        &self,
        kept_sources: &BTreeSet<Digest>,
        remembered: &BTreeSet<Name>,
        finds: &mut Finds,
    ) -> Result<(), Error> {
        if !self.is_in_use {
            self.checkpoints(finds)?;
            self.drafts(finds)?;
            self.temporary(finds)?;
            self.links(finds)?;
            self.unpacked(kept_sources, finds)?;
            self.listings(kept_sources, finds)?;
            self.memos(finds)?;
            self.stage_memos(finds)?;
        }
        self.runs(finds)?;
        self.pages(finds)?;
        self.sweeps(finds)?;
        for path in self.store.listed("damaged")? {
            let weighed = self.weigh(&path);
            if self.rules.is_old(weighed.1) {
                finds.add(
                    What::Damaged,
                    file_name(&path),
                    path,
                    weighed,
                    "moved aside when it was made again",
                );
            }
        }
        for Dead { path, link, of } in &self.roots.dead {
            // It says what the stage had last, as long as that is known.
            if of.as_ref().is_some_and(|of| remembered.contains(of)) {
                continue;
            }
            // Of its config and its stage.
            let name = format!("{}/{}", link.parent().map(file_name).unwrap_or_default(), file_name(link));
            finds.add(What::Note, name, path.clone(), self.weigh(path), "the link was removed");
        }
        Ok(())
    }

    /// Checkpoints of stages that are done, or that nobody has gone on with for long.
    fn checkpoints(&self, finds: &mut Finds) -> Result<(), Error> {
        for (kind, key) in self.store.keys_in("partial")? {
            let path = self.store.partial_dir(&kind, &key);
            let weighed = self.weigh(&path);
            let why = match () {
                () if self.is_done(&kind, &key) => "the stage is done",
                () if fs_err::read_dir(&path).is_ok_and(|mut found| found.next().is_none()) => "it is empty",
                () if self.rules.are_old_checkpoints(weighed.1) => "nobody has gone on from them",
                () => continue,
            };
            let name = format!("{kind} {}", key.short());
            finds.add(What::Checkpoints, name, path, weighed, why);
        }
        Ok(())
    }

    /// Whether nobody will go on from checkpoints of this key. Of an artifact that lacks something it is made again.
    fn is_done(&self, kind: &str, key: &Digest) -> bool {
        matches!(self.store.lookup(kind, key), Lookup::Hit(made) if made.summary.incomplete.is_none())
    }

    /// Folders of processes that are gone.
    fn drafts(&self, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("tmp")? {
            // The file that the process locked goes with its folder.
            if path.extension().is_some_and(|ending| ending == "owner") && path.with_extension("").exists() {
                continue;
            }
            self.add(finds, What::Draft, path, "its process is gone");
        }
        Ok(())
    }

    /// Files that were being written, and names of holders of locks.
    fn temporary(&self, finds: &mut Finds) -> Result<(), Error> {
        let mut folders = [self.store.listed("runs")?, self.store.listed("manifests")?].concat();
        folders.extend(["memo", "trees", "links", "reports", ""].map(|folder| self.store.dir().join(folder)));
        let written = folders.iter().flat_map(|folder| entries(folder)).filter(|path| is_temporary(path));
        for path in written {
            self.add(finds, What::Temporary, path, "its process is gone");
        }
        // Our own is among them; a run that takes part in the store's lock removes it, where we do not.
        let own = self.store.store_lock().with_extension("holder");
        let is_holder =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending == "holder") && *path != own;
        for path in self.store.listed("locks")?.into_iter().filter(is_holder) {
            self.add(finds, What::Holder, path, "its process is gone");
        }
        // Whoever has the store alone has cleared that of the store.
        let own = self.store.store_lock().with_extension("shared");
        let is_left = |path: &PathBuf| {
            path.extension().is_some_and(|ending| ending == "shared")
                && *path != own
                && sharer_of(&path.with_extension("lock")).is_none()
        };
        for path in self.store.listed("locks")?.into_iter().filter(is_left) {
            self.add(finds, What::Holder, path, "nobody holds it");
        }
        Ok(())
    }

    /// Links `.<stage>.<six letters>` that were to become links to artifacts of this store.
    fn links(&self, finds: &mut Finds) -> Result<(), Error> {
        let store = fs_err::canonicalize(self.store.dir())
            .map_err(Error::io("look into the store", self.store.dir()))?;
        for folder in &self.roots.folders {
            let Ok(real) = fs_err::canonicalize(folder) else { continue };
            let leads_here = |link: &PathBuf| {
                fs_err::read_link(link).is_ok_and(|target| straight(&real.join(target)).starts_with(&store))
            };
            for link in entries(&real).into_iter().filter(|link| is_unfinished(link) && leads_here(link)) {
                self.add(finds, What::Link, link, "its process is gone");
            }
        }
        Ok(())
    }

    /// What zips hold that no artifact was made from which stays. A run unpacks again what it needs.
    fn unpacked(&self, kept_sources: &BTreeSet<Digest>, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("sources")? {
            let Ok(zip) = file_name(&path).parse::<Digest>() else { continue };
            let age = self.age_of_folder(&path);
            if !self.rules.is_old(age) {
                continue;
            }
            let path = self.store.unpacked_dir(&zip);
            let memo = Some(self.store.memo_file(&path));
            let hashing = Hashing { memo, left_out: vec![], report: self.report, cancel: self.cancel };
            match hashing.tree(&path) {
                Ok(tree) if kept_sources.contains(&tree.digest) => {}
                Ok(_) => {
                    let memo = self.store.memo_file(&path);
                    if memo.exists() {
                        self.add(finds, What::Memo, memo, "what it is about goes");
                    }
                    let why = "no artifact that stays was made from it";
                    finds.add(What::Unpacked, zip.short(), path.clone(), (Weight::of(&path), age), why);
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => finds.notes.push(format!(
                    "{} is left alone: {}",
                    path.display(),
                    pipeline_stage::failure::full_message(&error)
                )),
            }
        }
        Ok(())
    }

    /// What was in folders that no artifact was made from which stays.
    fn listings(&self, kept_sources: &BTreeSet<Digest>, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("trees")? {
            if file_name(&path).parse().is_ok_and(|tree: Digest| !kept_sources.contains(&tree)) {
                self.add(finds, What::Listing, path, "no artifact that stays was made from these files");
            }
        }
        Ok(())
    }

    /// What is remembered of trees that are gone. If one is only away, its files are hashed once more.
    fn memos(&self, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("memo")?.into_iter().filter(|path| !is_temporary(path)) {
            let memo = Memo::read(&path);
            if memo == Memo::default() {
                self.add(finds, What::Memo, path, "it cannot be read");
            } else if fs_err::symlink_metadata(memo.tree())
                .is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
            {
                self.add(finds, What::Memo, path, &format!("{} is not there", memo.tree().display()));
            }
        }
        Ok(())
    }

    /// What stages keep to spare themselves work, and nobody has used for long: each use writes it anew.
    fn stage_memos(&self, finds: &mut Finds) -> Result<(), Error> {
        for kind in self.store.listed("known")? {
            for version in self.store.listed(&format!("known/{}", file_name(&kind)))? {
                for path in entries(&version) {
                    let weighed = self.weigh(&path);
                    if self.rules.of_records().is_old(weighed.1) {
                        let name = format!("{}/{}", file_name(&kind), file_name(&path));
                        finds.add(What::Memo, name, path, weighed, "nobody has used it lately");
                    }
                }
            }
        }
        Ok(())
    }

    /// Records of runs that are over.
    fn runs(&self, finds: &mut Finds) -> Result<(), Error> {
        let records = RunRecord::all(self.store)?;
        let mut configs = BTreeSet::new();
        let shelved = |record: &RunRecord| {
            let info = record.info();
            let made = info.started.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
            let made = made.and_then(|seconds| u64::try_from(seconds).ok());
            let made = made.unwrap_or_else(|| Weight::of(record.dir()).changed());
            // The latest first. One that was killed before it said anything is nobody's latest.
            // Combinations of a sweep, `CONFIG@NAME=VALUE,…`, are runs of their config.
            let config = info.config.split('@').next().unwrap_or_default().to_owned();
            let is_latest = !config.is_empty() && configs.insert(config.clone());
            let is_used = is_latest || !info.is_over();
            Shelved { kind: config, made, is_used }
        };
        let shelved: Vec<Shelved> = records.iter().map(shelved).collect();
        let goes = doomed(&shelved, &self.rules.of_records(), self.now);
        for ((record, shelved), _) in records.iter().zip(shelved).zip(goes).filter(|(_, goes)| *goes) {
            let (age, path) = (self.now.saturating_sub(shelved.made), record.dir().to_owned());
            let why = match shelved.kind.as_str() {
                "" => "it was killed before it began".to_owned(),
                config => format!("a later run of {config} is there"),
            };
            finds.add(What::Run, record.name(), path.clone(), (Weight::of(&path), age), why);
        }
        Ok(())
    }

    /// Pages that nobody has asked for lately.
    fn pages(&self, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("reports")?.into_iter().filter(|path| !is_temporary(path)) {
            let weighed = self.weigh(&path);
            if self.rules.of_records().is_old(weighed.1) {
                finds.add(What::Page, file_name(&path), path, weighed, "nobody has asked for it lately");
            }
        }
        Ok(())
    }

    /// Tables of sweeps. Where `sweep.json` is missing, the process is gone that was writing them.
    fn sweeps(&self, finds: &mut Finds) -> Result<(), Error> {
        for path in self.store.listed("sweeps")? {
            let is_whole = path.join("sweep.json").exists();
            let weighed = self.weigh(&path);
            let why = match weighed.1 {
                age if self.rules.of_records().is_old(age) => "nobody has asked for it lately",
                age if !is_whole && age > WRITING_SECONDS => "its process is gone",
                _ => continue,
            };
            finds.add(What::Sweep, file_name(&path), path, weighed, why);
        }
        Ok(())
    }

    fn add(&self, finds: &mut Finds, what: What, path: PathBuf, why: &str) {
        let name = file_name(&path);
        let name = if name.len() == 64 && name.is_ascii() { format!("{}…", &name[..8]) } else { name };
        finds.add(what, name, path.clone(), self.weigh(&path), why);
    }

    /// Its weight, and seconds since something in it changed.
    fn weigh(&self, path: &Path) -> (Weight, u64) {
        let weight = Weight::of(path);
        let changed = weight.changed();
        (weight, self.now.saturating_sub(changed))
    }

    /// Seconds since the folder itself appeared: files from a zip have times of their own.
    fn age_of_folder(&self, path: &Path) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let made = fs_err::symlink_metadata(path).map_or(0, |found| found.ctime());
        self.now.saturating_sub(u64::try_from(made).unwrap_or_default())
    }
}

/// Whether a name is one that a link has while it is made.
fn is_unfinished(link: &Path) -> bool {
    let name = file_name(link);
    let parts = name.strip_prefix('.').and_then(|name| name.rsplit_once('.'));
    parts.is_some_and(|(stage, random)| {
        crate::graph::is_name(stage) && random.len() == 6 && random.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_links_have_while_they_are_made_are_unfinished() {
        for (name, expected) in [
            (".head.a1B2c3", true),
            ("head", false),
            (".head", false),
            (".head.bak", false),
            ("head.a1B2c3", false),
        ] {
            assert_eq!(is_unfinished(Path::new(name)), expected, "{name}");
        }
    }
}
