//! Stage kinds that write text.
//!
//! Parameters named in `LOCATORS` are not part of a key; the toys use that to be told how to behave
//! without becoming another stage.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use pipeline_stage::failure::Cause;
use pipeline_stage::params::SourcePath;
use pipeline_stage::source::Shape;
use pipeline_stage::{
    Context, Cost, Event, Failure, Input, Measured, Parameters, Problem, Processors, Remote, Source, Stage,
    Summary,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The file that the toys read and write.
pub(crate) const TEXT: &str = "text.txt";

/// The disk said no.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct DiskError(std::io::Error);

impl pipeline_stage::Hint for DiskError {}

fn io(error: std::io::Error) -> Failure {
    DiskError(error).into()
}

/// Reads a folder of text files and writes them one after another.
pub(crate) struct Read;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadParams {
    /// The folder.
    path: SourcePath,
    /// Where to fetch a zip of it.
    #[serde(default)]
    url: Option<String>,
    /// The first digits of its SHA-256.
    #[serde(default)]
    sha256: Option<String>,
    /// Writes this text into this file after it has read it, as another process might.
    #[serde(default)]
    rewrite: Option<(PathBuf, String)>,
}

impl Parameters for ReadParams {
    fn check(&self, _: &mut Vec<Problem>) {}
}

impl Stage for Read {
    const KIND: &'static str = "read";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "Reads a folder.";
    const PRODUCES: &'static str = "text";
    const INPUTS: &'static [Input] = &[];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &["path", "url", "sha256", "rewrite"];
    type Params = ReadParams;

    fn sources(params: &ReadParams) -> Vec<Source> {
        vec![Source {
            name: "folder",
            param: "path",
            path: params.path.0.clone(),
            shape: Shape::Tree,
            fetch: params.url.clone().map(|url| Remote { url, sha256: params.sha256.clone() }),
            missing_hint: "set `path` to a folder".to_owned(),
        }]
    }

    fn cost(_: &ReadParams, _: u64) -> Cost {
        Cost::any_threads(0, 0)
    }

    fn run(params: &ReadParams, cx: &Context<'_>) -> Result<Summary, Failure> {
        let mut files: Vec<PathBuf> = vec![];
        let mut folders = vec![cx.source("folder").to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).map_err(io)? {
                let path = entry.map_err(io)?.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        let texts: Result<Vec<String>, _> = files.iter().map(fs_err::read_to_string).collect();
        fs_err::write(cx.out.join(TEXT), texts.map_err(io)?.concat()).map_err(io)?;
        if let Some((path, text)) = &params.rewrite {
            fs_err::write(path, text).map_err(io)?;
        }
        Ok(Summary { line: format!("{} files", files.len()), ..Summary::default() })
    }
}

/// Writes the texts that it reads, one after another, and its own.
pub(crate) struct Join;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinParams {
    /// Its own text.
    #[serde(default)]
    text: String,
    /// Letters kept of the whole.
    #[serde(default = "all")]
    keep: usize,
    /// Not in the key: a file with a line for each time that it ran.
    #[serde(default)]
    journal: Option<PathBuf>,
    /// Not in the key: what else it does.
    #[serde(default)]
    behaviour: Behaviour,
    /// Not in the key: the memory that it says it needs.
    #[serde(default)]
    bytes: u64,
    /// Not in the key: threads that it says it keeps busy; 0 for all, always.
    #[serde(default = "one")]
    most_threads: usize,
}

fn one() -> usize {
    1
}

fn all() -> usize {
    usize::MAX
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Behaviour {
    #[default]
    Plain,
    /// Another text each time.
    Random,
    Fail,
    Panic,
    /// Leaves a checkpoint and goes on until it is cancelled.
    UntilCancelled,
    /// Goes on until this file exists.
    UntilExists(PathBuf),
    /// Takes so long, in milliseconds.
    Slow(u64),
    /// Writes so many bytes more.
    Big(usize),
    /// Leaves a file in the manifest's place.
    Manifest,
    /// Leaves a symbolic link.
    Symlink,
    /// Says what it measures, and how often it would write checkpoints.
    Measure,
    /// Reports a number that is none.
    Nan,
    /// Leaves no text.
    NoText,
    /// Hard-links the text of its first input as `linked.txt`.
    LinkInput,
    /// Hard-links this file from outside as `linked.txt`.
    LinkOutside(PathBuf),
    /// Leaves a file in this folder, and goes on until so many are there.
    Meet(PathBuf, usize),
    /// Fails where another stage with the same file runs beside it.
    Alone(PathBuf),
    /// Fails for a reason that passes, until this file has so many bytes: one for each attempt.
    Passing(PathBuf, usize),
    /// Leaves out its own text while this file is there, and says so.
    Incomplete(PathBuf),
    /// Writes how many threads it has.
    Threads,
}

impl Parameters for JoinParams {
    fn check(&self, _: &mut Vec<Problem>) {}
}

impl Stage for Join {
    const KIND: &'static str = "join";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "Joins texts.";
    const PRODUCES: &'static str = "text";
    const INPUTS: &'static [Input] = &[Input {
        name: "texts",
        accepts: "text",
        reads: &[TEXT],
        many: true,
        optional: true,
        doc: "The texts.",
    }];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &["journal", "behaviour", "bytes", "most_threads"];
    const RECORDS: &'static [&'static str] = &["when.txt"];
    type Params = JoinParams;

    fn sources(_: &JoinParams) -> Vec<Source> {
        vec![]
    }

    fn cost(params: &JoinParams, _: u64) -> Cost {
        let processors = NonZeroUsize::new(params.most_threads).map_or(Processors::All, Processors::AtMost);
        Cost { processors, ..Cost::one_thread(params.bytes) }
    }

    fn run(params: &JoinParams, cx: &Context<'_>) -> Result<Summary, Failure> {
        let mut text = String::new();
        for artifact in cx.inputs("texts") {
            text += &fs_err::read_to_string(artifact.path(TEXT)).map_err(io)?;
        }
        text += &params.text;
        text = text.chars().take(params.keep).collect();
        if let Some(path) = &params.journal {
            let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
            std::io::Write::write_all(&mut file, format!("{}\n", cx.stage).as_bytes()).map_err(io)?;
        }
        let incomplete = match &params.behaviour {
            Behaviour::Incomplete(path) if path.exists() => {
                fs_err::write(cx.partial.join("piece"), &text).map_err(io)?;
                text.clear();
                Some("its text was missing when it was made".to_owned())
            }
            _ => None,
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        match &params.behaviour {
            Behaviour::Plain | Behaviour::Nan | Behaviour::Incomplete(_) => {}
            Behaviour::NoText => return Ok(Summary::default()),
            Behaviour::Measure => {
                let values = [("step".to_owned(), 3.0), ("train_loss".to_owned(), 0.625)].into();
                cx.report.emit(Event::Measured(Measured { phase: "train".to_owned(), values }));
                text = cx.checkpoint_every.to_string();
            }
            Behaviour::Random => text += &now.to_string(),
            Behaviour::Fail => {
                fs_err::write(cx.out.join("half.txt"), "half").map_err(io)?;
                return Err(Failure::new("the text is not good", Some("write a better one".to_owned())));
            }
            Behaviour::Panic => panic!("index out of bounds"),
            Behaviour::UntilCancelled => {
                fs_err::write(cx.partial.join("checkpoint"), "half").map_err(io)?;
                loop {
                    cx.cancel.check()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Behaviour::UntilExists(path) => {
                while !path.exists() {
                    cx.cancel.check()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Behaviour::Slow(milliseconds) => std::thread::sleep(Duration::from_millis(*milliseconds)),
            Behaviour::Big(bytes) => fs_err::write(cx.out.join("big"), vec![b'x'; *bytes]).map_err(io)?,
            Behaviour::Manifest => fs_err::write(cx.out.join("artifact.json"), "{}").map_err(io)?,
            Behaviour::Symlink => {
                fs_err::os::unix::fs::symlink("/", cx.out.join("link")).map_err(io)?;
            }
            Behaviour::LinkInput => {
                fs_err::hard_link(cx.inputs("texts")[0].path(TEXT), cx.out.join("linked.txt")).map_err(io)?;
            }
            Behaviour::LinkOutside(path) => fs_err::hard_link(path, cx.out.join("linked.txt")).map_err(io)?,
            Behaviour::Meet(folder, count) => {
                fs_err::create_dir_all(folder).map_err(io)?;
                fs_err::write(folder.join(&cx.stage), "").map_err(io)?;
                let deadline = Instant::now() + Duration::from_secs(60);
                while fs_err::read_dir(folder).map_err(io)?.count() < *count {
                    cx.cancel.check()?;
                    if Instant::now() > deadline {
                        return Err(Failure::new("nobody came", None));
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Behaviour::Alone(path) => {
                let busy = |_| Failure::new("another runs beside it", None);
                fs_err::OpenOptions::new().create_new(true).write(true).open(path).map_err(busy)?;
                std::thread::sleep(Duration::from_millis(60));
                fs_err::remove_file(path).map_err(io)?;
            }
            Behaviour::Passing(path, count) => {
                let before = fs_err::metadata(path).map_or(0, |file| file.len() as usize);
                fs_err::write(path, "x".repeat(before + 1)).map_err(io)?;
                if before < *count {
                    let message = "the file server does not answer".to_owned();
                    return Err(Failure::Failed { message, hint: None, cause: Cause::Passing });
                }
            }
            Behaviour::Threads => text = cx.threads.to_string(),
        }
        fs_err::write(cx.out.join(TEXT), &text).map_err(io)?;
        fs_err::write(cx.out.join("when.txt"), now.to_string()).map_err(io)?;
        let line = format!("{} letters", text.chars().count());
        let mut summary = Summary { line, incomplete, ..Summary::default() };
        if let Behaviour::Nan = params.behaviour {
            summary.metrics.insert("loss".to_owned(), f64::NAN);
        }
        Ok(summary)
    }
}

/// [`Join`] in its next version, which ends a text in "!" where it is not told otherwise.
pub(crate) struct Join2;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join2Params {
    /// Its own text.
    #[serde(default = "exclamation")]
    text: String,
    /// Letters kept of the whole.
    #[serde(default = "all")]
    keep: usize,
}

fn exclamation() -> String {
    "!".to_owned()
}

impl Parameters for Join2Params {
    fn check(&self, _: &mut Vec<Problem>) {}
}

impl Stage for Join2 {
    const KIND: &'static str = Join::KIND;
    const VERSION: u32 = Join::VERSION + 1;
    const SUMMARY: &'static str = Join::SUMMARY;
    const PRODUCES: &'static str = Join::PRODUCES;
    const INPUTS: &'static [Input] = Join::INPUTS;
    const USES_SEED: bool = Join::USES_SEED;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Join2Params;

    fn sources(_: &Join2Params) -> Vec<Source> {
        vec![]
    }

    fn run(params: &Join2Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let (text, keep) = (params.text.clone(), params.keep);
        let behaviour = Behaviour::Plain;
        Join::run(&JoinParams { text, keep, journal: None, behaviour, bytes: 0, most_threads: 1 }, cx)
    }
}

/// Writes the seed.
pub(crate) struct Draw;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DrawParams {}

impl Parameters for DrawParams {
    fn check(&self, _: &mut Vec<Problem>) {}
}

impl Stage for Draw {
    const KIND: &'static str = "draw";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "Draws a number.";
    const PRODUCES: &'static str = "text";
    const INPUTS: &'static [Input] = &[];
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = DrawParams;

    fn sources(_: &DrawParams) -> Vec<Source> {
        vec![]
    }

    fn run(_: &DrawParams, cx: &Context<'_>) -> Result<Summary, Failure> {
        fs_err::write(cx.out.join(TEXT), cx.seed.to_string()).map_err(io)?;
        Ok(Summary::default())
    }
}
