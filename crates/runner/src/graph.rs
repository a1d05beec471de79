//! [`Graph`]: the stages of one pipeline with their resolved parameters, and what must hold between them.
//!
//! The command reads YAML and makes [`Node`]s; here they are checked against what each stage kind
//! declares and put in the order in which they run. Nothing here touches the disk.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_stage::suggest::nearest;
use pipeline_stage::{AnyStage, Hint, Input, Locator, Step};
use serde_json::Value;

/// One stage of a pipeline.
#[derive(Clone)]
pub struct Node {
    /// Its name in the pipeline; several stages may be of one kind.
    pub name: String,
    /// Its kind.
    pub stage: &'static dyn AnyStage,
    /// Its parameters as [`AnyStage::resolve`] gave them: checked, every default filled in.
    pub params: Value,
    /// The stages that each named input takes its artifacts from, in the order of the file.
    pub inputs: BTreeMap<String, Vec<String>>,
}

/// A checked pipeline: every input is connected to an artifact that it accepts, and there is no cycle.
pub struct Graph {
    /// In the order in which they run: each after what it reads, else as in the file.
    nodes: Vec<Node>,
    /// For each node, the positions of the stages that it reads, without repetition, ascending.
    upstream: Vec<Vec<usize>>,
}

impl Graph {
    /// Checks `nodes` (in the order of the file) and puts them in the order in which they run.
    ///
    /// # Errors
    /// The first thing that is wrong: names and inputs in the order of the file, then a cycle, then inputs that
    /// do not fit.
    pub fn new(nodes: Vec<Node>) -> Result<Graph, GraphError> {
        let mut place = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if !is_name(&node.name) {
                return Err(GraphError::BadName { stage: node.name.clone() });
            }
            if place.insert(node.name.as_str(), index).is_some() {
                return Err(GraphError::DuplicateStage { stage: node.name.clone() });
            }
        }
        for node in &nodes {
            check_inputs(node, &nodes, &place)?;
        }
        let upstream: Vec<BTreeSet<usize>> = nodes
            .iter()
            .map(|n| n.inputs.values().flatten().map(|name| place[name.as_str()]).collect())
            .collect();
        let order = order(&nodes, &upstream)?;
        // After the cycle, which is mostly also one of artifacts that do not fit and says more.
        for node in &nodes {
            check_artifacts(node, &nodes, &place)?;
        }

        let mut new_place = vec![0; nodes.len()];
        for (new, old) in order.iter().enumerate() {
            new_place[*old] = new;
        }
        let upstream = order
            .iter()
            .map(|old| {
                let mut places: Vec<usize> = upstream[*old].iter().map(|up| new_place[*up]).collect();
                places.sort_unstable();
                places
            })
            .collect();
        let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
        let nodes = order.iter().filter_map(|old| slots[*old].take()).collect();
        Ok(Graph { nodes, upstream })
    }

    /// The stages in the order in which they run: each after what it reads, else as in the file.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The names in the order in which they run.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|n| n.name.as_str())
    }

    /// The stage of this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// `node` in the place of the stage `name`, and what that stage reads, directly or not; nothing else.
    ///
    /// # Errors
    /// As [`Graph::new`], where `node` does not fit into that place.
    pub fn ending_in(&self, name: &str, node: Node) -> Result<Graph, GraphError> {
        let places: BTreeSet<usize> = self.place(name).into_iter().collect();
        let read = &self.ancestors(&places) - &places;
        let mut nodes: Vec<Node> = read.into_iter().map(|place| self.nodes[place].clone()).collect();
        nodes.push(node);
        Graph::new(nodes)
    }

    /// How the stage at `place` is made: what it reads, directly or not, and itself.
    pub(crate) fn lineage(&self, place: usize) -> Vec<Step> {
        let step = |place: usize| {
            let Node { name, stage, params, inputs } = &self.nodes[place];
            let mut params = params.clone();
            if let Value::Object(fields) = &mut params {
                fields.retain(|field, _| !stage.locators().contains(&field.as_str()));
            }
            Step {
                stage: name.clone(),
                kind: stage.kind(),
                version: stage.version(),
                params,
                locators: locators(*stage),
                inputs: inputs.clone(),
            }
        };
        self.ancestors(&[place].into()).into_iter().map(step).collect()
    }

    /// The place of the stage `name` in [`Graph::nodes`].
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// The places of the stages that the one at `place` reads.
    pub(crate) fn upstream(&self, place: usize) -> &[usize] {
        &self.upstream[place]
    }

    /// `from` and everything that they read, directly or not.
    pub(crate) fn ancestors(&self, from: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut found = from.clone();
        for place in (0..self.nodes.len()).rev() {
            if found.contains(&place) {
                found.extend(self.upstream[place].iter().copied());
            }
        }
        found
    }

    /// `from` and everything that reads them, directly or not.
    pub(crate) fn descendants(&self, from: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut found = from.clone();
        for place in 0..self.nodes.len() {
            if self.upstream[place].iter().any(|up| found.contains(up)) {
                found.insert(place);
            }
        }
        found
    }
}

/// Whether a stage can have this name. It is also the name of a link and of a log, and stands before the dot
/// of `--set`.
pub fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    (1..=100).contains(&text.len()) && text.chars().all(is_plain) && !text.starts_with('-')
}

fn check_inputs(node: &Node, nodes: &[Node], place: &BTreeMap<&str, usize>) -> Result<(), GraphError> {
    let declared = node.stage.inputs();
    for (input, upstreams) in &node.inputs {
        let Some(spec) = declared.iter().find(|d| d.name == input) else {
            return Err(GraphError::UnknownInput {
                stage: node.name.clone(),
                kind: node.stage.kind(),
                input: input.clone(),
                known: declared.iter().map(|d| d.name).collect(),
            });
        };
        check_upstreams(node, spec, upstreams, nodes, place)?;
    }
    match declared.iter().find(|d| !d.optional && !node.inputs.contains_key(d.name)) {
        None => Ok(()),
        Some(spec) => Err(GraphError::MissingInput {
            stage: node.name.clone(),
            input: spec.name.to_owned(),
            accepts: spec.accepts,
            candidates: producers(nodes, spec.accepts),
        }),
    }
}

fn check_upstreams(
    node: &Node,
    spec: &Input,
    upstreams: &[String],
    nodes: &[Node],
    place: &BTreeMap<&str, usize>,
) -> Result<(), GraphError> {
    let (stage, input) = (node.name.clone(), spec.name.to_owned());
    if upstreams.is_empty() {
        return Err(GraphError::EmptyInput { stage, input });
    }
    if !spec.many && upstreams.len() > 1 {
        return Err(GraphError::TooManyStages { stage, input, found: upstreams.len() });
    }
    for (index, upstream) in upstreams.iter().enumerate() {
        if !place.contains_key(upstream.as_str()) {
            let known: Vec<String> = nodes.iter().map(|n| n.name.clone()).collect();
            let suggestion = nearest(upstream, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(GraphError::UnknownUpstream {
                stage,
                input,
                upstream: upstream.clone(),
                suggestion,
                known,
            });
        }
        if upstreams[..index].contains(upstream) {
            return Err(GraphError::RepeatedUpstream { stage, input, upstream: upstream.clone() });
        }
    }
    Ok(())
}

/// Every input gets what it accepts.
fn check_artifacts(node: &Node, nodes: &[Node], place: &BTreeMap<&str, usize>) -> Result<(), GraphError> {
    for spec in node.stage.inputs() {
        for upstream in node.inputs.get(spec.name).into_iter().flatten() {
            let produces = nodes[place[upstream.as_str()]].stage.produces();
            if produces != spec.accepts {
                return Err(GraphError::WrongArtifact {
                    stage: node.name.clone(),
                    input: spec.name.to_owned(),
                    upstream: upstream.clone(),
                    found: produces,
                    expected: spec.accepts,
                    candidates: producers(nodes, spec.accepts),
                });
            }
        }
    }
    Ok(())
}

fn producers(nodes: &[Node], artifact: &str) -> Box<[String]> {
    nodes.iter().filter(|n| n.stage.produces() == artifact).map(|n| n.name.clone()).collect()
}

/// Places in the order of running: of those whose upstream is done, always the first in the file.
fn order(nodes: &[Node], upstream: &[BTreeSet<usize>]) -> Result<Vec<usize>, GraphError> {
    let mut done = BTreeSet::new();
    let mut order = Vec::with_capacity(nodes.len());
    while order.len() < nodes.len() {
        let next = (0..nodes.len()).find(|i| !done.contains(i) && upstream[*i].is_subset(&done));
        let Some(next) = next else {
            return Err(GraphError::Cycle { stages: cycle(nodes, upstream, &done) });
        };
        done.insert(next);
        order.push(next);
    }
    Ok(order)
}

/// The names along one cycle among the stages that are not `done`, the first one repeated at the end.
fn cycle(nodes: &[Node], upstream: &[BTreeSet<usize>], done: &BTreeSet<usize>) -> Vec<String> {
    // Every stage left has an upstream that is left, so walking upstream must meet itself.
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..nodes.len()).find(|i| !done.contains(i));
    while let Some(place) = at {
        if let Some(start) = path.iter().position(|p| *p == place) {
            path.drain(..start);
            break;
        }
        path.push(place);
        at = upstream[place].iter().copied().find(|up| !done.contains(up));
    }
    // The walk went against the flow of data; people read with it.
    path.reverse();
    path.extend(path.first().copied());
    path.into_iter().map(|p| nodes[p].name.clone()).collect()
}

/// What is wrong with a pipeline. [`GraphError::stage`] and [`GraphError::input`] say where, so that the
/// command can add file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A name that cannot be a file's.
    #[error("`{stage}` is no name for a stage, expected at most 100 letters, digits, `_` and `-`")]
    BadName {
        /// The name.
        stage: String,
    },
    /// Two stages have one name.
    #[error("two stages are named `{stage}`")]
    DuplicateStage {
        /// The name.
        stage: String,
    },
    /// An input that the stage kind does not have.
    #[error("stage `{stage}` has no input `{input}`: {}", inputs_of(kind, known))]
    UnknownInput {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: &'static str,
        /// The input as written.
        input: String,
        /// The inputs that the kind has.
        known: Vec<&'static str>,
    },
    /// A required input that is not given.
    #[error(
        "stage `{stage}` needs an input `{input}` (a stage that produces `{accepts}`), and none is given"
    )]
    MissingInput {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
        /// The artifact that it accepts.
        accepts: &'static str,
        /// The stages of the pipeline that produce it.
        candidates: Box<[String]>,
    },
    /// An input that names no stage.
    #[error("input `{input}` of stage `{stage}` is an empty list, expected at least one stage")]
    EmptyInput {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
    },
    /// A list where one stage is expected.
    #[error("input `{input}` of stage `{stage}` takes one stage, found {found}")]
    TooManyStages {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
        /// How many were given.
        found: usize,
    },
    /// An input from a stage that the pipeline does not have.
    #[error(
        "input `{input}` of stage `{stage}` names an unknown stage `{upstream}`, expected one of: {}",
        known.join(", ")
    )]
    UnknownUpstream {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
        /// The name as written.
        upstream: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// The stages of the pipeline.
        known: Vec<String>,
    },
    /// An input from a stage whose artifact it cannot read.
    #[error("input `{input}` of stage `{stage}` expects `{expected}`, but `{upstream}` produces `{found}`")]
    WrongArtifact {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
        /// The stage that it names.
        upstream: String,
        /// What that one produces.
        found: &'static str,
        /// What the input accepts.
        expected: &'static str,
        /// The stages of the pipeline that produce it.
        candidates: Box<[String]>,
    },
    /// A list that names one stage twice.
    #[error("input `{input}` of stage `{stage}` names `{upstream}` twice")]
    RepeatedUpstream {
        /// The stage.
        stage: String,
        /// The input.
        input: String,
        /// The stage that it names.
        upstream: String,
    },
    /// Stages that read each other in a circle.
    #[error("the stages form a cycle: {}", stages.join(" → "))]
    Cycle {
        /// Along the flow of data; the first one again at the end.
        stages: Vec<String>,
    },
}

fn inputs_of(kind: &str, known: &[&str]) -> String {
    if known.is_empty() {
        format!("`{kind}` takes none")
    } else {
        format!("`{kind}` takes {}", known.join(", "))
    }
}

impl GraphError {
    /// The stage whose entry is wrong.
    pub fn stage(&self) -> &str {
        match self {
            GraphError::BadName { stage }
            | GraphError::DuplicateStage { stage }
            | GraphError::UnknownInput { stage, .. }
            | GraphError::MissingInput { stage, .. }
            | GraphError::EmptyInput { stage, .. }
            | GraphError::TooManyStages { stage, .. }
            | GraphError::UnknownUpstream { stage, .. }
            | GraphError::WrongArtifact { stage, .. }
            | GraphError::RepeatedUpstream { stage, .. } => stage,
            GraphError::Cycle { stages } => stages.first().map_or("", String::as_str),
        }
    }

    /// The input that is wrong, where it is written in the file.
    pub fn input(&self) -> Option<&str> {
        match self {
            GraphError::UnknownInput { input, .. }
            | GraphError::EmptyInput { input, .. }
            | GraphError::TooManyStages { input, .. }
            | GraphError::UnknownUpstream { input, .. }
            | GraphError::WrongArtifact { input, .. }
            | GraphError::RepeatedUpstream { input, .. } => Some(input),
            GraphError::BadName { .. }
            | GraphError::DuplicateStage { .. }
            | GraphError::MissingInput { .. }
            | GraphError::Cycle { .. } => None,
        }
    }
}

impl Hint for GraphError {
    fn hint(&self) -> Option<String> {
        match self {
            GraphError::BadName { .. } => Some("rename it".to_owned()),
            GraphError::DuplicateStage { .. } => {
                Some("rename one of them; several stages may be of one `kind`".to_owned())
            }
            GraphError::UnknownInput { input, known, .. } => {
                nearest(input, known.iter().copied()).map(|n| format!("did you mean `{n}`?"))
            }
            GraphError::MissingInput { input, accepts, candidates, .. }
            | GraphError::WrongArtifact { input, expected: accepts, candidates, .. } => {
                Some(if candidates.is_empty() {
                    format!("add a stage that produces `{accepts}` to the pipeline")
                } else {
                    format!("connect it with `inputs: {{ {input}: {} }}`", candidates.join(" or "))
                })
            }
            GraphError::EmptyInput { .. } => {
                Some("name a stage, or leave the input out if it is optional".to_owned())
            }
            GraphError::TooManyStages { .. } => Some("name one stage, without brackets".to_owned()),
            GraphError::UnknownUpstream { suggestion, .. } => {
                suggestion.as_ref().map(|n| format!("did you mean `{n}`?"))
            }
            GraphError::RepeatedUpstream { .. } => Some("name it once".to_owned()),
            GraphError::Cycle { .. } => Some("remove one of these inputs".to_owned()),
        }
    }
}

/// What a stage's locators are, from the descriptions of its parameters.
fn locators(stage: &dyn AnyStage) -> Vec<Locator> {
    let schema = stage.schema();
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let locator = |&name: &&'static str| Locator {
        name,
        doc: schema["properties"][name]["description"].as_str().unwrap_or_default().to_owned(),
        is_required: required.iter().any(|required| required == name),
    };
    stage.locators().iter().map(locator).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::{FEATURES, MIX, PHOTOS, diamond, node};
    use serde_json::json;

    fn problem(nodes: Vec<Node>) -> GraphError {
        Graph::new(nodes).err().expect("the graph is wrong")
    }

    #[test]
    fn stages_come_after_what_they_read_and_else_in_the_order_of_the_file() {
        assert_eq!(diamond().names().collect::<Vec<_>>(), ["z", "p", "b", "a", "m"]);
        let graph = diamond();
        let names = |places: &BTreeSet<usize>| -> Vec<&str> {
            places.iter().map(|p| graph.nodes()[*p].name.as_str()).collect()
        };
        let place = |name| BTreeSet::from([graph.place(name).unwrap()]);
        assert_eq!(names(&graph.ancestors(&place("a"))), ["p", "a"]);
        assert_eq!(names(&graph.descendants(&place("b"))), ["b", "m"]);
    }

    #[test]
    fn the_lineage_of_a_stage_is_all_it_reads_and_itself_without_places() {
        let mut nodes = diamond().nodes;
        nodes[1].params = json!({"path": "data/photos", "n": 2});
        let graph = Graph::new(nodes).unwrap();
        let lineage = graph.lineage(graph.place("m").unwrap());
        let names: Vec<&str> = lineage.iter().map(|step| step.stage.as_str()).collect();
        assert_eq!(names, ["p", "b", "a", "m"]);
        assert_eq!(
            lineage[0],
            Step {
                stage: "p".to_owned(),
                kind: "photos",
                version: 1,
                params: json!({"n": 2}),
                locators: vec![Locator {
                    name: "path",
                    doc: "Where the photos are.".to_owned(),
                    is_required: true,
                }],
                inputs: BTreeMap::new(),
            }
        );
        let read = |input: &str| lineage[3].inputs[input].as_slice();
        assert_eq!(
            (read("first"), read("more")),
            (&["a".to_owned()][..], &["b".to_owned(), "a".to_owned()][..])
        );
    }

    #[test]
    fn an_unknown_stage_is_named_with_the_nearest() {
        let error =
            problem(vec![node("ingest", &PHOTOS, &[]), node("f", &FEATURES, &[("images", &["ingset"])])]);
        let expected =
            "input `images` of stage `f` names an unknown stage `ingset`, expected one of: ingest, f";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "did you mean `ingest`?");
        assert_eq!((error.stage(), error.input()), ("f", Some("images")));
    }

    #[test]
    fn an_unknown_and_a_missing_input_are_named() {
        let error = problem(vec![node("p", &PHOTOS, &[]), node("f", &FEATURES, &[("image", &["p"])])]);
        assert_eq!(error.to_string(), "stage `f` has no input `image`: `features` takes images");
        assert_eq!(error.hint().unwrap(), "did you mean `images`?");
        let error = problem(vec![node("p", &PHOTOS, &[("image", &["p"])])]);
        assert_eq!(error.to_string(), "stage `p` has no input `image`: `photos` takes none");
        assert_eq!(error.hint(), None);

        let error = problem(vec![node("p", &PHOTOS, &[]), node("f", &FEATURES, &[])]);
        let expected =
            "stage `f` needs an input `images` (a stage that produces `images`), and none is given";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "connect it with `inputs: { images: p }`");
        assert_eq!((error.stage(), error.input()), ("f", None));
        let error = problem(vec![node("f", &FEATURES, &[])]);
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "add a stage that produces `images` to the pipeline");
    }

    #[test]
    fn an_artifact_of_another_kind_is_refused() {
        let nodes = vec![node("p", &PHOTOS, &[]), node("m", &MIX, &[("first", &["p"])])];
        let error = problem(nodes);
        assert_eq!(
            error.to_string(),
            "input `first` of stage `m` expects `features`, but `p` produces `images`"
        );
        assert_eq!(error.hint().unwrap(), "connect it with `inputs: { first: m }`");
    }

    #[test]
    fn lists_stand_where_lists_belong() {
        let with = |input: &[(&str, &[&str])]| {
            problem(vec![
                node("p", &PHOTOS, &[]),
                node("f", &FEATURES, &[("images", &["p"])]),
                node("m", &MIX, input),
            ])
        };
        let error = with(&[("first", &["f", "f"])]);
        assert_eq!(error.to_string(), "input `first` of stage `m` takes one stage, found 2");
        assert_eq!(error.hint().unwrap(), "name one stage, without brackets");
        let error = with(&[("first", &["f"]), ("more", &[])]);
        assert_eq!(
            error.to_string(),
            "input `more` of stage `m` is an empty list, expected at least one stage"
        );
        assert_eq!(error.hint().unwrap(), "name a stage, or leave the input out if it is optional");
        let error = with(&[("first", &["f"]), ("more", &["f", "f"])]);
        assert_eq!(error.to_string(), "input `more` of stage `m` names `f` twice");
        assert_eq!(error.hint().unwrap(), "name it once");
        assert_eq!((error.stage(), error.input()), ("m", Some("more")));
    }

    #[test]
    fn a_cycle_is_shown_along_the_flow_of_data() {
        let nodes = vec![
            node("p", &PHOTOS, &[]),
            node("a", &MIX, &[("first", &["c"])]),
            node("b", &MIX, &[("first", &["a"])]),
            node("c", &MIX, &[("first", &["b"])]),
            node("d", &MIX, &[("first", &["c"])]),
        ];
        let error = problem(nodes);
        assert_eq!(error.to_string(), "the stages form a cycle: b → c → a → b");
        assert_eq!(error.hint().unwrap(), "remove one of these inputs");
        assert_eq!((error.stage(), error.input()), ("b", None));
        assert_eq!(
            problem(vec![node("a", &MIX, &[("first", &["a"])])]).to_string(),
            "the stages form a cycle: a → a"
        );
    }

    #[test]
    fn names_are_unique_and_can_be_names_of_files() {
        let error = problem(vec![node("p", &PHOTOS, &[]), node("p", &PHOTOS, &[])]);
        assert_eq!(error.to_string(), "two stages are named `p`");
        assert_eq!(error.hint().unwrap(), "rename one of them; several stages may be of one `kind`");
        for name in ["", "a/b", "..", ".hidden", "a b", "a.b", "-a", &"a".repeat(101)] {
            let error = problem(vec![node(name, &PHOTOS, &[])]);
            let expected =
                format!("`{name}` is no name for a stage, expected at most 100 letters, digits, `_` and `-`");
            assert_eq!((error.to_string(), error.hint().unwrap()), (expected, "rename it".to_owned()));
        }
    }
}
