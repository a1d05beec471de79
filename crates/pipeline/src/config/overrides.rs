//! `--set stage.param=value`: values from the command line, checked like those of the file. `sweep` puts in those of
//! `--over`, too.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_stage::AnyStage;
use pipeline_stage::params::PATH_FORMAT;
use serde_json::{Map, Value};

use super::RESERVED;
use super::error::{Located, Place};
use super::yaml::{KeyPath, not_finite, unread};

/// The parsed `--set` arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// Value and its place by key: `["seed"]` or `["head", "lr"]`. The last one given wins.
    values: BTreeMap<KeyPath, (Value, Place)>,
}

impl Overrides {
    /// Parses `key=value` arguments; the value is YAML.
    pub(crate) fn parse(sets: &[String]) -> Result<Overrides, Vec<Located>> {
        let mut values = BTreeMap::new();
        let mut faults = Vec::new();
        for set in sets {
            match assignment(set) {
                Ok((key, value)) => drop(values.insert(key, (value, argument(set)))),
                Err(message) => {
                    let hint = "write it as --set head.lr=0.01".to_owned();
                    faults.push(Located::new(argument(set), message, Some(hint)));
                }
            }
        }
        if faults.is_empty() { Ok(Overrides { values }) } else { Err(faults) }
    }

    /// Puts in a value from elsewhere on the command line.
    pub(crate) fn insert(&mut self, key: KeyPath, value: Value, place: Place) {
        self.values.insert(key, (value, place));
    }

    /// Every key with its value, in order of keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyPath, &Value)> {
        self.values.iter().map(|(key, (value, _))| (key, value))
    }

    /// The value of a reserved top-level key, if given.
    pub(crate) fn top(&self, key: &str) -> Option<&Value> {
        self.values.get([key.to_owned()].as_slice()).map(|(value, _)| value)
    }

    /// Names before the dot, with their place.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (&str, Place)> {
        self.values.iter().filter_map(|(key, (_, place))| key.first().map(|k| (k.as_str(), place.clone())))
    }

    /// The argument that gave the value at `path` (a stage and a path inside its parameters).
    pub(crate) fn place(&self, path: &[String]) -> Option<Place> {
        // A longer key than the faulty one made a map of it; but every key of a stage is longer than the stage.
        let gave = |key: &Vec<String>| path.starts_with(key) || (path.len() > 1 && key.starts_with(path));
        self.values.iter().find(|(key, _)| gave(key)).map(|(_, (_, place))| place.clone())
    }

    /// The parameters of a stage as written, with the overrides put in. Paths given here are relative
    /// to the current folder, so they are made absolute.
    pub(crate) fn apply(
        &self,
        stage: &str,
        given: &Value,
        kind: &dyn AnyStage,
    ) -> Result<Value, Vec<Located>> {
        let own: Vec<_> = self.values.iter().filter(|(key, _)| key[0] == stage && key.len() > 1).collect();
        if own.is_empty() {
            return Ok(given.clone());
        }
        let mut map = match given {
            Value::Object(map) => map.clone(),
            Value::Null => Map::new(),
            // Not a map: left as it is, for the stage to say so.
            other => return Ok(other.clone()),
        };
        let schema = kind.schema();
        for (key, (value, place)) in own {
            let mut value = value.clone();
            if is_path(&schema["properties"][&key[1]])
                && let Value::String(path) = &value
            {
                let absolute = std::path::absolute(Path::new(path))
                    .map_err(|e| vec![Located::new(place.clone(), e.to_string(), None)])?;
                value = Value::String(absolute.to_string_lossy().into_owned());
            }
            insert(&mut map, &key[1..], value);
        }
        Ok(Value::Object(map))
    }
}

/// The key and the value of `key=value`, or what is wrong with it.
pub(crate) fn assignment(set: &str) -> Result<(KeyPath, Value), String> {
    let (key, value) = set.split_once('=').ok_or("expected `stage.param=value`, found no `=`")?;
    let key: Vec<String> = key.split('.').map(|k| k.trim().to_owned()).collect();
    if key.iter().any(String::is_empty) {
        return Err("expected `stage.param=value`, found an empty name".to_owned());
    }
    if key.len() < 2 && !matches!(key[0].as_str(), "seed" | "pipeline") {
        return Err(format!("expected `stage.param=value`, found no parameter after `{}`", key[0]));
    }
    if key.len() > 1 && RESERVED.contains(&key[0].as_str()) {
        return Err(format!("`{}` is no stage and has no parameters", key[0]));
    }
    let yaml: serde_yaml::Value =
        serde_yaml::from_str(value).map_err(|e| format!("the value: {}", unread(&e)))?;
    if let Some((number, _)) = not_finite(&yaml, vec![]) {
        return Err(format!("expected a finite number, found {number}"));
    }
    let value = serde_json::to_value(yaml).map_err(|e| format!("the value is not plain data: {e}"))?;
    Ok((key, value))
}

fn insert(map: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => drop(map.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let below = map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !below.is_object() {
                *below = Value::Object(Map::new());
            }
            if let Value::Object(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// Whether a property's schema is a path, or a path that may be left out.
fn is_path(property: &Value) -> bool {
    property["format"] == PATH_FORMAT
        || property["anyOf"].as_array().is_some_and(|any| any.iter().any(|s| s["format"] == PATH_FORMAT))
}

fn argument(set: &str) -> Place {
    Place::Argument(format!("--set {set}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(set: &str) -> String {
        Overrides::parse(&[set.to_owned()]).unwrap_err()[0].to_string()
    }

    #[test]
    fn values_are_yaml() {
        let overrides = Overrides::parse(&["tune.lr=[1e-4, 0.1]".to_owned(), "seed=7".to_owned()]).unwrap();
        assert_eq!(overrides.top("seed"), Some(&Value::from(7)));
        let key = ["tune".to_owned(), "lr".to_owned()];
        assert_eq!(overrides.values[key.as_slice()].0, serde_json::json!([1e-4, 0.1]));
    }

    #[test]
    fn the_last_of_two_values_wins() {
        let overrides = Overrides::parse(&["seed=7".to_owned(), "seed=8".to_owned()]).unwrap();
        assert_eq!(overrides.top("seed"), Some(&Value::from(8)));
    }

    #[test]
    fn what_is_not_key_and_value_is_refused() {
        assert_eq!(fault("head.lr"), "--set head.lr: expected `stage.param=value`, found no `=`");
        assert_eq!(fault("lr=1"), "--set lr=1: expected `stage.param=value`, found no parameter after `lr`");
        assert_eq!(fault("head.=1"), "--set head.=1: expected `stage.param=value`, found an empty name");
        assert_eq!(fault("seed.x=1"), "--set seed.x=1: `seed` is no stage and has no parameters");
        assert_eq!(fault("head.lr=.inf"), "--set head.lr=.inf: expected a finite number, found .inf");
        assert!(fault("head.lr={").starts_with("--set head.lr={: the value: not valid YAML"));
    }
}
