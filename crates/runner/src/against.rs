//! An older artifact of a stage, to compare with: by its key, or as a run had it.

use std::path::Path;
use std::sync::Arc;

use pipeline_stage::manifest::MANIFEST_FILE;
use pipeline_stage::{Digest, Manifest};
use serde_json::Value;

use crate::error::Error;
use crate::graph::Node;
use crate::runs::RunRecord;
use crate::store::Store;

/// How many keys a message names.
const MOST_NAMED: usize = 5;

/// The artifact of `node` that `against` names: a key or its beginning, or else a run (as
/// [`RunRecord::find`] takes it), whose name is returned, too. The artifact need not be whole.
///
/// # Errors
/// When nothing or more than one thing has this name, and when the run had no artifact of the stage or the store
/// has lost it.
pub(crate) fn find(
    store: &Store,
    node: &Node,
    against: &str,
) -> Result<(Arc<Manifest>, Option<String>), Error> {
    let kind = node.stage.kind();
    let mut keys: Vec<String> = keys(store, kind).filter(|key| key.starts_with(against)).collect();
    keys.sort_unstable();
    let count = keys.len();
    if count > 1 {
        keys.truncate(MOST_NAMED);
        return Err(Error::AmbiguousKey { kind, key: against.to_owned(), count, some: keys });
    }
    if let Some(key) = keys.first() {
        let manifest = read(&store.dir().join("store").join(kind).join(key));
        let unreadable = Error::UnreadableOld { stage: node.name.clone(), key: key.clone() };
        return Ok((manifest.ok_or(unreadable)?, None));
    }
    let mut run = RunRecord::find(store, Some(against)).map_err(|error| match error {
        Error::UnknownRun { .. } | Error::NoRuns { .. } => {
            Error::UnknownOld { stage: node.name.clone(), kind, against: against.to_owned() }
        }
        other => other,
    })?;
    let report = report(&mut run, &node.name)?;
    let run = run.name();
    let lost = |found: String| Error::NotOfRun { run: run.clone(), stage: node.name.clone(), found };
    let report = report.ok_or_else(|| lost("it did not come to that stage".to_owned()))?;
    let key: Option<Digest> = serde_json::from_value(report["key"].clone()).ok();
    let word = report["outcome"].as_str().unwrap_or_default().replace('_', " ");
    let key = key.ok_or_else(|| lost(format!("the stage is {word} there")))?;
    match read(&store.artifact_dir(kind, &key)) {
        Some(manifest) => Ok((manifest, Some(run))),
        None if word == "fresh" || word == "ran" => {
            Err(lost(format!("{} is not in the store any more", key.short())))
        }
        None => Err(lost(format!("the stage is {word} there"))),
    }
}

/// The manifests of all artifacts of a kind that can be read, in no order.
pub(crate) fn all(store: &Store, kind: &str) -> impl Iterator<Item = Arc<Manifest>> {
    let folder = store.dir().join("store").join(kind);
    keys(store, kind).filter_map(move |key| read(&folder.join(key)))
}

fn keys(store: &Store, kind: &str) -> impl Iterator<Item = String> {
    let entries = fs_err::read_dir(store.dir().join("store").join(kind));
    entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

fn read(artifact: &Path) -> Option<Arc<Manifest>> {
    let manifest = artifact.join(MANIFEST_FILE);
    // Reading a pipe would not end.
    fs_err::metadata(&manifest).ok().filter(std::fs::Metadata::is_file)?;
    serde_json::from_slice(&fs_err::read(manifest).ok()?).ok().map(Arc::new)
}

/// What the run said about the stage in the end.
fn report(run: &mut RunRecord, stage: &str) -> Result<Option<Value>, Error> {
    let mut report = None;
    let take = |event: &Value| {
        if event["event"] == "stage_finished" && event["stage"] == stage {
            report = Some(event["report"].clone());
        }
    };
    run.new_events(take).map_err(|source| Error::Io { doing: "read the record of the run", source })?;
    Ok(report)
}
