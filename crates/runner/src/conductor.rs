//! [`Conductor`]: takes the stages of a run one after another or side by side, until there is something to say of each.
//!
//! A stage's turn comes when all that it reads is decided. What is fresh is linked; what must run is started when the
//! [`Scheduler`] has room for it, in a thread of its own; the conductor's own thread decides, and nothing else changes
//! what is decided. With one job, stages are decided and run in the order of the graph.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope, scope};
use std::time::{Duration, Instant};

use pipeline_stage::failure::full_message;
use pipeline_stage::{Cancel, Digest, Event, Hint, Manifest};

use crate::attempt::{Attempt, Ended, broken_off};
use crate::error::Error;
use crate::execute::Known;
use crate::graph::Graph;
use crate::ledger::{Ledger, absolute};
use crate::link;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::{Lookup, Lookups, Planner, State};
use crate::record::Recorder;
use crate::report::{Outcome, StageReport};
use crate::roots;
use crate::scheduler::Scheduler;
use crate::selection::Chosen;
use crate::source::Finder;
use crate::store::Store;

/// Pause before something is tried again, so that what passes has time to.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Stack of a stage's thread: that of a main thread.
const STACK_BYTES: usize = 8 << 20;

/// A run on its way.
pub(crate) struct Conductor<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) options: &'a RunOptions,
    pub(crate) cancel: &'a Cancel,
    pub(crate) store: &'a Store,
    pub(crate) lookups: &'a Known<'a>,
    pub(crate) finder: &'a Finder<'a>,
    pub(crate) chosen: &'a Chosen,
    pub(crate) recorder: &'a Recorder<'a>,
    pub(crate) ledger: Ledger<'a>,
    pub(crate) scheduler: Scheduler,
    /// What came of earlier attempts of each stage, and how many there were.
    pub(crate) earlier: BTreeMap<usize, (u32, StageReport)>,
    /// The keys of those that run.
    pub(crate) running: BTreeMap<usize, Digest>,
    /// As in [`Attempt`].
    pub(crate) sound: &'a Mutex<HashSet<(PathBuf, Digest)>>,
}

/// What to do with a stage whose turn has come.
enum Turn<'a> {
    /// Nothing is left to do: this came of it.
    Decided(Box<StageReport>),
    /// It is the twin of one that runs first.
    Twin,
    /// It can run.
    Ready(Box<Attempt<'a>>),
}

/// An attempt that is over: the stage's place, what was said, and how it ended.
type Over = (usize, StageReport, Result<Ended, Error>);

impl<'a> Conductor<'a> {
    /// Decides on every stage, and runs those that must.
    pub(crate) fn conduct(mut self) -> Vec<StageReport> {
        let (sender, overs) = channel();
        scope(|scope| {
            loop {
                for (place, attempt) in self.next() {
                    self.start(scope, place, attempt, &sender);
                }
                if self.running.is_empty() {
                    break;
                }
                // This thread has a sender, so there is always one.
                let Ok(over) = overs.recv() else { break };
                self.take(over);
            }
        });
        self.ledger.reports.into_iter().flatten().collect()
    }

    /// Decides on the stages whose turn has come, and returns those that run now.
    fn next(&mut self) -> Vec<(usize, Box<Attempt<'a>>)> {
        let mut ready: BTreeMap<usize, Box<Attempt<'a>>> = BTreeMap::new();
        let mut kept_back: Vec<(&str, Digest)> = vec![];
        for place in 0..self.graph.nodes().len() {
            if self.scheduler.is_full() {
                break;
            }
            if self.running.contains_key(&place) || !self.ledger.is_due(place) {
                continue;
            }
            match self.turn(place, &kept_back) {
                Turn::Decided(report) => self.decide(place, *report),
                Turn::Twin => {}
                Turn::Ready(attempt) => {
                    let (kind, key) = (attempt.node.stage.kind(), attempt.parts.key());
                    let cost = attempt.node.stage.cost(&attempt.node.params, self.ledger.input_bytes(place));
                    if self.scheduler.admit(place, cost) {
                        self.running.insert(place, key);
                        ready.insert(place, attempt);
                    } else {
                        kept_back.push((kind, key));
                    }
                }
            }
        }
        let started = self.scheduler.start().into_iter();
        let with_threads = started.filter_map(|(place, threads)| {
            let mut attempt = ready.remove(&place)?;
            attempt.threads = threads;
            Some((place, attempt))
        });
        with_threads.collect()
    }

    /// Does with a stage what the plan says, now that all before it are done, short of running it.
    fn turn(&mut self, place: usize, kept_back: &[(&str, Digest)]) -> Turn<'a> {
        let node = &self.graph.nodes()[place];
        let state = self.planner().state(place, &self.ledger.settled);
        let (tries, mut report) = match self.earlier.get(&place) {
            Some((tries, report)) => (*tries, report.clone()),
            None => (0, StageReport::new(node)),
        };
        report.key = state.key();
        if !self.chosen.may_run.contains(&place) {
            if let State::Fresh { manifest, .. } = state {
                self.ledger.settled[place] = Some(manifest);
            }
            return Turn::Decided(Box::new(report));
        }
        let decided = |outcome| Turn::Decided(Box::new(StageReport { outcome, ..report.clone() }));
        match &state {
            State::Depends { on } => return decided(Outcome::NotRun { because: self.ledger.because(on) }),
            State::Unknown { .. } => return decided(Outcome::Failed { message: state.reason(), hint: None }),
            _ if self.cancel.is_cancelled() => return decided(Outcome::Cancelled),
            _ => {}
        }
        if self.is_twin(place, &state, kept_back) {
            return Turn::Twin;
        }
        let forced = self.chosen.force.contains(&place) && !self.is_made(place, &state);
        if let (State::Fresh { manifest, .. }, false) = (&state, forced) {
            let report = self.finish(place, report, Outcome::Fresh, manifest.clone());
            return Turn::Decided(Box::new(report));
        }
        if let (Some(name), false) = (self.ledger.stopper(), self.options.keep_going) {
            let because = format!("the run stopped: {}", self.ledger.because(&[name]));
            return decided(Outcome::NotRun { because });
        }
        let is_forced = forced && matches!(state, State::Fresh { .. });
        Turn::Ready(Box::new(Attempt {
            options: self.options,
            store: self.store,
            cancel: self.cancel,
            observer: self.recorder,
            finder: self.finder,
            node,
            parts: self.planner().parts(place, &self.ledger.settled),
            inputs: self.ledger.inputs(place),
            lineage: self.graph.lineage(place),
            sources: self.ledger.found.paths[place].clone(),
            threads: self.options.threads,
            forced,
            reason: if is_forced { "forced".to_owned() } else { state.reason() },
            pause: if tries > 0 { PAUSE } else { Duration::ZERO },
            sound: self.sound,
        }))
    }

    fn planner(&self) -> Planner<'_> {
        let Conductor { graph, lookups, options, .. } = self;
        Planner { graph, sources: &self.ledger.found.states, lookups: *lookups, seed: options.seed }
    }

    /// Whether a stage with the same key comes first: the work is done once, and what a forced stage makes is what its
    /// twins have.
    fn is_twin(&self, place: usize, state: &State, kept_back: &[(&str, Digest)]) -> bool {
        let nodes = self.graph.nodes();
        let (kind, key) = (nodes[place].stage.kind(), state.key());
        let runs = self.running.iter().map(|(place, key)| (nodes[*place].stage.kind(), *key));
        let mut first = runs.chain(kept_back.iter().copied());
        first.any(|twin| Some(twin) == key.map(|key| (kind, key)))
    }

    /// Whether this run has made the artifact already, for a stage with the same key: forced once is forced enough.
    fn is_made(&self, place: usize, state: &State) -> bool {
        let is_it = |report: &StageReport| {
            matches!(report.outcome, Outcome::Ran { .. })
                && report.kind == self.graph.nodes()[place].stage.kind()
                && report.key == state.key()
        };
        self.ledger.reports.iter().flatten().any(is_it)
    }

    /// Runs a stage in a thread of its own.
    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        place: usize,
        attempt: Box<Attempt<'a>>,
        sender: &Sender<Over>,
    ) where
        'a: 'scope,
    {
        let node = &self.graph.nodes()[place];
        let earlier = self.earlier.get(&place).map(|(_, report)| report.clone());
        let mut report = earlier.unwrap_or_else(|| StageReport::new(node));
        report.key = Some(attempt.parts.key());
        let (over, failed) = (sender.clone(), (sender.clone(), report.clone()));
        let run = move || {
            let started = Instant::now();
            let ended = catch_unwind(AssertUnwindSafe(|| attempt.make(&mut report)))
                .unwrap_or_else(|panic| Ok(broken_off(panic.as_ref())));
            if !matches!(ended, Ok(Ended::MadeElsewhere(_)) | Err(Error::Locked { .. })) {
                report.wall_seconds += started.elapsed().saturating_sub(attempt.pause).as_secs_f64();
            }
            if let Ok(Ended::Made(_)) = ended {
                report.outcome = Outcome::Ran { reason: attempt.reason.clone() };
            }
            // The conductor listens until nothing runs.
            let _ = over.send((place, report, ended));
        };
        let builder = Builder::new().name(node.name.clone()).stack_size(STACK_BYTES);
        if let Err(source) = builder.spawn_scoped(scope, run) {
            let error = Error::Io { doing: "start a thread for a stage", source };
            let _ = failed.0.send((place, failed.1, Err(error)));
        }
    }

    /// Takes in what came of an attempt.
    fn take(&mut self, (place, mut report, ended): Over) {
        self.running.remove(&place);
        self.scheduler.end(place);
        let ended = ended.or_else(|error| match error.may_pass() {
            true => Ok(Ended::Failed { message: full_message(&error), hint: error.hint(), may_pass: true }),
            false => Err(error),
        });
        let report = match ended {
            Ok(Ended::Made(manifest)) => {
                // Sealing has just hashed every file.
                let dir = absolute(&self.store.artifact_dir(&report.kind, &manifest.key));
                let files = manifest.files.iter().map(|file| (dir.join(&file.path), file.blake3));
                self.sound.lock().unwrap_or_else(|e| e.into_inner()).extend(files);
                let outcome = report.outcome.clone();
                self.finish(place, report, outcome, manifest)
            }
            Ok(Ended::MadeElsewhere(manifest)) => self.finish(place, report, Outcome::Fresh, manifest),
            Ok(Ended::Worked { shard, summary }) => {
                let outcome = Outcome::Shard { shard: shard.to_string() };
                StageReport { outcome, summary: Some(summary), ..report }
            }
            Ok(Ended::Failed { message, hint: _, may_pass: true }) if self.may_retry(place) => {
                match self.prepare_again(place, &message, &mut report) {
                    Ok(()) => return,
                    Err(error) => StageReport { outcome: outcome(&error), ..report },
                }
            }
            Ok(Ended::Failed { message, hint, .. }) => {
                StageReport { outcome: Outcome::Failed { message, hint }, ..report }
            }
            Ok(Ended::Cancelled) | Err(Error::Cancelled) => {
                StageReport { outcome: Outcome::Cancelled, ..report }
            }
            Err(error) => StageReport { outcome: outcome(&error), ..report },
        };
        self.decide(place, report);
    }

    /// Whether the stage at `place` may be tried once more.
    fn may_retry(&self, place: usize) -> bool {
        let tries = self.earlier.get(&place).map_or(0, |(tries, _)| *tries);
        let goes_on = self.options.keep_going || self.ledger.stopper().is_none();
        tries < self.options.retries && goes_on && !self.cancel.is_cancelled()
    }

    /// Looks anew at what the stage at `place` reads, and says that it is tried again.
    fn prepare_again(&mut self, place: usize, message: &str, report: &mut StageReport) -> Result<(), Error> {
        let (states, paths) = self.finder.find_of(self.graph, place)?;
        (self.ledger.found.states[place], self.ledger.found.paths[place]) = (states, paths);
        for up in self.graph.upstream(place) {
            let (kind, old) = (self.graph.nodes()[*up].stage.kind(), self.ledger.settled[*up].as_ref());
            // Another run may have replaced it.
            if let Some(Lookup::Hit(now)) = old.map(|old| self.lookups.lookup(kind, &old.key)) {
                self.ledger.settled[*up] = Some(now);
            }
        }
        let tries = self.earlier.get(&place).map_or(0, |(tries, _)| *tries) + 1;
        let warning = format!("tried again ({tries} of {}): {message}", self.options.retries);
        self.recorder.stage_event(&report.name, &Event::Warning(warning.clone()));
        report.warnings.push(warning);
        self.earlier.insert(place, (tries, report.clone()));
        Ok(())
    }

    fn decide(&mut self, place: usize, report: StageReport) {
        self.recorder.stage_finished(&report.name, &report);
        self.ledger.reports[place] = Some(report);
    }

    /// Notes the artifact of a stage and points its link to it.
    fn finish(
        &mut self,
        place: usize,
        mut report: StageReport,
        outcome: Outcome,
        manifest: Arc<Manifest>,
    ) -> StageReport {
        let link = self.options.link(&report.name);
        report.size_bytes = Some(manifest.size_bytes());
        report.summary = Some(manifest.summary.clone());
        report.outcome = outcome;
        let artifact = self.store.artifact_dir(&report.kind, &manifest.key);
        let noted = roots::note(self.store, &link, &report.kind, &manifest.key);
        match noted.and_then(|()| link::point(&link, &artifact)) {
            Ok(()) => report.path = Some(link),
            // The artifact is whole; only its plain name is not. Failing says so, and the next run links it.
            Err(error) => {
                report.path = Some(artifact);
                report.outcome = self::outcome(&error);
            }
        }
        self.ledger.settled[place] = Some(manifest);
        report
    }
}

/// An error around a stage as that stage's outcome.
fn outcome(error: &Error) -> Outcome {
    let (message, hint) = (full_message(error), error.hint());
    match error {
        Error::Locked { .. } => Outcome::Locked { message, hint },
        _ => Outcome::Failed { message, hint },
    }
}
