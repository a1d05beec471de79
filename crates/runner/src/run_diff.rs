//! [`diff`]: what differs between two runs: parameters, versions, metrics.
//!
//! Parameters and versions are in the record of a run. Those of old commands lack them: then the manifest of the stage's
//! artifact has them, while that is in the store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::run_details::{RunDetails, StageRecord, StageSettings};
use crate::store::Store;

/// What differs between two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDiff {
    /// Their names.
    pub runs: [String; 2],
    /// Of the run first, then of each stage in the order of running.
    pub differences: Vec<Difference>,
    /// Stages that are in both runs, but whose parameters are not known in one of them, with why.
    pub unknown: Vec<String>,
}

/// Something that has two values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The stage; `None` for the run as a whole.
    pub stage: Option<String>,
    /// What it is.
    pub what: Differs,
    /// Its name: `lr`, `accuracy`; that of a parameter inside a parameter as `mix.alpha`.
    pub name: String,
    /// In the first run and in the second; null where there is none.
    pub values: [Value; 2],
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    /// The stage is in one of the runs only, or of another kind.
    Stage,
    /// The version of a stage kind or of the command.
    Version,
    /// A parameter of the config, or the seed.
    Parameter,
    /// A number that a stage reported.
    Metric,
}

impl Differs {
    /// A word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Differs::Stage => "stage",
            Differs::Version => "version",
            Differs::Parameter => "parameter",
            Differs::Metric => "metric",
        }
    }
}

/// Compares two runs of `store`.
pub fn diff(store: &Store, runs: [&RunDetails; 2]) -> RunDiff {
    let mut found = Differences::default();
    let versions = runs.map(|run| Some(Value::from(run.pipeline_version.as_str())));
    found.add(None, Differs::Version, "pipeline", versions);
    found.add(None, Differs::Parameter, "config", runs.map(|run| Some(run.info.config.as_str().into())));
    found.add(None, Differs::Parameter, "seed", runs.map(|run| Some(run.info.seed.into())));

    let mut names: Vec<&str> = runs[0].stages.iter().map(|stage| stage.name.as_str()).collect();
    names.extend(runs[1].stages.iter().map(|stage| stage.name.as_str()));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    for name in names {
        let both = runs.map(|run| run.stages.iter().find(|stage| stage.name == name));
        let kinds = both.map(|stage| stage.map(|stage| Value::from(stage.kind.as_str())));
        found.add(Some(name), Differs::Stage, "kind", kinds);
        let [Some(a), Some(b)] = both else { continue };
        match [settings(store, runs[0], a), settings(store, runs[1], b)] {
            [Some(a), Some(b)] => {
                found.add(Some(name), Differs::Version, "version", [&a, &b].map(|s| Some(s.version.into())));
                let mut params = [&a, &b].map(|s| flat(&s.params));
                if !runs.iter().all(|run| run.graph.contains_key(name)) {
                    // A manifest lacks those that only say where something is.
                    let [a, b] =
                        params.each_ref().map(|params| params.keys().cloned().collect::<BTreeSet<_>>());
                    params
                        .iter_mut()
                        .for_each(|params| params.retain(|name, _| a.contains(name) && b.contains(name)));
                }
                found.add_all(name, Differs::Parameter, params);
            }
            known => {
                let run = if known[0].is_none() { &runs[0].run } else { &runs[1].run };
                found.unknown.push(format!(
                    "the parameters of {name} in {run} are not known: its record does not have them, and its artifact is gone"
                ));
            }
        }
        found.add_all(name, Differs::Metric, [a, b].map(metrics));
    }
    RunDiff { runs: runs.map(|run| run.run.clone()), differences: found.all, unknown: found.unknown }
}

#[derive(Default)]
struct Differences {
    all: Vec<Difference>,
    unknown: Vec<String>,
}

impl Differences {
    fn add(&mut self, stage: Option<&str>, what: Differs, name: &str, values: [Option<Value>; 2]) {
        if values[0] != values[1] {
            let values = values.map(Option::unwrap_or_default);
            self.all.push(Difference {
                stage: stage.map(str::to_owned),
                what,
                name: name.to_owned(),
                values,
            });
        }
    }

    fn add_all(&mut self, stage: &str, what: Differs, values: [BTreeMap<String, Value>; 2]) {
        let names: BTreeSet<String> = values.iter().flat_map(|values| values.keys().cloned()).collect();
        for name in names {
            let both = [values[0].get(&name).cloned(), values[1].get(&name).cloned()];
            self.add(Some(stage), what, &name, both);
        }
    }
}

/// What the stage was made from, by the record or by its artifact.
fn settings(store: &Store, run: &RunDetails, stage: &StageRecord) -> Option<StageSettings> {
    if let Some(settings) = run.graph.get(&stage.name) {
        return Some(settings.clone());
    }
    let parts = store.manifest(&stage.kind, &stage.key?)?.parts.clone();
    let params = Value::Object(parts.params.into_iter().collect());
    Some(StageSettings { kind: parts.kind, version: parts.version, params })
}

fn metrics(stage: &StageRecord) -> BTreeMap<String, Value> {
    let metrics = stage.summary.iter().flat_map(|summary| &summary.metrics);
    metrics.map(|(name, value)| (name.clone(), Value::from(*value))).collect()
}

/// The parameters by name; those inside maps as `map.name`.
fn flat(params: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut left = vec![(String::new(), params)];
    while let Some((name, value)) = left.pop() {
        match value.as_object() {
            Some(map) if !map.is_empty() => {
                let dot = if name.is_empty() { "" } else { "." };
                left.extend(map.iter().map(|(key, value)| (format!("{name}{dot}{key}"), value)));
            }
            _ if name.is_empty() => {}
            _ => drop(found.insert(name, value.clone())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(name: &str, seed: u64, more: Value) -> RunDetails {
        let mut run = json!({"run": name, "seed": seed, "pipeline_version": "0.1.0", "config": "c"});
        run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(run).unwrap()
    }

    fn shown(diff: &RunDiff) -> Vec<String> {
        let line = |d: &Difference| {
            let stage = d.stage.as_deref().unwrap_or("-");
            format!("{stage} {} {} {} {}", d.what.word(), d.name, d.values[0], d.values[1])
        };
        diff.differences.iter().map(line).collect()
    }

    fn head(accuracy: f64) -> Value {
        json!({"name": "head", "kind": "head", "outcome": "ran",
               "summary": {"line": "", "metrics": {"accuracy": accuracy, "epochs": 2.0}}})
    }

    #[test]
    fn parameters_versions_and_metrics_that_differ_are_listed_and_no_others() {
        let (dir, mix) =
            (tempfile::tempdir().unwrap(), |alpha: f64| json!({"mixup": {"alpha": alpha, "p": 0.5}}));
        let a = run(
            "a",
            1,
            json!({
                "stages": [{"name": "ingest", "kind": "ingest"}, head(0.98)],
                "graph": {"head": {"kind": "head", "version": 2, "params": {"lr": 0.01, "epochs": 2, "mix": mix(0.4)}},
                          "ingest": {"kind": "ingest", "version": 1, "params": {}}},
            }),
        );
        let b = run(
            "b",
            2,
            json!({
                "stages": [{"name": "ingest", "kind": "ingest"}, head(0.991), {"name": "more", "kind": "evaluate"}],
                "graph": {"head": {"kind": "head", "version": 3, "params": {"lr": 0.003, "epochs": 2, "mix": mix(0.2), "new": [1]}},
                          "ingest": {"kind": "ingest", "version": 1, "params": {}}},
            }),
        );
        let store = Store::at(dir.path()).unwrap();
        let found = diff(&store, [&a, &b]);
        assert_eq!(
            shown(&found),
            [
                "- parameter seed 1 2",
                "head version version 2 3",
                "head parameter lr 0.01 0.003",
                "head parameter mix.mixup.alpha 0.4 0.2",
                "head parameter new null [1]",
                "head metric accuracy 0.98 0.991",
                "more stage kind null \"evaluate\"",
            ]
        );
        assert_eq!(found.unknown, [""; 0]);
        assert_eq!(shown(&diff(&store, [&a, &a])), [""; 0]);
    }

    #[test]
    fn where_neither_record_nor_artifact_has_the_parameters_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let old = run("old", 1, json!({"stages": [head(0.98)]}));
        let found =
            diff(&Store::at(dir.path()).unwrap(), [&old, &run("b", 1, json!({"stages": [head(0.97)]}))]);
        assert_eq!(shown(&found), ["head metric accuracy 0.98 0.97"]);
        assert_eq!(
            found.unknown,
            [
                "the parameters of head in old are not known: its record does not have them, and its artifact is gone"
            ]
        );
    }
}
