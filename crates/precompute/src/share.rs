//! What a worker of several says when its shards are done.

use pipeline_stage::{Shard, Summary, words};

use crate::shards::Shards;

/// The summary of a worker that has finished part `part` of `shards`, computing `rate` of `unit` in a second (`None` where all
/// was there already).
pub(crate) fn summary(part: Shard, shards: &Shards, rate: Option<f64>, unit: &str) -> Summary {
    let own = (0..shards.count()).filter(|shard| part.has(*shard)).count() as u64;
    // That they are there says no more than that somebody was through; who puts them together reads them.
    let there = (0..shards.count()).filter(|shard| shards.is_there(*shard)).count() as u64;
    let is_all = there == shards.count();
    let [own, there, all] = [own, there, shards.count()].map(words::count);
    let rate = rate.map_or(String::new(), |rate| format!(", {rate:.0} {unit}/s"));
    let line = format!("{own} of {all} shards done by this worker{rate}");
    let next = match is_all {
        true => format!("{there} of {all} shards are there: run without --shard to make the table"),
        false => format!("{there} of {all} shards are there: run without --shard when all are"),
    };
    Summary { line, notes: vec![next], ..Summary::default() }
}
