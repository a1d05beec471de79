//! [`Source`]: what a stage needs from outside the pipeline, as declared before it is looked for.

use std::path::PathBuf;

/// A file or folder from outside. The runner finds it (fetching it if it may), digests it, and hands
/// the stage its real path through [`Context::source`](crate::Context::source).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name inside the stage and in the key, for example `photos`.
    pub name: &'static str,
    /// The parameter that located it, for messages.
    pub param: &'static str,
    /// Where it is or will be, relative to the project root unless absolute.
    pub path: PathBuf,
    /// File or folder.
    pub shape: Shape,
    /// Where it can be fetched from when `path` does not exist.
    pub fetch: Option<Remote>,
    /// What to do when it is missing and cannot be fetched.
    /// `{path}` in it stands for the place where it was looked for.
    pub missing_hint: String,
}

/// Whether a source is one file or a tree of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One file. Its digest is the digest of its bytes.
    File,
    /// A folder, or a zip of one, which is unpacked into the store first. Its digest is that of the
    /// sorted list of (relative path, digest) of its files, [clutter](is_clutter) left out.
    Tree,
}

/// A download: an address, and what is known of the content's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// `http://` or `https://`. For a [`Shape::Tree`] a zip, unpacked to the source's path.
    pub url: String,
    /// The first hexadecimal digits of the SHA-256 that the file must have, at least 8; `None` when not known.
    pub sha256: Option<String>,
}

/// Whether a file or folder of this name is the litter of a file manager or editor: hidden names,
/// `Thumbs.db`, `desktop.ini`, `__MACOSX`. Left out of digests and of ingest alike.
pub fn is_clutter(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "Thumbs.db" | "desktop.ini" | "__MACOSX")
}
