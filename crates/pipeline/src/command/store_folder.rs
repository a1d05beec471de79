//! [`StoreFolder`]: which store, for the subcommands that need no config.

use std::path::{Path, PathBuf};

/// Names a store.
#[derive(Debug, clap::Args)]
pub(super) struct StoreFolder {
    /// Folder of the artifacts [default: .pipeline in the project root above the current folder]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl StoreFolder {
    /// The folder that was named.
    pub(super) fn named(&self) -> Option<&Path> {
        self.store.as_deref()
    }

    /// The folder that was named, or that of the project that the current folder is in.
    pub(super) fn dir(&self) -> PathBuf {
        let here = || above(&std::env::current_dir().unwrap_or_default()).join(".pipeline");
        self.store.clone().unwrap_or_else(here)
    }
}

/// The root of the project that `folder` is in, or `folder`.
pub(super) fn above(folder: &Path) -> PathBuf {
    let is_root = |folder: &&Path| folder.join("pipelines").is_dir() || folder.join(".pipeline").is_dir();
    folder.ancestors().find(is_root).unwrap_or(folder).to_owned()
}

/// A path as it can be copied into a shell: relative to the current folder where it lies there.
pub(super) fn shown(path: &Path) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&folder).unwrap_or(path) {
        own if own.as_os_str().is_empty() => ".".to_owned(),
        other => other.display().to_string(),
    }
}
