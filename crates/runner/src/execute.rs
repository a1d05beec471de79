//! [`run`] and [`plan`]: the two calls that do everything.
//!
//! A run finds the sources, plans, and then takes the stages in order: a fresh one is linked; any other is
//! locked, looked up once more (another run may have made it meanwhile), run, published and linked. After
//! each stage the next is planned anew, so that an equal result stops the wave. How a stage itself is
//! carried out is in `attempt`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use pipeline_stage::{Cancel, Digest, Manifest};

use crate::attempt::{Attempt, Ended};
use crate::error::Error;
use crate::graph::Graph;
use crate::link;
use crate::lock::Claim;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::{Lookup, Lookups, Plan, Planner, Settled, State};
use crate::record::Recorder;
use crate::report::{Outcome, RunReport, StageReport};
use crate::roots;
use crate::selection::Chosen;
use crate::source::{Finder, Found};
use crate::store::Store;

/// What every stage is now, and what [`run`] would do. Writes nothing but remembered digests, and fetches
/// nothing.
///
/// # Errors
/// When the selection makes no sense, or a source or the store cannot be read.
pub fn plan(
    graph: &Graph,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    look(graph, options, cancel, observer, |_, _, plan| Ok(plan))
}

/// Plans without writing, and hands the plan on with what it was made from.
pub(crate) fn look<T>(
    graph: &Graph,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
    take: impl FnOnce(&Store, &Planner<'_>, Plan) -> Result<T, Error>,
) -> Result<T, Error> {
    let chosen = options.selection.resolve(graph)?;
    let store = Store::at(&options.store)?;
    let finder = Finder { options, store: &store, cancel, observer, may_fetch: &|_| false };
    let found = finder.find_all(graph)?;
    let lookups = Known { store: &store, options };
    let planner = Planner { graph, sources: &found.states, lookups: &lookups, seed: options.seed };
    let plan = planner.plan(&chosen);
    refuse_blocked(&plan, graph)?;
    take(&store, &planner, plan)
}

/// Runs what is not fresh of the selected stages.
///
/// # Errors
/// When no stage could be tried: the selection makes no sense, a source cannot be had, the store is locked
/// or cannot be written. A stage that fails is an outcome in the report.
pub fn run(
    graph: &Graph,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<RunReport, Error> {
    let started = Instant::now();
    let chosen = options.selection.resolve(graph)?;
    let store = Store::open(&options.store)?;
    let claim = Claim { command: &options.command, wait: options.wait_lock, cancel, observer };
    let _shared = store.lock_shared(&options.shown(&options.store), &claim)?;
    if let Err(error) = store.clean_tmp() {
        // Litter takes room, and hinders nobody.
        observer.warning(&pipeline_stage::failure::full_message(&error));
    }

    let may_fetch = |place: usize| chosen.may_run.contains(&place);
    let finder = Finder { options, store: &store, cancel, observer, may_fetch: &may_fetch };
    let found = finder.find_all(graph)?;
    let lookups = Known { store: &store, options };
    let planner = Planner { graph, sources: &found.states, lookups: &lookups, seed: options.seed };
    let plan = planner.plan(&chosen);
    refuse_blocked(&plan, graph)?;

    let recorder = Recorder::begin(&store.runs_dir(), graph, options, observer);
    recorder.planned(&plan);
    let mut run = Run {
        graph,
        options,
        cancel,
        store: &store,
        finder: &finder,
        found: &found,
        planner: &planner,
        chosen: &chosen,
        observer: &recorder,
        settled: vec![None; graph.nodes().len()],
        sound: HashSet::new(),
    };
    let mut stages: Vec<StageReport> = Vec::new();
    for place in 0..graph.nodes().len() {
        let report = run.stage(place, &stages);
        recorder.stage_finished(&report.name, &report);
        stages.push(report);
    }
    let report = RunReport {
        run: recorder.name(),
        dir: recorder.dir().to_owned(),
        stages,
        wall_seconds: started.elapsed().as_secs_f64(),
        warnings: recorder.warnings(),
    };
    recorder.finish(&report);
    Ok(report)
}

/// With `--only`, what a stage reads must be fresh.
fn refuse_blocked(plan: &Plan, graph: &Graph) -> Result<(), Error> {
    match plan.blocked(graph) {
        None => Ok(()),
        Some((stage, upstream)) => Err(Error::UpstreamNotFresh {
            stage: stage.name.clone(),
            upstream: upstream.name.clone(),
            state: upstream.state.to_string(),
        }),
    }
}

/// What the store and the links know.
pub(crate) struct Known<'a> {
    pub(crate) store: &'a Store,
    pub(crate) options: &'a RunOptions,
}

impl Lookups for Known<'_> {
    fn lookup(&self, kind: &str, key: &Digest) -> Lookup {
        self.store.lookup(kind, key)
    }

    fn current(&self, name: &str) -> Option<Arc<Manifest>> {
        let path = self.options.link(name).join(pipeline_stage::manifest::MANIFEST_FILE);
        serde_json::from_slice(&fs_err::read(path).ok()?).ok().map(Arc::new)
    }
}

/// A run on its way.
struct Run<'a> {
    graph: &'a Graph,
    options: &'a RunOptions,
    cancel: &'a Cancel,
    store: &'a Store,
    finder: &'a Finder<'a>,
    found: &'a Found,
    planner: &'a Planner<'a>,
    chosen: &'a Chosen,
    observer: &'a Recorder<'a>,
    settled: Settled,
    /// As in [`Attempt`].
    sound: HashSet<PathBuf>,
}

impl Run<'_> {
    /// Does with a stage what the plan says, now that all before it are done.
    fn stage(&mut self, place: usize, before: &[StageReport]) -> StageReport {
        let node = &self.graph.nodes()[place];
        let mut report = StageReport {
            name: node.name.clone(),
            kind: node.stage.kind().to_owned(),
            outcome: Outcome::NotSelected,
            wall_seconds: 0.0,
            peak_memory_bytes: None,
            key: None,
            size_bytes: None,
            path: None,
            summary: None,
            warnings: vec![],
            notes: vec![],
        };
        let state = self.planner.state(place, &self.settled);
        report.key = state.key();
        if !self.chosen.may_run.contains(&place) {
            if let State::Fresh { manifest, .. } = state {
                self.settled[place] = Some(manifest);
            }
            return report;
        }
        if let State::Depends { on } = &state {
            report.outcome = Outcome::NotRun { because: because(on, before) };
            return report;
        }
        if let State::Unknown { .. } = &state {
            report.outcome = Outcome::Failed { message: state.reason(), hint: None };
            return report;
        }
        if self.cancel.is_cancelled() {
            report.outcome = Outcome::Cancelled;
            return report;
        }
        let forced = self.chosen.force.contains(&place);
        if let (State::Fresh { manifest, .. }, false) = (&state, forced) {
            self.finish(place, &mut report, Outcome::Fresh, manifest.clone());
            return report;
        }
        let stopper =
            before.iter().find(|r| matches!(r.outcome, Outcome::Failed { .. } | Outcome::Locked { .. }));
        if let Some(stopper) = stopper {
            let why = because(std::slice::from_ref(&stopper.name), before);
            report.outcome = Outcome::NotRun { because: format!("the run stopped: {why}") };
            return report;
        }

        let reason =
            if forced && matches!(state, State::Fresh { .. }) { "forced".to_owned() } else { state.reason() };
        let started = Instant::now();
        let attempt = Attempt {
            options: self.options,
            store: self.store,
            cancel: self.cancel,
            observer: self.observer,
            finder: self.finder,
            node,
            parts: self.planner.parts(place, &self.settled),
            inputs: self.inputs(place),
            lineage: self.planner.graph.lineage(place),
            sources: self.found.paths[place].clone(),
            forced,
            reason: &reason,
            sound: &mut self.sound,
        };
        let ended = attempt.make(&mut report);
        if !matches!(ended, Ok(Ended::MadeElsewhere(_)) | Err(Error::Locked { .. })) {
            report.wall_seconds = started.elapsed().as_secs_f64();
        }
        match ended {
            Ok(Ended::Made(manifest)) => {
                // Sealing has just hashed every file.
                let dir = absolute(&self.store.artifact_dir(node.stage.kind(), &manifest.key));
                self.sound.extend(manifest.files.iter().map(|file| dir.join(&file.path)));
                self.finish(place, &mut report, Outcome::Ran { reason }, manifest);
            }
            Ok(Ended::MadeElsewhere(manifest)) => self.finish(place, &mut report, Outcome::Fresh, manifest),
            Ok(Ended::Failed { message, hint }) => report.outcome = Outcome::Failed { message, hint },
            Ok(Ended::Cancelled) | Err(Error::Cancelled) => report.outcome = Outcome::Cancelled,
            Err(error) => report.outcome = outcome(&error),
        }
        report
    }

    /// Notes the artifact of a stage and points its link to it.
    fn finish(&mut self, place: usize, report: &mut StageReport, outcome: Outcome, manifest: Arc<Manifest>) {
        let link = self.options.link(&report.name);
        report.size_bytes = Some(manifest.size_bytes());
        report.summary = Some(manifest.summary.clone());
        report.outcome = outcome;
        let artifact = self.store.artifact_dir(&report.kind, &manifest.key);
        let key = &manifest.key;
        let noted = roots::note(self.store, &link, &report.kind, key);
        match noted.and_then(|()| link::point(&link, &artifact)) {
            Ok(()) => report.path = Some(link),
            // The artifact is whole; only its plain name is not. Failing says so, and the next run links it.
            Err(error) => {
                report.path = Some(artifact);
                report.outcome = self::outcome(&error);
            }
        }
        self.settled[place] = Some(manifest);
    }

    /// The artifacts that the stage at `place` reads, by input.
    fn inputs(&self, place: usize) -> std::collections::BTreeMap<String, Vec<pipeline_stage::Artifact>> {
        let node = &self.graph.nodes()[place];
        let artifact = |name: &String| {
            let upstream = self.graph.place(name)?;
            let manifest = self.settled[upstream].as_ref()?;
            let kind = self.graph.nodes()[upstream].stage.kind();
            Some(pipeline_stage::Artifact {
                stage: name.clone(),
                dir: absolute(&self.store.artifact_dir(kind, &manifest.key)),
                files: manifest.digests(),
                sources: self.found.paths[upstream].clone(),
            })
        };
        let inputs = node.inputs.iter();
        inputs.map(|(input, names)| (input.clone(), names.iter().filter_map(artifact).collect())).collect()
    }
}

fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Why a stage whose upstream stages `on` have no artifact is not run.
fn because(on: &[String], before: &[StageReport]) -> String {
    let words = on.iter().map(|name| {
        let word = before.iter().find(|report| report.name == *name).map_or("not run", |r| r.outcome.word());
        match word {
            "failed" => format!("{name} failed"),
            word => format!("{name} is {word}"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// An error around a stage as that stage's outcome.
fn outcome(error: &Error) -> Outcome {
    let message = pipeline_stage::failure::full_message(error);
    let hint = pipeline_stage::Hint::hint(error);
    match error {
        Error::Locked { .. } => Outcome::Locked { message, hint },
        _ => Outcome::Failed { message, hint },
    }
}
