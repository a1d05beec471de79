//! A pipeline file: a graph of stages without numbers. `pipelines/<name>.yaml`, or built in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_runner::graph::{GraphError, is_name};
use pipeline_stage::params::describe;
use pipeline_stage::suggest::nearest;
use serde_json::Value;

use super::RESERVED;
use super::error::{Located, Place};
use super::yaml::Yaml;

/// The pipelines that are built into the command: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("features", include_str!("../../../../pipelines/features.yaml")),
    ("kaggle", include_str!("../../../../pipelines/kaggle.yaml")),
    ("lesson1", include_str!("../../../../pipelines/lesson1.yaml")),
    ("quick", include_str!("../../../../pipelines/quick.yaml")),
];

/// A stage as written in a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageEntry {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Names of upstream stages by input.
    pub(crate) inputs: BTreeMap<String, Vec<String>>,
}

/// A pipeline file, checked for its form; whether kinds and inputs exist is checked by others.
#[derive(Debug)]
pub(crate) struct PipelineFile {
    pub(crate) yaml: Yaml,
    /// Whether it is part of the command, and not a file.
    pub(crate) built_in: bool,
    /// In the order of the file.
    pub(crate) stages: Vec<StageEntry>,
}

impl PipelineFile {
    /// Finds the pipeline `name`: a `.yaml` path relative to `root`, `pipelines/<name>.yaml` under it,
    /// or one that is built in. `place` is where the name was written.
    pub(crate) fn find(name: &str, root: &Path, place: &Place) -> Result<PipelineFile, Vec<Located>> {
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            let path = nearby(&root.join(name));
            if !path.exists() {
                let message = format!("no pipeline file {}", path.display());
                let hint = format!("paths in a config start at {}", root.display());
                return Err(vec![Located::new(place.clone(), message, Some(hint))]);
            }
            return Self::check(Yaml::read(&path).map_err(|faults| named_at(place, "pipeline", faults))?);
        }
        let own = root.join("pipelines").join(format!("{name}.yaml"));
        if own.is_file() {
            return Self::check(Yaml::read(&nearby(&own))?);
        }
        if let Some((_, text)) = BUILT_IN.iter().find(|(n, _)| *n == name) {
            let label = PathBuf::from(format!("pipelines/{name}.yaml (built in)"));
            return Ok(PipelineFile { built_in: true, ..Self::check(Yaml::parse(&label, text)?)? });
        }
        let known = Self::known_names(root);
        let message = format!("no pipeline `{name}`: expected one of: {}", known.join(", "));
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !is_name(name) => "name one of them, or a file that ends in .yaml".to_owned(),
            None => format!("write it to {}", nearby(&own).display()),
        };
        Err(vec![Located::new(place.clone(), message, Some(hint))])
    }

    /// The names that [`PipelineFile::find`] would find, sorted.
    pub(crate) fn known_names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = BUILT_IN.iter().map(|(n, _)| (*n).to_owned()).collect();
        if let Ok(entries) = fs_err::read_dir(root.join("pipelines")) {
            names.extend(
                entries
                    .filter_map(Result::ok)
                    .map(|e| e.path())
                    .filter(|p| p.extension().is_some_and(|x| x == "yaml"))
                    .filter_map(|p| p.file_stem().map(|s| s.to_string_lossy().into_owned())),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    fn check(yaml: Yaml) -> Result<PipelineFile, Vec<Located>> {
        let mut faults = Faults { yaml: &yaml, found: vec![] };
        let mut stages = vec![];
        let top = faults.map(&yaml.value, &[], "a map with the key `stages`");
        faults.known_keys(&top, &[], &["stages"]);
        match top.get("stages") {
            None => faults.add(&[], false, "missing key `stages`".to_owned()),
            Some(value) => {
                let path = vec!["stages".to_owned()];
                let map = faults.map(value, &path, "a map of stages");
                if map.is_empty() {
                    faults.add(&path, false, "expected at least one stage".to_owned());
                }
                for name in yaml.keys_in_order(&path) {
                    if let Some(value) = map.get(&name) {
                        stages.extend(stage_entry(&mut faults, name, value));
                    }
                }
            }
        }
        if faults.found.is_empty() {
            Ok(PipelineFile { yaml, built_in: false, stages })
        } else {
            Err(faults.found)
        }
    }
}

/// `path` as people write it: relative to the current folder where it is below it.
pub(crate) fn nearby(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(here).unwrap_or(path);
    if below.as_os_str().is_empty() { PathBuf::from(".") } else { below.to_owned() }
}

/// Faults of a file that the value of `key` at `place` names: those of the file as a whole are told where it is named.
pub(crate) fn named_at(place: &Place, key: &str, faults: Vec<Located>) -> Vec<Located> {
    let told = |fault: Located| match &fault.place {
        Place::File(path) => {
            let message = format!("`{key}`: {}: {}", path.display(), fault.message);
            Located::new(place.clone(), message, fault.hint)
        }
        _ => fault,
    };
    faults.into_iter().map(told).collect()
}

fn stage_entry(faults: &mut Faults<'_>, name: String, value: &Value) -> Option<StageEntry> {
    let path = vec!["stages".to_owned(), name.clone()];
    if !is_name(&name) {
        faults.add(&path, true, GraphError::BadName { stage: name }.to_string());
        return None;
    }
    if RESERVED.contains(&name.as_str()) {
        faults.add(&path, true, format!("no stage can be named `{name}`: configs use that key otherwise"));
        return None;
    }
    let map = faults.map(value, &path, "a map with the keys `kind` and `inputs`");
    faults.known_keys(&map, &path, &["kind", "inputs"]);
    let below = |key: &str| [path.clone(), vec![key.to_owned()]].concat();
    let kind = match map.get("kind") {
        Some(Value::String(kind)) => kind.clone(),
        Some(other) => {
            let message = format!("expected the name of a stage kind, found {}", describe(other));
            faults.add(&below("kind"), false, message);
            return None;
        }
        None => {
            faults.add(&below("kind"), false, format!("stage `{name}` has no `kind`"));
            return None;
        }
    };
    let mut inputs = BTreeMap::new();
    if let Some(value) = map.get("inputs") {
        for (input, value) in faults.map(value, &below("inputs"), "a map from input to stage") {
            let names: Option<Vec<String>> = match value {
                Value::String(stage) => Some(vec![stage.clone()]),
                Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => None,
            };
            match names {
                Some(names) => drop(inputs.insert(input.clone(), names)),
                None => {
                    let message =
                        format!("expected the name of a stage or a list of names, found {}", describe(value));
                    faults.add(&[below("inputs"), vec![input.clone()]].concat(), false, message);
                }
            }
        }
    }
    Some(StageEntry { name, kind, inputs })
}

/// Collects what is wrong with one file.
struct Faults<'a> {
    yaml: &'a Yaml,
    found: Vec<Located>,
}

impl Faults<'_> {
    fn add(&mut self, path: &[String], at_key: bool, message: String) {
        self.found.push(Located::new(self.yaml.place(path, at_key), message, None));
    }

    /// The entries of a map; nothing, with a fault, when `value` is not one. An empty value is an empty map.
    fn map<'v>(&mut self, value: &'v Value, path: &[String], expected: &str) -> BTreeMap<String, &'v Value> {
        match value {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
            Value::Null if !path.is_empty() => BTreeMap::new(),
            other => {
                self.add(path, false, format!("expected {expected}, found {}", describe(other)));
                BTreeMap::new()
            }
        }
    }

    fn known_keys(&mut self, map: &BTreeMap<String, &Value>, path: &[String], known: &[&str]) {
        for key in map.keys().filter(|k| !known.contains(&k.as_str())) {
            let place = self.yaml.place(&[path, std::slice::from_ref(key)].concat(), true);
            let hint = nearest(key, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
            let message = format!("unknown key `{key}`\nexpected one of: {}", known.join(", "));
            self.found.push(Located::new(place, message, hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<PipelineFile, Vec<String>> {
        let yaml = Yaml::parse(Path::new("p.yaml"), text).map_err(|f| texts(&f))?;
        PipelineFile::check(yaml).map_err(|f| texts(&f))
    }

    fn texts(faults: &[Located]) -> Vec<String> {
        faults.iter().map(Located::to_string).collect()
    }

    #[test]
    fn stages_keep_the_order_of_the_file_and_inputs_may_be_lists() {
        let file = check(
            "stages:\n  z: { kind: ingest }\n  a: { kind: evaluate, inputs: { models: [z, y], images: z } }\n",
        )
        .unwrap();
        assert_eq!(file.stages[0].name, "z");
        assert_eq!(file.stages[1].inputs["models"], ["z", "y"]);
        assert_eq!(file.stages[1].inputs["images"], ["z"]);
    }

    #[test]
    fn two_stages_with_one_name_are_a_duplicate_key() {
        let faults = check("stages:\n  head: { kind: head }\n  head: { kind: head }\n").unwrap_err();
        assert_eq!(faults, ["p.yaml:3:3: duplicate key `stages.head`, first given at line 2, column 3"]);
    }

    #[test]
    fn every_fault_of_the_form_is_reported_at_its_place() {
        let faults = check(
            "stages:\n  a: { kid: ingest }\n  b: 3\n  c: { kind: x, inputs: { i: 3 } }\n  ../d: {kind: x}\n  seed: {kind: x}\n",
        )
        .unwrap_err();
        assert_eq!(
            faults,
            [
                "p.yaml:2:8: unknown key `kid`\nexpected one of: kind, inputs",
                "p.yaml:2:3: stage `a` has no `kind`",
                "p.yaml:3:6: expected a map with the keys `kind` and `inputs`, found the number 3",
                "p.yaml:3:3: stage `b` has no `kind`",
                "p.yaml:4:30: expected the name of a stage or a list of names, found the number 3",
                "p.yaml:5:3: `../d` is no name for a stage, expected at most 100 letters, digits, `_` and `-`",
                "p.yaml:6:3: no stage can be named `seed`: configs use that key otherwise",
            ]
        );
    }

    #[test]
    fn an_unknown_pipeline_lists_the_known_ones() {
        let place = Place::File("c.yaml".into());
        let faults = PipelineFile::find("quik", Path::new("/nowhere"), &place).unwrap_err();
        assert_eq!(
            faults[0].to_string(),
            "c.yaml: no pipeline `quik`: expected one of: features, kaggle, lesson1, quick"
        );
        assert_eq!(faults[0].hint.as_deref(), Some("did you mean `quick`?"));
    }

    #[test]
    fn every_built_in_pipeline_is_well_formed() {
        for (name, _) in BUILT_IN {
            let place = Place::File("c.yaml".into());
            let file = PipelineFile::find(name, Path::new("/nowhere"), &place).unwrap();
            assert!(!file.stages.is_empty(), "{name}");
        }
    }
}
