//! What lies beside a model in `out/CONFIG/`: the features that it was trained on, and the photos.

use std::path::{Path, PathBuf};

use pipeline_precompute::FEATURES_FOLDER;
use pipeline_table::features::part_name;
use pipeline_table::images::{IMAGES_FILE, PHOTOS};

use crate::config;
use crate::stages::STAGES;

/// The folder of part files in `artifact`, where it has one.
pub(super) fn features_in(artifact: &Path) -> Option<PathBuf> {
    let inner = artifact.join(FEATURES_FOLDER);
    inner.join(part_name(0)).is_file().then_some(inner)
}

/// Artifacts with features beside the model in `model`, by name.
pub(super) fn features_beside(model: &Path) -> Vec<PathBuf> {
    let mut artifacts = beside(model);
    artifacts.retain(|artifact| features_in(artifact).is_some());
    artifacts
}

/// The table of ingest beside `artifact`, and the folder of its photos, as the config says it now; `None` where one of them is
/// not there.
pub(super) fn photos_beside(artifact: &Path) -> Option<(PathBuf, PathBuf)> {
    let images =
        beside(artifact).into_iter().map(|other| other.join(IMAGES_FILE)).find(|file| file.is_file())?;
    let artifact = std::path::absolute(artifact).ok()?;
    let out = artifact.parent()?;
    // `dogscats@lr=0.1` is a combination of a sweep of `dogscats`.
    let config = out.file_name()?.to_str()?.split('@').next()?;
    let config = out.parent()?.parent()?.join("configs").join(format!("{config}.yaml"));
    let job = config::load(&config, &[], STAGES).ok()?;
    let sources = job.graph.nodes().iter().filter_map(|node| node.stage.sources(&node.params).ok()).flatten();
    let photos = sources.into_iter().find(|source| source.name == PHOTOS)?;
    let photos = job.root.join(photos.path);
    photos.is_dir().then_some((images, photos))
}

/// All that lies in the folder of `artifact`, by name. A link counts as where it lies, not as what it leads to.
fn beside(artifact: &Path) -> Vec<PathBuf> {
    let folder = std::path::absolute(artifact).ok().and_then(|path| path.parent().map(Path::to_owned));
    let entries = folder.map(fs_err::read_dir).into_iter().flatten().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}
