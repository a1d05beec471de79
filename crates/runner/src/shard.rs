//! A worker of a stage that several do together (`--shard I/N`): it makes its pieces and publishes nothing.
//!
//! Workers share the lock of the stage's key. A run without `--shard`, which puts the pieces together, has it alone, so it
//! starts when no worker is left. Nobody plans or counts the workers: a piece is there, whole, or it is not, and whatever
//! is not there when they are put together is made then. So a worker that was killed costs time and no correctness, and
//! any number of them, of any N, may run, on any hosts that see the store.

use pipeline_stage::Shard;

use crate::attempt::{Attempt, Ended};
use crate::error::Error;
use crate::graph::Graph;
use crate::memory::Peak;
use crate::options::RunOptions;
use crate::plan::{Lookup, Plan};
use crate::report::StageReport;
use crate::selection::Chosen;

/// Refuses a shard of anything but one stage whose kind can be shared.
///
/// # Errors
/// [`Error::ShardOfSeveral`], [`Error::NotShared`], [`Error::ShardForced`].
pub(crate) fn check(graph: &Graph, options: &RunOptions, chosen: &Chosen) -> Result<(), Error> {
    let Some(shard) = options.shard else { return Ok(()) };
    let nodes = graph.nodes();
    let names = |wanted: &dyn Fn(usize) -> bool| {
        let places = (0..nodes.len()).filter(|place| wanted(*place));
        places.map(|place| nodes[place].name.clone()).collect::<Vec<_>>()
    };
    let selected = names(&|place| chosen.may_run.contains(&place));
    let shared = names(&|place| nodes[place].stage.is_shared());
    let Some(stage) = selected.first().filter(|_| selected.len() == 1) else {
        return Err(Error::ShardOfSeveral { shard, selected, shared });
    };
    if !shared.contains(stage) {
        return Err(Error::NotShared { shard, stage: stage.clone(), shared });
    }
    if !chosen.force.is_empty() {
        return Err(Error::ShardForced { shard, stage: stage.clone() });
    }
    Ok(())
}

/// The error of a worker whose stage reads `upstream`, which is not fresh in `plan`.
pub(crate) fn not_fresh(shard: Shard, plan: &Plan, graph: &Graph, stage: &str, upstream: &str) -> Error {
    let state = plan.stage(upstream).map_or_else(String::new, |found| found.state.to_string());
    let place = graph.place(stage).into_iter();
    let needed = place.flat_map(|place| graph.upstream(place)).map(|up| graph.nodes()[*up].name.clone());
    Error::ShardTooEarly {
        shard,
        stage: stage.to_owned(),
        upstream: upstream.to_owned(),
        state,
        needed: needed.collect(),
    }
}

impl Attempt<'_> {
    /// Does one part of the stage. Notes and warnings go into `report`.
    ///
    /// # Errors
    /// As [`Attempt::make`].
    pub(crate) fn work(&self, shard: Shard, report: &mut StageReport) -> Result<Ended, Error> {
        let (kind, key) = (self.node.stage.kind(), self.parts.key());
        let _lock = self.store.share_stage(&self.node.name, kind, &key, &self.claim())?;
        match self.store.lookup(kind, &key) {
            Lookup::Hit(manifest) if manifest.summary.incomplete.is_none() => {
                return Ok(Ended::MadeElsewhere(manifest));
            }
            Lookup::Unreadable(reason) => return Err(self.unreadable(&key, reason)),
            // What is damaged is moved aside by whoever has the lock alone.
            Lookup::Hit(_) | Lookup::Damaged(_) | Lookup::Collected(_) | Lookup::Absent => {}
        }
        if let Some(failed) = self.nothing_to_read() {
            return Ok(failed);
        }
        self.observer.stage_started(&self.node.name, &format!("shard {shard}: {}", self.reason));
        if let Some(failed) = self.rotten_input()? {
            return Ok(failed);
        }
        let draft = self.store.draft()?;
        // Not removed in any case: it is of all workers.
        let partial = self.store.partial_dir(kind, &key);
        fs_err::create_dir_all(&partial).map_err(Error::io("make a folder for checkpoints", &partial))?;
        let peak = Peak::begin();
        let ran = self.run(&draft, &partial, report);
        (report.peak_memory_bytes, report.peak_memory_is_shared) = (peak.bytes(), peak.is_shared());
        Ok(ran.map_or_else(|ended| ended, |summary| Ended::Worked { shard, summary: Box::new(summary) }))
    }
}
