//! `pipeline verify`: every byte of artifacts, against their manifests.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pipeline_runner::verify::{self, Verified, WayOut};
use pipeline_runner::{Error, Store};
use pipeline_stage::exit;
use serde_json::json;

use super::interrupt::Interrupt;
use super::job::command_line;
use super::store_folder::{StoreFolder, shown};
use super::{Stop, stop};
use crate::config::{self, Job};
use crate::stages::STAGES;
use crate::terminal::{Header, Screen, Style, Teller, watch, words};

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

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let started = Instant::now();
    let job = arguments.config.as_deref().map(|path| config::load(path, &[], STAGES)).transpose()?;
    let default = job.as_ref().map_or_else(|| arguments.store.dir(), |job| job.root.join(".pipeline"));
    let dir = arguments.store.named().unwrap_or(&default);
    let verified = || -> Result<(Vec<Verified>, Without), Error> {
        let store = Store::existing(dir)?;
        let (targets, without) = match &job {
            Some(job) => arguments.current(job, &store)?,
            None => (verify::all(&store)?, Without::default()),
        };
        let header = Header { width: "verify".len(), ..Header::default() };
        let observer = watch(Style::choose(arguments.json, false, screen), &header, screen);
        let teller = Teller { name: "verify", observer: observer.as_ref() };
        Ok((verify::verify(targets, &teller, &interrupt.cancel)?, without))
    };
    let (verified, without) = verified().map_err(|error| stop(&error, &interrupt))?;

    let damaged = verified.iter().filter(|artifact| !artifact.faults.is_empty()).count();
    let unread = verified.iter().filter(|artifact| !artifact.unreadable.is_empty()).count();
    let bytes: u64 = verified.iter().map(|artifact| artifact.size_bytes).sum();
    if arguments.json {
        screen.json(&json!({
            "artifacts": verified, "without_artifact": without.missing, "collected": without.collected, "damaged": damaged, "unreadable": unread,
            "size_bytes": bytes, "wall_seconds": started.elapsed().as_secs_f64(),
        }));
    } else {
        let config = arguments.config.as_deref();
        verified.iter().for_each(|artifact| show(artifact, config, dir, screen));
        for stage in &without.missing {
            screen.line(&format!("{stage} has no artifact yet"));
        }
        for stage in &without.collected {
            screen.line(&format!("{stage} was collected by gc: nothing to check"));
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

/// Stages of a config that have nothing to check.
#[derive(Default)]
struct Without {
    /// They have no artifact yet.
    missing: Vec<String>,
    /// `gc` removed their artifacts.
    collected: Vec<String>,
}

impl Arguments {
    /// The current artifacts of the stages of `job`, and the stages that have none.
    fn current(&self, job: &Job, store: &Store) -> Result<(Vec<verify::Target>, Without), Error> {
        let out = self.out.clone().unwrap_or_else(|| job.root.join("out")).join(&job.name);
        let (mut targets, mut without): (Vec<verify::Target>, Without) = (vec![], Without::default());
        for name in job.graph.names() {
            let link = out.join(name);
            match verify::current(&link)? {
                None if store.collected(&link).is_some() => without.collected.push(name.to_owned()),
                None => without.missing.push(name.to_owned()),
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

/// Where the config `job` usually is: in `configs/`, beside the folder of its links or beside the store.
fn config_of(link: &Path, job: &str, store: &Path) -> String {
    let roots = [link.ancestors().nth(3), store.parent()].into_iter().flatten();
    let folders = roots.map(|root| root.join("configs"));
    let files =
        folders.flat_map(|folder| ["yaml", "yml"].map(|ending| folder.join(format!("{job}.{ending}"))));
    files.into_iter().find(|file| file.is_file()).map_or(format!("configs/{job}.yaml"), |file| shown(&file))
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
    if let Some((config, _)) = job.split_once('@') {
        return format!("make it again: the sweep of {config} that made out/{job}");
    }
    let config = config.map_or_else(|| config_of(link, &job, store), |config| config.display().to_string());
    let mut command = vec!["pipeline".to_owned(), "run".to_owned(), config];
    // A run looks at sizes, and would take it for whole.
    if !is(WayOut::Run) {
        command.extend(["--force".to_owned(), stage]);
    }
    format!("make it again: {}", command_line(command.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_runner::verify::Fault;

    /// The way out of an artifact that is damaged so, with this link.
    fn way(root: &Path, store: &Path, link: &str, way_out: WayOut) -> String {
        let fault = Fault { file: String::new(), found: String::new(), expected: String::new(), way_out };
        let artifact = Verified {
            kind: "head".to_owned(),
            key: None,
            path: PathBuf::new(),
            links: [root.join(link)].into(),
            files: 1,
            size_bytes: 1,
            faults: vec![fault],
            unreadable: vec![],
        };
        super::way_out(&artifact, None, store).replace(&format!("{}/", root.display()), "")
    }

    #[test]
    fn the_way_out_names_the_config_in_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let way = |link: &str, way_out| way(root, &root.join("disk/store"), link, way_out);
        let again = "make it again: pipeline run";
        assert_eq!(way("out/c/head", WayOut::Run), format!("{again} configs/c.yaml"));
        fs_err::create_dir(root.join("configs")).unwrap();
        fs_err::write(root.join("configs/c.yml"), "").unwrap();
        assert_eq!(way("out/c/head", WayOut::Force), format!("{again} configs/c.yml --force head"));
        // Where the links are elsewhere, the store may be in the project.
        fs_err::create_dir_all(root.join("disk/configs")).unwrap();
        fs_err::write(root.join("disk/configs/d.yaml"), "").unwrap();
        assert_eq!(way("else/where/d/head", WayOut::Run), format!("{again} disk/configs/d.yaml"));
        assert_eq!(
            way("out/c@head.lr=0.1/head", WayOut::Run),
            "make it again: the sweep of c that made out/c@head.lr=0.1"
        );
        assert_eq!(way("out/c/head", WayOut::MoveAway), "move away what does not belong there");
    }
}
