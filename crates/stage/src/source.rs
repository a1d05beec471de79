//! [`Source`]: what a stage needs from outside the pipeline, as declared before it is looked for.

use std::path::{Path, PathBuf};

use crate::params::Problem;

/// A file or folder from outside. The runner finds it (fetching it if it may), digests it, and hands
/// the stage its real path through [`Context::source`](crate::Context::source).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

impl Remote {
    /// What the parameters `fetch` and `fetch_sha256` of a stage say; [`check_fetch`] checks them.
    pub fn of(fetch: Option<&String>, sha256: Option<&String>) -> Option<Remote> {
        fetch.map(|url| Remote { url: url.clone(), sha256: sha256.cloned() })
    }

    /// What the name of a fetched archive of a folder ends in, as its address does: `tar`, `tar.gz`, else `zip`. What it
    /// is shows in its content.
    pub fn archive_ending(&self) -> &'static str {
        let url = self.url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        match () {
            () if url.ends_with(".tar.gz") || url.ends_with(".tgz") => "tar.gz",
            () if url.ends_with(".tar") => "tar",
            () => "zip",
        }
    }
}

/// How many folders of a source may lie in each other. Those who walk through it need room on the stack for each, and time.
pub const MOST_DEEP: usize = 128;

/// Whether `path` is a link that leads to itself, by whatever way.
pub fn is_link_loop(path: &Path) -> bool {
    // "Too many levels of symbolic links", on Linux and on macOS; the standard library has no name for it yet.
    const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    path.metadata().err().and_then(|error| error.raw_os_error()) == Some(ELOOP)
}

/// Checks the parameters `fetch` and `fetch_sha256` of a stage whose source lies at its parameter `local`.
pub fn check_fetch(
    fetch: Option<&str>,
    sha256: Option<&str>,
    local: (&'static str, Option<&Path>),
    problems: &mut Vec<Problem>,
) {
    let (name, path) = local;
    // As written, or made absolute.
    let is_address = |path: &Path| ["http:/", "https:/"].iter().any(|a| path.to_string_lossy().contains(a));
    if path.is_some_and(is_address) {
        problems.push(
            Problem::new(name, "expected a path, found an address")
                .hint(format!("set `fetch` to the address, and `{name}` to where it should be put")),
        );
    }
    if let Some(url) = fetch
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        problems.push(
            Problem::new(
                "fetch",
                format!("expected an address that begins with http:// or https://, found `{url}`"),
            )
            .hint(format!("what is on this machine is named by `{name}` itself")),
        );
    }
    if let Some(sha256) = sha256 {
        let is_hex = sha256.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
        if !is_hex || !(8..=64).contains(&sha256.len()) {
            let message = format!("expected 8 to 64 lower-case hexadecimal digits, found `{sha256}`");
            problems.push(Problem::new("fetch_sha256", message));
        }
    }
}

/// Whether a source is one file or a tree of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One file. Its digest is the digest of its bytes.
    File,
    /// A folder, or a zip or tar archive of one, which is unpacked into the store first. Its digest is that of the
    /// sorted list of (relative path, digest) of its files, [clutter](is_clutter) left out.
    Tree,
}

/// A download: an address, and what is known of the content's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// `http://` or `https://`. For a [`Shape::Tree`] a zip or tar archive, unpacked to the source's path.
    pub url: String,
    /// The first hexadecimal digits of the SHA-256 that the file must have, at least 8; `None` when not known.
    pub sha256: Option<String>,
}

/// Whether a file or folder of this name is the litter of a file manager or editor: hidden names (`.DS_Store`,
/// `.ipynb_checkpoints`), `Thumbs.db`, `desktop.ini`, `__MACOSX`. Left out of digests, of archives and of ingest alike.
pub fn is_clutter(name: &str) -> bool {
    // Windows does not tell cases apart, nor do all its tools write the same.
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    name.starts_with('.') || is("Thumbs.db") || is("desktop.ini") || name == "__MACOSX"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clutter_is_told_by_its_name() {
        for name in
            [".DS_Store", ".x", ".ipynb_checkpoints", "Thumbs.db", "thumbs.db", "Desktop.ini", "__MACOSX"]
        {
            assert!(is_clutter(name), "{name}");
        }
        for name in ["a.jpg", "Thumbs.db.jpg", "__macosx__", "desktop"] {
            assert!(!is_clutter(name), "{name}");
        }
    }

    #[test]
    fn an_archive_is_called_as_its_address_says() {
        let ending = |url: &str| Remote { url: url.to_owned(), sha256: None }.archive_ending();
        assert_eq!(ending("https://a.example/b.zip"), "zip");
        assert_eq!(ending("https://a.example/b.TGZ?raw=1"), "tar.gz");
        assert_eq!(ending("https://a.example/b.tar.gz#x"), "tar.gz");
        assert_eq!(ending("https://a.example/b.tar"), "tar");
        assert_eq!(ending("https://a.example/download?file=b.tar"), "zip");
    }
}
