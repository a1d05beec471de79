//! [`run`], and [`plan`], which says what it would do.
//!
//! A run finds the sources, plans, and then takes the stages (`conductor`), side by side where that is wanted
//! (`machine`, `scheduler`): a fresh one is linked; any other is locked, looked up once more (another run may have made it
//! meanwhile), run, published and linked. Each stage is planned anew when its turn comes, so that an equal result
//! stops the wave. How a stage itself is carried out is in `attempt`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pipeline_stage::failure::Cause;
use pipeline_stage::{Cancel, Digest, Manifest};

use crate::clock;
use crate::conductor::Conductor;
use crate::error::Error;
use crate::graph::Graph;
use crate::ledger::Ledger;
use crate::lock::Claim;
use crate::machine::Machine;
use crate::manifest::read_manifest;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::{Lookup, Lookups, Plan, Planner, State, Unready};
use crate::record::Recorder;
use crate::report::RunReport;
use crate::retry::PAUSE;
use crate::shard;
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
    look(graph, options, cancel, observer, |_, _, _, plan| Ok(plan))
}

/// Plans without writing, and hands the plan on with what it was made from.
pub(crate) fn look<T>(
    graph: &Graph,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
    take: impl FnOnce(&Finder<'_>, &Found, &Planner<'_>, Plan) -> Result<T, Error>,
) -> Result<T, Error> {
    let chosen = options.selection.resolve(graph)?;
    shard::check(graph, options, &chosen)?;
    let store = Store::at(&options.store)?;
    let finder = Finder { options, store: &store, cancel, observer, may_fetch: &|_| false };
    let found = finder.find_all(graph)?;
    let lookups = Known { store: &store, options, machine: None };
    let planner = Planner { graph, sources: &found.states, lookups: &lookups, seed: options.seed };
    let plan = planner.plan(&chosen);
    refuse_blocked(&plan, graph, options)?;
    take(&finder, &found, &planner, plan)
}

/// Where the source `name` of the first stage of `graph` is, unpacked into the store if it is an archive: as a run
/// would have it. `None` where the stage has no such source.
///
/// # Errors
/// As [`run`] has for a source.
pub fn place_of_source(
    graph: &Graph,
    name: &str,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Option<std::path::PathBuf>, Error> {
    let store = Store::open(&options.store)?;
    let claim = Claim { command: &options.command, wait: options.wait_lock, cancel, observer };
    let _shared = store.lock_shared(&options.shown(&options.store), &claim)?;
    let finder = Finder { options, store: &store, cancel, observer, may_fetch: &|_| true };
    let (_, mut paths) = finder.find_of(graph, 0)?;
    Ok(paths.remove(name))
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
    run_on(&Machine::of(options), graph, options, cancel, observer)
}

/// [`run`] beside others of this process, which share `machine`; how much there is of it says that, and not `options`.
/// What two of them need at once is made once.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    machine: &Machine,
    graph: &Graph,
    options: &RunOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<RunReport, Error> {
    let started = Instant::now();
    let chosen = options.selection.resolve(graph)?;
    shard::check(graph, options, &chosen)?;
    let store = Store::open(&options.store)?;
    let claim = Claim { command: &options.command, wait: options.wait_lock, cancel, observer };
    let _shared = store.lock_shared(&options.shown(&options.store), &claim)?;
    if let Err(error) = store.clean_tmp() {
        // Litter takes room, and hinders nobody.
        observer.warning(&pipeline_stage::failure::full_message(&error));
    }

    let may_fetch = |place: usize| chosen.may_run.contains(&place);
    let finder = Finder { options, store: &store, cancel, observer, may_fetch: &may_fetch };
    let (found, mut warnings) = find(&finder, graph)?;
    let lookups = Known { store: &store, options, machine: Some(machine) };
    let planner = Planner { graph, sources: &found.states, lookups: &lookups, seed: options.seed };
    let plan = planner.plan(&chosen);
    refuse_blocked(&plan, graph, options)?;

    let recorder = Recorder::begin(&store.runs_dir(), graph, options, observer);
    recorder.planned(&plan);
    let conductor = Conductor {
        graph,
        options,
        cancel,
        store: &store,
        lookups: &lookups,
        finder: &finder,
        chosen: &chosen,
        plan: &plan,
        recorder: &recorder,
        ledger: Ledger::new(graph, &store, found),
        machine,
        earlier: BTreeMap::new(),
        running: BTreeSet::new(),
        sound: &Mutex::default(),
    };
    let stages = conductor.conduct();
    warnings.extend(recorder.warnings());
    let report = RunReport {
        run: recorder.name(),
        dir: recorder.dir().to_owned(),
        stages,
        wall_seconds: started.elapsed().as_secs_f64(),
        warnings,
    };
    recorder.finish(&report);
    Ok(report)
}

/// Finds all sources, tries again where that may help, and says so.
fn find(finder: &Finder<'_>, graph: &Graph) -> Result<(Found, Vec<String>), Error> {
    let (mut warnings, retries) = (vec![], finder.options.retries);
    loop {
        let error = match finder.find_all(graph) {
            Ok(found) => return Ok((found, warnings)),
            Err(error) if error.cause() == Cause::Passing && warnings.len() < retries as usize => error,
            Err(error) => return Err(error),
        };
        let error = pipeline_stage::failure::full_message(&error);
        let warning = format!("tried again ({} of {retries}): {error}", warnings.len() + 1);
        finder.observer.warning(&warning);
        warnings.push(warning);
        clock::pause(PAUSE, finder.cancel)?;
    }
}

/// With `--only`, what a stage reads must be fresh.
fn refuse_blocked(plan: &Plan, graph: &Graph, options: &RunOptions) -> Result<(), Error> {
    let Some((stage, upstream)) = plan.blocked(graph) else { return Ok(()) };
    if let Some(shard) = options.shard {
        return Err(shard::not_fresh(shard, plan, graph, &stage.name, &upstream.name));
    }
    let places: BTreeSet<usize> = graph.place(&upstream.name).into_iter().collect();
    let mut above = graph.ancestors(&places).into_iter().map(|place| &plan.stages[place].state);
    // Where a source is away, running more stages would not help.
    let missing = above.find(|state| matches!(state, State::Unknown { why: Unready::Missing { .. }, .. }));
    let (mut state, way_out) = (upstream.state.to_string(), missing.and_then(|state| state.hint()));
    if let (Some(missing), State::Depends { .. }) = (missing, &upstream.state) {
        state.push_str(&format!(" ({missing})"));
    }
    Err(Error::UpstreamNotFresh {
        stage: stage.name.clone(),
        upstream: upstream.name.clone(),
        state,
        way_out: way_out.map(str::to_owned),
    })
}

/// What the store and the links know.
pub(crate) struct Known<'a> {
    pub(crate) store: &'a Store,
    pub(crate) options: &'a RunOptions,
    /// What runs of this process have made, where this is one.
    pub(crate) machine: Option<&'a Machine>,
}

impl Lookups for Known<'_> {
    fn lookup(&self, kind: &str, key: &Digest) -> Lookup {
        self.store.lookup(kind, key)
    }

    fn current(&self, name: &str) -> Option<Arc<Manifest>> {
        let link = self.options.link(name);
        if let Ok(manifest) = read_manifest(&link) {
            return Some(Arc::new(manifest));
        }
        self.store.collected(&link)
    }

    fn is_new(&self, kind: &str, key: &Digest) -> bool {
        self.machine.is_some_and(|machine| machine.has_made(&self.store.artifact_dir(kind, key)))
    }
}
