//! What a worker of several says when its shards are done.

use pipeline_stage::{Shard, Summary, words};

use crate::shards::Shards;

/// The summary of a worker that has finished part `part` of `shards`; `pace` is how fast, as its line ends.
pub(crate) fn summary(part: Shard, shards: &Shards, pace: &str) -> Summary {
    let own = (0..shards.count()).filter(|shard| part.has(*shard)).count() as u64;
    // That they are there says no more than that somebody was through; who puts them together reads them.
    let there = (0..shards.count()).filter(|shard| shards.is_there(*shard)).count() as u64;
    let is_all = there == shards.count();
    let [own, there, all] = [own, there, shards.count()].map(words::count);
    let line = format!("{own} of {all} shards done by this worker{pace}");
    let next = match is_all {
        true => format!("{there} of {all} shards are there: run without --shard to make the table"),
        false => format!("{there} of {all} shards are there: run without --shard when all are"),
    };
    Summary { line, notes: vec![next], ..Summary::default() }
}
