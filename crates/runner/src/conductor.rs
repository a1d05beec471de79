//! [`Conductor`]: takes the stages of a run one after another or side by side, until there is something to say of each.
//!
//! A stage's turn comes when all that it reads is decided. What is fresh is linked; what must run is started when the
//! [`Machine`] has room for it, in a thread of its own; the conductor's own thread decides, and nothing else changes
//! what is decided. With one job, stages are decided and run in the order of the graph. What other runs of this process
//! make is waited for as what this one makes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope, scope};
use std::time::Duration;

use pipeline_stage::failure::{Cause, full_message};
use pipeline_stage::{Cancel, Digest, Manifest};

use crate::attempt::{Attempt, Ended};
use crate::error::Error;
use crate::execute::Known;
use crate::graph::Graph;
use crate::ledger::{Ledger, absolute};
use crate::link;
use crate::machine::{Guest, Machine};
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::over::Over;
use crate::plan::{Action, Plan, Planner, State};
use crate::record::Recorder;
use crate::report::{Outcome, StageReport};
use crate::retry::PAUSE;
use crate::roots;
use crate::selection::Chosen;
use crate::source::Finder;
use crate::store::Store;

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
    /// What was announced.
    pub(crate) plan: &'a Plan,
    pub(crate) recorder: &'a Recorder<'a>,
    pub(crate) ledger: Ledger<'a>,
    pub(crate) machine: &'a Machine,
    /// What came of earlier attempts of each stage, and how many there were.
    pub(crate) earlier: BTreeMap<usize, (u32, StageReport)>,
    /// Those that run.
    pub(crate) running: BTreeSet<usize>,
    /// As in [`Attempt`].
    pub(crate) sound: &'a Mutex<HashSet<(PathBuf, Digest)>>,
}

/// What to do with a stage whose turn has come.
enum Turn {
    /// Nothing is left to do: this came of it.
    Decided(Box<StageReport>),
    /// Its artifact is being made, or is to be made first by another of this run.
    Twin,
    /// It can run.
    Ready(Box<Ready>),
}

/// A stage that can run.
struct Ready {
    report: StageReport,
    key: Digest,
    /// Whether it runs although its artifact is there.
    forced: bool,
    reason: String,
}

/// What a conductor waits for.
enum News {
    /// An attempt is over.
    Over(Box<Over>),
    /// Another run has made room.
    Room,
}

impl<'a> Conductor<'a> {
    /// Decides on every stage, and runs those that must.
    pub(crate) fn conduct(mut self) -> Vec<StageReport> {
        let (sender, news) = channel();
        let bell = sender.clone();
        // Whoever rings when this has ended is not heard, and need not be.
        let guest = self.machine.join(move || drop(bell.send(News::Room)));
        scope(|scope| {
            loop {
                let (ready, waits) = self.next(&guest);
                for (place, ready, threads) in ready {
                    self.start(scope, place, ready, threads, &sender);
                }
                if self.running.is_empty() && !waits {
                    break;
                }
                // This thread has a sender, so there is always one.
                let Ok(first) = news.recv() else { break };
                for news in [first].into_iter().chain(news.try_iter()) {
                    if let News::Over(over) = news {
                        guest.end(over.place, matches!(over.ended, Ok(Ended::Made(_))));
                        self.take(*over);
                    }
                }
            }
        });
        self.ledger.reports.into_iter().flatten().collect()
    }

    /// Decides on the stages whose turn has come. Returns those that run now, with their threads, and whether any waits for
    /// room or for its twin.
    fn next(&mut self, guest: &Guest<'_>) -> (Vec<(usize, Box<Ready>, NonZeroUsize)>, bool) {
        let mut ready: BTreeMap<usize, Box<Ready>> = BTreeMap::new();
        let mut kept_back: Vec<PathBuf> = vec![];
        let mut waits = false;
        for place in 0..self.graph.nodes().len() {
            // Where other runs fill the machine, what need not run is decided all the same.
            if !self.running.is_empty() && guest.is_full() {
                break;
            }
            if self.running.contains(&place) || !self.ledger.is_due(place) {
                continue;
            }
            match self.turn(place, guest, &kept_back) {
                Turn::Decided(report) => self.decide(place, *report),
                Turn::Twin => waits = true,
                Turn::Ready(stage) => {
                    let node = &self.graph.nodes()[place];
                    let artifact = self.store.artifact_dir(node.stage.kind(), &stage.key);
                    let cost = node.stage.cost(&node.params, self.ledger.input_bytes(place));
                    if guest.admit(place, artifact.clone(), cost) {
                        self.running.insert(place);
                        ready.insert(place, stage);
                    } else {
                        waits = true;
                        kept_back.push(artifact);
                    }
                }
            }
        }
        let started = guest.start().into_iter();
        let started = started.filter_map(|(place, threads)| Some((place, ready.remove(&place)?, threads)));
        (started.collect(), waits)
    }

    /// Does with a stage what the plan says, now that all before it are done, short of running it.
    fn turn(&mut self, place: usize, guest: &Guest<'_>, kept_back: &[PathBuf]) -> Turn {
        let node = &self.graph.nodes()[place];
        let state = self.planner().state(place, &self.ledger.settled);
        let mut report = match self.earlier.get(&place) {
            Some((_, report)) => report.clone(),
            None => StageReport::new(node),
        };
        report.key = state.key();
        if !self.chosen.may_run.contains(&place) {
            if let State::Fresh { manifest, .. } | State::Collected { manifest, .. } = state {
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
        // The work is done once, and what a forced stage makes is what its twins have.
        let artifact = state.key().map(|key| self.store.artifact_dir(node.stage.kind(), &key));
        if artifact.is_some_and(|artifact| kept_back.contains(&artifact) || guest.is_made(&artifact)) {
            return Turn::Twin;
        }
        let forced = self.chosen.force.contains(&place) && !self.is_made(place, &state);
        let stopped = |name| {
            let because = format!("the run stopped: {}", self.ledger.because(&[name]));
            decided(Outcome::NotRun { because })
        };
        if let Some(name) = self.ledger.refused() {
            return stopped(name);
        }
        if let (State::Fresh { manifest, .. }, false) = (&state, forced) {
            let report = self.finish(place, report, Outcome::Fresh, manifest.clone());
            return Turn::Decided(Box::new(report));
        }
        if let State::Collected { manifest, .. } = &state
            && self.is_spared(place)
        {
            self.ledger.settled[place] = Some(manifest.clone());
            report.summary = Some(manifest.summary.clone());
            // The link may have led to another artifact: what was of it last is noted, so that it can be told what changed.
            let link = self.options.link(&node.name);
            let noted = roots::note(self.store, &link, node.stage.kind(), &manifest.key);
            return Turn::Decided(Box::new(match noted.and_then(|()| link::remove(&link)) {
                Ok(()) => StageReport { outcome: Outcome::Collected, ..report },
                Err(error) => report.failing(&error),
            }));
        }
        if let (Some(name), false) = (self.ledger.stopper(), self.options.keep_going) {
            return stopped(name);
        }
        let reason = match state {
            State::Fresh { .. } => "forced".to_owned(),
            _ => state.reason(),
        };
        // Only a stage whose key is known comes here.
        let Some(key) = state.key() else { return decided(Outcome::Failed { message: reason, hint: None }) };
        Turn::Ready(Box::new(Ready { report, key, forced, reason }))
    }

    fn planner(&self) -> Planner<'_> {
        let Conductor { graph, lookups, options, .. } = self;
        Planner { graph, sources: &self.ledger.found.states, lookups: *lookups, seed: options.seed }
    }

    /// Whether nobody wants more than the manifest of a stage whose artifact `gc` removed.
    fn is_spared(&self, place: usize) -> bool {
        let planned = &self.plan.stages[place];
        match (planned.action, &planned.state) {
            (Action::Use, State::Collected { .. }) => true,
            // What it depends on is done: those that read it may have turned out fresh.
            (Action::Use | Action::Decide, _) => {
                let is_open = |place: &usize| self.ledger.reports[*place].is_none();
                let force = self.chosen.force.iter().copied().filter(is_open).collect();
                self.planner().plan(&Chosen { force, ..self.chosen.clone() }).spared().contains(&place)
            }
            _ => false,
        }
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
        ready: Box<Ready>,
        threads: NonZeroUsize,
        sender: &Sender<News>,
    ) where
        'a: 'scope,
    {
        let Ready { report, forced, reason, .. } = *ready;
        let (node, tries) = (&self.graph.nodes()[place], self.tries(place));
        let attempt = Attempt {
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
            threads,
            forced,
            reason,
            pause: if tries > 0 { PAUSE } else { Duration::ZERO },
            sound: self.sound,
            machine: self.machine,
        };
        let (graph, finder) = (self.graph, self.finder);
        let look = (tries < self.options.retries).then_some(move || finder.find_of(graph, place));
        let (over, failed) = (sender.clone(), (sender.clone(), report.clone()));
        // The conductor listens until nothing runs.
        let run = move || drop(over.send(News::Over(Box::new(Over::of(&attempt, place, report, look)))));
        let builder = Builder::new().name(node.name.clone()).stack_size(STACK_BYTES);
        if let Err(source) = builder.spawn_scoped(scope, run) {
            let ended = Err(Error::Io { doing: "start a thread for a stage", source });
            let (sender, report) = failed;
            let _ = sender.send(News::Over(Box::new(Over { place, report, ended, found: None })));
        }
    }

    /// Takes in what came of an attempt.
    fn take(&mut self, Over { place, mut report, ended, found }: Over) {
        self.running.remove(&place);
        let report = match (ended, found) {
            (Ok(Ended::Made(manifest)), _) => {
                // Sealing has just hashed every file.
                let dir = absolute(&self.store.artifact_dir(&report.kind, &manifest.key));
                let files = manifest.files.iter().map(|file| (dir.join(&file.path), file.blake3));
                self.sound.lock().unwrap_or_else(|e| e.into_inner()).extend(files);
                let outcome = report.outcome.clone();
                self.finish(place, report, outcome, manifest)
            }
            (Ok(Ended::MadeElsewhere(manifest)), _) => self.finish(place, report, Outcome::Fresh, manifest),
            (Ok(Ended::Worked { shard, summary }), _) => {
                let outcome = Outcome::Shard { shard: shard.to_string() };
                StageReport { outcome, summary: Some(*summary), ..report }
            }
            (Ok(Ended::Cancelled) | Err(Error::Cancelled), _) => {
                StageReport { outcome: Outcome::Cancelled, ..report }
            }
            (Ok(Ended::Failed { message, .. }), Some(Ok(found))) if self.goes_on() => {
                return self.prepare_again(place, &message, found, &mut report);
            }
            (Err(error), Some(Ok(found))) if self.goes_on() => {
                return self.prepare_again(place, &full_message(&error), found, &mut report);
            }
            (Ok(Ended::Failed { .. }), Some(Err(error))) | (Err(error), _) => report.failing(&error),
            (Ok(Ended::Failed { message, hint, cause }), _) => {
                StageReport { outcome: Outcome::Failed { message, hint }, cause: Some(cause), ..report }
            }
        };
        self.decide(place, report);
    }

    fn decide(&mut self, place: usize, mut report: StageReport) {
        if let (Some(cause), Outcome::Failed { message, .. }) = (report.cause, &report.outcome) {
            report.cause = Some(self.options.blame(cause, message));
        }
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
                report = report.failing(&error);
                // Where one cannot be written, none can; but what is in the way of one may be in the way of no other.
                if !matches!(error, Error::LinkBlocked { .. }) {
                    report.cause = Some(Cause::Disk);
                }
            }
        }
        self.ledger.settled[place] = Some(manifest);
        report
    }
}
