//! Arguments that all commands about a config share: which config, which overrides, which folders.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use pipeline_runner::{RunOptions, Selection};
use pipeline_stage::CheckpointEvery;

use super::Stop;
use crate::config::{self, Job};
use crate::stages::STAGES;

/// Names one job.
#[derive(Debug, clap::Args)]
pub(super) struct JobArguments {
    /// The config: a YAML file that names a pipeline and its numbers
    pub(super) config: PathBuf,
    /// Override a parameter, for example head.lr=0.003; may be given several times
    #[arg(long = "set", value_name = "STAGE.PARAM=VALUE")]
    pub(super) sets: Vec<String>,
}

impl JobArguments {
    /// Reads and checks the files.
    pub(super) fn load(&self) -> Result<Job, Stop> {
        Ok(config::load(&self.config, &self.sets, STAGES)?)
    }
}

/// Where artifacts and links are.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Folders {
    /// Folder of the artifacts [default: .pipeline in the project root]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Folder of the links to current artifacts [default: out in the project root]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Folders {
    /// Whether another store than the project's is named.
    pub(super) fn names_store(&self) -> bool {
        self.store.is_some()
    }

    /// As they were given, for another command.
    pub(super) fn arguments(&self) -> Vec<String> {
        let given = [("--store", &self.store), ("--out", &self.out)];
        let given = given
            .into_iter()
            .filter_map(|(name, dir)| Some([name.to_owned(), dir.as_ref()?.display().to_string()]));
        given.flatten().collect()
    }

    /// Options for the whole of `job`.
    pub(super) fn options(&self, job: &Job) -> RunOptions {
        RunOptions {
            root: job.root.clone(),
            folder: std::env::current_dir().unwrap_or_default(),
            store: self.store.clone().unwrap_or_else(|| job.root.join(".pipeline")),
            out: self.out.clone().unwrap_or_else(|| job.root.join("out")),
            config: job.name.clone(),
            seed: job.seed,
            threads: available_threads(),
            jobs: NonZeroUsize::MIN,
            memory_bytes: None,
            keep_going: false,
            retries: 0,
            checkpoint_every: CheckpointEvery::default(),
            device: pipeline_nn::device::label(pipeline_nn::device::pick()),
            pipeline_version: env!("CARGO_PKG_VERSION").to_owned(),
            selection: Selection::default(),
            shard: None,
            wait_lock: None::<Duration>,
            command: command_line(given()),
        }
    }
}

/// What the process was given. Where that is no UTF-8, as paths may be, it is for people to read only.
pub(super) fn given() -> impl Iterator<Item = String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())
}

/// Arguments as they can be given to a shell.
pub(super) fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_./=:,@%+-".contains(c);
    let quoted = arguments.map(|argument| match argument.is_empty() || !argument.chars().all(is_plain) {
        true => format!("'{}'", argument.replace('\'', r"'\''")),
        false => argument,
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// All processors that this process may use.
pub(super) fn available_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let arguments =
            ["pipeline", "run", "--set", "ingest.root=my 'best' photos", "--set", "a.b=[1, 2]", ""];
        let expected = r"pipeline run --set 'ingest.root=my '\''best'\'' photos' --set 'a.b=[1, 2]' ''";
        let line = command_line(arguments.iter().map(|a| (*a).to_owned()));
        assert_eq!(line, expected);
        let shell = std::process::Command::new("sh").args(["-c", &format!("printf '%s|' {line}")]).output();
        assert_eq!(String::from_utf8_lossy(&shell.unwrap().stdout), arguments.join("|") + "|");
    }
}
