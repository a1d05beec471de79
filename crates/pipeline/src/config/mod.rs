//! From a YAML file to a checked graph of stages with every default filled in.
//!
//! Three files meet here: the config (one job: which pipeline, which photos, which numbers; it may extend another,
//! see `layers`), the pipeline (a graph without numbers), and the stage kinds with their parameters. Nothing is
//! run, and nothing but these files is looked at. What is wrong is reported all at once, each at its place.

mod error;
mod files;
pub(crate) mod flow;
mod layers;
mod overrides;
mod pipeline_file;
mod schema;
mod yaml;

use std::path::{Path, PathBuf};

use pipeline_runner::graph::{Graph, GraphError, Node};
use pipeline_stage::params::describe;
use pipeline_stage::suggest::nearest;
use pipeline_stage::{AnyStage, Problem};
use serde_json::Value;

pub use error::{Located, Place};
pub(crate) use files::Files;
use layers::Layers;
pub(crate) use overrides::{Overrides, assignment};
pub use pipeline_file::BUILT_IN;
use pipeline_file::{PipelineFile, StageEntry};
pub use schema::schema;

/// Top-level keys of a config that are not names of stages.
const RESERVED: &[&str] = &["pipeline", "seed", "extends", "executors"];

/// The seed where the config gives none.
const DEFAULT_SEED: u64 = 42;

/// One job, ready to plan.
pub struct Job {
    /// Name of the config: its file name without extension. Links go to `out/<name>/`.
    pub name: String,
    /// The project root: paths in files are relative to it.
    pub root: PathBuf,
    /// The pipeline, for people: a path relative to the root where it lies there, or `quick, built in`.
    pub pipeline: String,
    /// The files that were read: the config, what it extends, the pipeline where it is not built in.
    pub files: Vec<PathBuf>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The stages.
    pub graph: Graph,
}

impl Job {
    /// Which files were read: `read configs/mine.yaml, configs/base.yaml`.
    pub fn read(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!("read {}", files.join(", "))
    }
}

/// Reads the config at `path` and what it names. `sets` are the `stage.param=value` of the command line.
///
/// # Errors
/// Everything that is wrong, in the order of reading.
pub fn load(path: &Path, sets: &[String], kinds: &[&'static dyn AnyStage]) -> Result<Job, Vec<Located>> {
    let overrides = Overrides::parse(sets)?;
    Files::read(path)?.job(&overrides, kinds)
}

/// The graph of a pipeline with the numbers of a config.
fn job(
    files: &Files,
    overrides: &Overrides,
    kinds: &[&'static dyn AnyStage],
    pipeline_name: &str,
    pipeline: &PipelineFile,
    seed: u64,
) -> Result<Job, Vec<Located>> {
    let Files { path, root, config, .. } = files;
    check_stage_names(config, overrides, pipeline)?;

    let mut nodes = Vec::new();
    let mut faults = Vec::new();
    for entry in &pipeline.stages {
        match node(entry, config, overrides, pipeline, kinds) {
            Ok(node) => nodes.push(node),
            Err(more) => faults.extend(more),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let graph = Graph::new(nodes).map_err(|e| vec![graph_fault(pipeline, e)])?;
    let name = path.file_stem().map_or_else(|| "config".to_owned(), |s| s.to_string_lossy().into_owned());
    if [".", ".."].contains(&name.as_str()) || name.contains('@') {
        // Links are in out/NAME, and those of a sweep's combinations in out/NAME@...
        let message = format!("a config cannot be called `{name}`");
        let hint = Some("give it a name, such as configs/mine.yaml".to_owned());
        return Err(vec![Located::new(Place::File(path.to_owned()), message, hint)]);
    }
    if let Some(twin) = twin(path) {
        let (one, other) = (path.display(), twin.display());
        let message = format!("{one} and {other} would share the links in out/{name}");
        let hint = Some("rename one of them".to_owned());
        return Err(vec![Located::new(Place::File(path.to_owned()), message, hint)]);
    }
    let own = (!pipeline.built_in).then_some(pipeline.yaml.label.as_path());
    let files = config.labels().chain(own).map(Path::to_owned).collect();
    let pipeline = match pipeline.built_in {
        true => format!("{pipeline_name}, built in"),
        false => {
            let label = &pipeline.yaml.label;
            let absolute = std::path::absolute(label).unwrap_or_else(|_| label.clone());
            absolute.strip_prefix(root).unwrap_or(label).display().to_string()
        }
    };
    Ok(Job { name, root: root.clone(), pipeline, files, seed, graph })
}

/// The config beside `config` whose name differs in nothing but its ending.
fn twin(config: &Path) -> Option<PathBuf> {
    let other = match config.extension()?.to_str()? {
        "yaml" => "yml",
        "yml" => "yaml",
        _ => return None,
    };
    Some(config.with_extension(other)).filter(|other| other.is_file())
}

/// The nearest folder above the config that has `pipelines/`, else the config's own folder.
pub(crate) fn project_root(config: &Path) -> PathBuf {
    let own = match config.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let absolute = std::path::absolute(&own).unwrap_or_else(|_| own.clone());
    let found = absolute.ancestors().find(|folder| folder.join("pipelines").is_dir());
    found.map_or(absolute.clone(), Path::to_path_buf)
}

fn reserved_keys(config: &Layers, overrides: &Overrides) -> Result<(String, u64), Vec<Located>> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, at_key: bool, message: String, hint: Option<&str>| {
        let place =
            overrides.place(&[key.to_owned()]).unwrap_or_else(|| config.place(&[key.to_owned()], at_key));
        faults.push(Located::new(place, message, hint.map(str::to_owned)));
    };
    if config.top.contains_key("executors") {
        let message = "`executors` is a reserved key that this version does not support".to_owned();
        fault("executors", true, message, Some("remove it"));
    }
    let value = |key: &str| overrides.top(key).or_else(|| config.top.get(key));
    let pipeline = match value("pipeline") {
        Some(Value::String(name)) => name.clone(),
        Some(other) => {
            fault(
                "pipeline",
                false,
                format!("`pipeline`: expected the name of a pipeline, found {}", describe(other)),
                None,
            );
            String::new()
        }
        None if config.top.len() == 1 && config.top.contains_key("stages") => {
            let message = "expected a config, found a pipeline".to_owned();
            fault(
                "pipeline",
                false,
                message,
                Some("give a config, which names the pipeline and its numbers"),
            );
            String::new()
        }
        None => {
            fault(
                "pipeline",
                false,
                "missing key `pipeline`".to_owned(),
                Some("add a line `pipeline: quick`"),
            );
            String::new()
        }
    };
    let seed = match value("seed") {
        None => DEFAULT_SEED,
        Some(seed) => seed.as_u64().unwrap_or_else(|| {
            fault(
                "seed",
                false,
                format!("`seed`: expected a whole number from 0, found {}", describe(seed)),
                None,
            );
            DEFAULT_SEED
        }),
    };
    if faults.is_empty() { Ok((pipeline, seed)) } else { Err(faults) }
}

/// Every other top-level key, and every override, must name a stage of the pipeline.
fn check_stage_names(
    config: &Layers,
    overrides: &Overrides,
    pipeline: &PipelineFile,
) -> Result<(), Vec<Located>> {
    let known: Vec<&str> = pipeline.stages.iter().map(|s| s.name.as_str()).collect();
    let mut faults = Vec::new();
    let mut check = |name: &str, place: Place| {
        if !known.contains(&name) && !RESERVED.contains(&name) {
            let message = format!(
                "unknown key `{name}`: {} has no such stage\nexpected one of: {}",
                pipeline.yaml.label.display(),
                RESERVED[..3].iter().chain(&known).copied().collect::<Vec<_>>().join(", ")
            );
            let hint = nearest(name, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
            faults.push(Located::new(place, message, hint));
        }
    };
    for (name, place) in config.top_keys() {
        check(&name, place);
    }
    for (name, place) in overrides.stages() {
        check(name, place);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// One stage of the pipeline with its resolved parameters.
fn node(
    entry: &StageEntry,
    config: &Layers,
    overrides: &Overrides,
    pipeline: &PipelineFile,
    kinds: &[&'static dyn AnyStage],
) -> Result<Node, Vec<Located>> {
    let Some(&stage) = kinds.iter().find(|k| k.kind() == entry.kind) else {
        return Err(vec![unknown_kind(pipeline, entry, kinds)]);
    };
    let given = config.top.get(&entry.name).unwrap_or(&Value::Null);
    let given = overrides.apply(&entry.name, given, stage)?;
    let place_all = |problems: Vec<Problem>| {
        let place = |p: &Problem| {
            let path = [vec![entry.name.clone()], p.path.clone()].concat();
            // What is missing is reported at the stage's name.
            let at_key = p.at_key || p.path.is_empty();
            overrides.place(&path).unwrap_or_else(|| match config.place(&path, at_key) {
                // The config does not mention the stage at all.
                Place::File(_) if !config.top.contains_key(&entry.name) => config.place(&[], true),
                place => place,
            })
        };
        problems.iter().map(|p| located(entry, place(p), p)).collect::<Vec<_>>()
    };
    let params = stage.resolve(&given).map_err(place_all)?;
    let problems = stage.check_inputs(&params, &entry.inputs);
    if !problems.is_empty() {
        return Err(place_all(problems));
    }
    Ok(Node { name: entry.name.clone(), stage, params, inputs: entry.inputs.clone() })
}

fn unknown_kind(pipeline: &PipelineFile, stage: &StageEntry, kinds: &[&'static dyn AnyStage]) -> Located {
    let known: Vec<&str> = kinds.iter().map(|k| k.kind()).collect();
    let message = format!("unknown stage kind `{}`\nexpected one of: {}", stage.kind, known.join(", "));
    let hint = nearest(&stage.kind, known).map(|n| format!("did you mean `{n}`?"));
    let path = ["stages".to_owned(), stage.name.clone(), "kind".to_owned()];
    Located::new(pipeline.yaml.place(&path, false), message, hint)
}

/// Adds the stage's name to a problem, as `head.lr` for values, "in stage `head`" for its own keys, and "in
/// `augment.mix`" for keys of what is inside them.
fn located(entry: &StageEntry, place: Place, problem: &Problem) -> Located {
    let (first, rest) =
        problem.message.split_once('\n').map_or((problem.message.as_str(), ""), |(a, b)| (a, b));
    let message = if problem.at_key && problem.path.len() > 1 {
        let inside = &problem.path[..problem.path.len() - 1];
        format!("{first} in `{}.{}`", entry.name, inside.join("."))
    } else if problem.at_key || problem.path.is_empty() {
        format!("{first} in stage `{}`", entry.name)
    } else {
        format!("`{}.{}`: {first}", entry.name, problem.path.join("."))
    };
    let message = if rest.is_empty() { message } else { format!("{message}\n{rest}") };
    Located::new(place, message, problem.hint.clone())
}

/// Places a fault of the graph in the pipeline file.
fn graph_fault(pipeline: &PipelineFile, error: GraphError) -> Located {
    let mut path = vec!["stages".to_owned()];
    path.push(error.stage().to_owned());
    if let Some(input) = error.input() {
        path.extend(["inputs".to_owned(), input.to_owned()]);
    }
    let hint = pipeline_stage::Hint::hint(&error);
    Located::new(pipeline.yaml.place(&path, false), error.to_string(), hint)
}

#[cfg(test)]
mod tests;
