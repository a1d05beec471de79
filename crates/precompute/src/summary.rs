//! What the stage says when it is done: of a table, or of a worker's part.

use std::collections::BTreeMap;

use pipeline_stage::{Shard, Summary, words};
use pipeline_table::FeatureStats;

use crate::Params;
use crate::chunks::Chunks;
use crate::counts::Counts;
use crate::gather::Gathered;
use crate::spent::Spent;

/// How fast views went through the trunk.
pub(crate) struct Pace {
    /// Views that this run has computed.
    pub(crate) views: u64,
    /// What they are called: photos, or views.
    pub(crate) unit: &'static str,
    pub(crate) seconds: f64,
    pub(crate) spent: Spent,
}

impl Pace {
    /// Views a second; `None` where all were there.
    fn rate(&self) -> Option<f64> {
        (self.views > 0).then(|| self.views as f64 / self.seconds.max(1e-9))
    }

    /// `, 90 photos/s, bound by the trunk (93 % of the lanes' time)`, or nothing.
    fn words(&self) -> String {
        let rate = self.rate().map(|rate| format!(", {rate:.0} {}/s", self.unit));
        let bound = self.spent.words().map(|bound| format!(", {bound}"));
        [rate, bound].into_iter().flatten().collect()
    }
}

/// Of a table that was made.
pub(crate) fn of_table(params: &Params, counts: &Counts, made: &Gathered, pace: &Pace) -> Summary {
    let Gathered { stats, logits, missing } = made;
    let mut line = counts.words(stats.rows(), missing.count, stats.dim());
    line += &format!(", {}{}", params.dtype.as_str(), pace.words());
    if *logits > 0 {
        line += &format!(", {} logits", words::count(*logits as u64));
    }
    let dead = stats.dead().len();
    if dead > 0 {
        line += &format!(", {} features dead (0 for every photo)", words::count(dead as u64));
    }
    if missing.count > 0 {
        let photos = if missing.count == 1 { "photo" } else { "photos" };
        line += &format!(", {} {photos} left out", words::count(missing.count));
    }

    let empty = params.splits.iter().filter(|split| !counts.photos.contains_key(split));
    let notes = empty.map(|split| format!("{split} has no usable photo, so there are no features of it"));
    let left_out = (missing.count > 0)
        .then(|| format!("{}; a run makes up for it when they are back", missing.left_out()));
    let mut metrics = metrics(stats);
    if let Some(rate) = pace.rate() {
        metrics.extend(pace.spent.metrics());
        metrics.insert("views_per_second".to_owned(), rate);
    }
    Summary {
        line,
        notes: notes.chain(left_out).collect(),
        metrics,
        incomplete: missing.words_when_made(),
        ..Summary::default()
    }
}

/// What is measured of the features.
fn metrics(stats: &FeatureStats) -> BTreeMap<String, f64> {
    let norms = stats.norms();
    let measured = [
        ("dead_features", Some(stats.dead().len() as f64)),
        ("norm_max", norms.map(|norms| norms.max)),
        ("norm_mean", norms.map(|norms| norms.mean)),
        ("norm_min", norms.map(|norms| norms.min)),
    ];
    measured.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Of a worker that has finished part `part` of `chunks`.
pub(crate) fn of_worker(part: Shard, chunks: &Chunks, pace: &Pace) -> Summary {
    let own = (0..chunks.count()).filter(|chunk| part.has(*chunk)).count() as u64;
    // That they are there says no more than that somebody was through; who puts them together reads them.
    let there = (0..chunks.count()).filter(|chunk| chunks.is_there(*chunk)).count() as u64;
    let is_all = there == chunks.count();
    let [own, there, all] = [own, there, chunks.count()].map(words::count);
    let line = format!("{own} of {all} chunks done by this worker{}", pace.words());
    let next = match is_all {
        true => format!("{there} of {all} chunks are there: run without --shard to make the table"),
        false => format!("{there} of {all} chunks are there: run without --shard when all are"),
    };
    Summary { line, notes: vec![next], ..Summary::default() }
}
