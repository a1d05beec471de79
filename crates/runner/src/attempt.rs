//! [`Attempt`]: one stage, from its lock to its artifact in the store.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline_stage::failure::Cause;
use pipeline_stage::manifest::{MANIFEST_FORMAT, Made};
use pipeline_stage::{
    Artifact, Cancel, Context, Digest, Event, Failure, KeyParts, Manifest, Shard, Step, Summary,
};

use crate::clock;
use crate::draft::Draft;
use crate::error::Error;
use crate::graph::Node;
use crate::ledger::absolute;
use crate::lock::{Claim, Exclusive, host_name};
use crate::machine::Machine;
use crate::memory::Peak;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::Lookup;
use crate::report::StageReport;
use crate::source::Finder;
use crate::store::{Published, Store};
use crate::teller::Teller;

/// A stage that is about to run.
pub(crate) struct Attempt<'a> {
    pub(crate) options: &'a RunOptions,
    pub(crate) store: &'a Store,
    pub(crate) cancel: &'a Cancel,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) finder: &'a Finder<'a>,
    pub(crate) node: &'a Node,
    pub(crate) parts: KeyParts,
    pub(crate) inputs: BTreeMap<String, Vec<Artifact>>,
    pub(crate) sources: BTreeMap<String, PathBuf>,
    pub(crate) lineage: Vec<Step>,
    /// Its part of the threads.
    pub(crate) threads: NonZeroUsize,
    /// Whether it runs although its artifact is there.
    pub(crate) forced: bool,
    pub(crate) reason: String,
    /// How long to wait before it begins.
    pub(crate) pause: Duration,
    /// Files of artifacts whose bytes this run knows to be those of their manifests.
    pub(crate) sound: &'a Mutex<HashSet<(PathBuf, Digest)>>,
    pub(crate) machine: &'a Machine,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// The stage ran, and this is its artifact.
    Made(Arc<Manifest>),
    /// The stage did its part of the pieces.
    Worked { shard: Shard, summary: Box<Summary> },
    /// Another process made the artifact while we waited for the lock.
    MadeElsewhere(Arc<Manifest>),
    /// The stage stopped on request.
    Cancelled,
    /// The stage did not succeed.
    Failed { message: String, hint: Option<String>, cause: Cause },
}

impl Ended {
    /// A failure of the work itself.
    pub(crate) fn failed(message: String, hint: Option<String>) -> Ended {
        Ended::Failed { message, hint, cause: Cause::Work }
    }
}

impl Attempt<'_> {
    /// Runs the stage and publishes its artifact. Notes and warnings go into `report`.
    ///
    /// # Errors
    /// When the lock is held, or the disk says no around the stage.
    pub(crate) fn make(&self, report: &mut StageReport) -> Result<Ended, Error> {
        clock::pause(self.pause, self.cancel)?;
        if let Some(shard) = self.options.shard {
            return self.work(shard, report);
        }
        let kind = self.node.stage.kind();
        let key = self.parts.key();
        let lock = self.store.lock_stage(&self.node.name, kind, &key, &self.claim())?;
        match self.store.lookup(kind, &key) {
            Lookup::Hit(manifest)
                if !self.forced
                    && (manifest.summary.incomplete.is_none()
                        || self.machine.has_made(&self.store.artifact_dir(kind, &key))) =>
            {
                return Ok(Ended::MadeElsewhere(manifest));
            }
            Lookup::Unreadable(reason) => return Err(self.unreadable(&key, reason)),
            Lookup::Damaged(reason) => {
                let place = self.store.move_aside(kind, &key)?;
                let place = self.options.shown(&place);
                self.warn(report, format!("its artifact was damaged ({reason}) and is moved to {place}"));
            }
            _ => {}
        }

        if let Some(failed) = self.nothing_to_read() {
            return Ok(failed);
        }
        self.observer.stage_started(&self.node.name, &self.reason);
        if let Some(failed) = self.rotten_input()? {
            return Ok(failed);
        }
        let draft = self.store.draft()?;
        let partial = self.store.partial_dir(kind, &key);
        if self.forced {
            // Whoever forces a stage wants it done anew, not finished.
            let _ = fs_err::remove_dir_all(&partial);
        }
        fs_err::create_dir_all(&partial).map_err(Error::io("make a folder for checkpoints", &partial))?;
        let (unix_seconds, started) = (clock::unix_seconds(), Instant::now());
        let peak = Peak::begin();
        let ran = self.run(&draft, &partial, report);
        (report.peak_memory_bytes, report.peak_memory_is_shared) = (peak.bytes(), peak.is_shared());
        drop(peak);
        let wall_seconds = started.elapsed().as_secs_f64();
        // Where the stage left nothing to go on from, no empty folder stays.
        let _ = fs_err::remove_dir(&partial);
        let summary = match ran {
            Ok(summary) => summary,
            Err(ended) => return Ok(ended),
        };
        if let Some(message) = self.changed_meanwhile()? {
            // Checkpoints may hold some of the old and some of the new.
            let _ = fs_err::remove_dir_all(&partial);
            let hint = Some("run again".to_owned());
            return Ok(Ended::Failed { message, hint, cause: Cause::Passing });
        }
        if let Some((name, value)) = summary.metrics.iter().find(|(_, value)| !value.is_finite()) {
            // JSON has no such number: the manifest could not be read again.
            let message = format!("the stage reported {value} as `{name}`, expected a finite number");
            return Ok(Ended::failed(message, None));
        }
        let made = Made {
            unix_seconds,
            wall_seconds,
            host: host_name(),
            seed: self.options.seed,
            threads: self.threads.get(),
            device: self.options.device.clone(),
            pipeline_version: self.options.pipeline_version.clone(),
        };
        let manifest = self.publish(draft, summary, made, &lock, report)?;
        // What is left of it is removed by gc; the artifact is there. One that is incomplete is made again, of the same pieces.
        if manifest.summary.incomplete.is_none() {
            let _ = fs_err::remove_dir_all(&partial);
        }
        Ok(Ended::Made(manifest))
    }

    /// How it asks for locks.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim {
            command: &self.options.command,
            wait: self.options.wait_lock,
            cancel: self.cancel,
            observer: self.observer,
        }
    }

    /// The error of an artifact under `key` that cannot be looked at.
    pub(crate) fn unreadable(&self, key: &Digest, reason: String) -> Error {
        let path = self.options.shown(&self.store.artifact_dir(self.node.stage.kind(), key));
        Error::ArtifactUnreadable { path, reason }
    }

    /// Calls the stage. A panic in it is a failure like any other.
    pub(crate) fn run(
        &self,
        draft: &Draft,
        partial: &Path,
        report: &mut StageReport,
    ) -> Result<Summary, Ended> {
        let teller = Teller::new(&self.node.name, self.observer);
        let context = Context {
            stage: self.node.name.clone(),
            out: absolute(&draft.out()),
            partial: absolute(partial),
            memo: self
                .store
                .stage_memo_dir(self.node.stage.kind(), self.node.stage.version())
                .map(|dir| absolute(&dir)),
            inputs: self.inputs.clone(),
            lineage: self.lineage.clone(),
            sources: self.sources.clone(),
            seed: self.options.seed,
            threads: self.threads,
            checkpoint_every: self.options.checkpoint_every,
            shard: self.options.shard,
            report: &teller,
            cancel: self.cancel,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.node.stage.run(&self.node.params, &context)));
        drop(context);
        let (notes, warnings) = teller.into_said();
        report.notes.extend(notes);
        report.warnings.extend(warnings);
        let failure = match outcome {
            Ok(Ok(summary)) => return Ok(summary),
            Ok(Err(failure)) => failure,
            Err(panic) => return Err(broken_off(panic.as_ref())),
        };
        Err(self.why_failed(failure))
    }

    /// A failure of the stage, with what the runner knows about it.
    fn why_failed(&self, failure: Failure) -> Ended {
        let Failure::Failed { message, hint, cause } = failure else { return Ended::Cancelled };
        // What a stage stumbles over may well be that its input is not the one it began with.
        if let Ok(Some(change)) = self.changed_meanwhile() {
            let hint = hint.or_else(|| Some("run again".to_owned()));
            return Ended::Failed { message: format!("{message} ({change})"), hint, cause: Cause::Passing };
        }
        Ended::Failed { message, hint, cause }
    }

    fn publish(
        &self,
        draft: Draft,
        summary: Summary,
        made: Made,
        lock: &Exclusive,
        report: &mut StageReport,
    ) -> Result<Arc<Manifest>, Error> {
        let inputs: Vec<&Artifact> = self.inputs.values().flatten().collect();
        let files = draft.seal(&inputs)?;
        let key = self.parts.key();
        let manifest =
            Manifest { format: MANIFEST_FORMAT, key, parts: self.parts.clone(), files, summary, made };
        // Then it is no wonder that the new one differs.
        let was_incomplete = matches!(
            self.store.lookup(self.node.stage.kind(), &key),
            Lookup::Hit(old) if old.summary.incomplete.is_some()
        );
        match self.store.publish(draft, &manifest, self.node.stage.records(), lock, self.cancel)? {
            Published::New => Ok(Arc::new(manifest)),
            Published::Replaced(_) if was_incomplete => Ok(Arc::new(manifest)),
            Published::Replaced(file) => {
                self.warn(
                    report,
                    format!("not deterministic: {file} differs from the last time, with equal inputs"),
                );
                Ok(Arc::new(manifest))
            }
            Published::Repaired { file, aside } => {
                let aside = self.options.shown(&aside);
                self.warn(report, format!("its {file} was damaged; what was there is moved to {aside}"));
                Ok(Arc::new(manifest))
            }
            // The old one stays, with its own record of how it was made.
            Published::Same => match self.store.lookup(self.node.stage.kind(), &key) {
                Lookup::Hit(old) => Ok(old),
                _ => Ok(Arc::new(manifest)),
            },
        }
    }

    fn warn(&self, report: &mut StageReport, message: String) {
        self.observer.stage_event(&self.node.name, &Event::Warning(message.clone()));
        report.warnings.push(message);
    }
}

/// The end of a stage that panicked.
pub(crate) fn broken_off(panic: &(dyn Any + Send)) -> Ended {
    let message = format!("the stage broke off: {}", panic_text(panic));
    Ended::failed(message, Some("this is a fault of the program; please report it".to_owned()))
}

/// The message of a panic, where it has one.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}
