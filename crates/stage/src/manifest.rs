//! `artifact.json`: what an artifact is, what it was made from, and how it went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::key::KeyParts;

/// File name of the manifest inside an artifact.
pub const MANIFEST_FILE: &str = "artifact.json";

/// Version of the manifest's own form. Raised when an older command could not read it.
pub const MANIFEST_FORMAT: u32 = 1;

/// The record of one artifact, written last. Readers accept fields that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The key: [`KeyParts::key`] of `parts`.
    pub key: Digest,
    /// What the key was made of.
    pub parts: KeyParts,
    /// Every file but this one, sorted by path.
    pub files: Vec<FileEntry>,
    /// What the stage said about its result.
    pub summary: Summary,
    /// How, when and where it was made; never part of a key.
    pub made: Made,
}

/// A file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path relative to the artifact, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// BLAKE3 of the content.
    pub blake3: Digest,
}

/// Circumstances of the making of an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Seconds since 1970-01-01 UTC at which the stage began.
    pub unix_seconds: u64,
    /// Duration of the stage.
    pub wall_seconds: f64,
    /// Host name.
    pub host: String,
    /// The run's seed, also where the stage does not use it.
    pub seed: u64,
    /// Threads that the stage could use.
    pub threads: usize,
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// Version of the `pipeline` command.
    pub pipeline_version: String,
}

/// What a stage says about its result, for the terminal and for scripts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// One line: `4,000 photos (…), 2 classes`.
    pub line: String,
    /// Numbers by name, for comparison between runs; the unit is part of the name. Where they should go is said in
    /// [`Direction`](crate::Direction).
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Findings to repeat at the end of a run.
    #[serde(default)]
    pub notes: Vec<String>,
    /// A block of text to print at the end of a run, for example a confusion matrix.
    #[serde(default)]
    pub text: Option<String>,
    /// Why the result is less than its key stands for, of something that passes: `3 photos were missing when it was made`. It
    /// serves the run that made it; the next makes it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

impl Manifest {
    /// Total size of the files in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size_bytes).sum()
    }

    /// The digest of each file by path.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.files.iter().map(|f| (f.path.clone(), f.blake3)).collect()
    }
}
