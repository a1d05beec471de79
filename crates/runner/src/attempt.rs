//! [`Attempt`]: one stage, from its lock to its artifact in the store.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pipeline_stage::key::InputPart;
use pipeline_stage::manifest::{MANIFEST_FILE, MANIFEST_FORMAT, Made};
use pipeline_stage::{
    Artifact, Cancel, Context, Digest, Event, Failure, KeyParts, Manifest, Progress, Report, Step, Summary,
};

use crate::clock;
use crate::draft::Draft;
use crate::error::Error;
use crate::graph::Node;
use crate::lock::{Claim, Exclusive, host_name};
use crate::memory::Peak;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::Lookup;
use crate::report::StageReport;
use crate::source::Finder;
use crate::store::{Published, Store, rotten};

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
    /// Whether it runs although its artifact is there.
    pub(crate) forced: bool,
    pub(crate) reason: &'a str,
    /// Files of artifacts whose bytes this run knows to be those of their manifests.
    pub(crate) sound: &'a mut HashSet<PathBuf>,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// The stage ran, and this is its artifact.
    Made(Arc<Manifest>),
    /// Another process made the artifact while we waited for the lock.
    MadeElsewhere(Arc<Manifest>),
    /// The stage stopped on request.
    Cancelled,
    /// The stage did not succeed.
    Failed { message: String, hint: Option<String> },
}

impl Attempt<'_> {
    /// Runs the stage and publishes its artifact. Notes and warnings go into `report`.
    ///
    /// # Errors
    /// When the lock is held, or the disk says no around the stage.
    pub(crate) fn make(mut self, report: &mut StageReport) -> Result<Ended, Error> {
        let kind = self.node.stage.kind();
        let key = self.parts.key();
        let claim = Claim {
            command: &self.options.command,
            wait: self.options.wait_lock,
            cancel: self.cancel,
            observer: self.observer,
        };
        let lock = self.store.lock_stage(&self.node.name, kind, &key, &claim)?;
        match self.store.lookup(kind, &key) {
            Lookup::Hit(manifest) if !self.forced => return Ok(Ended::MadeElsewhere(manifest)),
            Lookup::Unreadable(reason) => {
                let path = self.options.shown(&self.store.artifact_dir(kind, &key));
                return Err(Error::ArtifactUnreadable { path, reason });
            }
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
        self.observer.stage_started(&self.node.name, self.reason);
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
        report.peak_memory_bytes = peak.bytes();
        drop(peak);
        let wall_seconds = started.elapsed().as_secs_f64();
        // Where the stage left nothing to go on from, no empty folder stays.
        let _ = fs_err::remove_dir(&partial);
        let summary = match ran {
            Ok(summary) => summary,
            Err(Failure::Cancelled) => return Ok(Ended::Cancelled),
            Err(Failure::Failed { message, hint }) => return Ok(Ended::Failed { message, hint }),
        };
        if let Some(message) = self.changed_meanwhile()? {
            // Checkpoints may hold some of the old and some of the new.
            let _ = fs_err::remove_dir_all(&partial);
            return Ok(Ended::Failed { message, hint: Some("run again".to_owned()) });
        }
        if let Some((name, value)) = summary.metrics.iter().find(|(_, value)| !value.is_finite()) {
            // JSON has no such number: the manifest could not be read again.
            let message = format!("the stage reported {value} as `{name}`, expected a finite number");
            return Ok(Ended::Failed { message, hint: None });
        }
        let made = Made {
            unix_seconds,
            wall_seconds,
            host: host_name(),
            seed: self.options.seed,
            threads: self.options.threads.get(),
            device: self.options.device.clone(),
            pipeline_version: self.options.pipeline_version.clone(),
        };
        let manifest = self.publish(draft, summary, made, &lock, report)?;
        // What is left of it is removed by gc; the artifact is there.
        let _ = fs_err::remove_dir_all(&partial);
        Ok(Ended::Made(manifest))
    }

    /// Calls the stage. A panic in it is a failure like any other.
    fn run(&mut self, draft: &Draft, partial: &Path, report: &mut StageReport) -> Result<Summary, Failure> {
        let teller = Teller { name: &self.node.name, observer: self.observer, said: Mutex::default() };
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let context = Context {
            stage: self.node.name.clone(),
            out: absolute(&draft.out()),
            partial: absolute(partial),
            inputs: self.inputs.clone(),
            lineage: self.lineage.clone(),
            sources: self.sources.clone(),
            seed: self.options.seed,
            threads: self.options.threads,
            checkpoint_every: self.options.checkpoint_every,
            report: &teller,
            cancel: self.cancel,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.node.stage.run(&self.node.params, &context)));
        drop(context);
        let (notes, warnings) = teller.said.into_inner().unwrap_or_else(|e| e.into_inner());
        report.notes.extend(notes);
        report.warnings.extend(warnings);
        outcome.unwrap_or_else(|panic| {
            let message = format!("the stage broke off: {}", panic_text(panic.as_ref()));
            Err(Failure::new(message, Some("this is a fault of the program; please report it".to_owned())))
        })
    }

    /// An input of which the stage reads no file: its key would not notice a change there.
    fn nothing_to_read(&self) -> Option<Ended> {
        let empty = |parts: &Vec<InputPart>| parts.iter().any(|part| part.files.is_empty());
        let (input, _) = self.parts.inputs.iter().find(|(_, parts)| empty(parts))?;
        let spec = self.node.stage.inputs().iter().find(|spec| spec.name == *input)?;
        Some(Ended::Failed {
            message: format!(
                "the input `{input}` has no file that is read, expected {}",
                spec.reads.join(", ")
            ),
            hint: Some("this is a fault of the stage that made it; please report it".to_owned()),
        })
    }

    /// An input whose bytes are no longer those of its manifest. A hit asks for sizes only, since that is cheap;
    /// what is computed on is read anyway.
    fn rotten_input(&mut self) -> Result<Option<Ended>, Error> {
        let teller = Teller { name: &self.node.name, observer: self.observer, said: Mutex::default() };
        for spec in self.node.stage.inputs() {
            for artifact in self.inputs.get(spec.name).into_iter().flatten() {
                // What this run has written or hashed already is not hashed for each stage that reads it.
                let unsure = |path: &String| !self.sound.contains(&artifact.path(path));
                let read = artifact.files.iter().filter(|(path, _)| spec.reads_file(path) && unsure(path));
                let read: BTreeMap<String, Digest> = read.map(|(p, d)| (p.clone(), *d)).collect();
                if read.is_empty() {
                    continue;
                }
                let total = Some(read.len() as u64);
                let progress = Progress::begin(&teller, self.cancel, "check the input", total, "files");
                if let Some(file) = rotten(&artifact.dir, &read, &progress)? {
                    let upstream = &artifact.stage;
                    let (message, hint) = match self.replaced_input() {
                        Some(_) => (replaced(upstream), "run again".to_owned()),
                        None => (
                            format!("{file} of `{upstream}` is damaged: it is not what its manifest says"),
                            format!("make it again with --force {upstream}"),
                        ),
                    };
                    return Ok(Some(Ended::Failed { message, hint: Some(hint) }));
                }
                self.sound.extend(read.keys().map(|path| artifact.path(path)));
            }
        }
        Ok(None)
    }

    /// What is no longer what the key was made of, in words.
    fn changed_meanwhile(&self) -> Result<Option<String>, Error> {
        if let Some(upstream) = self.replaced_input() {
            return Ok(Some(replaced(upstream)));
        }
        let source = self.finder.changed(self.node, &self.parts.sources)?;
        Ok(source.map(|name| format!("its source `{name}` changed while this stage was reading it")))
    }

    /// The stage that made an input which is no longer the one that the key was made of: another run may
    /// have forced it, and readers hold no lock.
    fn replaced_input(&self) -> Option<&str> {
        let is_same = |artifact: &Artifact| {
            let manifest = fs_err::read(artifact.path(MANIFEST_FILE)).ok();
            let manifest = manifest.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
            manifest.is_some_and(|manifest| manifest.digests() == artifact.files)
        };
        self.inputs.values().flatten().find(|artifact| !is_same(artifact)).map(|a| a.stage.as_str())
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
        match self.store.publish(draft, &manifest, self.node.stage.records(), lock, self.cancel)? {
            Published::New => Ok(Arc::new(manifest)),
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

fn replaced(upstream: &str) -> String {
    format!("another run replaced what `{upstream}` made while this stage was reading it")
}

/// Passes a stage's events on, and keeps its notes and warnings.
struct Teller<'a> {
    name: &'a str,
    observer: &'a dyn Observer,
    said: Mutex<(Vec<String>, Vec<String>)>,
}

impl Report for Teller<'_> {
    fn emit(&self, event: Event) {
        let mut said = self.said.lock().unwrap_or_else(|e| e.into_inner());
        match &event {
            Event::Note(text) => said.0.push(text.clone()),
            Event::Warning(text) => said.1.push(text.clone()),
            _ => {}
        }
        drop(said);
        self.observer.stage_event(self.name, &event);
    }
}

/// The message of a panic, where it has one.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}
