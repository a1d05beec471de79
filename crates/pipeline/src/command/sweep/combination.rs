//! [`Combination`]: a choice of one value for each parameter, and the job that it makes of the config.
//!
//! Its links lie in a folder of their own, so that what it made is kept by `gc` and the config's links stay as they are:
//!
//! ```text
//! out/dogscats@head.epochs=1,head.lr=0.003/
//! ```
//!
//! The name is a function of all that `--set` and `--over` say, in order of names: the same combination in another sweep
//! has the same folder, and another has another; a path is the one from the project's root, wherever the command is given.
//! Of letters that are unsafe somewhere, of long values (of a path its end) and of long names only a part is there, with a
//! digest of the whole.

use std::path::Path;

use pipeline_stage::Digest;
use rayon::prelude::*;
use serde_json::Value;

use super::axis::Axis;
use crate::command::job::command_line;
use crate::config::{self, Job, Located, Overrides, flow};
use crate::stages::STAGES;

/// Bytes of a folder's name; file systems have 255.
const LONGEST_NAME: usize = 120;

/// Letters of one value in it.
const LONGEST_VALUE: usize = 40;

/// Digits of the digest in a name that does not say all.
const DIGITS: usize = 8;

/// One row of the sweep.
pub(super) struct Combination {
    /// The value of each axis.
    pub(super) values: Vec<Value>,
    /// Its folder of links, which is what it is called in records.
    pub(super) name: String,
    /// The command that does the same alone.
    pub(super) command: String,
    /// The config with these values.
    pub(super) job: Job,
}

/// What all combinations have in common.
pub(super) struct Common<'a> {
    pub(super) config: &'a Path,
    /// Of `--set`, as given.
    pub(super) sets: &'a [String],
    /// The same, parsed.
    pub(super) overrides: &'a Overrides,
    /// What else `pipeline run` needs: `["--store", "DIR"]`.
    pub(super) more: &'a [String],
    pub(super) axes: &'a [Axis],
}

impl Common<'_> {
    /// Reads the config, and makes a job of it for each of `choices`.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, each fault once.
    pub(super) fn load(&self, choices: &[Vec<usize>]) -> Result<Vec<Combination>, Vec<Located>> {
        let files = config::Files::read(self.config)?;
        let loaded: Vec<Result<Combination, Vec<Located>>> =
            choices.par_iter().map(|choice| self.one(&files, choice)).collect();
        let mut combinations = vec![];
        let mut faults: Vec<Located> = vec![];
        for one in loaded {
            match one {
                Ok(combination) => combinations.push(combination),
                Err(more) => more.into_iter().for_each(|fault| {
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                }),
            }
        }
        if faults.is_empty() { Ok(combinations) } else { Err(self.joined(faults)) }
    }

    fn one(&self, files: &config::Files, choice: &[usize]) -> Result<Combination, Vec<Located>> {
        let mut overrides = self.overrides.clone();
        let mut sets = self.sets.to_vec();
        let mut values = vec![];
        for (axis, place) in self.axes.iter().zip(choice) {
            let value = axis.values[*place].clone();
            sets.push(format!("{}={}", axis.name(), flow::text(&value)));
            overrides.insert(axis.key.clone(), value.clone(), axis.place(*place));
            values.push(value);
        }
        let job = files.job(&overrides, STAGES)?;
        let words = ["pipeline".to_owned(), "run".to_owned(), self.config.display().to_string()];
        let sets = sets.into_iter().flat_map(|set| ["--set".to_owned(), set]);
        let command = command_line(words.into_iter().chain(sets).chain(self.more.iter().cloned()));
        Ok(Combination { values, name: folder(&job.name, &said(&job, &overrides)), command, job })
    }

    /// What is wrong with every value of a parameter is wrong with the parameter: its name, as a rule.
    fn joined(&self, mut faults: Vec<Located>) -> Vec<Located> {
        for axis in self.axes {
            let places: Vec<_> = (0..axis.values.len()).map(|place| axis.place(place)).collect();
            let same = |a: &Located, b: &Located| a.message == b.message && a.hint == b.hint;
            let of_first: Vec<Located> = faults.iter().filter(|f| f.place == places[0]).cloned().collect();
            for fault in of_first {
                let is_of =
                    |place: &config::Place| faults.iter().any(|f| f.place == *place && same(f, &fault));
                if !places.iter().all(is_of) {
                    continue;
                }
                faults.retain(|f| f.place == places[0] || !(places.contains(&f.place) && same(f, &fault)));
                let first = faults.iter_mut().find(|f| f.place == places[0] && same(f, &fault));
                first.into_iter().for_each(|f| f.place = axis.whole());
            }
        }
        faults
    }
}

/// Key and value of each of `overrides`, as text: `("head.lr", "0.003")`.
fn said(job: &Job, overrides: &Overrides) -> Vec<(String, String)> {
    let text = |key: &[String], value: &Value| match path_of(job, key, value) {
        Some(path) => path,
        None => flow::text(value),
    };
    overrides.iter().map(|(key, value)| (key.join("."), text(key, value))).collect()
}

/// The path that a parameter is, from the project's root on where it lies there.
fn path_of(job: &Job, key: &[String], value: &Value) -> Option<String> {
    let (stage, name) = (key.first()?, key.get(1).filter(|_| key.len() == 2)?);
    // A path given here is absolute in the job, and nothing else is changed so.
    let path = std::path::absolute(value.as_str()?).ok()?;
    let resolved = job.graph.node(stage)?.params[name.as_str()].as_str()?;
    let shown = path.strip_prefix(&job.root).unwrap_or(&path).display().to_string();
    (Path::new(resolved) == path).then_some(shown)
}

/// The folder of links of the config `config` with what is `said`.
fn folder(config: &str, said: &[(String, String)]) -> String {
    let join = |parts: &[(String, String)]| {
        let parts: Vec<String> = parts.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{config}@{}", parts.join(","))
    };
    let readable: Vec<(String, String)> =
        said.iter().map(|(key, value)| (safe(key), part_of(&safe(value), value.contains('/')))).collect();
    let name = join(&readable);
    if readable == said && name.len() <= LONGEST_NAME {
        return name;
    }
    let digest = Digest::of(join(said).as_bytes()).to_string();
    let room = LONGEST_NAME - DIGITS - 1;
    let end = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}-{}", &name[..end.unwrap_or(0)], &digest[..DIGITS])
}

/// The text in letters that are safe everywhere: runs of others are one `_`, and none at either end.
fn safe(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let words = text.split(|c| !is_safe(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

/// As much of a value as a name has room for; of a path the end, which tells most.
fn part_of(safe: &str, is_path: bool) -> String {
    let surplus = safe.len().saturating_sub(LONGEST_VALUE);
    // All its letters are of one byte.
    if is_path { safe[surplus..].to_owned() } else { safe[..safe.len() - surplus].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn name(config: &str, sets: &[&str]) -> String {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let overrides = Overrides::parse(&sets).unwrap();
        let said: Vec<_> = overrides.iter().map(|(key, value)| (key.join("."), flow::text(value))).collect();
        folder(config, &said)
    }

    #[test]
    fn a_folder_is_named_after_the_config_and_what_is_set_in_order_of_names() {
        let expected = "dogscats@head.epochs=1,head.lr=0.003";
        assert_eq!(name("dogscats", &["head.lr=0.003", "head.epochs=1"]), expected);
        assert_eq!(name("dogscats", &["head.epochs=1", "head.lr=3e-3"]), expected);
        assert_eq!(name("c", &["augment.policy=side_on", "seed=7"]), "c@augment.policy=side_on,seed=7");
    }

    #[test]
    fn unsafe_letters_are_left_out_and_the_names_stay_different() {
        let lists = name("c", &["tune.lr=[1e-4, 0.01]"]);
        assert!(lists.starts_with("c@tune.lr=0.0001_0.01-"), "{lists}");
        let values = [
            "1",
            "'1'",
            "[1]",
            "[[1]]",
            "{1: 2}",
            "/1",
            "../1",
            "' 1'",
            "'1,head.x=2'",
            "'$(1)'",
            "\"\\n1\"",
            "'*1'",
        ];
        let names: BTreeSet<String> =
            values.iter().map(|value| name("c", &[&format!("head.a={value}")])).collect();
        assert_eq!(names.len(), values.len(), "{names:?}");
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "@=,._+-".contains(c)), "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_ends_with_a_digest_of_the_whole() {
        let sets = |last: &str| {
            let long = |key: &str| format!("{key}={}", "a".repeat(300));
            name("c", &[&long("ingest.root"), &long("ingest.url"), &format!("seed={last}")])
        };
        assert_ne!(sets("1"), sets("2"));
        assert_eq!((sets("1").len(), sets("2").len()), (LONGEST_NAME, LONGEST_NAME));
        let config = "ä".repeat(120);
        let long = name(&config, &["seed=1"]);
        assert!(
            long.len() <= LONGEST_NAME && long.starts_with('ä') && long.as_bytes()[long.len() - 9] == b'-',
            "{long}"
        );
    }

    #[test]
    fn a_long_value_is_cut_and_of_a_path_the_end_is_left() {
        let path = name("c", &["ingest.root=/data/a_server/photographs/of_last_year/dogs and cats"]);
        let expected = "c@ingest.root=r_photographs_of_last_year_dogs_and_cats-";
        assert_eq!(path[..path.len() - DIGITS], *expected);
        let list = name("c", &["tune.lr=[0.0001, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5]", "seed=1"]);
        assert_eq!(list[..list.len() - DIGITS], *"c@seed=1,tune.lr=0.0001_0.001_0.01_0.1_0.2_0.3_0.4_0.5-");
        let other = name("c", &["tune.lr=[0.0001, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.6]", "seed=1"]);
        assert_ne!(list, other);
    }

    #[test]
    fn a_path_is_named_from_the_root_of_the_project_wherever_the_command_is_given() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("pipelines")).unwrap();
        fs_err::write(dir.path().join("c.yaml"), "pipeline: quick\ningest: { root: photos }\n").unwrap();
        let files = config::Files::read(&dir.path().join("c.yaml")).unwrap();
        let named = |root: &str| {
            let sets = [format!("ingest.root={root}"), "augment.policy=none".to_owned()];
            let overrides = Overrides::parse(&sets).unwrap();
            let job = files.job(&overrides, STAGES).unwrap();
            folder(&job.name, &said(&job, &overrides))
        };
        let inside = dir.path().join("mine");
        assert_eq!(named(inside.to_str().unwrap()), "c@augment.policy=none,ingest.root=mine");
        // The current folder is another one: `mine` there is not the project's.
        let outside = named("mine");
        assert!(
            outside.starts_with("c@augment.policy=none,ingest.root=") && outside.contains("_mine-"),
            "{outside}"
        );
    }
}
