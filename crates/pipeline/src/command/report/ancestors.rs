//! [`Lineage`]: what an evaluation was made from; [`differences`]: what of it differs between two.
//!
//! A manifest names what its stage read by content, not by artifact. So the artifact that a stage read is one beside the
//! evaluation (`ReportArtifact::beside`) that holds files of those digests; of several, the latest that was made before. No
//! other manifests of the store are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipeline_report::comparison::{Comparison, Setting};
use pipeline_runner::Store;
use pipeline_stage::key::{Change, InputPart};
use pipeline_stage::{Digest, Manifest};
use pipeline_table::images::IMAGES_FILE;

use super::report_artifact::ReportArtifact;

/// Adds to `comparison` what both evaluations recorded, and what they and all before them were made with.
pub(super) fn differences(this: &Lineage, that: &Lineage, comparison: &mut Comparison) {
    let metrics = [this, that].map(|side| &side.evaluation().summary.metrics);
    let names: BTreeSet<&String> = metrics.into_iter().flat_map(BTreeMap::keys).collect();
    let recorded = names.into_iter().map(|name| {
        let of = |side: usize| metrics[side].get(name).copied();
        (name.clone(), of(1), of(0))
    });
    comparison.recorded = recorded.collect();
    for (word, side) in [("this", this), ("that", that)] {
        comparison.unknown.extend(side.unknown(word));
    }
    for Ancestor { name, manifest, .. } in &this.found {
        match that.find(name) {
            Some(other) => comparison.settings.extend(settings(name, manifest, &other.manifest)),
            // Else it may be there, and is not known.
            None if that.missing.is_empty() => comparison.settings.push(alone(name, None, Some(manifest))),
            None => {}
        }
    }
    for Ancestor { name, manifest, .. } in &that.found {
        if this.find(name).is_none() && this.missing.is_empty() {
            comparison.settings.push(alone(name, Some(manifest), None));
        }
    }
}

/// A stage that only one of both has.
fn alone(name: &str, that: Option<&Manifest>, this: Option<&Manifest>) -> Setting {
    let kind = |manifest: Option<&Manifest>| manifest.map(|manifest| manifest.parts.kind.clone());
    Setting { stage: name.to_owned(), name: "kind".to_owned(), that: kind(that), this: kind(this) }
}

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

/// An artifact that an evaluation was made from, or itself.
struct Ancestor {
    /// Of the stage where it is known, else its kind.
    name: String,
    manifest: Manifest,
    dir: PathBuf,
}

/// An evaluation and all that it was made from, as far as it is known.
pub(in crate::command) struct Lineage {
    /// Artifacts that may have been read.
    beside: Vec<(PathBuf, Manifest)>,
    /// The evaluation first; never empty.
    found: Vec<Ancestor>,
    /// `` `head` read as `backbone` ``.
    missing: Vec<String>,
}

impl Lineage {
    pub(super) fn of(side: &ReportArtifact) -> Lineage {
        Lineage::of_artifact("evaluate", &side.dir, (*side.manifest).clone(), &side.beside)
    }

    /// The artifact in `dir`, called `name`, with all that it was made from among the artifacts in the folders `folders`.
    pub(in crate::command) fn of_artifact(
        name: &str,
        dir: &Path,
        manifest: Manifest,
        folders: &[PathBuf],
    ) -> Lineage {
        let mut beside: BTreeMap<Digest, (PathBuf, Manifest)> = BTreeMap::new();
        for dir in folders {
            if let Some(manifest) = Store::manifest_at(dir) {
                beside.entry(manifest.key).or_insert((dir.clone(), manifest));
            }
        }
        let mut lineage = Lineage { beside: beside.into_values().collect(), found: vec![], missing: vec![] };
        lineage.add(Ancestor { name: name.to_owned(), manifest, dir: dir.to_owned() });
        lineage
    }

    /// The file `name` of the first artifact that has one and is still there: of the artifact itself, else of what it was made from.
    pub(in crate::command) fn file(&self, name: &str) -> Option<PathBuf> {
        let has = |ancestor: &&Ancestor| ancestor.manifest.files.iter().any(|file| file.path == name);
        let paths = self.found.iter().filter(has).map(|ancestor| ancestor.dir.join(name));
        paths.into_iter().find(|path| path.is_file())
    }

    fn evaluation(&self) -> &Manifest {
        &self.found[0].manifest
    }

    fn find(&self, name: &str) -> Option<&Ancestor> {
        self.found.iter().find(|ancestor| ancestor.name == name)
    }

    /// The table of the photos that were measured, and its digest: the one that the evaluation read, else the one that its
    /// features were made from. `None` where it is not known.
    pub(super) fn images(&self) -> Option<(PathBuf, Digest)> {
        let of = |ancestor: &Ancestor| {
            let file = ancestor.manifest.files.iter().find(|file| file.path == IMAGES_FILE)?;
            // gc may have removed it.
            ancestor.dir.is_dir().then(|| (ancestor.dir.join(IMAGES_FILE), file.blake3))
        };
        let read = self.evaluation().parts.inputs.get("images").and_then(|parts| parts.first());
        let own = read.and_then(|part| part.files.get(IMAGES_FILE));
        let mut all = self.found.iter().filter_map(of);
        match own {
            Some(own) => all.find(|(_, digest)| digest == own),
            None => all.next(),
        }
    }

    /// What is not known of its making, a sentence each.
    fn unknown(&self, word: &str) -> Vec<String> {
        if self.beside.is_empty() && !self.missing.is_empty() {
            return vec![format!(
                "Of {word}, which lies outside of a store and without links beside it, only its own parameters are known, not \
                 those of the stages before it."
            )];
        }
        let sentence = |what: &String| {
            format!(
                "Of {word}, what {what} was not found: it is not in the store any more, or no link leads to it."
            )
        };
        self.missing.iter().map(sentence).collect()
    }

    /// Adds an artifact, then what it was made from.
    fn add(&mut self, ancestor: Ancestor) {
        let (name, inputs) = (ancestor.name.clone(), ancestor.manifest.parts.inputs.clone());
        let made = ancestor.manifest.made.unix_seconds;
        self.found.push(ancestor);
        // All that have names come first, so that the rest cannot take one of these.
        let mut read: Vec<(&String, &InputPart)> =
            inputs.iter().flat_map(|(input, parts)| parts.iter().map(move |part| (input, part))).collect();
        read.sort_by_key(|(_, part)| part.stage.is_none());
        let mut next: Vec<Ancestor> = Vec::new();
        for (input, part) in read {
            if part.files.is_empty() {
                continue;
            }
            let Some((dir, manifest)) = self.maker(part, made) else {
                self.missing.push(format!("`{name}` read as `{}`", part.stage.as_ref().unwrap_or(input)));
                continue;
            };
            let mut known = self.found.iter().chain(&next);
            if known.any(|known| known.manifest.key == manifest.key) {
                continue;
            }
            let kind = &manifest.parts.kind;
            let is_taken = self.found.iter().chain(&next).any(|taken| taken.name == *kind);
            let plain = if is_taken { format!("{name}.{input}") } else { kind.clone() };
            next.push(Ancestor { name: part.stage.clone().unwrap_or(plain), manifest, dir });
        }
        for ancestor in next {
            if self.found.iter().all(|known| known.manifest.key != ancestor.manifest.key) {
                self.add(ancestor);
            }
        }
    }

    /// The artifact that holds the files that were read before `made`.
    fn maker(&self, part: &InputPart, made: u64) -> Option<(PathBuf, Manifest)> {
        let holds = |(_, manifest): &&(PathBuf, Manifest)| {
            let has = |(path, digest): (&String, &Digest)| {
                manifest.files.iter().any(|file| file.path == *path && file.blake3 == *digest)
            };
            part.files.iter().all(has)
        };
        let when = |(_, manifest): &&(PathBuf, Manifest)| {
            let at = manifest.made.unix_seconds;
            (at <= made, at, manifest.key)
        };
        self.beside.iter().filter(holds).max_by_key(when).cloned()
    }
}

#[cfg(test)]
mod tests {
    use pipeline_stage::manifest::MANIFEST_FILE;

    use super::super::report_artifact;
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
        fs_err::create_dir_all(dir.join("links")).unwrap();
        let note = json!({"link": "", "from_store": "", "kind": kind, "key": key});
        fs_err::write(dir.join("links").join(key.to_string()), note.to_string()).unwrap();
        folder
    }

    fn reads(stage: Option<&str>, content: &str) -> Value {
        json!({"stage": stage, "files": {"model.json": Digest::of(content.as_bytes())}})
    }

    fn made(this: &Path, that: &Path) -> (Vec<String>, Comparison) {
        let mut comparison = Comparison::default();
        let [this, that] = [this, that].map(|dir| Lineage::of(&report_artifact::of_folder(dir).unwrap()));
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
        assert_eq!(settings, ["evaluate tta 0 1"], "a head that is not known is not one that is lacking");
        let not_found = "was not found: it is not in the store any more, or no link leads to it.";
        assert_eq!(comparison.unknown, [format!("Of that, what `evaluate` read as `head` {not_found}")]);
        let (settings, comparison) = made(copy.path(), &that);
        assert_eq!(settings, ["evaluate tta 0 1"]);
        let outside = "Of this, which lies outside of a store and without links beside it, only its own parameters are known, \
                       not those of the stages before it.";
        assert_eq!(comparison.unknown[0], outside);
        assert_eq!(comparison.unknown.len(), 2, "{:?}", comparison.unknown);
    }

    #[test]
    fn of_what_was_collected_the_manifest_tells() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = [1, 2].map(|lr| {
            let content = format!("head {lr}");
            let head = artifact(dir.path(), "head", &json!({"lr": lr}), &content, &json!({}), lr);
            let kept = dir.path().join("manifests/head");
            fs_err::create_dir_all(&kept).unwrap();
            let name = format!("{}.json", head.file_name().unwrap().to_str().unwrap());
            fs_err::rename(head.join(MANIFEST_FILE), kept.join(name)).unwrap();
            fs_err::remove_dir(head).unwrap();
            let inputs = json!({"models": [reads(Some("head"), &content)]});
            artifact(dir.path(), "evaluate", &json!({}), &format!("made {lr}"), &inputs, 10 + lr)
        });
        let (settings, comparison) = made(&new, &old);
        assert!(settings.contains(&"head lr 1 2".to_owned()), "{settings:?}");
        assert!(comparison.unknown.is_empty(), "{:?}", comparison.unknown);
    }

    #[test]
    fn what_no_link_leads_to_is_not_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let head = artifact(dir.path(), "head", &json!({"lr": 1}), "head", &json!({}), 1);
        let inputs = json!({"models": [reads(Some("head"), "head")]});
        let this = artifact(dir.path(), "evaluate", &json!({"tta": 1}), "this", &inputs, 1);
        let of = || Lineage::of(&report_artifact::of_folder(&this).unwrap());
        assert_eq!((of().found.len(), of().missing.len()), (2, 0));
        fs_err::remove_file(dir.path().join("links").join(head.file_name().unwrap())).unwrap();
        assert_eq!((of().found.len(), of().missing), (1, vec!["`evaluate` read as `head`".to_owned()]));
    }

    #[test]
    fn the_photo_table_is_the_one_that_was_read_or_that_of_the_features() {
        let dir = tempfile::tempdir().unwrap();
        let table =
            |content: &str| json!({"stage": null, "files": {IMAGES_FILE: Digest::of(content.as_bytes())}});
        let ingest = |content: &str, at| {
            let folder = artifact(dir.path(), "ingest", &json!({"at": at}), content, &json!({}), at);
            let path = folder.join(MANIFEST_FILE);
            let text = fs_err::read_to_string(&path).unwrap().replace("model.json", IMAGES_FILE);
            fs_err::write(path, text).unwrap();
            folder
        };
        let (_, new) = (ingest("old photos", 1), ingest("new photos", 2));
        let reads_table = json!({"images": [table("old photos")]});
        artifact(dir.path(), "precompute", &json!({}), "features", &reads_table, 3);
        let features = reads(None, "features");
        let of = |inputs: &Value, content: &str| {
            let made = artifact(dir.path(), "evaluate", &json!({}), content, inputs, 9);
            Lineage::of(&report_artifact::of_folder(&made).unwrap()).images()
        };
        let by_features = of(&json!({"features": [features]}), "a").unwrap();
        assert_eq!(by_features.1, Digest::of(b"old photos"));
        let own = of(&json!({"features": [features], "images": [table("new photos")]}), "b").unwrap();
        assert_eq!(own, (fs_err::canonicalize(new).unwrap().join(IMAGES_FILE), Digest::of(b"new photos")));
        assert!(of(&json!({"images": [table("gone")]}), "c").is_none());
    }
}
