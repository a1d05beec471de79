//! [`Error`]: why a model could not be exported.

use std::path::PathBuf;

use pipeline_stage::Hint;

/// Why a model could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A folder has no `model.json`.
    #[error("found no model in `{}`: it has no model.json", dir.display())]
    NoModel {
        /// The folder.
        dir: PathBuf,
    },

    /// Something is where the export is to be.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },

    /// What would be replaced is no export.
    #[error("cannot replace `{}`: {why}", path.display())]
    NotAnExport {
        /// The place.
        path: PathBuf,
        /// What it is or holds.
        why: String,
    },

    /// The network is none of torchvision's.
    #[error("cannot write {arch} for torchvision: torchvision has no such network")]
    NotTorchvision {
        /// The architecture.
        arch: String,
    },

    /// An ONNX file is one message of Protocol Buffers, which has at most 2 GiB.
    #[error("cannot write an ONNX file of {size_bytes} bytes: at most {limit_bytes} fit in one")]
    TooLarge {
        /// Its size.
        size_bytes: u64,
        /// The largest size.
        limit_bytes: u64,
    },

    /// The model could not be read or written.
    #[error(transparent)]
    Network(#[from] pipeline_nn::Error),

    /// A file could not be read or written. The message has its path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoModel { .. } => "name the folder of a trained model, such as out/CONFIG/head",
            Error::Exists { .. } => "name another place, or replace it with --force",
            Error::NotAnExport { .. } => {
                "name another place: --force replaces only what an export has written"
            }
            Error::NotTorchvision { .. } => "write it with --format onnx or --format folder",
            Error::TooLarge { .. } => {
                "write the weights in half precision (--dtype f16), or use --format folder"
            }
            Error::Network(error) => return error.hint(),
            Error::Io(_) => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_where_and_the_way_out() {
        for (error, message, hint) in [
            (
                Error::NoModel { dir: "out/a/ingest".into() },
                "found no model in `out/a/ingest`: it has no model.json",
                Some("name the folder of a trained model, such as out/CONFIG/head"),
            ),
            (
                Error::Exists { path: "m.onnx".into() },
                "`m.onnx` is there already",
                Some("name another place, or replace it with --force"),
            ),
            (
                Error::NotAnExport { path: "m".into(), why: "it holds `photos`".into() },
                "cannot replace `m`: it holds `photos`",
                Some("name another place: --force replaces only what an export has written"),
            ),
            (
                Error::NotTorchvision { arch: "efficientnet_lite0".into() },
                "cannot write efficientnet_lite0 for torchvision: torchvision has no such network",
                Some("write it with --format onnx or --format folder"),
            ),
            (
                Error::TooLarge { size_bytes: 3, limit_bytes: 2 },
                "cannot write an ONNX file of 3 bytes: at most 2 fit in one",
                Some("write the weights in half precision (--dtype f16), or use --format folder"),
            ),
        ] {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), hint);
        }
    }
}
