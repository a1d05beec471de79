//! [`Project`]: a temporary project folder, and the built command run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary folder with `pipelines/` and `configs/`.
pub struct Project {
    dir: tempfile::TempDir,
    command: PathBuf,
}

/// What the command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Project {
    /// An empty project for the command at `command` (a test knows it as `env!("CARGO_BIN_EXE_pipeline")`).
    pub fn new(command: &str) -> Self {
        let project = Project { dir: tempfile::tempdir().unwrap(), command: command.into() };
        fs_err::create_dir(project.path("pipelines")).unwrap();
        fs_err::create_dir(project.path("configs")).unwrap();
        project
    }

    /// A path inside the project.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// Reads a text file.
    pub fn read(&self, relative: &str) -> String {
        fs_err::read_to_string(self.path(relative)).unwrap()
    }

    /// The command with these arguments in the project's folder, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.command);
        command.current_dir(self.dir.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("LD_LIBRARY_PATH");
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs the command and expects it to succeed.
    ///
    /// # Panics
    /// With all that was printed, when it does not.
    pub fn succeed(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Runs the command and expects it to end with `code`; returns what it printed to standard error, with
    /// the project's folder replaced by `<project>`.
    ///
    /// # Panics
    /// With all that was printed, when it does not.
    pub fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stderr.replace(&self.dir.path().display().to_string(), "<project>")
    }

    /// The outcome of each stage of a run with `--json`, in order: `ingest fresh`.
    pub fn outcomes(&self, arguments: &[&str]) -> Vec<String> {
        let ran = self.succeed(&[arguments, &["--json"]].concat());
        let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events
            .filter(|event| event["event"] == "stage_finished")
            .map(|event| {
                let outcome = event["report"]["outcome"].as_str().unwrap();
                format!("{} {outcome}", event["stage"].as_str().unwrap())
            })
            .collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A file or folder of the photos and weights that lie beside the project (or in `PIPELINE_SHARED`) and are
/// not part of it. Prints that the test is skipped where it is absent.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("PIPELINE_SHARED").map_or(beside, PathBuf::from);
    let path = folder.join(relative);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    fs_err::canonicalize(path).ok()
}
