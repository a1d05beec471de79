//! [`Part`]: one part of a stage's key, in an old artifact and now. Everything that can make a stage stale is
//! one of these; `stage::key` says which there are, and why.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_stage::key::InputPart;
use pipeline_stage::{Digest, KeyParts};
use serde::Serialize;
use serde_json::{Value, json};

use crate::graph::Node;
use crate::tree_change::TreeChange;

/// One part of a key, before and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What it is a part of.
    pub part: PartKind,
    /// Name of the parameter, the source or the input.
    pub name: Option<String>,
    /// The stage that the input reads now, where this is about one of its files.
    pub stage: Option<String>,
    /// The file of that stage's artifact.
    pub file: Option<String>,
    /// In the old artifact: a version, a value, a digest, or names of stages. `None` where it had no such
    /// part, and where there is no old artifact.
    pub old: Option<Value>,
    /// The same, now. `None` where there is no such part, and where it is not known yet.
    pub new: Option<Value>,
    /// What comparing the two says.
    pub standing: Standing,
    /// Of a source that is a folder and changed: its files, where it is known which there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeChange>,
    /// Whether it is the first that changed: the one that is named as the reason.
    pub first: bool,
}

/// What a part of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// Version of the stage kind.
    Version,
    /// A parameter: its value.
    Parameter,
    /// The run's seed.
    Seed,
    /// A source: the digest of its content.
    Source,
    /// An input: the digest of a file that is read of it. Without a file, the names of the stages of a list,
    /// or whether the input is given at all.
    Input,
}

/// What comparing a part with that of an old artifact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is as it was.
    Unchanged,
    /// It is another, new, or gone.
    Changed,
    /// It is not known yet: a stage must run first, or a source is not ready.
    Open,
    /// There is no old artifact.
    Uncompared,
}

/// What is known of a stage's key before it runs.
pub(crate) struct Known<'a> {
    pub(crate) node: &'a Node,
    /// The key's parts, but for what is not known yet.
    pub(crate) parts: KeyParts,
    /// Names of sources that are not ready.
    pub(crate) unready: BTreeSet<&'a str>,
    /// Stages that it reads and that must run first.
    pub(crate) unsettled: BTreeSet<&'a str>,
}

/// Every part of the key beside that of the artifact made from `old`, in the order of
/// [`KeyParts::changes_since`].
pub(crate) fn compare(old: Option<&KeyParts>, now: &Known<'_>) -> Vec<Part> {
    let new = &now.parts;
    let version = Part::new(PartKind::Version, None);
    let mut parts = vec![version.with(old.map(|old| old.version), Some(new.version))];
    for name in union(old.map(|old| old.params.keys()), new.params.keys()) {
        let old = old.and_then(|old| old.params.get(name));
        parts.push(Part::new(PartKind::Parameter, Some(name)).with(old, new.params.get(name)));
    }
    let old_seed = old.and_then(|old| old.seed);
    if old_seed.or(new.seed).is_some() {
        parts.push(Part::new(PartKind::Seed, None).with(old_seed, new.seed));
    }
    let unready: BTreeSet<String> = now.unready.iter().map(|name| (*name).to_owned()).collect();
    let ready_or_not: BTreeSet<&String> = new.sources.keys().chain(&unready).collect();
    for name in union(old.map(|old| old.sources.keys()), ready_or_not.into_iter()) {
        let old = old.and_then(|old| old.sources.get(name));
        let part = Part::new(PartKind::Source, Some(name)).with(old, new.sources.get(name));
        parts.push(if unready.contains(name) { part.open() } else { part });
    }
    for name in union(old.map(|old| old.inputs.keys()), now.node.inputs.keys()) {
        parts.extend(input(name, old, now));
    }

    for part in &mut parts {
        part.standing = match part.standing {
            Standing::Open => Standing::Open,
            _ if old.is_none() => Standing::Uncompared,
            _ if part.old == part.new => Standing::Unchanged,
            _ => Standing::Changed,
        };
    }
    if let Some(first) = parts.iter_mut().find(|part| part.standing == Standing::Changed) {
        first.first = true;
    }
    parts
}

/// The parts of one input: which stages it reads where it is a list, then each file of each of them.
fn input(name: &str, old: Option<&KeyParts>, now: &Known<'_>) -> Vec<Part> {
    let has_old = old.is_some();
    let old = old.and_then(|old| old.inputs.get(name));
    let nothing = vec![];
    let reads = now.node.inputs.get(name).unwrap_or(&nothing);
    let is_list = now.node.stage.inputs().iter().any(|input| input.name == name && input.many);
    let head = Part::new(PartKind::Input, Some(name));
    let mut parts = Vec::new();
    if is_list {
        let names = |parts: &Vec<InputPart>| parts.iter().map(|part| part.stage.clone()).collect::<Vec<_>>();
        parts.push(head.with(old.map(names), (!reads.is_empty()).then_some(reads)));
    } else if has_old && old.is_some() == reads.is_empty() {
        let given = |is_given: bool| is_given.then_some("given");
        parts.push(head.with(given(old.is_some()), given(!reads.is_empty())));
    }
    for stage in reads {
        let is_it = |part: &&InputPart| !is_list || part.stage.as_ref() == Some(stage);
        let of = |parts: Option<&Vec<InputPart>>| parts.and_then(|parts| parts.iter().find(is_it)).cloned();
        let mut part = Part::new(PartKind::Input, Some(name));
        part.stage = Some(stage.clone());
        if now.unsettled.contains(stage.as_str()) {
            parts.push(part.open());
            continue;
        }
        let files = |part: Option<InputPart>| part.map(|part| part.files).unwrap_or_default();
        let (old, new) = (files(of(old)), files(of(now.parts.inputs.get(name))));
        for file in union(Some(old.keys()), new.keys()) {
            let part = Part { file: Some(file.clone()), ..part.clone() };
            parts.push(part.with(old.get(file), new.get(file)));
        }
    }
    parts
}

/// The names in both, sorted.
fn union<'a>(
    old: Option<impl Iterator<Item = &'a String>>,
    new: impl Iterator<Item = &'a String>,
) -> BTreeSet<&'a String> {
    old.into_iter().flatten().chain(new).collect()
}

impl Part {
    fn new(part: PartKind, name: Option<&str>) -> Part {
        let name = name.map(str::to_owned);
        let (stage, file, old, new, tree) = (None, None, None, None, None);
        Part { part, name, stage, file, old, new, standing: Standing::Uncompared, tree, first: false }
    }

    fn with(self, old: Option<impl Serialize>, new: Option<impl Serialize>) -> Part {
        Part { old: old.map(|old| json!(old)), new: new.map(|new| json!(new)), ..self }
    }

    fn open(self) -> Part {
        Part { standing: Standing::Open, ..self }
    }

    /// The files of the stage and input of this part as the old artifact read them, by path.
    pub(crate) fn old_files(&self, parts: &[Part]) -> BTreeMap<String, Digest> {
        let siblings = parts.iter().filter(|part| part.name == self.name && part.stage == self.stage);
        let file = |part: &Part| Some((part.file.clone()?, serde_json::from_value(part.old.clone()?).ok()?));
        siblings.filter_map(file).collect()
    }

    /// Why the stage is stale when this is the first part that changed: `its parameter lr changed`.
    pub fn why(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let became = match (&self.old, &self.new) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "changed",
        };
        match (self.part, &self.file, &self.stage) {
            (PartKind::Version, ..) => "its stage kind has another version".to_owned(),
            (PartKind::Seed, ..) => "the seed changed".to_owned(),
            (PartKind::Parameter, ..) => format!("its parameter {name} {became}"),
            (PartKind::Source, ..) if became == "changed" => {
                let files = self.tree.as_ref().map(|tree| format!(" ({tree})")).unwrap_or_default();
                format!("the content of its source {name} changed{files}")
            }
            (PartKind::Source, ..) => format!("its source {name} {became}"),
            (PartKind::Input, Some(file), Some(stage)) => {
                format!("its input {name} changed ({file} of {stage})")
            }
            (PartKind::Input, ..) if became == "changed" => format!("its input {name} reads other stages"),
            (PartKind::Input, ..) => format!("its input {name} {became}"),
        }
    }
}
