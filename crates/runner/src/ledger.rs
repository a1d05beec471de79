//! [`Ledger`]: what is known of the stages of a run on its way: sources, artifacts, and what came of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_stage::failure::Cause;
use pipeline_stage::{Artifact, Input};

use crate::graph::Graph;
use crate::plan::Settled;
use crate::report::{Outcome, StageReport};
use crate::source::Found;
use crate::store::Store;

/// What is known of the stages, by place in the graph.
pub(crate) struct Ledger<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) store: &'a Store,
    pub(crate) found: Found,
    pub(crate) settled: Settled,
    /// What came of each stage, where it is decided.
    pub(crate) reports: Vec<Option<StageReport>>,
}

impl<'a> Ledger<'a> {
    /// Nothing is decided.
    pub(crate) fn new(graph: &'a Graph, store: &'a Store, found: Found) -> Ledger<'a> {
        let stages = graph.nodes().len();
        Ledger { graph, store, found, settled: vec![None; stages], reports: vec![None; stages] }
    }

    /// Whether the stage is not decided, and all that it reads is.
    pub(crate) fn is_due(&self, place: usize) -> bool {
        let is_open = |place: usize| self.reports[place].is_none();
        is_open(place) && !self.graph.upstream(place).iter().any(|up| is_open(*up))
    }

    /// The first stage that stops the run.
    pub(crate) fn stopper(&self) -> Option<String> {
        let stops = |r: &&StageReport| matches!(r.outcome, Outcome::Failed { .. } | Outcome::Locked { .. });
        self.reports.iter().flatten().find(stops).map(|report| report.name.clone())
    }

    /// The first stage that failed because of a disk: whatever else goes there fails, too.
    pub(crate) fn refused(&self) -> Option<String> {
        let is_refused = |report: &&StageReport| report.cause == Some(Cause::Disk);
        self.reports.iter().flatten().find(is_refused).map(|report| report.name.clone())
    }

    /// Why a stage whose upstream stages `on` have no artifact is not run.
    pub(crate) fn because(&self, on: &[String]) -> String {
        let words = on.iter().map(|name| {
            let report = self.reports.iter().flatten().find(|report| report.name == *name);
            match report.map_or("not run", |report| report.outcome.word()) {
                "failed" => format!("{name} failed"),
                word => format!("{name} is {word}"),
            }
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// The artifacts that the stage at `place` reads, by input.
    pub(crate) fn inputs(&self, place: usize) -> BTreeMap<String, Vec<Artifact>> {
        let node = &self.graph.nodes()[place];
        let artifact = |name: &String| {
            let upstream = self.graph.place(name)?;
            let manifest = self.settled[upstream].as_ref()?;
            let kind = self.graph.nodes()[upstream].stage.kind();
            Some(Artifact {
                stage: name.clone(),
                dir: absolute(&self.store.artifact_dir(kind, &manifest.key)),
                files: manifest.digests(),
                sources: self.found.paths[upstream].clone(),
            })
        };
        let inputs = node.inputs.iter();
        inputs.map(|(input, names)| (input.clone(), names.iter().filter_map(artifact).collect())).collect()
    }

    /// Bytes of the files that the stage at `place` reads of its inputs.
    pub(crate) fn input_bytes(&self, place: usize) -> u64 {
        let node = &self.graph.nodes()[place];
        let of = |spec: &Input| {
            let names = node.inputs.get(spec.name).into_iter().flatten();
            let manifests = names.filter_map(|name| self.settled[self.graph.place(name)?].as_ref());
            let files = manifests.flat_map(|manifest| &manifest.files);
            files
                .filter(|file| node.stage.reads(&node.params, spec, &file.path))
                .map(|file| file.size_bytes)
                .sum::<u64>()
        };
        node.stage.inputs().iter().map(of).sum()
    }
}

/// The path from the root on; as it is, where the current folder cannot be told.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
