//! [`Layers`]: a config, the one that it `extends`, the one that that one extends, and so on, as one.
//!
//! Sections of a stage merge: a parameter comes from the nearest file that gives it, whole, also where it is a list, a
//! map or `null`. An empty section (`head:`) adds nothing. `pipeline` and `seed` come from the nearest file, too. So a
//! config that extends another means the same as one in which everything is written out.

use std::path::{Path, PathBuf};

use pipeline_stage::params::describe;
use serde_json::{Map, Value};

use super::RESERVED;
use super::error::{Located, Place};
use super::pipeline_file::{named_at, nearby};
use super::yaml::Yaml;

/// The most files in one chain of `extends`. People lose track long before.
const MOST_FILES: usize = 10;

const EXTENDS: &str = "extends";

/// The files of a chain, and what they say together.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The config itself first, what it extends behind it.
    files: Vec<Yaml>,
    /// All top-level keys but `extends`.
    pub(crate) top: Map<String, Value>,
}

impl Layers {
    /// Reads the config at `path` and what it extends; paths in it start at `root`.
    ///
    /// # Errors
    /// A file that cannot be read or is no map of maps, an `extends` that is no path, leads back, or goes too deep.
    pub(crate) fn read(path: &Path, root: &Path) -> Result<Layers, Vec<Located>> {
        let mut files = vec![Yaml::read(path)?];
        let mut maps = vec![top_level(&files[0])?];
        let mut seen = vec![real(path)];
        while let Some((base, place)) = base_of(&files, &maps)? {
            let path = nearby(&root.join(&base));
            let fault = |message: String, hint| vec![Located::new(place.clone(), message, hint)];
            if !path.exists() {
                let message = format!("`{EXTENDS}`: no config {}", path.display());
                return Err(fault(message, Some(way_to(&base, &files, root))));
            }
            let chain = || {
                let labels = files.iter().map(|file| file.label.display().to_string());
                labels.chain([path.display().to_string()]).collect::<Vec<_>>().join(" → ")
            };
            if seen.contains(&real(&path)) {
                return Err(fault(format!("`{EXTENDS}` leads back to where it was: {}", chain()), None));
            }
            if files.len() == MOST_FILES {
                let message = format!("`{EXTENDS}`: expected at most {MOST_FILES} files, found {}", chain());
                return Err(fault(message, Some("write some of them into one".to_owned())));
            }
            let file = Yaml::read(&path).map_err(|faults| named_at(&place, EXTENDS, faults))?;
            maps.push(sections(&file, top_level(&file)?)?);
            seen.push(real(&path));
            files.push(file);
        }
        let mut top = Map::new();
        for map in maps.into_iter().rev() {
            lay(&mut top, map);
        }
        top.remove(EXTENDS);
        Ok(Layers { files, top })
    }

    /// The files as they are named in messages, the config itself first.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.label.as_path())
    }

    /// Where the entry at `path` stands, in the file that gives it; see [`Yaml::place`].
    pub(crate) fn place(&self, path: &[String], at_key: bool) -> Place {
        // A parameter is whole in one file: what is missing inside is missing there.
        let depth = path.len().min(2);
        let gives = |depth: &usize| self.files.iter().find(|file| file.has(&path[..*depth]));
        let file = (1..=depth).rev().find_map(|depth| gives(&depth)).unwrap_or(&self.files[0]);
        file.place(path, at_key)
    }

    /// Every top-level key of every file with its place, in the order of the files.
    pub(crate) fn top_keys(&self) -> impl Iterator<Item = (String, Place)> {
        let keys = |file: &Yaml| {
            let placed = |key: String| (key.clone(), file.place(&[key], true));
            file.keys_in_order(&[]).into_iter().map(placed).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(keys)
    }
}

/// Lays the keys of one file over those of the files that it extends.
fn lay(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => below.extend(above),
            (Some(Value::Object(_)), Value::Null) => {}
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

/// What the last file extends, and where it says so.
fn base_of(files: &[Yaml], maps: &[Map<String, Value>]) -> Result<Option<(String, Place)>, Vec<Located>> {
    let (Some(file), Some(map)) = (files.last(), maps.last()) else { return Ok(None) };
    let place = file.place(&[EXTENDS.to_owned()], false);
    match map.get(EXTENDS) {
        None => Ok(None),
        Some(Value::String(base)) if !base.is_empty() => Ok(Some((base.clone(), place))),
        Some(other) => {
            let message = format!("`{EXTENDS}`: expected the path of one config, found {}", describe(other));
            Err(vec![Located::new(place, message, None)])
        }
    }
}

fn top_level(config: &Yaml) -> Result<Map<String, Value>, Vec<Located>> {
    match &config.value {
        Value::Object(map) => Ok(map.clone()),
        Value::Null => Ok(Map::new()),
        other => {
            let message = format!("expected a map with the key `pipeline`, found {}", describe(other));
            Err(vec![Located::new(config.place(&[], false), message, None)])
        }
    }
}

/// A section that is no map would vanish under one that is; the config's own is looked at by its stage.
fn sections(base: &Yaml, map: Map<String, Value>) -> Result<Map<String, Value>, Vec<Located>> {
    let is_section = |name: &str| !RESERVED.contains(&name);
    let is_wrong = |value: &Value| !value.is_object() && !value.is_null();
    let fault = |(name, value): (&String, &Value)| {
        let message = format!("`{name}`: expected a map of parameters, found {}", describe(value));
        Located::new(base.place(std::slice::from_ref(name), false), message, None)
    };
    let wrong = map.iter().filter(|(name, value)| is_section(name) && is_wrong(value));
    let faults: Vec<Located> = wrong.map(fault).collect();
    if faults.is_empty() { Ok(map) } else { Err(faults) }
}

/// What to do about a base that is not there.
fn way_to(base: &str, files: &[Yaml], root: &Path) -> String {
    let beside = files.last().and_then(|file| Some(file.label.parent()?.join(base)));
    let beside = beside.filter(|path| path.is_file()).map(|path| real(&path));
    match beside.as_deref().and_then(|path| path.strip_prefix(real(root)).ok()) {
        Some(path) => format!("paths in a config start at the project root: write {}", path.display()),
        None => format!("paths in a config start at {}", root.display()),
    }
}

/// The same for all ways to one file.
fn real(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
