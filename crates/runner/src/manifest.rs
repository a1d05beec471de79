//! [`read_manifest`]: the manifest in the folder of an artifact, or why there is none. The one place that reads any.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use pipeline_stage::manifest::{MANIFEST_FILE, MANIFEST_FORMAT};
use pipeline_stage::{Digest, Manifest};

/// Why a manifest cannot be had.
#[derive(Debug)]
pub enum NoManifest {
    /// There is no such file.
    Missing,
    /// The artifact's folder lies below a file.
    BelowFile,
    /// Something else has its name: a folder, a pipe, whose reading would not end.
    NotAFile,
    /// It cannot be read now: no rights, a disk that is away. The artifact may be in order.
    Unreadable(io::Error),
    /// It is of another version of the command, which may be newer.
    Format(u32),
    /// It is text of so many bytes that is no manifest: cut short, or overwritten.
    Garbled {
        /// Its size.
        bytes: usize,
        /// What the reader says.
        reason: String,
    },
    /// It is that of another artifact, of this key.
    Foreign(Digest),
}

impl NoManifest {
    /// Whether the manifest itself may be whole: then it is not ours to replace.
    pub fn is_whole(&self) -> bool {
        matches!(self, NoManifest::Unreadable(_) | NoManifest::Format(_))
    }
}

/// `artifact.json is missing`, ...
impl fmt::Display for NoManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoManifest::Missing => write!(f, "{MANIFEST_FILE} is missing"),
            NoManifest::BelowFile => write!(f, "{MANIFEST_FILE} lies below a file"),
            NoManifest::NotAFile => write!(f, "{MANIFEST_FILE} is not a file"),
            NoManifest::Unreadable(error) => write!(f, "{error}"),
            NoManifest::Format(format) => {
                write!(f, "{MANIFEST_FILE} has format {format}, this command reads {MANIFEST_FORMAT}")
            }
            NoManifest::Garbled { reason, .. } => write!(f, "{MANIFEST_FILE} cannot be read: {reason}"),
            NoManifest::Foreign(key) => write!(f, "{MANIFEST_FILE} is of another artifact, {}", key.short()),
        }
    }
}

/// So much of a manifest is read: far above what the files of any artifact take. A longer one is garbled at its end.
const MOST_BYTES: u64 = 256 << 20;

/// The manifest in the folder `artifact`.
///
/// # Errors
/// [`NoManifest`].
pub fn read_manifest(artifact: &Path) -> Result<Manifest, NoManifest> {
    read_file(&artifact.join(MANIFEST_FILE))
}

/// The manifest in the file `path`, whatever its name.
pub(crate) fn read_file(path: &Path) -> Result<Manifest, NoManifest> {
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NoManifest::Missing,
        io::ErrorKind::NotADirectory => NoManifest::BelowFile,
        _ => NoManifest::Unreadable(error),
    };
    if !fs_err::symlink_metadata(path).map_err(unread)?.is_file() {
        return Err(NoManifest::NotAFile);
    }
    let mut text = vec![];
    fs_err::File::open(path).map_err(unread)?.take(MOST_BYTES).read_to_end(&mut text).map_err(unread)?;
    // The version first: a newer form may lack what this one has.
    if let Ok(AnyFormat { format }) = serde_json::from_slice(&text)
        && format != MANIFEST_FORMAT
    {
        return Err(NoManifest::Format(format));
    }
    serde_json::from_slice(&text)
        .map_err(|error| NoManifest::Garbled { bytes: text.len(), reason: error.to_string() })
}

/// The version of a manifest of any version.
#[derive(serde::Deserialize)]
struct AnyFormat {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_manifest_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MANIFEST_FILE);
        let said =
            |artifact: &Path| read_manifest(artifact).map_err(|none| (none.to_string(), none.is_whole()));
        let told = |text: &str, is_whole| Err((text.to_owned(), is_whole));
        assert_eq!(said(dir.path()), told("artifact.json is missing", false));
        fs_err::write(&path, "{").unwrap();
        let error = "artifact.json cannot be read: EOF while parsing an object at line 1 column 1";
        assert_eq!(said(dir.path()), told(error, false));
        assert_eq!(said(&path), told("artifact.json lies below a file", false));
        fs_err::write(&path, r#"{"format": 7, "of": "the future"}"#).unwrap();
        assert_eq!(said(dir.path()), told("artifact.json has format 7, this command reads 1", true));
        fs_err::remove_file(&path).unwrap();
        fs_err::create_dir(&path).unwrap();
        assert_eq!(said(dir.path()), told("artifact.json is not a file", false));
    }
}
