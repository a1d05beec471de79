//! [`Plan`]: what each stage of a graph is, and what a run will do. The one planner behind run, dry run,
//! status and `explain`.
//!
//! Planning is a pure function of the graph, the digests of the sources, what the store says about a key
//! ([`Lookups`]), and the selection. A stage whose inputs are all there has a key, and is [`Fresh`](State::Fresh)
//! exactly if the store has a whole artifact of that key, which does not call itself incomplete. A stage that reads one which must run first has no
//! key yet, and is said to depend on it: whether it runs shows when that one is done.
//!
//! Of an artifact that `gc` removed the manifest may be there, which is all that the keys of its readers need. Such a
//! stage is [`Collected`](State::Collected), and is made again only where somebody wants its files: a stage that reads it
//! and may run, or whoever asked for it, which is the case where no other stage that was asked for reads it. So a head
//! stays fresh when its features are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use pipeline_stage::key::{Change, InputPart};
use pipeline_stage::{Digest, KeyParts, Manifest};

use crate::graph::{Graph, Node};
use crate::selection::Chosen;

/// What each stage of a graph is, in the order of running.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every stage of the graph, also those not selected.
    pub stages: Vec<PlannedStage>,
}

/// What a stage is and what a run would do with it.
#[derive(Debug, Clone)]
pub struct PlannedStage {
    /// Name in the pipeline.
    pub name: String,
    /// Stage kind.
    pub kind: &'static str,
    /// What it is.
    pub state: State,
    /// Whether it is among the stages asked for.
    pub selected: bool,
    /// What a run does with it.
    pub action: Action,
}

/// What a run does with a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Takes the artifact that is there, or its manifest, where nobody wants more.
    Use,
    /// Runs it, unless a stage that depends on others turns out to be alike to the last input, and has made it first.
    Run,
    /// Runs it although it is fresh, or whatever it is once its turn comes (`--force`), with the same exception.
    Rerun,
    /// Decides when what it depends on is done.
    Decide,
    /// Ends with an error before any stage runs: a source of it is not there, or not what it should be.
    Fail,
    /// Nothing: it is not selected, and not needed.
    Skip,
}

/// What a stage is.
#[derive(Debug, Clone)]
pub enum State {
    /// Its artifact is in the store.
    Fresh {
        /// The key.
        key: Digest,
        /// The artifact's manifest.
        manifest: Arc<Manifest>,
    },
    /// The current artifact was made from something else.
    Stale {
        /// The key that it should have.
        key: Digest,
        /// What differs, the most telling first; never empty.
        changes: Vec<Change>,
    },
    /// `gc` removed its artifact, and kept the manifest.
    Collected {
        /// The key.
        key: Digest,
        /// The artifact's manifest.
        manifest: Arc<Manifest>,
    },
    /// There is no current artifact.
    Missing {
        /// The key that it should have.
        key: Digest,
    },
    /// The artifact is there and says itself that it lacks something, which has passed: its key is what is asked for.
    Incomplete {
        /// The key.
        key: Digest,
        /// The artifact's manifest.
        manifest: Arc<Manifest>,
        /// Why: `3 photos were missing when it was made`.
        reason: String,
    },
    /// The artifact is there, but not whole.
    Damaged {
        /// The key.
        key: Digest,
        /// What is wrong with it: `model.json is missing`.
        reason: String,
    },
    /// It reads stages that must run first, or is the twin of one.
    Depends {
        /// Their names, of those that it reads directly.
        on: Vec<String>,
    },
    /// A source of it is not ready, so that its key is not known.
    Unknown {
        /// Name of the source.
        source: String,
        /// Why: [`Unready::NotFetched`], ...
        why: Unready,
    },
}

/// Why the digest of a source is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unready {
    /// It has an address and has not been fetched. A run fetches it.
    NotFetched,
    /// It is a zip that has not been unpacked. A run unpacks it.
    NotUnpacked,
    /// It is not there, or not what it should be. A run fails.
    Missing {
        /// The message of the error that a run gives.
        message: String,
        /// The way out.
        hint: Option<String>,
    },
}

/// What the planner asks the store.
pub trait Lookups {
    /// What the store has under `key`.
    fn lookup(&self, kind: &str, key: &Digest) -> Lookup;
    /// The manifest of the artifact that the stage `name` had last in this config, whole or not, or collected.
    fn current(&self, name: &str) -> Option<Arc<Manifest>>;
    /// Whether this process has made the artifact: what it lacks has just been looked for.
    fn is_new(&self, _kind: &str, _key: &Digest) -> bool {
        false
    }
}

/// What the store has under a key.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// A whole artifact: its manifest, and every file there with its recorded size.
    Hit(Arc<Manifest>),
    /// An artifact that is not whole, and why.
    Damaged(String),
    /// An artifact that may be whole but cannot be looked at, and why: it is not ours to replace.
    Unreadable(String),
    /// The manifest of an artifact that `gc` removed.
    Collected(Arc<Manifest>),
    /// Nothing.
    Absent,
}

/// What is known of a source of a stage before the stage runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Located {
    /// It is there: the digest of its content.
    Ready(Digest),
    /// It is not.
    Unready(Unready),
}

/// The state of the sources of each stage, by place in the graph and by name.
pub(crate) type Sources = Vec<BTreeMap<String, Located>>;

/// All that a plan is made from.
pub(crate) struct Planner<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) sources: &'a Sources,
    pub(crate) lookups: &'a dyn Lookups,
    pub(crate) seed: u64,
}

/// The artifacts of the stages that are done, by place in the graph.
pub(crate) type Settled = Vec<Option<Arc<Manifest>>>;

impl Planner<'_> {
    /// What every stage is now, and what a run of the stages `chosen` would do.
    pub(crate) fn plan(&self, chosen: &Chosen) -> Plan {
        let reads = |place: &usize| self.graph.upstream(*place).iter().copied();
        let read: BTreeSet<usize> = chosen.goals.iter().flat_map(reads).collect();
        let mut wanted = &(&chosen.goals - &read) | &chosen.force;
        loop {
            let plan = self.plan_for(chosen, &wanted);
            let runs = |place: &usize| plan.stages[*place].runs();
            let running: BTreeSet<usize> = (0..plan.stages.len()).filter(runs).collect();
            let read: BTreeSet<usize> = running.iter().flat_map(reads).collect();
            // One that is alike to the last parameter is made with it.
            let name = |place: usize| (plan.stages[place].kind, plan.stages[place].state.key());
            let made: BTreeSet<_> =
                running.iter().map(|place| name(*place)).filter(|(_, key)| key.is_some()).collect();
            let is_new = |place: &usize| {
                matches!(plan.stages[*place].state, State::Collected { .. })
                    && !wanted.contains(place)
                    && (read.contains(place) || made.contains(&name(*place)))
            };
            let more: Vec<usize> = (0..plan.stages.len()).filter(is_new).collect();
            if more.is_empty() {
                return plan;
            }
            wanted.extend(more);
        }
    }

    /// The plan of a run that makes what was collected of the stages `wanted` again.
    fn plan_for(&self, chosen: &Chosen, wanted: &BTreeSet<usize>) -> Plan {
        let mut settled: Settled = vec![None; self.graph.nodes().len()];
        let mut stages = Vec::with_capacity(settled.len());
        // Two stages may be alike to the last parameter; then the second finds what the first has made,
        // which is not what is there now when the first is forced.
        let mut coming: BTreeMap<(&str, Digest), &str> = BTreeMap::new();
        for (place, node) in self.graph.nodes().iter().enumerate() {
            let mut state = self.state(place, &settled);
            if let Some(key) = state.key()
                && let Some(twin) = coming.get(&(node.stage.kind(), key))
            {
                state = State::Depends { on: vec![(*twin).to_owned()] };
            }
            let forced = chosen.force.contains(&place);
            let action = match &state {
                _ if !chosen.may_run.contains(&place) => Action::Skip,
                State::Unknown { why: Unready::Missing { .. }, .. } => Action::Fail,
                State::Fresh { .. } | State::Depends { .. } | State::Unknown { .. } if forced => {
                    Action::Rerun
                }
                State::Fresh { .. } => Action::Use,
                State::Collected { .. } if !wanted.contains(&place) => Action::Use,
                State::Depends { .. } | State::Unknown { .. } => Action::Decide,
                State::Stale { .. }
                | State::Missing { .. }
                | State::Collected { .. }
                | State::Incomplete { .. }
                | State::Damaged { .. } => Action::Run,
            };
            settled[place] = settle(&state, action);
            if let (Action::Run | Action::Rerun, Some(key)) = (action, state.key()) {
                coming.insert((node.stage.kind(), key), &node.name);
            }
            let selected = chosen.goals.contains(&place);
            stages.push(PlannedStage {
                name: node.name.clone(),
                kind: node.stage.kind(),
                state,
                selected,
                action,
            });
        }
        Plan { stages }
    }

    /// What the stage at `place` is, when the stages before it are as `settled` says.
    pub(crate) fn state(&self, place: usize, settled: &Settled) -> State {
        let node = &self.graph.nodes()[place];
        for (name, located) in &self.sources[place] {
            if let Located::Unready(why) = located {
                return State::Unknown { source: name.clone(), why: why.clone() };
            }
        }
        let unsettled = self.graph.upstream(place).iter().filter(|up| settled[**up].is_none());
        let on: Vec<String> = unsettled.map(|up| self.graph.nodes()[*up].name.clone()).collect();
        if !on.is_empty() {
            return State::Depends { on };
        }
        let parts = self.parts(place, settled);
        let key = parts.key();
        match self.lookups.lookup(node.stage.kind(), &key) {
            Lookup::Hit(manifest) => match manifest.summary.incomplete.clone() {
                Some(reason) if !self.lookups.is_new(node.stage.kind(), &key) => {
                    State::Incomplete { key, manifest, reason }
                }
                _ => State::Fresh { key, manifest },
            },
            Lookup::Damaged(reason) | Lookup::Unreadable(reason) => State::Damaged { key, reason },
            Lookup::Collected(manifest) => State::Collected { key, manifest },
            Lookup::Absent => {
                let current = self.lookups.current(&node.name).filter(|m| m.parts.kind == parts.kind);
                match current.map(|m| parts.changes_since(&m.parts)) {
                    Some(changes) if !changes.is_empty() => State::Stale { key, changes },
                    _ => State::Missing { key },
                }
            }
        }
    }

    /// The parts of the key of the stage at `place`, all of whose sources are ready and whose inputs are
    /// settled.
    pub(crate) fn parts(&self, place: usize, settled: &Settled) -> KeyParts {
        let node = &self.graph.nodes()[place];
        let sources = self.sources[place].iter().filter_map(|(name, located)| match located {
            Located::Ready(digest) => Some((name.clone(), *digest)),
            Located::Unready(_) => None,
        });
        KeyParts {
            kind: node.stage.kind().to_owned(),
            version: node.stage.version(),
            params: params_in_key(node),
            seed: node.stage.uses_seed().then_some(self.seed),
            sources: sources.collect(),
            inputs: self.inputs_in_key(node, settled),
        }
    }

    fn inputs_in_key(&self, node: &Node, settled: &Settled) -> BTreeMap<String, Vec<InputPart>> {
        let mut parts = BTreeMap::new();
        for spec in node.stage.inputs() {
            let Some(upstreams) = node.inputs.get(spec.name) else { continue };
            let read = |name: &String| {
                let manifest = self.graph.place(name).and_then(|place| settled[place].as_ref())?;
                let is_read = |path: &str| node.stage.reads(&node.params, spec, path);
                let files = manifest.files.iter().filter(|f| is_read(&f.path));
                Some(InputPart {
                    stage: spec.many.then(|| name.clone()),
                    files: files.map(|f| (f.path.clone(), f.blake3)).collect(),
                })
            };
            parts.insert(spec.name.to_owned(), upstreams.iter().filter_map(read).collect());
        }
        parts
    }
}

/// What the stages that read this one are planned with, where it stays as it is.
fn settle(state: &State, action: Action) -> Option<Arc<Manifest>> {
    match state {
        State::Fresh { manifest, .. } if action != Action::Rerun => Some(manifest.clone()),
        State::Collected { manifest, .. } if action != Action::Run => Some(manifest.clone()),
        _ => None,
    }
}

/// The resolved parameters but for those that only locate sources.
fn params_in_key(node: &Node) -> BTreeMap<String, serde_json::Value> {
    let locators = node.stage.locators();
    let all = node.params.as_object().into_iter().flatten();
    all.filter(|(name, _)| !locators.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

impl Plan {
    /// The stage `name`.
    pub fn stage(&self, name: &str) -> Option<&PlannedStage> {
        self.stages.iter().find(|s| s.name == name)
    }

    /// How many stages are fresh and stay as they are.
    pub fn fresh(&self) -> usize {
        let is_fresh =
            |s: &&PlannedStage| matches!(s.state, State::Fresh { .. }) && s.action != Action::Rerun;
        self.stages.iter().filter(is_fresh).count()
    }

    /// How many stages `gc` removed, and stay so.
    pub fn collected(&self) -> usize {
        self.spared().len()
    }

    /// How many stages a run would run, those counted that it has yet to decide on.
    pub fn to_run(&self) -> usize {
        self.stages.iter().filter(|s| s.runs()).count()
    }

    /// How many of [`Plan::to_run`] only depend on others that must run first: whether they run as well shows then.
    pub fn depending(&self) -> usize {
        let depends =
            |s: &&PlannedStage| s.action == Action::Decide && matches!(s.state, State::Depends { .. });
        self.stages.iter().filter(depends).count()
    }

    /// The artifacts that are there and stay.
    pub(crate) fn settled(&self) -> Settled {
        self.stages.iter().map(|stage| settle(&stage.state, stage.action)).collect()
    }

    /// The places of the stages that were collected and are not made again.
    pub(crate) fn spared(&self) -> BTreeSet<usize> {
        let is_spared = |stage: &PlannedStage| {
            matches!(stage.state, State::Collected { .. }) && stage.action != Action::Run
        };
        (0..self.stages.len()).filter(|place| is_spared(&self.stages[*place])).collect()
    }

    /// The first stage that would have to run but reads one that may not, with that one.
    pub(crate) fn blocked(&self, graph: &Graph) -> Option<(&PlannedStage, &PlannedStage)> {
        self.stages.iter().enumerate().filter(|(_, stage)| stage.runs()).find_map(|(place, stage)| {
            let mut upstream = graph.upstream(place).iter().map(|up| &self.stages[*up]);
            let unmet =
                |up: &&PlannedStage| up.action == Action::Skip && !matches!(up.state, State::Fresh { .. });
            upstream.find(unmet).map(|up| (stage, up))
        })
    }
}

impl Action {
    /// One word: `use`, `run`, `rerun`, `decide`, `fail`, `skip`.
    pub fn word(self) -> &'static str {
        match self {
            Action::Use => "use",
            Action::Run => "run",
            Action::Rerun => "rerun",
            Action::Decide => "decide",
            Action::Fail => "fail",
            Action::Skip => "skip",
        }
    }
}

impl PlannedStage {
    /// Whether a run would run it, or may have to, or would if it had its sources.
    pub fn runs(&self) -> bool {
        matches!(self.action, Action::Run | Action::Rerun | Action::Decide | Action::Fail)
    }

    /// Why it is what it is, in words: `lr 0.01 → 0.003`. Empty for a fresh stage that is
    /// not forced.
    pub fn reason(&self) -> String {
        if self.action == Action::Rerun { "forced".to_owned() } else { self.state.reason() }
    }
}

impl State {
    /// One word: `fresh`, `stale`, `collected`, `missing`, `incomplete`, `damaged`, `depends`, `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            State::Fresh { .. } => "fresh",
            State::Stale { .. } => "stale",
            State::Collected { .. } => "collected",
            State::Missing { .. } => "missing",
            State::Incomplete { .. } => "incomplete",
            State::Damaged { .. } => "damaged",
            State::Depends { .. } => "depends",
            State::Unknown { .. } => "unknown",
        }
    }

    /// The first reason, in words. Empty when fresh.
    pub fn reason(&self) -> String {
        match self {
            State::Fresh { .. } => String::new(),
            State::Stale { changes, .. } => changes.first().map_or_else(String::new, ToString::to_string),
            State::Collected { .. } => "gc removed its files".to_owned(),
            State::Missing { .. } => "no artifact yet".to_owned(),
            State::Incomplete { reason, .. } | State::Damaged { reason, .. } => reason.clone(),
            State::Depends { on } => format!("depends on {}", on.join(", ")),
            State::Unknown { source, why: Unready::NotFetched } => {
                format!("source {source} is not fetched yet")
            }
            State::Unknown { source, why: Unready::NotUnpacked } => {
                format!("source {source} is not unpacked yet")
            }
            State::Unknown { why: Unready::Missing { message, .. }, .. } => message.clone(),
        }
    }

    /// The way out, where a run would not be one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            State::Unknown { why: Unready::Missing { hint, .. }, .. } => hint.as_deref(),
            _ => None,
        }
    }

    /// The manifest of its artifact, where that is known.
    pub fn manifest(&self) -> Option<&Arc<Manifest>> {
        match self {
            State::Fresh { manifest, .. }
            | State::Collected { manifest, .. }
            | State::Incomplete { manifest, .. } => Some(manifest),
            State::Stale { .. }
            | State::Missing { .. }
            | State::Damaged { .. }
            | State::Depends { .. }
            | State::Unknown { .. } => None,
        }
    }

    /// The key, where it is known.
    pub fn key(&self) -> Option<Digest> {
        match self {
            State::Fresh { key, .. }
            | State::Stale { key, .. }
            | State::Collected { key, .. }
            | State::Missing { key }
            | State::Incomplete { key, .. }
            | State::Damaged { key, .. } => Some(*key),
            State::Depends { .. } | State::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for State {
    /// The word, and the reason where it adds something: `stale (lr 0.01 → 0.003)`, `depends on head`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Fresh { .. } => f.write_str(self.word()),
            State::Depends { .. } | State::Unknown { .. } => f.write_str(&self.reason()),
            _ => write!(f, "{} ({})", self.word(), self.reason()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use pipeline_stage::manifest::FileEntry;
    use serde_json::json;

    use super::*;
    use crate::toy::diamond;

    /// A store and links in memory.
    #[derive(Default)]
    struct Shelf {
        artifacts: HashMap<Digest, Lookup>,
        links: HashMap<String, Arc<Manifest>>,
    }

    impl Lookups for Shelf {
        fn lookup(&self, _: &str, key: &Digest) -> Lookup {
            self.artifacts.get(key).cloned().unwrap_or(Lookup::Absent)
        }
        fn current(&self, name: &str) -> Option<Arc<Manifest>> {
            self.links.get(name).cloned()
        }
    }

    fn manifest(parts: KeyParts, text: &str) -> Arc<Manifest> {
        let entry = |path: &str, content: &str| FileEntry {
            path: path.to_owned(),
            size_bytes: content.len() as u64,
            blake3: Digest::of(content.as_bytes()),
        };
        // Inputs read `text` and nothing else.
        let files = vec![entry("preview", "any"), entry("text", text)];
        Arc::new(crate::toy::manifest(parts, files))
    }

    /// A shelf on which everything in `graph` is fresh.
    fn full(graph: &Graph) -> Shelf {
        let mut shelf = Shelf::default();
        let sources = vec![BTreeMap::new(); graph.nodes().len()];
        let mut settled: Settled = vec![None; graph.nodes().len()];
        for (place, node) in graph.nodes().iter().enumerate() {
            let planner = Planner { graph, sources: &sources, lookups: &Shelf::default(), seed: 1 };
            let manifest = manifest(planner.parts(place, &settled), &node.name);
            shelf.artifacts.insert(manifest.key, Lookup::Hit(manifest.clone()));
            shelf.links.insert(node.name.clone(), manifest.clone());
            settled[place] = Some(manifest);
        }
        shelf
    }

    fn all(graph: &Graph) -> Chosen {
        let places: BTreeSet<usize> = (0..graph.nodes().len()).collect();
        Chosen { goals: places.clone(), may_run: places, force: BTreeSet::new() }
    }

    fn lines(graph: &Graph, shelf: &Shelf, sources: &Sources, chosen: &Chosen) -> Vec<String> {
        let plan = Planner { graph, sources, lookups: shelf, seed: 1 }.plan(chosen);
        plan.stages.iter().map(|s| format!("{} {} {:?}", s.name, s.state, s.action)).collect()
    }

    fn no_sources(graph: &Graph) -> Sources {
        vec![BTreeMap::new(); graph.nodes().len()]
    }

    fn with_params(name: &str, params: serde_json::Value) -> Graph {
        let mut nodes = diamond().nodes().to_vec();
        nodes.iter_mut().find(|n| n.name == name).unwrap().params = params;
        Graph::new(nodes).unwrap()
    }

    #[test]
    fn what_is_there_is_fresh_and_what_is_not_is_missing() {
        let graph = diamond();
        assert_eq!(
            lines(&graph, &full(&graph), &no_sources(&graph), &all(&graph)),
            ["z fresh Use", "p fresh Use", "b fresh Use", "a fresh Use", "m fresh Use"]
        );
        assert_eq!(
            lines(&graph, &Shelf::default(), &no_sources(&graph), &all(&graph)),
            [
                "z missing (no artifact yet) Run",
                "p missing (no artifact yet) Run",
                "b depends on p Decide",
                "a depends on p Decide",
                "m depends on b, a Decide"
            ]
        );
    }

    #[test]
    fn a_changed_parameter_makes_its_stage_stale_and_a_locator_does_not() {
        let shelf = full(&diamond());
        let changed = with_params("a", json!({"size": 160}));
        assert_eq!(
            lines(&changed, &shelf, &no_sources(&changed), &all(&changed))[3..],
            ["a stale (size not set → 160) Run", "m depends on a Decide"]
        );
        let moved = with_params("a", json!({"path": "elsewhere"}));
        assert_eq!(
            lines(&moved, &shelf, &no_sources(&moved), &all(&moved))[3..],
            ["a fresh Use", "m fresh Use"]
        );
    }

    #[test]
    fn a_damaged_artifact_says_why() {
        let graph = diamond();
        let mut shelf = full(&graph);
        let key = shelf.links["a"].key;
        shelf.artifacts.insert(key, Lookup::Damaged("text is missing".to_owned()));
        assert_eq!(
            lines(&graph, &shelf, &no_sources(&graph), &all(&graph))[3..],
            ["a damaged (text is missing) Run", "m depends on a Decide"]
        );
    }

    #[test]
    fn a_source_that_is_not_there_leaves_the_key_unknown() {
        let graph = diamond();
        let mut sources = no_sources(&graph);
        let place = graph.place("p").unwrap();
        sources[place].insert("photos".to_owned(), Located::Unready(Unready::NotFetched));
        assert_eq!(
            lines(&graph, &full(&graph), &sources, &all(&graph))[1..3],
            ["p source photos is not fetched yet Decide", "b depends on p Decide"]
        );
        sources[place].insert("photos".to_owned(), Located::Ready(Digest::of(b"other photos")));
        assert_eq!(
            lines(&graph, &full(&graph), &sources, &all(&graph))[1],
            "p stale (source photos changed) Run"
        );
    }

    #[test]
    fn a_forced_stage_runs_and_what_reads_it_waits_for_the_result() {
        let graph = diamond();
        let chosen = Chosen { force: BTreeSet::from([graph.place("a").unwrap()]), ..all(&graph) };
        let plan = Planner { graph: &graph, sources: &no_sources(&graph), lookups: &full(&graph), seed: 1 }
            .plan(&chosen);
        assert_eq!(plan.stage("a").unwrap().action, Action::Rerun);
        assert_eq!(plan.stage("a").unwrap().reason(), "forced");
        assert_eq!(plan.stage("m").unwrap().reason(), "depends on a");
        assert_eq!((plan.fresh(), plan.to_run(), plan.depending()), (3, 2, 1));
    }

    #[test]
    fn only_what_an_input_reads_is_part_of_the_key() {
        let graph = diamond();
        let sources = no_sources(&graph);
        let planner = Planner { graph: &graph, sources: &sources, lookups: &Shelf::default(), seed: 1 };
        let place = graph.place("a").unwrap();
        let mut settled: Settled = vec![None; graph.nodes().len()];
        settled[graph.place("p").unwrap()] = full(&graph).links.get("p").cloned();
        let parts = planner.parts(place, &settled);
        let files = &parts.inputs["images"][0].files;
        assert_eq!(files.keys().collect::<Vec<_>>(), ["text"]);
        // Names of stages are part of the key for lists only.
        assert_eq!(parts.inputs["images"][0].stage, None);
    }

    #[test]
    fn the_second_of_two_equal_stages_waits_for_the_first() {
        let graph = with_params("b", json!({}));
        let mut shelf = full(&graph);
        let key = shelf.links["a"].key;
        assert_eq!(shelf.links["b"].key, key);
        shelf.artifacts.remove(&key);
        assert_eq!(
            lines(&graph, &shelf, &no_sources(&graph), &all(&graph))[2..4],
            ["b missing (no artifact yet) Run", "a depends on b Decide"]
        );
    }

    #[test]
    fn the_twin_of_a_forced_stage_waits_for_its_result() {
        let graph = with_params("b", json!({}));
        let shelf = full(&graph);
        assert_eq!(shelf.links["a"].key, shelf.links["b"].key);
        let chosen = Chosen { force: BTreeSet::from([graph.place("b").unwrap()]), ..all(&graph) };
        assert_eq!(
            lines(&graph, &shelf, &no_sources(&graph), &chosen)[2..],
            ["b fresh Rerun", "a depends on b Decide", "m depends on b, a Decide"]
        );
    }

    #[test]
    fn a_stage_that_may_run_alone_is_blocked_by_an_upstream_that_may_not() {
        let graph = with_params("p", json!({"n": 2}));
        let place = |name| BTreeSet::from([graph.place(name).unwrap()]);
        let chosen = Chosen { goals: place("a"), may_run: place("a"), force: BTreeSet::new() };
        let plan =
            Planner { graph: &graph, sources: &no_sources(&graph), lookups: &full(&diamond()), seed: 1 };
        let plan = plan.plan(&chosen);
        let (stage, upstream) = plan.blocked(&graph).unwrap();
        assert_eq!((stage.name.as_str(), upstream.name.as_str()), ("a", "p"));
        assert_eq!(upstream.state.to_string(), "stale (n not set → 2)");
    }
}
