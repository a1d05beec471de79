//! [`ReportArtifact`]: an artifact that says how good models are, found by config, by run or by folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline_runner::plan::{Lookup, Plan, State};
use pipeline_runner::run_details::{RunDetails, StageRecord};
use pipeline_runner::{Error, Graph, NoManifest, RunRecord, Store, read_manifest};
use pipeline_stage::manifest::MANIFEST_FILE;
use pipeline_stage::suggest::nearest;
use pipeline_stage::{Digest, Manifest, exit};

use super::Config;
use crate::command::interrupt::Interrupt;
use crate::command::{Stop, stop};
use crate::stages::STAGES;

/// What a stage produces that evaluates.
const REPORT: &str = "report";

/// Letters of a name that go into a file's name.
const MOST_LETTERS: usize = 80;

/// An artifact that says how good models are.
#[derive(Debug, Clone)]
pub(in crate::command) struct ReportArtifact {
    /// Where it was found, for people: `dogscats with head.lr=0.003`, `run 20261128T123509Z-1d6ff585`.
    pub(super) name: String,
    /// The same for a file: `dogscats`.
    short_name: String,
    /// The stage that made it; its kind, where the name is not known.
    pub(super) stage: String,
    pub(super) dir: PathBuf,
    pub(in crate::command) manifest: Arc<Manifest>,
    /// Folders of artifacts that it may have been made from, links among them: those of its config or run, else those that
    /// links lead to. Empty for a copy outside of a store.
    pub(super) beside: Vec<PathBuf>,
    /// What its stage is now, where that is not fresh: `stale (lr 0.01 → 0.003)`.
    stale: Option<String>,
}

/// What a config has evaluated.
#[derive(Debug)]
pub(super) struct Asked {
    found: Vec<ReportArtifact>,
    /// Stages without an evaluation that could be shown.
    pub(super) without: Vec<Without>,
}

/// A stage without an evaluation that could be shown.
#[derive(Debug)]
pub(super) struct Without {
    stage: String,
    /// What it is: `is missing (no artifact yet)`.
    state: String,
    /// Whether it has evaluated something, which is not whole.
    is_damaged: bool,
}

impl Without {
    /// `evaluate: nothing was evaluated yet (is missing (no artifact yet))`.
    pub(super) fn sentence(&self) -> String {
        let Without { stage, state, is_damaged } = self;
        match is_damaged {
            true => format!("{stage}: what was evaluated {state}"),
            false => format!("{stage}: nothing was evaluated yet ({state})"),
        }
    }
}

impl ReportArtifact {
    /// A sentence where it is not what a run would make now.
    pub(super) fn stale_sentence(&self) -> Option<String> {
        let state = self.stale.as_ref()?;
        Some(format!("{} is not fresh, {state}; this is what an earlier run left", self.stage))
    }

    /// `dogscats, evaluate 7e55baee…`.
    pub(super) fn side(&self) -> String {
        format!("{}, {}", self.name, self.artifact())
    }

    /// `evaluate 7e55baee…`.
    pub(super) fn artifact(&self) -> String {
        format!("{} {}", self.stage, self.manifest.key.short())
    }

    /// A part of a file's name that no other evaluation has: `dogscats.7e55baee`.
    pub(super) fn file_name(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' };
        let name: String = self.short_name.chars().map(safe).take(MOST_LETTERS).collect();
        format!("{name}.{}", &self.manifest.key.to_string()[..8])
    }

    /// Its pictures: sheets of photos, then confusion matrices, by name.
    pub(super) fn pictures(&self) -> Vec<String> {
        let of = |folder: &str| {
            let entries =
                fs_err::read_dir(self.dir.join(folder)).into_iter().flatten().filter_map(Result::ok);
            let names = entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy()));
            let mut names: Vec<String> = names.filter(|name| name.ends_with(".png")).collect();
            names.sort_unstable();
            names
        };
        [of("sheets"), of("confusion")].concat()
    }
}

impl Asked {
    /// All of them, at least one.
    pub(super) fn all(&self, config: &Config<'_>) -> Result<&[ReportArtifact], Stop> {
        if self.found.is_empty() {
            let state = |without: &Without| format!("{} {}", without.stage, without.state);
            let states: Vec<String> = self.without.iter().map(state).collect();
            let has = match self.without.iter().any(|without| without.is_damaged) {
                true => "has no evaluation that is whole",
                false => "has evaluated nothing yet",
            };
            return Err(Stop::usage(
                format!("{} {has}: {}", config.path.display(), states.join("; ")),
                config.run_command(),
            ));
        }
        Ok(&self.found)
    }

    /// The only one.
    pub(super) fn one(&self, config: &Config<'_>) -> Result<ReportArtifact, Stop> {
        match self.all(config)? {
            // It would be the result of other numbers under the name of these.
            [ReportArtifact { stage, stale: Some(state), .. }] if !config.sets.is_empty() => {
                let (path, sets) = (config.path.display(), config.sets.join(" "));
                let message = format!("{path} has not been run with {sets}: {stage} {state}");
                Err(Stop::usage(message, config.run_command()))
            }
            [one] => Ok(one.clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|evaluation| evaluation.stage.as_str()).collect();
                Err(Stop::usage(
                    format!("cannot compare: {} evaluates in {}", config.path.display(), names.join(", ")),
                    format!("name one of them: pipeline report CONFIG {} --against ...", names[0]),
                ))
            }
        }
    }
}

/// What the stages of a config have evaluated: the artifact that is fresh, or else the one that is linked.
pub(super) fn of_plan(
    config: &Config<'_>,
    plan: &Plan,
    stage: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Asked, Stop> {
    let mut asked = Asked { found: vec![], without: vec![] };
    let sets = config.sets.join(" ");
    let name =
        if sets.is_empty() { config.job.name.clone() } else { format!("{} with {sets}", config.job.name) };
    let store = Store::at(&config.options.store).map_err(|error| stop(&error, interrupt))?;
    let beside = beside_in_plan(config, &store, plan);
    for stage in evaluating(&config.job.graph, config, stage)? {
        let Some(planned) = plan.stage(stage) else { continue };
        let evaluation = |dir: PathBuf, manifest: Arc<Manifest>, stale: Option<String>| ReportArtifact {
            name: name.clone(),
            short_name: config.job.name.clone(),
            stage: stage.to_owned(),
            dir,
            manifest,
            beside: beside.clone(),
            stale,
        };
        let without =
            |is_damaged| Without { stage: stage.to_owned(), state: state_words(&planned.state), is_damaged };
        let link = config.options.link(stage);
        match &planned.state {
            State::Fresh { key, manifest } => {
                let artifact = store.artifact_dir(planned.kind, key);
                let is_linked = fs_err::canonicalize(&link).ok() == fs_err::canonicalize(&artifact).ok();
                // By its plain name, where that is its name now.
                let dir = if is_linked { link } else { artifact };
                asked.found.push(evaluation(dir, manifest.clone(), None));
            }
            State::Damaged { .. } => asked.without.push(without(true)),
            state => match read_manifest(&link) {
                Ok(manifest) if manifest.parts.kind == planned.kind => {
                    asked.found.push(evaluation(link, Arc::new(manifest), Some(state.to_string())));
                }
                _ => asked.without.push(without(false)),
            },
        }
    }
    Ok(asked)
}

/// The artifacts of a config's stages: what is fresh or collected, and what is linked.
fn beside_in_plan(config: &Config<'_>, store: &Store, plan: &Plan) -> Vec<PathBuf> {
    let of_stage = |name: &str| {
        let fresh = plan.stage(name).and_then(|planned| match &planned.state {
            State::Fresh { key, .. } | State::Collected { key, .. } => {
                Some(store.artifact_dir(planned.kind, key))
            }
            _ => None,
        });
        fresh.into_iter().chain([config.options.link(name)])
    };
    config.job.graph.names().flat_map(of_stage).collect()
}

/// Where the artifacts that the one in `folder` was made from may be: the links beside it, as in `out/CONFIG`, or those that
/// are noted in the store that it lies in.
pub(in crate::command) fn beside_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.parent().map(fs_err::read_dir).and_then(Result::ok).into_iter().flatten().flatten();
    let links = entries.map(|entry| entry.path()).filter(|path| path.is_symlink());
    let store = Store::around(folder);
    let noted = store
        .iter()
        .flat_map(|store| store.noted().into_iter().map(|(kind, key)| store.artifact_dir(&kind, &key)));
    links.chain(noted).collect()
}

/// `is missing (no artifact yet)`, `depends on head`.
fn state_words(state: &State) -> String {
    match state {
        State::Depends { .. } => state.to_string(),
        State::Unknown { .. } => format!("is not known: {state}"),
        _ => format!("is {state}"),
    }
}

/// The names of the stages that evaluate, or `stage`, if it does.
fn evaluating<'a>(graph: &'a Graph, config: &Config<'_>, stage: Option<&str>) -> Result<Vec<&'a str>, Stop> {
    let nodes = graph.nodes().iter().filter(|node| node.stage.produces() == REPORT);
    let all: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    if all.is_empty() {
        let names: Vec<&str> = graph.names().collect();
        let config = config.path.display();
        return Err(Stop::usage(
            format!("{config} evaluates nothing: none of its stages does ({})", names.join(", ")),
            "add a stage of kind `evaluate` to its pipeline, as `pipeline: quick` has one",
        ));
    }
    let Some(stage) = stage else { return Ok(all) };
    if let Some(name) = all.iter().find(|name| **name == stage) {
        return Ok(vec![name]);
    }
    let expected = all.join(", ");
    let (message, hint) = match graph.node(stage) {
        Some(node) => (
            format!(
                "`{stage}` evaluates nothing: it is of kind `{}`, expected one of: {expected}",
                node.stage.kind()
            ),
            None,
        ),
        None => (
            format!("unknown stage `{stage}`, expected one of: {expected}"),
            nearest(stage, all.iter().copied()).map(|near| format!("did you mean `{near}`?")),
        ),
    };
    Err(Stop::Error { message, hint, code: exit::USAGE })
}

/// The evaluation in `folder`.
pub(in crate::command) fn of_folder(folder: &Path) -> Result<ReportArtifact, Stop> {
    let not_one = |why: String| {
        let hint =
            "name a run, a config, or the folder of an evaluation, such as out/CONFIG/evaluate".to_owned();
        Stop::usage(format!("{} is no evaluation: {why}", folder.display()), hint)
    };
    let manifest = read_manifest(folder).map_err(|none| match none {
        NoManifest::Missing => not_one(format!("found no {MANIFEST_FILE} in it")),
        other => not_one(other.to_string()),
    })?;
    let kind = &manifest.parts.kind;
    if !produces_report(kind) {
        return Err(not_one(format!("it is what a stage of kind `{kind}` made")));
    }
    Ok(ReportArtifact {
        name: folder.display().to_string().replace(&manifest.key.to_string(), &manifest.key.short()),
        short_name: kind.clone(),
        stage: kind.clone(),
        dir: folder.to_owned(),
        beside: beside_folder(folder),
        manifest: Arc::new(manifest),
        stale: None,
    })
}

/// The evaluation that a run made or found fresh, by the stage `stage` where it has one of that name.
pub(super) fn of_run(
    store: &Store,
    run: &str,
    stage: &str,
    interrupt: &Interrupt,
) -> Result<ReportArtifact, Stop> {
    let record = RunRecord::find(store, Some(run)).map_err(|error| match &error {
        Error::UnknownRun { suggestion, newest, .. } => {
            let near = suggestion.as_ref().or(newest.first());
            let hint = near
                .map(|near| format!("name a run such as {near}, a config, or the folder of an evaluation"));
            Stop::Error { message: error.to_string(), hint, code: exit::USAGE }
        }
        _ => stop(&error, interrupt),
    })?;
    let RunDetails { run: name, stages, damage, .. } = record.details();
    let known = stages.into_iter().filter(StageRecord::is_known);
    let made: Vec<(String, String, Digest)> =
        known.filter_map(|stage| Some((stage.name, stage.kind, stage.key?))).collect();
    let beside = made.iter().map(|(_, kind, key)| store.artifact_dir(kind, key)).collect();
    let done: Vec<_> = made.iter().filter(|(_, kind, _)| produces_report(kind)).collect();
    if let (true, Some(damage)) = (done.is_empty(), damage) {
        let message = format!("the record of the run {name} is not whole: {damage}");
        return Err(Stop::Error { message, hint: None, code: exit::USAGE });
    }
    let same = done.iter().find(|(found, ..)| found == stage);
    let (stage, kind, key) = match (same, done.as_slice()) {
        (Some(found), _) | (None, [found]) => *found,
        (None, []) => {
            let hint = format!("name a run that got so far; `pipeline watch {name}` shows what this one did");
            return Err(Stop::usage(format!("the run {name} has evaluated nothing"), hint));
        }
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|(name, ..)| name.as_str()).collect();
            let message =
                format!("the run {name} has no stage `{stage}`, it evaluated in {}", names.join(", "));
            return Err(Stop::usage(message, "name the stage whose evaluation is compared"));
        }
    };
    let gone = |why: &str| {
        let hint = "name a run whose evaluation is still there, or run its config again".to_owned();
        Stop::usage(format!("cannot use what `{stage}` made in the run {name}: {why}"), hint)
    };
    match store.lookup(kind, key) {
        Lookup::Hit(manifest) => Ok(ReportArtifact {
            name: format!("run {name}"),
            short_name: name,
            stage: stage.clone(),
            dir: store.artifact_dir(kind, key),
            beside,
            manifest,
            stale: None,
        }),
        Lookup::Absent => Err(gone("it is no longer in the store")),
        Lookup::Collected(_) => Err(gone("gc removed it from the store")),
        Lookup::Damaged(why) | Lookup::Unreadable(why) => Err(gone(&why)),
    }
}

pub(in crate::command) fn produces_report(kind: &str) -> bool {
    STAGES.iter().any(|stage| stage.kind() == kind && stage.produces() == REPORT)
}
