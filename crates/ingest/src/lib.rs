//! The `ingest` stage: a folder of photos becomes a clean table and an honest list of what was wrong.
//!
//! In: a folder of photos, whose classes and splits are told by folders, names or a table, or drawn (an archive of that
//! is unpacked before the stage is called). Out: `images.parquet`, `classes.json`, `ingest.json`,
//! `ingest.html`; see
//! `README.md`. Every file is decoded once, so that later stages meet no surprise. Bad files get a verdict
//! and are left out by the stages that follow; the user's files are never moved or changed.

mod appearance;
mod balance;
mod content;
mod duplicates;
mod error;
mod findings;
mod layout;
mod leaks;
mod listed;
mod look;
mod memo;
mod near;
mod outline;
mod page;
mod repeated;
mod statistics;
mod tables;

use std::path::PathBuf;

use pipeline_stage::params::{Parameters, Problem, SourcePath, check_part};
use pipeline_stage::source::{Remote, Shape, check_fetch};
use pipeline_stage::{Context, Cost, Event, Failure, Input, Source, Stage, Summary, words};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{ImagesWriter, Verdict};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use balance::MOST_UNEVEN;
use duplicates::{Duplicates, Seen};
pub use error::Error;
use findings::Findings;
use layout::Layout;
pub use layout::{Columns, Draw, GroupBy, LayoutError, LayoutKind, SplitsFrom};
pub use leaks::OnLeak;
use memo::{Known, Memo};
pub use outline::{ClassOutline, Outline};
use repeated::{Names, Repeated};

/// The stage kind `ingest`.
#[derive(Debug, Clone, Copy)]
pub struct Ingest;

/// File name of the counts and findings.
pub const FINDINGS_FILE: &str = "ingest.json";

/// File name of the page that shows them.
pub const PAGE_FILE: &str = "ingest.html";

/// Of [`Params::near_duplicates`]. Of 5,200 photos of cats and dogs (13 million pairs) none of two motifs is at 8 bits or less, and
/// all of 400 photos are at 4 or less after scaling to a quarter at JPEG quality 30.
const NEAR_DUPLICATES: u32 = 4;

/// Beyond it most of what is found would be chance.
const MOST_NEAR_DUPLICATES: u32 = 16;

/// Files looked at between two writes; bounds the memory and keeps all threads busy.
const CHUNK: usize = 1024;

/// Parameters of `ingest`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Folder of the photos, or a zip or tar archive of it.
    pub root: SourcePath,
    /// Address of a zip or tar archive that is fetched and unpacked to `root` when `root` is not there.
    #[serde(default)]
    pub fetch: Option<String>,
    /// SHA-256 that the fetched archive must have, or at least its first 8 digits; without it the first one fetched is recorded.
    #[serde(default)]
    pub fetch_sha256: Option<String>,
    /// What to do with files that cannot be used: `quarantine` lists them and goes on, `fail` stops.
    #[serde(default)]
    pub on_bad: OnBad,
    /// What to do with photos that are in more than one split: `warn`, `drop_from_train` sets those of train aside, `fail` stops.
    #[serde(default)]
    pub on_leak: OnLeak,
    /// Photos that differ in at most so many of the 64 bits of a perceptual hash look the same, 0 to 16.
    #[serde(default = "near_duplicates")]
    #[schemars(range(max = 16))]
    pub near_duplicates: u32,
    /// What says the class of a photo. Without it that is told from what lies in `root`.
    #[serde(default)]
    pub layout: Option<LayoutKind>,
    /// How photos are drawn for valid and test where neither folders nor a table say the split.
    #[serde(default)]
    pub split: Option<Draw>,
    /// Regular expression with a group `label` that finds the class in a file's name: `^(?<label>[a-z]+)\.` for `cat.123.jpg`.
    #[serde(default)]
    pub label_pattern: Option<String>,
    /// The table that says the class of each photo.
    #[serde(default)]
    pub table: Option<Columns>,
}

fn near_duplicates() -> u32 {
    NEAR_DUPLICATES
}

/// What to do with files that cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBad {
    /// List them and go on without them.
    #[default]
    Quarantine,
    /// Stop.
    Fail,
}

impl Parameters for Params {
    fn check(&self, problems: &mut Vec<Problem>) {
        if self.root.0.as_os_str().is_empty() {
            problems.push(Problem::new("root", "expected a folder, found an empty text"));
        }
        let (fetch, sha256) = (self.fetch.as_deref(), self.fetch_sha256.as_deref());
        if self.near_duplicates > MOST_NEAR_DUPLICATES {
            let found = self.near_duplicates;
            let message = format!("expected 0 to {MOST_NEAR_DUPLICATES} bits, found {found}");
            problems.push(Problem::new("near_duplicates", message));
        }
        check_fetch(fetch, sha256, ("root", Some(&self.root.0)), problems);
        self.check_layout(problems);
    }
}

impl Params {
    /// Those of a folder where nothing else is said.
    pub(crate) fn of_root(root: PathBuf) -> Params {
        Params {
            root: SourcePath(root),
            fetch: None,
            fetch_sha256: None,
            on_bad: OnBad::default(),
            on_leak: OnLeak::default(),
            near_duplicates: NEAR_DUPLICATES,
            layout: None,
            split: None,
            label_pattern: None,
            table: None,
        }
    }

    /// What says the classes, where the parameters say it.
    fn kind(&self) -> Option<LayoutKind> {
        let pattern = self.label_pattern.as_ref().map(|_| LayoutKind::NamePattern);
        let group_by = self.split.as_ref().and_then(|draw| draw.group_by.as_ref());
        let has_table = self.table.is_some() || matches!(group_by, Some(GroupBy::Column(_)));
        self.layout.or(pattern).or(has_table.then_some(LayoutKind::Table))
    }

    fn check_layout(&self, problems: &mut Vec<Problem>) {
        let kind = self.kind();
        if let Some(pattern) = &self.label_pattern {
            layout::check_pattern(pattern, problems);
            if kind != Some(LayoutKind::NamePattern) {
                let message = "expected it with `layout: name_pattern` only";
                problems.push(Problem::new("label_pattern", message).hint("remove one of the two"));
            }
        } else if kind == Some(LayoutKind::NamePattern) {
            let message = "expected `label_pattern` beside `name_pattern`, found none";
            let example = r"add `label_pattern: '^(?<label>[a-z]+)\.'` for cat.123.jpg";
            problems.push(Problem::new("layout", message).hint(example));
        }
        if self.table.is_some() && kind != Some(LayoutKind::Table) {
            let message = "expected it with `layout: table` only";
            problems.push(Problem::new("table", message).hint("remove one of the two"));
        }
        if let Some(draw) = &self.split {
            check_part("split", problems, |problems| draw.check(problems));
            if matches!(draw.group_by, Some(GroupBy::Column(_)))
                && kind.is_some_and(|k| k != LayoutKind::Table)
            {
                let message = "expected a column with `layout: table` only";
                let problem = Problem::new("group_by", message).under("split");
                problems.push(problem.hint("set `regex` to find the group in the photo's id"));
            }
        }
    }
}

impl Stage for Ingest {
    const KIND: &'static str = "ingest";
    const VERSION: u32 = 4;
    const SUMMARY: &'static str = "a folder of photos becomes a clean table and a list of what was wrong";
    const PRODUCES: &'static str = "images";
    const INPUTS: &'static [Input] = &[];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &["root", "fetch", "fetch_sha256"];
    type Params = Params;

    fn sources(params: &Params) -> Vec<Source> {
        let fetch = Remote::of(params.fetch.as_ref(), params.fetch_sha256.as_ref());
        vec![Source {
            name: PHOTOS,
            param: "root",
            path: params.root.0.clone(),
            shape: Shape::Tree,
            missing_hint: match &fetch {
                Some(remote) => format!(
                    "get {} in another way and put it at {{path}}.{}, or set `root` to the folder of the photos",
                    remote.url,
                    remote.archive_ending()
                ),
                None => "set `root` to the folder of the photos, or `fetch` to the address of a zip or tar archive of it"
                    .to_owned(),
            },
            fetch,
        }]
    }

    fn cost(_: &Params, _: u64) -> Cost {
        // A decoded photo and its file in each thread; a photo of 24 megapixels is 72 MB.
        Cost::any_threads(200_000_000, 150_000_000)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let layout = Layout::of(cx.source(PHOTOS), params, cx.cancel)?;
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(cx.threads.get()).build().map_err(Error::Threads)?;

        let progress = cx.progress("photos looked at", Some(layout.files.len() as u64), "photos");
        let mut writer = ImagesWriter::create(&cx.out.join(IMAGES_FILE))?;
        let mut findings = Findings::new(&layout);
        let mut seen = Vec::with_capacity(layout.files.len());
        let mut rows = 0;
        let mut memo = Memo::of(cx.memo.as_deref(), cx.source(PHOTOS), &cx.partial);
        let (mut read, mut known) = (0, 0);
        for chunk in layout.files.chunks(CHUNK) {
            let known_before: Vec<Option<Known>> = chunk.iter().map(|file| memo.take(&file.id)).collect();
            let looked: Vec<(look::Looked, Option<Known>)> = pool.install(|| {
                chunk
                    .par_iter()
                    .zip(known_before)
                    .map(|(file, known)| {
                        let looked = look::look(file, &layout.classes, known)?;
                        progress.add(1)?;
                        Ok(looked)
                    })
                    .collect::<Result<_, Failure>>()
            })?;
            for (looked, now_known) in looked {
                if let Some(now_known) = now_known {
                    memo.keep(&now_known);
                    *if looked.was_read { &mut read } else { &mut known } += 1;
                }
                writer.write(&looked.row)?;
                if looked.row.verdict == Verdict::Bad && params.on_bad == OnBad::Fail {
                    // Whoever mends or removes the file runs this again.
                    memo.finish();
                    let (id, detail) = (looked.row.id, looked.detail);
                    return Err(Error::BadFile { id, detail }.into());
                }
                findings.add(&looked);
                seen.extend(seen_of(&looked, rows));
                rows += 1;
            }
        }
        writer.finish()?;
        memo.finish();
        if known > 0 {
            cx.report.emit(Event::Note(format!(
                "{} read, {} as they were when they were looked at before",
                words::count(read),
                words::count(known)
            )));
        }

        let bits = params.near_duplicates;
        let found = pool.install(|| Duplicates::find(&seen, bits, near::BUDGET, cx.cancel))?;
        let names = Names { seen: &seen, files: &layout.files, classes: &layout.classes };
        match params.on_leak {
            OnLeak::Warn => {}
            OnLeak::Fail => leaks::refuse(&found, &names)?,
            OnLeak::DropFromTrain => {
                leaks::drop_from_train(&cx.out.join(IMAGES_FILE), &found, &names, &mut findings, cx.cancel)?;
            }
        }
        findings.repeated =
            Some(Repeated::new(&found, &names, bits, params.on_leak == OnLeak::DropFromTrain));
        findings.check_classes()?;
        findings.conclude();
        classes::write(&cx.out.join(CLASSES_FILE), &layout.classes)?;
        findings.write(&cx.out.join(FINDINGS_FILE))?;
        let page = cx.out.join(PAGE_FILE);
        pool.install(|| page::write(&page, &findings, cx.source(PHOTOS), cx.cancel))?;
        Ok(findings.summary())
    }
}

/// What is kept of a usable photo, which is that row of the table.
fn seen_of(looked: &look::Looked, row: u32) -> Option<Seen> {
    let is_usable = looked.row.verdict != Verdict::Bad;
    is_usable.then_some(Seen {
        row,
        split: looked.row.split,
        label_id: looked.row.label_id,
        digest: looked.digest,
        hash: looked.row.appearance.and_then(|look| look.phash),
        transparent: looked.transparent,
    })
}

/// A file of the data set, not looked at yet.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path relative to the data root, with `/`; bytes that are no text are escaped.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    pub(crate) split: pipeline_table::Split,
    /// Number of its class.
    pub(crate) label_id: Option<u32>,
    /// Why it cannot be used whatever its content.
    pub(crate) misplaced: Option<layout::Misplaced>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(value: serde_json::Value) -> Params {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_photos_are_one_tree_that_may_be_fetched() {
        let url = "https://a.example/b.zip";
        let sources =
            Ingest::sources(&params(json!({"root": "data/x", "fetch": url, "fetch_sha256": "0123abcd"})));
        assert_eq!(sources.len(), 1);
        let remote = Remote { url: url.to_owned(), sha256: Some("0123abcd".to_owned()) };
        assert_eq!((sources[0].name, sources[0].param, sources[0].shape), (PHOTOS, "root", Shape::Tree));
        assert_eq!((&sources[0].path, &sources[0].fetch), (&PathBuf::from("data/x"), &Some(remote)));
        assert_eq!(Ingest::sources(&params(json!({"root": "data/x"})))[0].fetch, None);
    }

    #[test]
    fn impossible_parameters_are_problems() {
        let mut problems = Vec::new();
        params(json!({"root": "", "fetch": "b.zip", "fetch_sha256": "0123ABCD", "near_duplicates": 17}))
            .check(&mut problems);
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "expected a folder, found an empty text",
                "expected 0 to 16 bits, found 17",
                "expected an address that begins with http:// or https://, found `b.zip`",
                "expected 8 to 64 lower-case hexadecimal digits, found `0123ABCD`",
            ]
        );
    }

    #[test]
    fn parameters_of_layouts_that_do_not_fit_together_are_problems() {
        let problem = |mut value: serde_json::Value| {
            value["root"] = json!("data/x");
            let mut problems = Vec::new();
            params(value).check(&mut problems);
            let text = |p: Problem| format!("{}: {}", p.path.join("."), p.message);
            problems.into_iter().map(text).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(problem(json!({"label_pattern": r"^(?<label>[a-z]+)\.", "split": {}})), "");
        assert_eq!(
            problem(json!({"layout": "name_pattern"})),
            "layout: expected `label_pattern` beside `name_pattern`, found none"
        );
        assert_eq!(
            problem(json!({"label_pattern": "x"})),
            "label_pattern: expected a group `(?<label>...)`, found none in `x`"
        );
        assert_eq!(
            problem(json!({"label_pattern": "(?<label>x)", "table": {}})),
            "table: expected it with `layout: table` only"
        );
        assert_eq!(
            problem(json!({"label_pattern": "(?<label>x)", "layout": "table"})),
            "label_pattern: expected it with `layout: name_pattern` only"
        );
        assert_eq!(
            problem(
                json!({"layout": "class_folders", "split": {"valid": 1, "group_by": {"column": "owner"}}})
            ),
            "split.valid: expected a share above 0 and below 1, found 1; split.group_by: expected a column with `layout: table` only"
        );
    }
}
