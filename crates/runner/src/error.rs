//! [`Error`]: why a run or a plan could not be made. A stage that fails is not an `Error` but an
//! [`Outcome`](crate::Outcome) in the report.

use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::failure::{Cause, DISK_FULL_HINT, is_disk_full};
use pipeline_stage::{Hint, Problem, Shard};

/// Why a graph could not be planned or run. Nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option names a stage that the pipeline does not have.
    #[error("unknown stage `{stage}` for `{option}`, expected one of: {}", known.join(", "))]
    UnknownStage {
        /// `--only`, `--from`, ..., or `explain`.
        option: &'static str,
        /// The name as given.
        stage: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// The stages of the pipeline.
        known: Vec<String>,
    },
    /// The options together leave no stage.
    #[error(
        "the selection leaves no stage: `--only`, `--from` and `--until` together mean their intersection"
    )]
    NothingSelected,
    /// `--force` or `--force-downstream` names a stage that the other options leave out.
    #[error("`{option} {stage}` has no effect: `{stage}` is not among the selected stages")]
    ForceNotSelected {
        /// The option.
        option: &'static str,
        /// The stage.
        stage: String,
    },
    /// A selected stage reads one that is neither fresh nor selected.
    #[error("`{stage}` cannot run alone: it reads `{upstream}`, which is not fresh: {state}")]
    UpstreamNotFresh {
        /// The selected stage.
        stage: String,
        /// The stage that it reads.
        upstream: String,
        /// What that one is: `stale (lr 0.01 → 0.003)`.
        state: String,
        /// The way out, where running more would not be one: a source is away.
        way_out: Option<String>,
    },
    /// A worker's part is of one stage.
    #[error(
        "`--shard {shard}` is a part of one stage, found {} selected: {}", selected.len(), selected.join(", ")
    )]
    ShardOfSeveral {
        /// The part.
        shard: Shard,
        /// The stages that may run.
        selected: Vec<String>,
        /// Those of the pipeline that can be shared.
        shared: Vec<String>,
    },
    /// A stage that several workers cannot do together.
    #[error("`{stage}` cannot be done in parts, found `--shard {shard}`")]
    NotShared {
        /// The part.
        shard: Shard,
        /// The stage.
        stage: String,
        /// Those of the pipeline that can be shared.
        shared: Vec<String>,
    },
    /// A worker would begin anew what others have done.
    #[error(
        "`--force` and `--shard {shard}` do not go together: what is there of `{stage}` is of all workers"
    )]
    ShardForced {
        /// The part.
        shard: Shard,
        /// The stage.
        stage: String,
    },
    /// What a worker's stage reads is not fresh.
    #[error("part {shard} of `{stage}` cannot begin: it reads `{upstream}`, which is not fresh: {state}")]
    ShardTooEarly {
        /// The part.
        shard: Shard,
        /// The stage.
        stage: String,
        /// The stage that it reads.
        upstream: String,
        /// What that one is.
        state: String,
        /// All that it reads.
        needed: Vec<String>,
    },
    /// Parameters that do not parse, although they were resolved.
    #[error("stage `{stage}`: {}", problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
    Parameters {
        /// The stage.
        stage: String,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// A source is not there, and there is nowhere to fetch it from.
    #[error("{stage}: {what} not found at {path}")]
    SourceMissing {
        /// The stage.
        stage: String,
        /// `file` or `folder`.
        what: &'static str,
        /// Where it was looked for.
        path: String,
        /// What to do.
        hint: String,
    },
    /// A source is there but is not what it should be.
    #[error("{stage}: {path} is {found}, expected {expected}")]
    SourceShape {
        /// The stage.
        stage: String,
        /// Where.
        path: String,
        /// `a folder`.
        found: &'static str,
        /// `a file`.
        expected: &'static str,
        /// What to do.
        hint: String,
    },
    /// A download did not succeed. What was received stays beside as `<file>.part`.
    #[error("{stage}: cannot fetch {file}: {reason}")]
    Fetch {
        /// The stage.
        stage: String,
        /// The file's name.
        file: String,
        /// What happened: `no route to host`.
        reason: String,
        /// Whose fault it is.
        cause: Cause,
        /// What to do.
        hint: String,
    },
    /// An archive became another while it was being unpacked.
    #[error("{stage}: {path} changed while it was being unpacked")]
    ZipChanged {
        /// The stage.
        stage: String,
        /// The archive.
        path: String,
    },
    /// A file has another SHA-256 than it must have.
    #[error("{stage}: {path} has sha256 {found}, expected {expected}")]
    WrongDigest {
        /// The stage.
        stage: String,
        /// The file.
        path: String,
        /// Its SHA-256, as many digits as were expected.
        found: String,
        /// The first digits that it must have.
        expected: String,
        /// What to do.
        hint: String,
    },
    /// An archive that cannot be unpacked, or should not be.
    #[error("{stage}: cannot unpack {path}: {reason}")]
    Unpack {
        /// The stage.
        stage: String,
        /// The archive.
        path: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Another process holds a lock.
    #[error("{what} is in use by {holder}")]
    Locked {
        /// `the store .pipeline`, `stage head`.
        what: String,
        /// `pid 4711 on host atlas (pipeline run configs/a.yaml, since 14:02:11)`.
        holder: String,
        /// What to do.
        hint: &'static str,
    },
    /// The store was made by a command that writes it differently.
    #[error("the store {} has format {found}, this command reads and writes format {expected}", path.display())]
    StoreFormat {
        /// The store.
        path: PathBuf,
        /// What its `format` file says.
        found: String,
        /// Ours.
        expected: u32,
    },
    /// The folder named as store holds something else.
    #[error("{} is not a store: it holds `{found}`, expected a store, an empty folder or none", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        found: String,
    },
    /// There is no store.
    #[error("no store at {}", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A note of a link to an artifact that cannot be read, so that it is not known what is in use.
    #[error("cannot tell which artifacts are in use: {} is no note of a link: {reason}", path.display())]
    LinkNote {
        /// The note.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An artifact that may be whole but cannot be looked at.
    #[error("cannot use the artifact {path}: {reason}")]
    ArtifactUnreadable {
        /// Its folder.
        path: String,
        /// Why: no rights, another version.
        reason: String,
    },
    /// The file system is full.
    #[error("cannot {doing}: no space left on the disk of {}", path.display())]
    DiskFull {
        /// What was being done: `publish the artifact`.
        doing: &'static str,
        /// A path on that disk.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("cannot {doing}")]
    Io {
        /// What was being done: `open the store`.
        doing: &'static str,
        /// The system's error, which names the path.
        #[source]
        source: io::Error,
    },
    /// A stage left something in its folder that cannot be published.
    #[error("cannot publish `{file}`: {reason}")]
    Unpublishable {
        /// Path in the artifact.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something that is not a link is where a link to an artifact belongs.
    #[error("cannot link {} to the artifact: a file or folder is in the way", path.display())]
    LinkBlocked {
        /// Where.
        path: PathBuf,
    },
    /// Nothing has run in this store.
    #[error("no run yet in {}", runs.display())]
    NoRuns {
        /// The folder of runs.
        runs: PathBuf,
    },
    /// No run has this name.
    #[error("no run `{run}` in {}, the newest are: {}", runs.display(), newest.join(", "))]
    UnknownRun {
        /// The folder of runs.
        runs: PathBuf,
        /// The name as given.
        run: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// Names of some runs, the latest first.
        newest: Vec<String>,
    },
    /// A name that several runs begin with.
    #[error("{count} runs have names that begin with `{run}`: {}{}", newest.join(", "), if *count > newest.len() { ", …" } else { "" })]
    AmbiguousRun {
        /// The name as given.
        run: String,
        /// How many.
        count: usize,
        /// Names of some of them, the latest first.
        newest: Vec<String>,
    },
    /// Neither an artifact nor a run has this name.
    #[error("no artifact of `{stage}` (kind {kind}) and no run has a name that begins with `{against}`")]
    UnknownOld {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: &'static str,
        /// The name as given.
        against: String,
    },
    /// A beginning of several keys.
    #[error("{count} artifacts of kind {kind} have keys that begin with `{key}`: {}{}", some.join(", "), if *count > some.len() { ", …" } else { "" })]
    AmbiguousKey {
        /// The stage kind.
        kind: &'static str,
        /// The beginning as given.
        key: String,
        /// How many.
        count: usize,
        /// Some of them.
        some: Vec<String>,
    },
    /// An artifact whose manifest cannot be read.
    #[error("cannot compare `{stage}` with {key}: its artifact.json cannot be read")]
    UnreadableOld {
        /// The stage.
        stage: String,
        /// The key.
        key: String,
    },
    /// A run has no artifact of a stage.
    #[error("run {run} has no artifact of `{stage}` to compare with: {found}")]
    NotOfRun {
        /// The run.
        run: String,
        /// The stage.
        stage: String,
        /// What is there instead.
        found: String,
    },
    /// The run was asked to stop before its first stage.
    #[error("cancelled")]
    Cancelled,
}

impl From<pipeline_stage::Cancelled> for Error {
    fn from(_: pipeline_stage::Cancelled) -> Self {
        Error::Cancelled
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownStage { suggestion, .. } => {
                suggestion.as_ref().map(|n| format!("did you mean `{n}`?"))
            }
            Error::NothingSelected => {
                Some("give one of them only, or stages that lie between them".to_owned())
            }
            Error::ForceNotSelected { stage, .. } => {
                Some(format!("add `--only {stage}`, or select it otherwise"))
            }
            Error::UpstreamNotFresh { way_out: Some(way_out), .. } => Some(way_out.clone()),
            Error::UpstreamNotFresh { stage, .. } => {
                Some(format!("run it with what it reads: `--until {stage}` instead of `--only {stage}`"))
            }
            Error::ShardOfSeveral { shared, .. } | Error::NotShared { shared, .. } => Some(match shared.as_slice() {
                [] => "run it without `--shard`: no stage of this pipeline can be done in parts".to_owned(),
                _ => format!("stages that can be done in parts: {}; select one with `--only`", shared.join(", ")),
            }),
            Error::ShardForced { stage, .. } => {
                Some(format!("run `--only {stage} --force {stage}` without `--shard`, or leave `--force` out"))
            }
            Error::ShardTooEarly { stage, needed, .. } => Some(format!(
                "make what it reads first, once: `--until {}` instead of `--only {stage}` and `--shard`",
                needed.join(",")
            )),
            Error::Parameters { problems, .. } => problems.iter().find_map(|p| p.hint.clone()),
            Error::SourceMissing { hint, .. }
            | Error::SourceShape { hint, .. }
            | Error::Fetch { hint, .. }
            | Error::WrongDigest { hint, .. }
            | Error::Unpack { hint, .. } => Some(hint.clone()),
            Error::ZipChanged { .. } => Some("run again".to_owned()),
            Error::Locked { hint, .. } => Some((*hint).to_owned()),
            Error::StoreFormat { .. } => {
                Some("use another --store, or the command that made this one".to_owned())
            }
            Error::NotAStore { .. } => Some("give --store a folder of its own".to_owned()),
            Error::ArtifactUnreadable { .. } => Some(
                "make it readable for this user, use the command that made it, or move it away".to_owned(),
            ),
            Error::DiskFull { .. } => Some(DISK_FULL_HINT.to_owned()),
            Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("give this user the rights to it".to_owned())
            }
            Error::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => Some(
                "make it writable, or use another --store and --out; status, explain, report and --dry-run only read"
                    .to_owned(),
            ),
            Error::Unpublishable { .. } => Some("this is a fault of the stage; please report it".to_owned()),
            Error::LinkBlocked { path } => {
                Some(format!("move {} away, or use another --out", path.display()))
            }
            Error::NoRuns { .. } => {
                Some("start one with `pipeline run`, or name another store with --store".to_owned())
            }
            Error::NoStore { .. } => {
                Some("make one with `pipeline run`, or name another with --store".to_owned())
            }
            Error::LinkNote { path, .. } => Some(format!(
                "remove {}, and run the configs that use this store: each run notes its links again",
                path.display()
            )),
            Error::UnknownRun { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Error::UnknownRun { .. } => {
                Some("give a name, the beginning of one, or a run's folder".to_owned())
            }
            Error::AmbiguousRun { .. } => Some("give more of the name".to_owned()),
            Error::UnknownOld { kind, .. } => Some(format!(
                "give a key (a folder in store/{kind}/ of the store), a run (a folder in runs/), or the beginning of one"
            )),
            Error::AmbiguousKey { .. } => Some("give more of the key".to_owned()),
            Error::UnreadableOld { .. } | Error::NotOfRun { .. } => {
                Some("compare with another run or key".to_owned())
            }
            Error::Io { .. } | Error::Cancelled => None,
        }
    }
}

impl Error {
    /// Whose fault it is.
    pub fn cause(&self) -> Cause {
        match self {
            Error::Fetch { cause, .. } => *cause,
            Error::ZipChanged { .. } => Cause::Passing,
            Error::DiskFull { .. } => Cause::Disk,
            other => Cause::of(other),
        }
    }

    /// For `map_err`: `doing` (`open the store`) failed, near `path`. A full disk gets its own message.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| {
            if is_disk_full(&source) {
                Error::DiskFull { doing, path: path.to_owned() }
            } else {
                Error::Io { doing, source }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> String {
        value.to_owned()
    }

    #[test]
    fn messages_say_what_where_and_what_was_expected_and_hints_the_way_out() {
        let hint = text("put the file at data/weights/r.pth");
        let shard = || "2/4".parse().unwrap();
        let cases: [(Error, &str, &str); 36] = [
            (
                Error::ShardOfSeveral {
                    shard: shard(),
                    selected: vec![text("ingest"), text("precompute")],
                    shared: vec![text("precompute")],
                },
                "`--shard 2/4` is a part of one stage, found 2 selected: ingest, precompute",
                "stages that can be done in parts: precompute; select one with `--only`",
            ),
            (
                Error::NotShared { shard: shard(), stage: text("head"), shared: vec![text("a"), text("b")] },
                "`head` cannot be done in parts, found `--shard 2/4`",
                "stages that can be done in parts: a, b; select one with `--only`",
            ),
            (
                Error::NotShared { shard: shard(), stage: text("head"), shared: vec![] },
                "`head` cannot be done in parts, found `--shard 2/4`",
                "run it without `--shard`: no stage of this pipeline can be done in parts",
            ),
            (
                Error::ShardForced { shard: shard(), stage: text("precompute") },
                "`--force` and `--shard 2/4` do not go together: what is there of `precompute` is of all workers",
                "run `--only precompute --force precompute` without `--shard`, or leave `--force` out",
            ),
            (
                Error::ShardTooEarly {
                    shard: shard(),
                    stage: text("precompute"),
                    upstream: text("ingest"),
                    state: text("missing (no artifact yet)"),
                    needed: vec![text("ingest"), text("backbone")],
                },
                "part 2/4 of `precompute` cannot begin: it reads `ingest`, which is not fresh: missing (no artifact yet)",
                "make what it reads first, once: `--until ingest,backbone` instead of `--only precompute` and `--shard`",
            ),
            (
                Error::NoStore { path: "p/.pipeline".into() },
                "no store at p/.pipeline",
                "make one with `pipeline run`, or name another with --store",
            ),
            (
                Error::LinkNote { path: "links/ab".into(), reason: text("EOF") },
                "cannot tell which artifacts are in use: links/ab is no note of a link: EOF",
                "remove links/ab, and run the configs that use this store: each run notes its links again",
            ),
            (
                Error::UnknownRun {
                    runs: "runs".into(),
                    run: text("bb"),
                    suggestion: Some(text("bc")),
                    newest: vec![text("bc")],
                },
                "no run `bb` in runs, the newest are: bc",
                "did you mean `bc`?",
            ),
            (
                Error::UnknownStage {
                    option: "--only",
                    stage: text("haed"),
                    suggestion: Some(text("head")),
                    known: vec![text("ingest"), text("head")],
                },
                "unknown stage `haed` for `--only`, expected one of: ingest, head",
                "did you mean `head`?",
            ),
            (
                Error::ForceNotSelected { option: "--force-downstream", stage: text("head") },
                "`--force-downstream head` has no effect: `head` is not among the selected stages",
                "add `--only head`, or select it otherwise",
            ),
            (
                Error::UnknownOld { stage: text("last_layer"), kind: "finetune", against: text("zz") },
                "no artifact of `last_layer` (kind finetune) and no run has a name that begins with `zz`",
                "give a key (a folder in store/finetune/ of the store), a run (a folder in runs/), or the beginning of one",
            ),
            (
                Error::AmbiguousKey {
                    kind: "head",
                    key: text("3"),
                    count: 6,
                    some: vec![text("3a"), text("3b")],
                },
                "6 artifacts of kind head have keys that begin with `3`: 3a, 3b, …",
                "give more of the key",
            ),
            (
                Error::UnreadableOld { stage: text("head"), key: text("3a") },
                "cannot compare `head` with 3a: its artifact.json cannot be read",
                "compare with another run or key",
            ),
            (
                Error::NotOfRun {
                    run: text("20261128T1037"),
                    stage: text("head"),
                    found: text("the stage is failed there"),
                },
                "run 20261128T1037 has no artifact of `head` to compare with: the stage is failed there",
                "compare with another run or key",
            ),
            (
                Error::NothingSelected,
                "the selection leaves no stage: `--only`, `--from` and `--until` together mean their intersection",
                "give one of them only, or stages that lie between them",
            ),
            (
                Error::ForceNotSelected { option: "--force", stage: text("head") },
                "`--force head` has no effect: `head` is not among the selected stages",
                "add `--only head`, or select it otherwise",
            ),
            (
                Error::Parameters {
                    stage: text("head"),
                    problems: vec![
                        Problem::new("lr", "`lr` is 0, expected more"),
                        Problem {
                            hint: Some(text("did you mean `epochs`?")),
                            ..Problem::new("epohcs", "unknown key `epohcs`")
                        },
                    ],
                },
                "stage `head`: `lr` is 0, expected more; unknown key `epohcs`",
                "did you mean `epochs`?",
            ),
            (
                Error::UpstreamNotFresh {
                    stage: text("head"),
                    upstream: text("precompute"),
                    state: text("stale (size 224 → 160)"),
                    way_out: None,
                },
                "`head` cannot run alone: it reads `precompute`, which is not fresh: stale (size 224 → 160)",
                "run it with what it reads: `--until head` instead of `--only head`",
            ),
            (
                Error::SourceMissing {
                    stage: text("ingest"),
                    what: "folder",
                    path: text("data/dogs"),
                    hint: text("set `root`"),
                },
                "ingest: folder not found at data/dogs",
                "set `root`",
            ),
            (
                Error::SourceShape {
                    stage: text("ingest"),
                    path: text("data/dogs"),
                    found: "a file that is no archive",
                    expected: "a folder, or a zip or tar archive",
                    hint: text("set `root`"),
                },
                "ingest: data/dogs is a file that is no archive, expected a folder, or a zip or tar archive",
                "set `root`",
            ),
            (
                Error::Fetch {
                    stage: text("backbone"),
                    file: text("r.pth"),
                    reason: text("no route to host"),
                    cause: Cause::Passing,
                    hint: hint.clone(),
                },
                "backbone: cannot fetch r.pth: no route to host",
                "put the file at data/weights/r.pth",
            ),
            (
                Error::WrongDigest {
                    stage: text("backbone"),
                    path: text("r.pth"),
                    found: text("00000000"),
                    expected: text("b627a593"),
                    hint: hint.clone(),
                },
                "backbone: r.pth has sha256 00000000, expected b627a593",
                "put the file at data/weights/r.pth",
            ),
            (
                Error::Unpack {
                    stage: text("ingest"),
                    path: text("d.zip"),
                    reason: text("`a` is a link"),
                    hint: text("get the zip again"),
                },
                "ingest: cannot unpack d.zip: `a` is a link",
                "get the zip again",
            ),
            (
                Error::Locked {
                    what: text("the store .pipeline"),
                    holder: text("pid 4711 on host atlas (pipeline run configs/a.yaml, since 14:02:11)"),
                    hint: crate::lock::STORE_HINT,
                },
                "the store .pipeline is in use by pid 4711 on host atlas (pipeline run configs/a.yaml, since 14:02:11)",
                "wait for it with --wait-lock 600, or use another --store",
            ),
            (
                Error::StoreFormat { path: ".pipeline".into(), found: text("2"), expected: 1 },
                "the store .pipeline has format 2, this command reads and writes format 1",
                "use another --store, or the command that made this one",
            ),
            (
                Error::io("publish the artifact", Path::new(".pipeline"))(io::ErrorKind::StorageFull.into()),
                "cannot publish the artifact: no space left on the disk of .pipeline",
                "free some space there, or use another disk: --store moves the store, the config says where sources are",
            ),
            (
                Error::NotAStore { path: "data".into(), found: text("train") },
                "data is not a store: it holds `train`, expected a store, an empty folder or none",
                "give --store a folder of its own",
            ),
            (
                Error::ArtifactUnreadable {
                    path: text(".pipeline/store/head/ab"),
                    reason: text("no rights"),
                },
                "cannot use the artifact .pipeline/store/head/ab: no rights",
                "make it readable for this user, use the command that made it, or move it away",
            ),
            (
                Error::io("open the store", Path::new("no"))(io::ErrorKind::PermissionDenied.into()),
                "cannot open the store",
                "give this user the rights to it",
            ),
            (
                Error::io("open the lock file", Path::new("p"))(io::ErrorKind::ReadOnlyFilesystem.into()),
                "cannot open the lock file",
                "make it writable, or use another --store and --out; status, explain, report and --dry-run only read",
            ),
            (
                Error::Unpublishable { file: text("a"), reason: "it is not a file" },
                "cannot publish `a`: it is not a file",
                "this is a fault of the stage; please report it",
            ),
            (
                Error::ZipChanged { stage: text("ingest"), path: text("data/dogs.zip") },
                "ingest: data/dogs.zip changed while it was being unpacked",
                "run again",
            ),
            (
                Error::LinkBlocked { path: "out/c/head".into() },
                "cannot link out/c/head to the artifact: a file or folder is in the way",
                "move out/c/head away, or use another --out",
            ),
            (
                Error::NoRuns { runs: ".pipeline/runs".into() },
                "no run yet in .pipeline/runs",
                "start one with `pipeline run`, or name another store with --store",
            ),
            (
                Error::UnknownRun {
                    runs: "runs".into(),
                    run: text("2027"),
                    suggestion: None,
                    newest: vec![text("b"), text("a")],
                },
                "no run `2027` in runs, the newest are: b, a",
                "give a name, the beginning of one, or a run's folder",
            ),
            (
                Error::AmbiguousRun {
                    run: text("2026"),
                    count: 7,
                    newest: vec![text("2026b"), text("2026a")],
                },
                "7 runs have names that begin with `2026`: 2026b, 2026a, …",
                "give more of the name",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().unwrap(), hint);
        }
    }

    #[test]
    fn where_there_is_no_way_out_there_is_no_hint() {
        let broken = Error::io("open the store", Path::new("no"))(io::ErrorKind::BrokenPipe.into());
        assert_eq!((broken.to_string(), broken.hint()), (text("cannot open the store"), None));
        let cancelled = Error::from(pipeline_stage::Cancelled);
        assert_eq!((cancelled.to_string(), cancelled.hint()), (text("cancelled"), None));
        let unlike = Error::UnknownStage {
            option: "--until",
            stage: text("x"),
            suggestion: None,
            known: vec![text("head")],
        };
        assert_eq!(unlike.to_string(), "unknown stage `x` for `--until`, expected one of: head");
        assert_eq!(unlike.hint(), None);
    }

    #[test]
    fn other_trouble_with_the_disk_keeps_the_systems_words_with_the_path() {
        let source = fs_err::read("no/such/file").unwrap_err();
        let error = Error::io("open the store", Path::new("no"))(source);
        let message = pipeline_stage::failure::full_message(&error);
        assert!(
            message.starts_with("cannot open the store: ") && message.contains("no/such/file"),
            "{message}"
        );
    }
    #[test]
    fn a_network_and_a_disk_are_told_from_what_the_user_gave() {
        let fetch = |cause| Error::Fetch {
            stage: text("a"),
            file: text("b"),
            reason: text("c"),
            cause,
            hint: text("d"),
        };
        let io = |kind: io::ErrorKind| Error::io("open the store", Path::new("no"))(kind.into());
        for (error, expected) in [
            (fetch(Cause::Passing), Cause::Passing),
            (fetch(Cause::Work), Cause::Work),
            (Error::ZipChanged { stage: text("a"), path: text("b") }, Cause::Passing),
            (io(io::ErrorKind::StaleNetworkFileHandle), Cause::Passing),
            (io(io::ErrorKind::StorageFull), Cause::Disk),
            (io(io::ErrorKind::ReadOnlyFilesystem), Cause::Disk),
            (io(io::ErrorKind::PermissionDenied), Cause::Work),
        ] {
            assert_eq!(error.cause(), expected, "{error:?}");
        }
    }
}
