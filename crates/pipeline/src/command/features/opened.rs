//! [`Opened`]: the table of features that was asked for.

use std::path::{Path, PathBuf};

use pipeline_precompute::FEATURES_FOLDER;
use pipeline_runner::plan::State;
use pipeline_runner::{RunOptions, Store};
use pipeline_stage::exit;
use pipeline_table::FeaturesReader;
use pipeline_table::features::part_name;

use super::Which;
use crate::command::how::planned;
use crate::command::interrupt::Interrupt;
use crate::command::{Stop, stop};
use crate::config::{self, Job};
use crate::stages::STAGES;
use crate::terminal::Screen;

/// What a stage produces that leaves a table of features.
const FEATURES: &str = "features";

/// A table of features, and where it is.
pub(super) struct Opened {
    pub(super) dir: PathBuf,
    pub(super) reader: FeaturesReader,
}

/// Opens what is named: the folder of part files, an artifact that has one, or a config, of which it is what its link
/// in `out/` leads to; with overrides or another store, what a run would find done.
pub(super) fn open(which: &Which, screen: &Screen) -> Result<Opened, Stop> {
    let path = which.table.as_path();
    let dir = if path.is_file() { of_config(which, screen)? } else { of_folder(path)? };
    let reader = FeaturesReader::open(&dir).map_err(|error| unreadable(&error))?;
    Ok(Opened { dir, reader })
}

/// A table that cannot be read.
pub(super) fn unreadable(error: &pipeline_table::Error) -> Stop {
    Stop::new(exit::STAGE_FAILED, error)
}

fn of_folder(folder: &Path) -> Result<PathBuf, Stop> {
    let inner = folder.join(FEATURES_FOLDER);
    for dir in [folder, &inner] {
        if dir.join(part_name(0)).is_file() {
            return Ok(dir.to_owned());
        }
    }
    let shown = folder.display();
    if !folder.is_dir() {
        let hint =
            "name a config, an artifact such as out/CONFIG/precompute, or the folder of its part files";
        return Err(Stop::usage(
            format!("found no features at `{shown}`: there is no such file or folder"),
            hint,
        ));
    }
    let below = artifacts_in(folder);
    let hint = match below.first() {
        Some(first) => format!("name an artifact in it, as in `{}`", folder.join(first).display()),
        None => "name the artifact of a stage that precomputes, such as out/CONFIG/precompute".to_owned(),
    };
    let expected = format!("{} in it or in its {FEATURES_FOLDER}/", part_name(0));
    Err(Stop::usage(format!("found no features in `{shown}`, expected {expected}"), hint))
}

/// Names of the folders in `folder` that are artifacts with features, sorted.
fn artifacts_in(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let has_features =
        |entry: &fs_err::DirEntry| entry.path().join(FEATURES_FOLDER).join(part_name(0)).is_file();
    let names = entries.filter(has_features).map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

fn of_config(which: &Which, screen: &Screen) -> Result<PathBuf, Stop> {
    let path = which.table.as_path();
    let job = config::load(path, &which.sets, STAGES)?;
    let options = which.folders.options(&job);
    let nodes = job.graph.nodes().iter().filter(|node| node.stage.produces() == FEATURES);
    let stages: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    let config = path.display();
    match stages.as_slice() {
        [] => Err(Stop::usage(
            format!("{config} precomputes nothing: no stage of its pipeline leaves features"),
            "name a config of a pipeline with a stage of kind `precompute`",
        )),
        [stage] if which.folders.names_store() || !which.sets.is_empty() => {
            of_run(&job, &options, stage, screen)
        }
        [stage] => {
            let link = options.link(stage);
            of_folder(&link).map_err(|_| {
                Stop::usage(
                    format!("{config} has no features yet: there are none in {}", link.display()),
                    format!("pipeline run {config} --until {stage}; or name the artifact, if its link is elsewhere"),
                )
            })
        }
        several => Err(Stop::usage(
            format!("{config} has several tables of features: {}", several.join(", ")),
            format!("name one of them: out/{}/{}", job.name, several[0]),
        )),
    }
}

/// What a run of the job would find done at `stage`.
fn of_run(job: &Job, options: &RunOptions, stage: &str, screen: &Screen) -> Result<PathBuf, Stop> {
    let interrupt = Interrupt::listen();
    let plan = planned(job, options, false, &interrupt, screen)?;
    let found = plan.stages.iter().find(|planned| planned.name == stage);
    match found.map(|planned| &planned.state) {
        Some(State::Fresh { manifest, .. }) => {
            let store = Store::at(&options.store).map_err(|error| stop(&error, &interrupt))?;
            of_folder(&store.artifact_dir(&manifest.parts.kind, &manifest.key))
        }
        state => {
            let word = state.map_or("missing", State::word);
            Err(Stop::usage(
                format!("there are no features like that: {stage} is {word}"),
                format!("make them by `pipeline run`, with the same --set and --store, and --until {stage}"),
            ))
        }
    }
}
