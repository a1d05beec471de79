//! `pipeline verify`: every byte of artifacts, against their manifests.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pipeline_runner::verify::{self, Verified, WayOut};
use pipeline_runner::{Error, Observer, Store};
use pipeline_stage::{Event, Report, exit};
use serde_json::json;

use super::interrupt::Interrupt;
use super::job::command_line;
use super::store_folder::{StoreFolder, shown};
use super::{Stop, stop};
use crate::config::{self, Job};
use crate::stages::STAGES;
use crate::terminal::{Header, Screen, Style, watch, words};

/// Check every byte of artifacts against their manifests; changes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline verify configs/dogscats.yaml\n  pipeline verify --all\n\n\
    Exit code 5 says that something is damaged, 1 that something could not be read.")]
#[command(group(clap::ArgGroup::new("which").required(true).args(["config", "all"])))]
pub(super) struct Arguments {
    /// The config whose current artifacts are checked
    config: Option<PathBuf>,
    /// Check every artifact of the store, also those of other configs and of none
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    store: StoreFolder,
    /// Folder of the links to current artifacts [default: out in the project root]
    #[arg(long, value_name = "DIR", conflicts_with = "all")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Shows the work as runs show their stages.
struct Told<'a>(&'a dyn Observer);

impl Report for Told<'_> {
    fn emit(&self, event: Event) {
        self.0.stage_event("verify", &event);
    }
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let started = Instant::now();
    let job = arguments.config.as_deref().map(|path| config::load(path, &[], STAGES)).transpose()?;
    let default = job.as_ref().map_or_else(|| arguments.store.dir(), |job| job.root.join(".pipeline"));
    let dir = arguments.store.named().unwrap_or(&default);
    let verified = || -> Result<(Vec<Verified>, Vec<String>), Error> {
        let store = Store::existing(dir)?;
        let (targets, without) = match &job {
            Some(job) => arguments.current(job)?,
            None => (verify::all(&store)?, vec![]),
        };
        let header = Header { width: "verify".len(), ..Header::default() };
        let observer = watch(Style::choose(arguments.json, false, screen), &header, screen);
        Ok((verify::verify(targets, &Told(observer.as_ref()), &interrupt.cancel)?, without))
    };
    let (verified, without) = verified().map_err(|error| stop(&error, &interrupt))?;

    let damaged = verified.iter().filter(|artifact| !artifact.faults.is_empty()).count();
    let unread = verified.iter().filter(|artifact| !artifact.unreadable.is_empty()).count();
    let bytes: u64 = verified.iter().map(|artifact| artifact.size_bytes).sum();
    if arguments.json {
        screen.json(&json!({
            "artifacts": verified, "without_artifact": without, "damaged": damaged, "unreadable": unread,
            "size_bytes": bytes, "wall_seconds": started.elapsed().as_secs_f64(),
        }));
    } else {
        let config = arguments.config.as_deref();
        verified.iter().for_each(|artifact| show(artifact, config, dir, screen));
        for stage in &without {
            screen.line(&format!("{stage} has no artifact yet"));
        }
        let count = verified.len();
        let artifacts = if count == 1 { "artifact" } else { "artifacts" };
        let found = match (damaged, unread) {
            (0, 0) => "all whole".to_owned(),
            (damaged, 0) => format!("{damaged} damaged"),
            (damaged, unread) => format!("{damaged} damaged, {unread} not readable"),
        };
        let (size, time) = (words::size(bytes), words::duration(started.elapsed().as_secs_f64()));
        screen.line(&format!("{count} {artifacts}, {size}: {found}   ({time})"));
    }
    Ok(match (damaged, unread) {
        (0, 0) => exit::DONE,
        (0, _) => exit::STAGE_FAILED,
        _ => exit::DAMAGED,
    })
}

impl Arguments {
    /// The current artifacts of the stages of `job`, and the stages that have none.
    fn current(&self, job: &Job) -> Result<(Vec<verify::Target>, Vec<String>), Error> {
        let out = self.out.clone().unwrap_or_else(|| job.root.join("out")).join(&job.name);
        let (mut targets, mut without): (Vec<verify::Target>, Vec<String>) = (vec![], vec![]);
        for name in job.graph.names() {
            match verify::current(&out.join(name))? {
                None => without.push(name.to_owned()),
                // Two stages may have one artifact.
                Some(target) => match targets.iter_mut().find(|known| known.dir == target.dir) {
                    Some(known) => known.links.extend(target.links),
                    None => targets.push(target),
                },
            }
        }
        Ok((targets, without))
    }
}

/// Prints what is wrong with an artifact, and the way out.
fn show(artifact: &Verified, config: Option<&Path>, store: &Path, screen: &Screen) {
    let links: Vec<String> = artifact.links.iter().map(|link| shown(link)).collect();
    let links = if links.is_empty() { "no link leads to it".to_owned() } else { links.join(", ") };
    let key = artifact.key.map_or_else(|| shown(&artifact.path), |key| key.short());
    let name = format!("{} {key} ({links})", artifact.kind);
    if !artifact.faults.is_empty() {
        let faults =
            artifact.faults.iter().map(|f| format!("\n{}: {}, expected {}", f.file, f.found, f.expected));
        let message = format!("{name} is damaged{}", faults.collect::<String>());
        screen.failure(&message, Some(&way_out(artifact, config, store)));
    }
    for reason in &artifact.unreadable {
        screen.failure(&format!("{name} cannot be read: {reason}"), None);
    }
}

/// The command that makes an artifact whole again.
fn way_out(artifact: &Verified, config: Option<&Path>, store: &Path) -> String {
    let is = |way: WayOut| artifact.faults.iter().any(|fault| fault.way_out == way);
    if !is(WayOut::Run) && !is(WayOut::Force) {
        return "move away what does not belong there".to_owned();
    }
    let Some(link) = artifact.links.first() else {
        return "nothing uses it: `pipeline gc` removes it".to_owned();
    };
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    let (stage, job) = (name(Some(link)), name(link.parent()));
    // Where configs usually are, beside the store.
    let usual = store.with_file_name("configs").join(&job).with_extension("yaml");
    let config = match config {
        Some(config) => config.display().to_string(),
        None if usual.is_file() => shown(&usual),
        None => format!("{job}.yaml"),
    };
    let mut command = vec!["pipeline".to_owned(), "run".to_owned(), config];
    // A run looks at sizes, and would take it for whole.
    if !is(WayOut::Run) {
        command.extend(["--force".to_owned(), stage]);
    }
    format!("make it again: {}", command_line(command.into_iter()))
}
