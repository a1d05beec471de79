//! [`Prospect`]: what runs of several graphs would do, one after another, in one store. What several of them need is
//! made once, by the first.
//!
//! A stage whose key is known is the same as another of that key. One that depends on stages which must run first is
//! taken to be the same as another of the same kind, version, parameters and origins; whether results that differ in
//! origin come out equal shows when they are there. So as many stages will run as announced, or fewer.

use std::collections::{BTreeMap, HashMap, HashSet};

use pipeline_stage::{Cancel, Digest, Source};
use serde_json::json;

use crate::error::Error;
use crate::execute::Known;
use crate::graph::Graph;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::{Action, Plan, Planner};
use crate::source::{Finder, Found};
use crate::store::Store;

/// What a run of one of the graphs would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prospect {
    /// The stages that it would run, those counted that it has yet to decide on, in order.
    pub runs: Vec<String>,
    /// The stages that are not there yet, but will be when it comes to them: a run before has made them.
    pub shares: Vec<String>,
    /// How many of the selected stages are there already.
    pub fresh: usize,
    /// Why it would fail before any stage runs: a source is not there.
    pub fails: Option<String>,
}

/// Plans a run of each of `graphs` as [`plan`](crate::plan()) does. The options differ in no folder but that of the links;
/// sources that several have are looked at once.
///
/// # Errors
/// As [`plan`](crate::plan()).
pub fn prospects<'a>(
    graphs: impl IntoIterator<Item = (&'a Graph, RunOptions)>,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Vec<Prospect>, Error> {
    let mut found: HashMap<Vec<Vec<Source>>, Found> = HashMap::new();
    let mut coming = HashSet::new();
    let mut prospects = vec![];
    for (graph, options) in graphs {
        cancel.check().map_err(|_| Error::Cancelled)?;
        let chosen = options.selection.resolve(graph)?;
        let store = Store::at(&options.store)?;
        let sources = sources(graph)?;
        if !found.contains_key(&sources) {
            let finder = Finder { options: &options, store: &store, cancel, observer, may_fetch: &|_| false };
            found.insert(sources.clone(), finder.find_all(graph)?);
        }
        let lookups = Known { store: &store, options: &options, machine: None };
        let planner =
            Planner { graph, sources: &found[&sources].states, lookups: &lookups, seed: options.seed };
        prospects.push(Prospect::of(&planner, &planner.plan(&chosen), &mut coming));
    }
    Ok(prospects)
}

/// What every stage needs from outside.
fn sources(graph: &Graph) -> Result<Vec<Vec<Source>>, Error> {
    let of = |node: &crate::graph::Node| {
        node.stage
            .sources(&node.params)
            .map_err(|problems| Error::Parameters { stage: node.name.clone(), problems })
    };
    graph.nodes().iter().map(of).collect()
}

impl Prospect {
    /// That of a plan, after runs that make what is `coming`; what this run makes is added.
    fn of(planner: &Planner<'_>, plan: &Plan, coming: &mut HashSet<Digest>) -> Prospect {
        let mut prospect = Prospect { fresh: plan.fresh(), ..Prospect::default() };
        let mut identities: Vec<Digest> = vec![];
        for (place, stage) in plan.stages.iter().enumerate() {
            let identity = match stage.state.key() {
                Some(key) => Digest::of(format!("{} {key}", stage.kind).as_bytes()),
                None => origin(planner, place, &identities),
            };
            identities.push(identity);
            if stage.action == Action::Fail {
                prospect.fails.get_or_insert_with(|| stage.state.reason());
            }
            match stage.runs() {
                true if coming.insert(identity) => prospect.runs.push(stage.name.clone()),
                true => prospect.shares.push(stage.name.clone()),
                false => {}
            }
        }
        prospect
    }
}

/// What stands for the key of a stage that has none yet: all that it will be made from, as far as it is known.
fn origin(planner: &Planner<'_>, place: usize, identities: &[Digest]) -> Digest {
    let node = &planner.graph.nodes()[place];
    let upstream = |name: &String| (name.clone(), planner.graph.place(name).map(|place| identities[place]));
    let inputs =
        node.inputs.iter().map(|(input, names)| (input, names.iter().map(upstream).collect::<Vec<_>>()));
    let origin = json!({
        "kind": node.stage.kind(),
        "version": node.stage.version(),
        "params": node.params,
        "seed": node.stage.uses_seed().then_some(planner.seed),
        "sources": format!("{:?}", planner.sources[place]),
        "inputs": inputs.collect::<BTreeMap<_, _>>(),
    });
    Digest::of(origin.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::{FEATURES, MIX, PHOTOS, node};
    use std::num::NonZeroUsize;

    /// `p`, `a` of `p`, and `m` of `a`, with these parameters of `a` and of `m`.
    fn graph(a: u32, m: u32) -> Graph {
        let mut nodes = vec![
            node("p", &PHOTOS, &[]),
            node("a", &FEATURES, &[("images", &["p"])]),
            node("m", &MIX, &[("first", &["a"])]),
        ];
        nodes[1].params = json!({"n": a});
        nodes[2].params = json!({"n": m});
        Graph::new(nodes).unwrap()
    }

    fn options(store: &std::path::Path, until: &[&str]) -> RunOptions {
        RunOptions {
            root: store.to_owned(),
            folder: store.to_owned(),
            store: store.join(".pipeline"),
            out: store.join("out"),
            config: "c".to_owned(),
            seed: 42,
            threads: NonZeroUsize::MIN,
            jobs: NonZeroUsize::MIN,
            memory_bytes: None,
            keep_going: false,
            retries: 0,
            checkpoint_every: Default::default(),
            device: "cpu".to_owned(),
            pipeline_version: "0".to_owned(),
            selection: crate::Selection {
                until: until.iter().map(|name| (*name).to_owned()).collect(),
                ..Default::default()
            },
            shard: None,
            wait_lock: None,
            command: String::new(),
        }
    }

    fn of(graphs: &[Graph], until: &[&str]) -> Vec<(Vec<String>, Vec<String>)> {
        let dir = tempfile::tempdir().unwrap();
        let graphs = graphs.iter().map(|graph| (graph, options(dir.path(), until)));
        let found = prospects(graphs, &Cancel::default(), &crate::Unobserved).unwrap();
        found.into_iter().map(|prospect| (prospect.runs, prospect.shares)).collect()
    }

    fn names(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_stage_that_several_graphs_have_runs_in_the_first_and_is_shared_by_the_others() {
        let graphs = [graph(1, 1), graph(1, 2), graph(2, 2), graph(1, 1)];
        let expected = [("p a m", ""), ("m", "p a"), ("a m", "p"), ("", "p a m")];
        let expected = expected.map(|(runs, shares)| (names(runs), names(shares)));
        assert_eq!(of(&graphs, &[]), expected);
    }

    #[test]
    fn stages_that_are_not_selected_are_not_counted() {
        let graphs = [graph(1, 1), graph(1, 2)];
        assert_eq!(of(&graphs, &["a"]), [(names("p a"), vec![]), (vec![], names("p a"))]);
    }

    #[test]
    fn a_graph_without_stages_to_run_counts_none() {
        assert_eq!(of(&[], &[]), []);
    }
}
