//! An older artifact of a stage, to compare with: by its key, or as a run had it.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipeline_stage::{Digest, Manifest};

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
    let named = keys(store, kind).into_iter().filter(|key| key.to_string().starts_with(against));
    let named: Vec<Digest> = named.collect();
    match named.as_slice() {
        [] => {}
        [key] => {
            let unreadable = || Error::UnreadableOld { stage: node.name.clone(), key: key.to_string() };
            return Ok((store.manifest(kind, key).ok_or_else(unreadable)?, None));
        }
        several => {
            let some = several.iter().take(MOST_NAMED).map(Digest::to_string).collect();
            return Err(Error::AmbiguousKey { kind, key: against.to_owned(), count: several.len(), some });
        }
    }
    let run = RunRecord::find(store, Some(against)).map_err(|error| match error {
        Error::UnknownRun { .. } | Error::NoRuns { .. } => {
            Error::UnknownOld { stage: node.name.clone(), kind, against: against.to_owned() }
        }
        other => other,
    })?;
    let details = run.details();
    let lost = |found: String| Error::NotOfRun { run: run.name(), stage: node.name.clone(), found };
    let stage = details.stages.iter().find(|stage| stage.name == node.name);
    let stage = stage.ok_or_else(|| lost("it did not come to that stage".to_owned()))?;
    let manifest = stage.key.and_then(|key| store.manifest(kind, &key));
    let manifest = manifest.ok_or_else(|| match stage.key {
        Some(key) if stage.is_known() => lost(format!("{} is not in the store any more", key.short())),
        _ => lost(format!("the stage is {} there", stage.outcome.replace('_', " "))),
    });
    Ok((manifest?, Some(run.name())))
}

/// The manifests of all artifacts of a kind that can be read, also of those that `gc` removed, in no order.
pub(crate) fn all(store: &Store, kind: &str) -> impl Iterator<Item = Arc<Manifest>> {
    keys(store, kind).into_iter().filter_map(move |key| store.manifest(kind, &key))
}

/// The keys of all artifacts of a kind, also of those that `gc` removed.
fn keys(store: &Store, kind: &str) -> BTreeSet<Digest> {
    let keys_in = |folder| store.keys_in(folder).unwrap_or_default();
    let all = keys_in("store").into_iter().chain(keys_in("manifests"));
    all.filter(|(of, _)| of == kind).map(|(_, key)| key).collect()
}
