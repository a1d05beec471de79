//! Why a task did not succeed, and the way out.

use std::path::PathBuf;
use std::process::ExitStatus;

use crate::prerequisites::{Missing, way_out};

/// Why a task did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Programs that the machine lacks; asked for before anything is done.
    #[error("missing on this machine: {}", .0.iter().map(|m| m.what.as_str()).collect::<Vec<_>>().join(", "))]
    Missing(Vec<Missing>),
    /// PyPI has no libtorch for this kind of machine.
    #[error("no libtorch to install on {system} {architecture}: PyPI has it for {supported}")]
    Platform {
        /// As in `std::env::consts::OS`.
        system: String,
        /// As in `std::env::consts::ARCH`.
        architecture: String,
        /// What there is.
        supported: String,
    },
    /// `LIBTORCH` was set by the user, and there is no libtorch there.
    #[error("LIBTORCH is set to `{}`, where `{file}` is missing", folder.display())]
    NoLibtorch {
        /// The value of `LIBTORCH`.
        folder: PathBuf,
        /// What was looked for there.
        file: &'static str,
    },
    /// pip said that it succeeded, and something is not there.
    #[error("pip installed into `{}`, but {what}", folder.display())]
    Incomplete {
        /// Where it was to install.
        folder: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A downloaded file is not the one that we know.
    #[error("`{name}` has SHA-256 {found}, expected {expected}")]
    Digest {
        /// The file.
        name: &'static str,
        /// Its digest.
        found: String,
        /// The known one.
        expected: &'static str,
    },
    /// A program did not print the number that is read from it.
    #[error("expected a number behind `{key}`, found: {printed}")]
    NoNumber {
        /// What stands before it.
        key: String,
        /// All that the program printed.
        printed: String,
    },
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// With its arguments.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended with an error, which it has printed itself.
    #[error("`{command}` failed with {status}")]
    Failed {
        /// With its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// Some checks of `cargo xtask test` failed; all of them ran.
    #[error("failed: {}", .0.join(", "))]
    Checks(Vec<&'static str>),
    /// A file or folder, which the message names.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Error::Missing(missing) => Some(way_out(missing)),
            Error::Platform { .. } => Some(format!(
                "unpack libtorch {} from pytorch.org and set LIBTORCH to its folder",
                crate::libtorch::VERSION
            )),
            Error::NoLibtorch { .. } => {
                Some("unset LIBTORCH, or set it to the folder that holds libtorch's `lib` and `include`".to_owned())
            }
            Error::Incomplete { .. } => Some("run the same command again".to_owned()),
            Error::Digest { .. } => {
                Some("the package index serves another file than the published one; check the settings of pip".to_owned())
            }
            Error::Failed { command, .. } if command.contains("-m pip") => Some(
                "check the network, or the settings of pip if there is a mirror; finished downloads are kept in pip's cache"
                    .to_owned(),
            ),
            Error::NoNumber { .. } | Error::Start { .. } | Error::Failed { .. } | Error::Checks(_) | Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prerequisites::Origin;

    fn texts(error: &Error) -> (String, Option<String>) {
        (error.to_string(), error.hint())
    }

    #[test]
    fn every_error_says_what_was_found_and_the_way_out() {
        let missing = |what: &str, package| Missing { what: what.into(), from: Origin::Debian(package) };
        assert_eq!(
            texts(&Error::Missing(vec![missing("a", "a-dev"), missing("b", "b-dev")])),
            (
                "missing on this machine: a, b".into(),
                Some("on Debian and Ubuntu, as root: `apt install a-dev b-dev`".into())
            )
        );
        assert_eq!(
            texts(&Error::Platform {
                system: "freebsd".into(),
                architecture: "x86_64".into(),
                supported: "linux x86_64".into()
            }),
            (
                "no libtorch to install on freebsd x86_64: PyPI has it for linux x86_64".into(),
                Some("unpack libtorch 2.13.0 from pytorch.org and set LIBTORCH to its folder".into())
            )
        );
        assert_eq!(
            texts(&Error::NoLibtorch { folder: "/opt/torch".into(), file: "lib/libtorch_cpu.so" }),
            (
                "LIBTORCH is set to `/opt/torch`, where `lib/libtorch_cpu.so` is missing".into(),
                Some(
                    "unset LIBTORCH, or set it to the folder that holds libtorch's `lib` and `include`"
                        .into()
                )
            )
        );
        assert_eq!(
            texts(&Error::Incomplete { folder: "a".into(), what: "`b` is missing".into() }),
            ("pip installed into `a`, but `b` is missing".into(), Some("run the same command again".into()))
        );
        assert_eq!(
            texts(&Error::Digest { name: "a.pth", found: "00".into(), expected: "01" }),
            (
                "`a.pth` has SHA-256 00, expected 01".into(),
                Some(
                    "the package index serves another file than the published one; check the settings of pip"
                        .into()
                )
            )
        );
        assert_eq!(texts(&Error::Checks(vec!["fmt", "test"])), ("failed: fmt, test".into(), None));
    }
}
