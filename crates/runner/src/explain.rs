//! [`explain`]: why a stage is what it is, part by part of its key.
//!
//! It asks the planner that a run asks. What the planner does not know yet (a stage must run first, a source is
//! not fetched) is said to be open here as well, and not guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipeline_stage::{Cancel, Digest, Manifest};
use serde::Serialize;

use crate::against;
use crate::clock;
use crate::error::Error;
use crate::execute::look;
use crate::graph::Graph;
use crate::listing::Listing;
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::part::{Known, Part, PartKind, Standing, compare};
use crate::plan::{Located, Plan, Planner, Settled, State};
use crate::selection::{Selection, unknown};
use crate::source::{Finder, Found};
use crate::tree_change::TreeChange;

/// Version of the form of an [`Explanation`] in JSON. Raised when a field changes or goes; readers should accept
/// fields that they do not know.
const FORMAT: u32 = 1;

/// What a stage is, why, and its key part by part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Version of this form.
    pub format: u32,
    /// The stage.
    pub stage: String,
    /// Its kind.
    pub kind: &'static str,
    /// [`State::word`].
    pub state: &'static str,
    /// One sentence: `head is stale because its parameter lr changed`.
    pub headline: String,
    /// A sentence for each stage upstream that has to do with it, the nearest first.
    pub upstream: Vec<String>,
    /// Its key, where it is known.
    pub key: Option<Digest>,
    /// The older artifact that the parts are compared with, where there is one.
    pub against: Option<Old>,
    /// Every part of the key.
    pub parts: Vec<Part>,
}

/// An artifact that a key is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Old {
    /// Its key.
    pub key: Digest,
    /// When the stage began to make it: `2026-11-25T04:55:00Z`.
    pub made: String,
    /// Whether it was asked for, and is not simply the current artifact.
    pub is_chosen: bool,
    /// The run that had it, where it was asked for by a run.
    pub run: Option<String>,
}

/// Explains the stage `name`. It is compared with its current artifact, or with the one that `against` names: a key
/// or its beginning, or a run. Writes nothing but remembered digests, and fetches nothing.
///
/// # Errors
/// When there is no such stage, no such older artifact, or a source or the store cannot be read.
pub fn explain(
    graph: &Graph,
    options: &RunOptions,
    name: &str,
    against: Option<&str>,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Explanation, Error> {
    let place = graph.place(name).ok_or_else(|| unknown(graph, name, "explain"))?;
    let whole = RunOptions { selection: Selection::default(), ..options.clone() };
    look(graph, &whole, cancel, observer, |finder, found, planner, plan| {
        let chosen =
            against.map(|against| against::find(finder.store, &graph.nodes()[place], against)).transpose()?;
        let settled = plan.settled();
        Ok(Explainer { finder, found, planner, settled, plan: &plan }.explain(place, chosen))
    })
}

struct Explainer<'a> {
    finder: &'a Finder<'a>,
    found: &'a Found,
    planner: &'a Planner<'a>,
    plan: &'a Plan,
    settled: Settled,
}

impl Explainer<'_> {
    fn explain(&self, place: usize, chosen: Option<(Arc<Manifest>, Option<String>)>) -> Explanation {
        let planned = &self.plan.stages[place];
        let is_chosen = chosen.is_some();
        let (old, run) = chosen.map_or_else(|| (self.current(place), None), |(old, run)| (Some(old), run));
        let parts = self.parts(place, old.as_deref());
        // Comparing folders file by file takes a while: once is enough.
        let mut headline = self.sentence(place, (!is_chosen).then_some(&parts));
        if let (State::Fresh { key, .. }, Some(old), false) = (&planned.state, &old, is_chosen)
            && old.key != *key
        {
            headline += ", although the current artifact is another one";
        }
        if let (State::Depends { .. }, Some(first)) = (&planned.state, parts.iter().find(|part| part.first)) {
            headline += &format!("; {}, too", first.why());
        }
        let mut upstream = Vec::new();
        match &planned.state {
            State::Depends { .. } => self.dependence(place, &mut BTreeSet::new(), &mut upstream),
            _ => self.history(&parts, &mut upstream),
        }
        Explanation {
            format: FORMAT,
            stage: planned.name.clone(),
            kind: planned.kind,
            state: planned.state.word(),
            headline,
            upstream,
            key: planned.state.key(),
            against: old.map(|old| Old {
                key: old.key,
                made: clock::rfc3339(old.made.unix_seconds),
                is_chosen,
                run,
            }),
            parts,
        }
    }

    /// The artifact that the stage had last, if it is of the same kind.
    fn current(&self, place: usize) -> Option<Arc<Manifest>> {
        let planned = &self.plan.stages[place];
        self.planner.lookups.current(&planned.name).filter(|old| old.parts.kind == planned.kind)
    }

    /// Every part of the key of the stage at `place` beside that of an older artifact; of folders, file by file.
    fn parts(&self, place: usize, old: Option<&Manifest>) -> Vec<Part> {
        let mut parts = compare(old.map(|old| &old.parts), &self.known(place));
        for part in &mut parts {
            if let (PartKind::Source, Standing::Changed) = (part.part, part.standing) {
                part.tree = self.tree_change(place, part);
            }
        }
        parts
    }

    /// What became of the files of a source that changed; `None` where it is a file, or no list was kept.
    fn tree_change(&self, place: usize, part: &Part) -> Option<TreeChange> {
        let (old, name) = (part.old.as_ref()?.as_str()?, part.name.as_deref()?);
        let before = Listing::read(&self.finder.store.listing_file(&old.parse().ok()?))?;
        let path = self.found.paths[place].get(name)?;
        let now = self.finder.listing(&self.planner.graph.nodes()[place], name, path)?;
        Some(TreeChange::between(&before, &now))
    }

    fn known(&self, place: usize) -> Known<'_> {
        let graph = self.planner.graph;
        let sources = self.planner.sources[place].iter();
        let unready = sources.filter(|(_, located)| matches!(located, Located::Unready(_)));
        let unsettled = graph.upstream(place).iter().filter(|up| self.settled[**up].is_none());
        Known {
            node: &graph.nodes()[place],
            parts: self.planner.parts(place, &self.settled),
            unready: unready.map(|(name, _)| name.as_str()).collect(),
            unsettled: unsettled.map(|up| graph.nodes()[*up].name.as_str()).collect(),
        }
    }

    /// What a stage is, in a sentence; `parts` are those beside its current artifact, where they are known.
    fn sentence(&self, place: usize, parts: Option<&[Part]>) -> String {
        let planned = &self.plan.stages[place];
        let name = &planned.name;
        match &planned.state {
            State::Fresh { key, .. } => {
                format!("{name} is fresh: the store has its artifact {}", key.short())
            }
            State::Stale { .. } => {
                let compared = || self.parts(place, self.current(place).as_deref());
                let parts = parts.map_or_else(compared, <[Part]>::to_vec);
                let first = parts.iter().find(|part| part.first);
                let why = first.map_or_else(|| planned.state.reason(), Part::why);
                format!("{name} is stale because {why}")
            }
            State::Collected { .. } if self.settled[place].is_some() => {
                format!(
                    "{name} was collected: gc removed its files, which nothing needs now, and kept its manifest"
                )
            }
            State::Collected { .. } => {
                format!("{name} was collected: gc removed its files, and they are needed again")
            }
            State::Missing { .. } => format!("{name} is missing: it has no artifact yet"),
            State::Incomplete { reason, .. } => format!("{name} is incomplete: {reason}"),
            State::Damaged { reason, .. } => format!("{name} is damaged: {reason}"),
            State::Depends { on } => match self.twin(place, on) {
                Some(twin) => format!("{name} depends on {twin}, which has the same key and runs first"),
                None => format!("{name} depends on {}", on.join(", ")),
            },
            State::Unknown { .. } => {
                let reason = planned.state.reason();
                // A message of a run begins with the stage.
                let reason = reason.strip_prefix(&format!("{name}: ")).unwrap_or(&reason);
                format!("{name} is unknown: {reason}")
            }
        }
    }

    /// The stage that `place` depends on without reading it.
    fn twin<'b>(&self, place: usize, on: &'b [String]) -> Option<&'b str> {
        let graph = self.planner.graph;
        let is_read = |name: &String| graph.place(name).is_some_and(|up| graph.upstream(place).contains(&up));
        on.iter().find(|name| !is_read(name)).map(String::as_str)
    }

    /// What the stages are that `place` depends on, directly or not.
    fn dependence(&self, place: usize, said: &mut BTreeSet<usize>, sentences: &mut Vec<String>) {
        let State::Depends { on } = &self.plan.stages[place].state else { return };
        for up in on.iter().filter_map(|name| self.planner.graph.place(name)) {
            if said.insert(up) {
                sentences.push(self.sentence(up, None));
                self.dependence(up, said, sentences);
            }
        }
    }

    /// Why the input that is the first change among `parts` is another one: what changed in the stage that made it,
    /// and, where that was an input as well, so on.
    fn history(&self, parts: &[Part], sentences: &mut Vec<String>) {
        let Some(first) = parts.iter().find(|part| part.first && part.part == PartKind::Input) else {
            return;
        };
        let (Some(stage), Some(file), Some(_)) = (&first.stage, &first.file, &first.old) else { return };
        let Some(up) = self.planner.graph.place(stage) else { return };
        let Some(old) = self.maker(up, &first.old_files(parts)) else {
            sentences.push(format!("{stage} has another {file}; no artifact in the store has the old one"));
            return;
        };
        let parts = self.parts(up, Some(&old));
        let Some(first) = parts.iter().find(|part| part.first) else { return };
        sentences.push(format!("{stage} has another {file} because {}", first.why()));
        self.history(&parts, sentences);
    }

    /// The latest artifact of the kind of the stage at `place` that has these files and another key.
    fn maker(&self, place: usize, files: &BTreeMap<String, Digest>) -> Option<Arc<Manifest>> {
        let key = self.plan.stages[place].state.key();
        let has_files = |manifest: &Arc<Manifest>| {
            let found = manifest.digests();
            Some(manifest.key) != key && files.iter().all(|(path, digest)| found.get(path) == Some(digest))
        };
        let makers = against::all(self.finder.store, self.plan.stages[place].kind).filter(has_files);
        makers.max_by_key(|manifest| (manifest.made.unix_seconds, manifest.key))
    }
}
