//! The cache key of a stage: what is hashed, and what is not.
//!
//! | part | hashed as | why |
//! |---|---|---|
//! | stage kind and version | text, number | another kind or version gives another result |
//! | parameters | normalised JSON, every default filled in | a default written out is not a change |
//! | seed | number, only where [`USES_SEED`](crate::Stage::USES_SEED) | a new seed must not redo ingest |
//! | sources | digest of the content | the same photos elsewhere are the same photos |
//! | inputs | digests of the files that the stage reads | an upstream re-run with the same result stops there |
//! | names of the stages of a list input | text | they are written into the result (`predictions.model`) |
//!
//! Never hashed: paths (parameters named in [`LOCATORS`](crate::Stage::LOCATORS) are left out), times,
//! hosts, thread counts, device, verbosity, how often a training is kept, the stage's own name in the pipeline.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// The parts of a key. The key is the digest of their canonical JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyParts {
    /// Stage kind.
    pub kind: String,
    /// Version of the stage kind.
    pub version: u32,
    /// Normalised parameters without locators.
    pub params: BTreeMap<String, Value>,
    /// The run's seed, where the stage uses it.
    pub seed: Option<u64>,
    /// Digest of each source, by name.
    pub sources: BTreeMap<String, Digest>,
    /// What is read of each input, by name, in order.
    pub inputs: BTreeMap<String, Vec<InputPart>>,
}

/// What a stage reads of one input artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputPart {
    /// Name of the upstream stage, for list inputs only.
    pub stage: Option<String>,
    /// Digest of each file that is read, by path in the artifact.
    pub files: BTreeMap<String, Digest>,
}

impl KeyParts {
    /// The key.
    pub fn key(&self) -> Digest {
        let value =
            serde_json::to_value(self).unwrap_or_else(|e| unreachable!("key parts are plain data: {e}"));
        Digest::of_json(&value)
    }

    /// Why an artifact made for `old` is not the one for `self`: every part that differs, the most
    /// telling first. Empty when the keys are equal.
    pub fn changes_since(&self, old: &KeyParts) -> Vec<Change> {
        let mut changes = Vec::new();
        if (&old.kind, old.version) != (&self.kind, self.version) {
            changes.push(Change::Version { old: old.version, new: self.version });
        }
        changes.extend(differing(&old.params, &self.params).map(|(name, old, new)| Change::Parameter {
            name,
            old: old.cloned(),
            new: new.cloned(),
        }));
        if old.seed != self.seed {
            changes.push(Change::Seed { old: old.seed, new: self.seed });
        }
        changes.extend(differing(&old.sources, &self.sources).map(|(name, old, new)| Change::Source {
            name,
            old: old.copied(),
            new: new.copied(),
        }));
        for (name, old, new) in differing(&old.inputs, &self.inputs) {
            let file = first_changed_file(old, new);
            changes.push(Change::Input { name, file });
        }
        changes
    }
}

/// Entries that are not equal in both maps, in order of name.
fn differing<'a, V: PartialEq>(
    old: &'a BTreeMap<String, V>,
    new: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = (String, Option<&'a V>, Option<&'a V>)> {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().map(move |n| (n.clone(), old.get(n), new.get(n))).filter(|(_, old, new)| old != new)
}

fn first_changed_file(old: Option<&Vec<InputPart>>, new: Option<&Vec<InputPart>>) -> Option<String> {
    let (old, new) = (old?, new?);
    old.iter()
        .zip(new)
        .find_map(|(old, new)| differing(&old.files, &new.files).next().map(|(file, _, _)| file))
}

/// One part of a key that differs between an old artifact and the plan. In JSON `"part": "parameter"` with its
/// fields beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Change {
    /// The stage kind has another version.
    Version {
        /// Before.
        old: u32,
        /// Now.
        new: u32,
    },
    /// A parameter has another value, appeared or went.
    Parameter {
        /// Its name.
        name: String,
        /// Before.
        old: Option<Value>,
        /// Now.
        new: Option<Value>,
    },
    /// The seed is another.
    Seed {
        /// Before.
        old: Option<u64>,
        /// Now.
        new: Option<u64>,
    },
    /// A source has other content.
    Source {
        /// Its name.
        name: String,
        /// Before.
        old: Option<Digest>,
        /// Now.
        new: Option<Digest>,
    },
    /// An input has other content.
    Input {
        /// Its name.
        name: String,
        /// The first file that differs, when both have files in that place.
        file: Option<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |v: &Option<Value>| v.as_ref().map_or("not set".to_owned(), |v| v.to_string());
        match self {
            Change::Version { old, new } => write!(f, "stage version {old} → {new}"),
            Change::Parameter { name, old, new } => write!(f, "{name} {} → {}", show(old), show(new)),
            Change::Seed { old, new } => {
                let show = |s: &Option<u64>| s.map_or("not used".to_owned(), |s| s.to_string());
                write!(f, "seed {} → {}", show(old), show(new))
            }
            Change::Source { name, .. } => write!(f, "source {name} changed"),
            Change::Input { name, file: Some(file) } => write!(f, "input {name} changed ({file})"),
            Change::Input { name, file: None } => write!(f, "input {name} changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts() -> KeyParts {
        KeyParts {
            kind: "head".into(),
            version: 1,
            params: [("lr".to_owned(), json!(0.01)), ("epochs".to_owned(), json!(2))].into(),
            seed: Some(42),
            sources: BTreeMap::new(),
            inputs: [(
                "features".to_owned(),
                vec![InputPart { stage: None, files: [("a".to_owned(), Digest::of(b"a"))].into() }],
            )]
            .into(),
        }
    }

    #[test]
    fn every_part_changes_the_key() {
        let base = parts().key();
        let mut keys = vec![base];
        let mut with = |edit: fn(&mut KeyParts)| {
            let mut p = parts();
            edit(&mut p);
            keys.push(p.key());
        };
        with(|p| p.kind = "tail".into());
        with(|p| p.version = 2);
        with(|p| drop(p.params.insert("lr".into(), json!(0.02))));
        with(|p| p.seed = None);
        with(|p| assert_eq!(p.sources.insert("photos".into(), Digest::of(b"x")), None));
        with(|p| p.inputs.get_mut("features").unwrap()[0].stage = Some("precompute".into()));
        with(|p| {
            p.inputs.get_mut("features").unwrap()[0].files = [("a".to_owned(), Digest::of(b"b"))].into()
        });
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(parts().key(), base);
    }

    #[test]
    fn a_changed_parameter_shows_both_values() {
        let mut new = parts();
        new.params.insert("lr".into(), json!(0.003));
        let changes = new.changes_since(&parts());
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].to_string(), "lr 0.01 → 0.003");
    }

    #[test]
    fn a_changed_input_names_the_file() {
        let mut new = parts();
        new.inputs.get_mut("features").unwrap()[0].files.insert("a".into(), Digest::of(b"b"));
        assert_eq!(new.changes_since(&parts())[0].to_string(), "input features changed (a)");
    }
}
