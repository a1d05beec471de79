//! [`Opened`]: the table of features that was asked for.

use std::path::{Path, PathBuf};

use pipeline_precompute::FEATURES_FOLDER;
use pipeline_stage::exit;
use pipeline_table::FeaturesReader;
use pipeline_table::features::part_name;

use crate::command::Stop;
use crate::config;
use crate::stages::STAGES;

/// What a stage produces that leaves a table of features.
const FEATURES: &str = "features";

/// A table of features, and where it is.
pub(super) struct Opened {
    pub(super) dir: PathBuf,
    pub(super) reader: FeaturesReader,
}

/// Opens what `path` names: the folder of part files, an artifact that has one, or a config, of which it is what its link
/// in `out/` leads to.
pub(super) fn open(path: &Path) -> Result<Opened, Stop> {
    let dir = if path.is_file() { of_config(path)? } else { of_folder(path)? };
    let reader = FeaturesReader::open(&dir).map_err(|error| unreadable(&error))?;
    Ok(Opened { dir, reader })
}

/// A table that cannot be read.
pub(super) fn unreadable(error: &pipeline_table::Error) -> Stop {
    Stop::new(exit::STAGE_FAILED, error)
}

/// What was asked for is not there.
pub(super) fn wrong(message: String, hint: impl Into<String>) -> Stop {
    Stop::Error { message, hint: Some(hint.into()), code: exit::USAGE }
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
        return Err(wrong(format!("found no features at `{shown}`: there is no such file or folder"), hint));
    }
    let below = artifacts_in(folder);
    let hint = match below.first() {
        Some(first) => format!("name an artifact in it, as in `{}`", folder.join(first).display()),
        None => "name the artifact of a stage that precomputes, such as out/CONFIG/precompute".to_owned(),
    };
    let expected = format!("{} in it or in its {FEATURES_FOLDER}/", part_name(0));
    Err(wrong(format!("found no features in `{shown}`, expected {expected}"), hint))
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

fn of_config(path: &Path) -> Result<PathBuf, Stop> {
    let job = config::load(path, &[], STAGES)?;
    let nodes = job.graph.nodes().iter().filter(|node| node.stage.produces() == FEATURES);
    let stages: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    let config = path.display();
    match stages.as_slice() {
        [] => Err(wrong(
            format!("{config} precomputes nothing: no stage of its pipeline leaves features"),
            "name a config of a pipeline with a stage of kind `precompute`",
        )),
        [stage] => {
            let link = job.root.join("out").join(&job.name).join(stage);
            of_folder(&link).map_err(|_| {
                wrong(
                    format!("{config} has no features yet: there are none in {}", link.display()),
                    format!("pipeline run {config} --until {stage}; or name the artifact, if its link is elsewhere"),
                )
            })
        }
        several => Err(wrong(
            format!("{config} has several tables of features: {}", several.join(", ")),
            format!("name one of them: out/{}/{}", job.name, several[0]),
        )),
    }
}
