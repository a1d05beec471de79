//! `pipeline doctor`: whether this machine and this project are ready for a run, and what to do where they are not.
//!
//! Each check looks with what a run uses, in a thread of its own, and is given up where it takes too long; nothing is written but a
//! temporary folder, which is removed.
//!
//! - `check`: what a check says, and how it is asked.
//! - the others: a check each, or a few of a kind.

mod check;
mod device;
mod disk;
mod memory;
mod processor;
mod python;
mod sources;
mod store;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_stage::exit;
use serde_json::json;

use super::Stop;
use super::store_folder::{StoreFolder, above};
use crate::config::{self, Job, project_root};
use crate::stages::STAGES;
use crate::terminal::Screen;
use check::{Asked, Check, Standing};

/// A check that takes longer is given up: a file server that does not answer, a device that hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// libtorch and weights have hundreds of megabytes, which a slow disk takes a while to read.
const READING_LIMIT: Duration = Duration::from_secs(60);

/// Check whether this machine and project are ready for a run, and say what to do where they are not
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline doctor\n  pipeline doctor configs/dogscats.yaml\n\n\
    Each check is ok, a note (worth knowing, no run stops for it) or a problem (a run would stop); the exit code is 1 where there is a problem.\n\
    With --json: {\"checks\": [{\"name\", \"standing\", \"found\", \"hint\"}], \"problems\", \"notes\"}.\n\
    Python's packages are looked for in the Python that PIPELINE_PYTHON names, else in python3 on the path; no run needs them.")]
pub(super) struct Arguments {
    /// A config: it is validated, and its photos and weights are looked for
    config: Option<PathBuf>,
    #[command(flatten)]
    store: StoreFolder,
    /// Print the checks as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.config.clone().map(|config| validated(&config));
    let (config, job) = job.map_or((None, None), |(check, job)| (Some(check), job));
    let folder = std::env::current_dir().unwrap_or_default();
    let root = match (&job, &arguments.config) {
        (Some(job), _) => job.root.clone(),
        (None, Some(config)) => project_root(config),
        (None, None) => above(&folder),
    };
    let store = arguments.store.named().map_or_else(|| root.join(".pipeline"), Path::to_owned);

    let sources = job.as_ref().map(sources::of);
    let at = store.clone();
    let asked = [
        Asked::begin("libtorch", READING_LIMIT, device::libtorch),
        Asked::begin("device", READING_LIMIT, device::device),
        Asked::begin("processor", READING_LIMIT, processor::processor),
        Asked::begin("threads", LIMIT, processor::threads),
        Asked::begin("memory", LIMIT, memory::memory),
        Asked::begin("disk", LIMIT, move || disk::disk(&store)),
        Asked::begin("store", LIMIT, move || store::store(&at)),
        Asked::begin("sources", READING_LIMIT, move || match sources {
            Some(sources) => sources::sources(&sources, &root),
            None => sources::official_weights(&root),
        }),
        Asked::begin("python", LIMIT, python::python),
        Asked::begin("terminal", LIMIT, terminal::terminal),
    ];
    let checks: Vec<Check> = config.into_iter().chain(asked.into_iter().flat_map(Asked::end)).collect();
    show(&checks, arguments.json, screen);
    let is_sound = checks.iter().all(|check| check.standing != Standing::Problem);
    Ok(if is_sound { exit::DONE } else { exit::STAGE_FAILED })
}

/// Whether a config is valid, and the job that it is.
fn validated(config: &Path) -> (Check, Option<Job>) {
    let path = config.to_owned();
    let loaded = check::within(LIMIT, move || config::load(&path, &[], STAGES));
    match loaded {
        Some(Ok(job)) => {
            let found = format!(
                "{} is valid: {}, {} stages",
                config.display(),
                job.pipeline,
                job.graph.nodes().len()
            );
            (Check::ok("config", found), Some(job))
        }
        Some(Err(faults)) => {
            let more =
                if faults.len() > 1 { format!(", and {} more", faults.len() - 1) } else { String::new() };
            let first = faults.first();
            let found = first.map_or_else(String::new, |fault| fault.to_string().replace('\n', ", "));
            let hint = first.and_then(|fault| fault.hint.clone());
            let hint = hint.unwrap_or_else(|| "`pipeline validate` says all that is wrong".to_owned());
            (Check::problem("config", found + &more, hint), None)
        }
        None => (Check::unanswered("config", LIMIT), None),
    }
}

fn show(checks: &[Check], json: bool, screen: &Screen) {
    let count = |standing| checks.iter().filter(|check| check.standing == standing).count();
    let (problems, notes) = (count(Standing::Problem), count(Standing::Note));
    if json {
        return screen.json(&json!({"checks": checks, "problems": problems, "notes": notes}));
    }
    checks.iter().for_each(|check| screen.line(&check.text()));
    let some = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    screen.line(&match problems {
        0 => format!("ready for a run; {}", some(notes, "note")),
        n => format!("not ready for a run: {}, {}", some(n, "problem"), some(notes, "note")),
    });
}
