//! [`differences`]: what two evaluations were made with, stage by stage, and what of it differs.
//!
//! A manifest names what its stage read by content, not by artifact. So the artifact that a stage read is one of the store
//! that holds files of those digests; of several, the latest that was made before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipeline_report::comparison::{Comparison, Setting};
use pipeline_stage::key::{Change, InputPart};
use pipeline_stage::manifest::MANIFEST_FILE;
use pipeline_stage::{Digest, Manifest};

use super::evaluation::Evaluation;

/// Adds to `comparison` what both evaluations recorded, and what they and all before them were made with.
pub(super) fn differences(this: &Evaluation, that: &Evaluation, comparison: &mut Comparison) {
    let metrics = [this, that].map(|side| &side.manifest.summary.metrics);
    let names: BTreeSet<&String> = metrics.into_iter().flat_map(BTreeMap::keys).collect();
    let recorded = names.into_iter().map(|name| {
        let of = |side: usize| metrics[side].get(name).copied();
        (name.clone(), of(1), of(0))
    });
    comparison.recorded = recorded.collect();

    let [this, that] = [("this", this), ("that", that)].map(|(word, side)| {
        let mut ancestors = Ancestors { shelf: shelf(&side.dir), found: vec![], missing: vec![] };
        ancestors.add("evaluate".to_owned(), (*side.manifest).clone());
        let missing = ancestors.missing.iter();
        comparison
            .unknown
            .extend(missing.map(|what| format!("Of {word}, what {what} is not in the store any more.")));
        ancestors.found
    });
    let find = |side: &[(String, Manifest)], name: &str| {
        side.iter().find(|(found, _)| found == name).map(|(_, manifest)| manifest.clone())
    };
    for (name, manifest) in &this {
        match find(&that, name) {
            Some(other) => comparison.settings.extend(settings(name, manifest, &other)),
            None => comparison.settings.push(alone(name, None, Some(manifest))),
        }
    }
    for (name, manifest) in &that {
        if find(&this, name).is_none() {
            comparison.settings.push(alone(name, Some(manifest), None));
        }
    }
}

/// A stage that only one of both has.
fn alone(name: &str, that: Option<&Manifest>, this: Option<&Manifest>) -> Setting {
    let kind = |manifest: Option<&Manifest>| manifest.map(|manifest| manifest.parts.kind.clone());
    Setting { stage: name.to_owned(), name: "kind".to_owned(), that: kind(that), this: kind(this) }
}

/// The setting of a data set whose photos are not those of the other.
pub(super) const PHOTOS_DIFFER: &str = "content of the photos";

/// What differs in the making of two artifacts, but for what they read, which has a place of its own.
fn settings(stage: &str, this: &Manifest, that: &Manifest) -> Vec<Setting> {
    let setting = |name: String, that: Option<String>, this: Option<String>| {
        Some(Setting { stage: stage.to_owned(), name, that, this })
    };
    if this.parts.kind != that.parts.kind {
        return vec![alone(stage, Some(that), Some(this))];
    }
    let changes = this.parts.changes_since(&that.parts).into_iter();
    let settings = changes.filter_map(|change| match change {
        Change::Version { old, new } => {
            setting("version of the stage".to_owned(), Some(old.to_string()), Some(new.to_string()))
        }
        Change::Parameter { name, old, new } => {
            setting(name, old.map(|value| value.to_string()), new.map(|value| value.to_string()))
        }
        Change::Seed { old, new } => {
            setting("seed".to_owned(), old.map(|seed| seed.to_string()), new.map(|seed| seed.to_string()))
        }
        Change::Source { name, old, new } => {
            let digest = |digest: Option<Digest>| digest.map(|digest| digest.short());
            setting(format!("content of the {name}"), digest(old), digest(new))
        }
        Change::Input { .. } => None,
    });
    settings.collect()
}

/// An evaluation and all that it was made from.
struct Ancestors {
    shelf: Vec<Manifest>,
    /// By the name of the stage where it is known, else by kind; the evaluation first.
    found: Vec<(String, Manifest)>,
    /// `` `head` read as `backbone` ``.
    missing: Vec<String>,
}

impl Ancestors {
    /// Adds an artifact, then what it was made from.
    fn add(&mut self, name: String, manifest: Manifest) {
        let inputs = manifest.parts.inputs.clone();
        let made = manifest.made.unix_seconds;
        self.found.push((name.clone(), manifest));
        // All that have names come first, so that the rest cannot take one of these.
        let mut read: Vec<(&String, &InputPart)> =
            inputs.iter().flat_map(|(input, parts)| parts.iter().map(move |part| (input, part))).collect();
        read.sort_by_key(|(_, part)| part.stage.is_none());
        let mut next = Vec::new();
        for (input, part) in read {
            if part.files.is_empty() {
                continue;
            }
            let Some(artifact) = self.maker(part, made) else {
                self.missing.push(format!("`{name}` read as `{}`", part.stage.as_ref().unwrap_or(input)));
                continue;
            };
            let known = self.found.iter().map(|(_, known)| known).chain(next.iter().map(|(_, known)| known));
            if known.into_iter().any(|known: &Manifest| known.key == artifact.key) {
                continue;
            }
            let kind = &artifact.parts.kind;
            let is_taken = self.found.iter().chain(&next).any(|(taken, _)| taken == kind);
            let plain = if is_taken { format!("{name}.{input}") } else { kind.clone() };
            next.push((part.stage.clone().unwrap_or(plain), artifact));
        }
        for (name, artifact) in next {
            if self.found.iter().all(|(_, known)| known.key != artifact.key) {
                self.add(name, artifact);
            }
        }
    }

    /// The artifact that holds the files that were read before `made`.
    fn maker(&self, part: &InputPart, made: u64) -> Option<Manifest> {
        let holds = |manifest: &&Manifest| {
            let has = |(path, digest): (&String, &Digest)| {
                manifest.files.iter().any(|file| file.path == *path && file.blake3 == *digest)
            };
            part.files.iter().all(has)
        };
        let when = |manifest: &&Manifest| {
            let at = manifest.made.unix_seconds;
            (at <= made, at, manifest.key)
        };
        self.shelf.iter().filter(holds).max_by_key(when).cloned()
    }
}

/// The manifests of all artifacts in the store that `artifact` lies in; none where it lies in no store.
fn shelf(artifact: &Path) -> Vec<Manifest> {
    let Ok(artifact) = fs_err::canonicalize(artifact) else { return vec![] };
    // <store>/store/<kind>/<key>
    let Some(kinds) = artifact.parent().and_then(Path::parent) else { return vec![] };
    if !kinds.ends_with("store") || !kinds.with_file_name("format").is_file() {
        return vec![];
    }
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect()
    };
    let artifacts = folders(kinds).into_iter().flat_map(|kind| folders(&kind));
    let read = |dir: PathBuf| serde_json::from_slice(&fs_err::read(dir.join(MANIFEST_FILE)).ok()?).ok();
    artifacts.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::evaluation;
    use super::*;
    use serde_json::{Value, json};

    /// Puts an artifact of one file `model.json` into the store `dir`, and returns its folder.
    fn artifact(dir: &Path, kind: &str, params: &Value, content: &str, inputs: &Value, at: u64) -> PathBuf {
        let key = Digest::of(format!("{kind}{params}{inputs}").as_bytes());
        let manifest = json!({
            "format": 1, "key": key,
            "files": [{"path": "model.json", "size_bytes": 1, "blake3": Digest::of(content.as_bytes())}],
            "summary": {"line": "", "metrics": {format!("{content}.accuracy"): 0.5}},
            "parts": {"kind": kind, "version": 3, "params": params, "seed": null,
                      "sources": {"photos": Digest::of(content.as_bytes())}, "inputs": inputs},
            "made": {"unix_seconds": at, "wall_seconds": 1.0, "host": "", "seed": 1, "threads": 1, "device": "cpu",
                     "pipeline_version": ""},
        });
        let folder = dir.join("store").join(kind).join(key.to_string());
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(dir.join("format"), "1\n").unwrap();
        fs_err::write(folder.join(MANIFEST_FILE), manifest.to_string()).unwrap();
        folder
    }

    fn reads(stage: Option<&str>, content: &str) -> Value {
        json!({"stage": stage, "files": {"model.json": Digest::of(content.as_bytes())}})
    }

    fn made(this: &Path, that: &Path) -> (Vec<String>, Comparison) {
        let mut comparison = Comparison::default();
        let [this, that] = [this, that].map(|dir| evaluation::of_folder(dir).unwrap());
        differences(&this, &that, &mut comparison);
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let shown = comparison.settings.iter().map(|setting| {
            format!(
                "{} {} {} {}",
                setting.stage,
                setting.name,
                or_none(&setting.that),
                or_none(&setting.this)
            )
        });
        (shown.collect(), comparison)
    }

    #[test]
    fn settings_are_compared_up_the_chain_by_the_content_that_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let make = |kind: &str, params: Value, content: &str, inputs: Value, at: u64| {
            artifact(dir.path(), kind, &params, content, &inputs, at)
        };
        make("ingest", json!({}), "photos", json!({}), 1);
        // Made later with the same content: not what the evaluation has read.
        make("ingest", json!({"unlabelled": "set_aside"}), "photos", json!({}), 90);
        let photos = json!({"images": [reads(None, "photos")]});
        make("head", json!({"lr": 0.01, "epochs": 2}), "old head", photos.clone(), 2);
        make("head", json!({"lr": 0.003, "epochs": 2, "ema": 0.5}), "new head", photos, 3);
        let tuned = |head: &str| json!({"model": [reads(None, head)]});
        make("finetune", json!({"cycles": 3}), "old tuned", tuned("old head"), 4);
        make("finetune", json!({"cycles": 3}), "new tuned", tuned("new head"), 5);
        let evaluated = |head: &str, tuned: &str| json!({"models": [reads(Some("first"), head), reads(Some("second"), tuned)], "augment": []});
        let that = make("evaluate", json!({"tta": 0}), "that", evaluated("old head", "old tuned"), 10);
        let this = make("evaluate", json!({"tta": 4}), "this", evaluated("new head", "new tuned"), 11);

        let (settings, comparison) = made(&this, &that);
        let source = |stage: &str, old: &str, new: &str| {
            let [old, new] = [old, new].map(|content| Digest::of(content.as_bytes()).short());
            format!("{stage} content of the photos {old} {new}")
        };
        assert_eq!(
            settings,
            [
                "evaluate tta 0 4".to_owned(),
                source("evaluate", "that", "this"),
                "first ema - 0.5".to_owned(),
                "first lr 0.01 0.003".to_owned(),
                source("first", "old head", "new head"),
                source("second", "old tuned", "new tuned"),
            ]
        );
        assert!(comparison.unknown.is_empty(), "{:?}", comparison.unknown);
        assert_eq!(
            comparison.recorded,
            [("that.accuracy".to_owned(), Some(0.5), None), ("this.accuracy".to_owned(), None, Some(0.5))]
        );
    }

    #[test]
    fn what_is_gone_or_lies_outside_a_store_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = json!({"models": [reads(Some("head"), "gone")]});
        let that = artifact(dir.path(), "evaluate", &json!({"tta": 0}), "that", &inputs, 1);
        let copy = tempfile::tempdir().unwrap();
        artifact(dir.path(), "head", &json!({"lr": 1}), "head", &json!({}), 1);
        let inputs = json!({"models": [reads(Some("head"), "head")]});
        let this = artifact(dir.path(), "evaluate", &json!({"tta": 1}), "that", &inputs, 1);
        fs_err::copy(this.join(MANIFEST_FILE), copy.path().join(MANIFEST_FILE)).unwrap();

        let (settings, comparison) = made(&this, &that);
        assert_eq!(settings, ["evaluate tta 0 1", "head kind - head"]);
        assert_eq!(
            comparison.unknown,
            ["Of that, what `evaluate` read as `head` is not in the store any more."]
        );
        let (settings, comparison) = made(copy.path(), &that);
        assert_eq!(settings, ["evaluate tta 0 1"]);
        assert_eq!(comparison.unknown.len(), 2, "{:?}", comparison.unknown);
    }
}
