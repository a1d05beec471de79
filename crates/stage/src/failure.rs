//! How a stage fails: with an error that names the thing, and a hint that names the way out.

use std::collections::BTreeMap;
use std::error::Error;
use std::{fmt, io};

use crate::context::Artifact;
use crate::params::Problem;
use crate::progress::Cancelled;

/// The way out of a full disk.
pub const DISK_FULL_HINT: &str =
    "free some space there, or use another disk: --store moves the store, the config says where sources are";

/// What Linux calls a full disk and an exhausted quota. Some libraries hand on no more than that (libtorch).
const DISK_FULL_TEXTS: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// An error that may know the way out. Each crate's `Error` implements it.
///
/// `Display` says what was being done, to which thing, what was found and what was expected:
/// lower case, no full stop.
pub trait Hint: Error + Send + Sync + 'static {
    /// What the user can do about it, as one imperative sentence without a full stop.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a hint says where it does not know the name of the stage.
const STAGE: &str = "`--force STAGE`";

/// Why [`Stage::run`](crate::Stage::run) did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Ctrl-C or SIGTERM: the stage stopped because it was asked to.
    Cancelled,
    /// Anything else.
    Failed {
        /// What happened; its sources are part of the message.
        message: String,
        /// The way out.
        hint: Option<String>,
        /// Whose fault it is.
        cause: Cause,
    },
}

/// Whose fault a failure is, as far as that says what comes of more attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Photos, parameters, the program: the same again fails again, something else may succeed.
    Work,
    /// What passes by itself: a file server that did not answer. The same again may succeed, and is tried where the user
    /// wants that (`--retries`).
    Passing,
    /// A disk that is full or cannot be written: whatever else is to be written there fails, too.
    Disk,
}

impl Cause {
    /// That of an error, by what the system says.
    pub fn of(error: &(dyn Error + 'static)) -> Cause {
        match () {
            () if is_disk_full(error) || is_read_only(error) => Cause::Disk,
            () if may_pass(error) => Cause::Passing,
            () => Cause::Work,
        }
    }
}

impl Failure {
    /// A failure of the work itself with a message and a hint.
    pub fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Failure::Failed { message: message.into(), hint, cause: Cause::Work }
    }

    /// Puts names of stages into the hint, which whoever reads an artifact does not know: `STAGE` is the one whose folder
    /// or name or input the message has, or else any of the stages that are read; `{images}` are those behind the input `images`.
    pub(crate) fn naming(self, inputs: &BTreeMap<String, Vec<Artifact>>) -> Failure {
        let Failure::Failed { message, hint: Some(mut hint), cause } = self else { return self };
        let names = |of: &[&Artifact]| of.iter().map(|one| one.stage.clone()).collect::<Vec<_>>();
        for (input, artifacts) in inputs {
            let artifacts: Vec<&Artifact> = artifacts.iter().collect();
            hint = hint.replace(&format!("{{{input}}}"), &names(&artifacts).join(","));
        }
        let all = || inputs.iter().flat_map(|(input, of)| of.iter().map(move |one| (input, one)));
        let is_meant = |(input, one): &(&String, &Artifact)| {
            let said =
                [one.dir.display().to_string(), format!("`{}`", one.stage), format!("input `{input}`")];
            said.iter().any(|said| message.contains(said))
        };
        let mut meant: Vec<&Artifact> = all().filter(is_meant).map(|(_, one)| one).collect();
        if meant.is_empty() {
            meant = all().map(|(_, one)| one).collect();
        }
        match names(&meant).as_slice() {
            [stage] => hint = hint.replace(STAGE, &format!("`--force {stage}`")),
            [] => {}
            several if hint.contains(STAGE) => {
                hint += &format!(", where STAGE is one of: {}", several.join(", "));
            }
            _ => {}
        }
        Failure::Failed { message, hint: Some(hint), cause }
    }

    pub(crate) fn from_problems(problems: Vec<Problem>) -> Self {
        let texts: Vec<String> =
            problems.iter().map(|p| format!("`{}`: {}", p.path.join("."), p.message)).collect();
        Failure::new(texts.join("; "), problems.into_iter().find_map(|p| p.hint))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Cancelled => f.write_str("cancelled"),
            Failure::Failed { message, .. } => f.write_str(message),
        }
    }
}

impl<E: Hint> From<E> for Failure {
    fn from(error: E) -> Self {
        let hint = if is_disk_full(&error) { Some(DISK_FULL_HINT.to_owned()) } else { error.hint() };
        Failure::Failed { message: full_message(&error), hint, cause: Cause::of(&error) }
    }
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Failure::Cancelled
    }
}

/// Whether the system blames what comes and goes: a network, a file server, too many processes at the moment.
fn may_pass(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable, ResourceBusy,
        StaleNetworkFileHandle, TimedOut, WouldBlock,
    };
    let passes = |error: &io::Error| {
        matches!(
            error.kind(),
            ConnectionAborted
                | ConnectionReset
                | HostUnreachable
                | NetworkDown
                | NetworkUnreachable
                | ResourceBusy
                | StaleNetworkFileHandle
                | TimedOut
                | WouldBlock
        )
    };
    system_errors(error).any(passes)
}

/// Whether the error, or a cause of it, is a file system that cannot be written.
fn is_read_only(error: &(dyn Error + 'static)) -> bool {
    system_errors(error).any(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// Those of the system among an error and its causes.
fn system_errors<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a io::Error> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.filter_map(|error| error.downcast_ref())
}

/// Whether the error, or a cause of it, is a full disk or an exhausted quota.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let system = error.downcast_ref::<io::Error>();
    if let Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) = system.map(io::Error::kind) {
        return true;
    }
    // An `io::Error` that wraps another error does not name it as its source, but the source of that.
    let inner = system.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
    match inner.or(error.source()) {
        Some(cause) => is_disk_full(cause),
        None => {
            let text = error.to_string();
            DISK_FULL_TEXTS.iter().any(|full| text.contains(full))
        }
    }
}

/// The error's message followed by those of its sources, unless already contained in it.
pub fn full_message(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `a.jpg`")]
    struct Unreadable(#[source] std::io::Error);
    impl Hint for Unreadable {
        fn hint(&self) -> Option<String> {
            Some("check its permissions".to_owned())
        }
    }

    #[test]
    fn a_hint_names_the_stage_that_is_meant() {
        let artifact = |stage: &str, dir: &str| Artifact {
            stage: stage.to_owned(),
            dir: dir.into(),
            files: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        let inputs = BTreeMap::from([
            ("images".to_owned(), vec![artifact("photos", "/store/ingest/ab")]),
            (
                "models".to_owned(),
                vec![artifact("head", "/store/head/cd"), artifact("tail", "/store/head/ef")],
            ),
        ]);
        let again = "make the artifact again with `--force STAGE`";
        let hint = |message: &str, hint: &str, inputs: &BTreeMap<String, Vec<Artifact>>| match Failure::new(
            message,
            Some(hint.to_owned()),
        )
        .naming(inputs)
        {
            Failure::Failed { hint: Some(hint), .. } => hint,
            other => panic!("{other:?}"),
        };
        let tail = "make the artifact again with `--force tail`";
        assert_eq!(hint("cannot read `/store/head/ef/model.json`", again, &inputs), tail);
        assert_eq!(hint("model `tail` has 3 outputs", again, &inputs), tail);
        let photos = "make the artifact again with `--force photos`";
        assert_eq!(hint("cannot read the input `images`", again, &inputs), photos);
        assert_eq!(
            hint("it is damaged", again, &inputs),
            format!("{again}, where STAGE is one of: photos, head, tail")
        );
        assert_eq!(
            hint("no size", "again, with `--force {images}`", &inputs),
            "again, with `--force photos`"
        );
        assert_eq!(hint("it is damaged", again, &BTreeMap::new()), again);
        assert_eq!(hint("it is damaged", "wait", &inputs), "wait");
    }

    #[test]
    fn a_failure_holds_the_whole_chain_and_the_hint() {
        let failure = Failure::from(Unreadable(std::io::Error::other("no such device")));
        assert_eq!(failure.to_string(), "cannot read `a.jpg`: no such device");
        assert!(matches!(failure, Failure::Failed { hint: Some(h), .. } if h == "check its permissions"));
    }

    #[test]
    fn a_failure_may_pass_where_a_network_is_to_blame_and_not_where_a_file_is() {
        let failure = |kind: std::io::ErrorKind| Failure::from(Unreadable(kind.into()));
        // Of Linux: connection timed out, stale file handle.
        for number in [110, 116] {
            let failure = Failure::from(Unreadable(std::io::Error::from_raw_os_error(number)));
            assert!(
                matches!(failure, Failure::Failed { hint: Some(_), cause: Cause::Passing, .. }),
                "{failure:?}"
            );
        }
        for kind in [std::io::ErrorKind::NotFound, std::io::ErrorKind::InvalidData] {
            assert!(matches!(failure(kind), Failure::Failed { cause: Cause::Work, .. }));
        }
    }

    #[test]
    fn a_disk_that_is_full_or_read_only_is_to_blame_for_whatever_is_written_there() {
        // Of Linux: ENOSPC, EROFS; and EACCES, which is that of one file.
        let cause = |number| Cause::of(&Unreadable(io::Error::from_raw_os_error(number)));
        assert_eq!([28, 30, 13].map(cause), [Cause::Disk, Cause::Disk, Cause::Work]);
    }

    #[test]
    fn a_full_disk_is_known_below_any_wrapper_and_has_its_own_hint() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write")]
        struct Unwritable(#[source] Box<dyn Error + Send + Sync>);
        impl Hint for Unwritable {
            fn hint(&self) -> Option<String> {
                Some("its own".to_owned())
            }
        }
        let hint = |cause: Box<dyn Error + Send + Sync>| match Failure::from(Unwritable(cause)) {
            Failure::Failed { hint, cause, .. } => {
                assert_eq!(cause == Cause::Disk, hint.as_deref() == Some(DISK_FULL_HINT));
                hint.unwrap()
            }
            other => panic!("{other:?}"),
        };
        // Linux: 28 is ENOSPC, 122 is EDQUOT, 13 is EACCES.
        let system = io::Error::from_raw_os_error;
        assert_eq!(hint(system(28).into()), DISK_FULL_HINT);
        assert_eq!(hint(system(122).into()), DISK_FULL_HINT);
        assert_eq!(hint(io::Error::other(system(28)).into()), DISK_FULL_HINT);
        assert_eq!(hint(io::Error::other(Unwritable(system(28).into())).into()), DISK_FULL_HINT);
        assert_eq!(hint("libtorch: write failed: No space left on device".into()), DISK_FULL_HINT);
        assert_eq!(hint(system(13).into()), "its own");
        assert_eq!(hint("no such device".into()), "its own");
    }
}
