//! `cargo xtask bench noop`: a folder of small photos, and what the command takes for it when nothing changed.
//!
//! The job has three stages. Beside it, in turn, DVC on the same folder with one stage that does nothing: the least that
//! it can be given to do. Times are of whole processes, from start to exit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::photo::bmp;
use crate::error::Error;
use crate::step::{self, Outcome};
use crate::workspace::Workspace;
use crate::{libtorch, prerequisites, process, quickstart, weights};

/// How large, how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Photos in the folder.
    #[arg(long, default_value_t = 25_000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    photos: u32,
    /// Runs of each command; the median is printed.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// DVC: `python3 -m venv dvc && dvc/bin/pip install dvc` makes `dvc/bin/dvc`.
    #[arg(long, default_value = "dvc")]
    dvc: PathBuf,
}

/// The job: the stages that are quick to run once. Further ones cost an unchanged run no more than these two small ones.
const CONFIG: &str = "\
pipeline: noop
ingest:   { root: photos }
backbone: { arch: efficientnet_lite0, weights: WEIGHTS }
";

/// Its stages.
const PIPELINE: &str = "\
stages:
  ingest:   { kind: ingest }
  augment:  { kind: augment, inputs: { images: ingest } }
  backbone: { kind: backbone }
";

/// The same folder as the one input of a command that does nothing.
const DVC: &str = "\
stages:
  nothing:
    cmd: echo nothing > nothing.txt
    deps: [photos]
    outs: [nothing.txt]
";

/// Draws the folder, measures, prints.
///
/// # Errors
/// Set-up, a command that fails, and an unchanged job with something to do.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    prerequisites::check(&[prerequisites::Need::Pip, prerequisites::Need::Compiler])?;
    {
        let _lock = workspace.lock()?;
        step::run("libtorch", || libtorch::ensure(workspace, None))?;
        step::run("weights", || weights::ensure(workspace))?;
    }
    let command = quickstart::build(workspace)?;
    // Beside the command: on the disk that people build on, where `cargo clean` removes it.
    let folder = command.with_file_name("bench-noop");
    step::run("photos", || {
        draw(&folder, options.photos)?;
        // Files changed less than two seconds ago are hashed again: they are not remembered yet.
        std::thread::sleep(Duration::from_secs(3));
        Ok(Outcome::done("drawn", "32 x 32 pixels, BMP"))
    })?;
    let config = CONFIG.replace("WEIGHTS", &weights::path(workspace).display().to_string());
    fs_err::create_dir(folder.join("configs"))?;
    fs_err::create_dir(folder.join("pipelines"))?;
    fs_err::write(folder.join("configs/noop.yaml"), config)?;
    fs_err::write(folder.join("pipelines/noop.yaml"), PIPELINE)?;
    fs_err::write(folder.join("dvc.yaml"), DVC)?;

    let pipeline = Program { path: &command, folder: &folder };
    let first = pipeline.time(&["status", "configs/noop.yaml"])?;
    step::run("first run", || {
        pipeline.time(&["run", "configs/noop.yaml"]).map(|_| Outcome::done("made", "3 stages"))
    })?;
    pipeline.time(&["run", "configs/noop.yaml", "--dry-run", "--check"])?;

    let version = process::ask(&options.dvc, &["--version"]);
    let dvc = version.as_ref().map(|_| Program { path: &options.dvc, folder: &folder });
    let dvc_first = dvc.as_ref().map(|dvc| {
        dvc.time(&["init", "--quiet", "--no-scm"])?;
        dvc.time(&["config", "core.analytics", "false"])?;
        dvc.time(&["repro"])
    });
    let dvc_first = dvc_first.transpose()?;

    let (mut status, mut run, mut dvc_status, mut dvc_repro) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        status.push(pipeline.time(&["status", "configs/noop.yaml"])?);
        run.push(pipeline.time(&["run", "configs/noop.yaml"])?);
        if let Some(dvc) = &dvc {
            dvc_status.push(dvc.time(&["status"])?);
            dvc_repro.push(dvc.time(&["repro"])?);
        }
    }
    fs_err::remove_dir_all(&folder)?;

    step::text(&format!(
        "\n{} photos; {}; median of {} (fastest to slowest)",
        options.photos,
        process::processor(),
        options.rounds
    ));
    let name = version.map(|version| format!("dvc {version}"));
    step::text(&line("", "pipeline", name.as_deref().unwrap_or("no dvc: see --help"), ""));
    step::text(&compared("first look: every file hashed", vec![first], dvc_first.into_iter().collect()));
    step::text(&compared("status, nothing changed", status, dvc_status));
    step::text(&compared("run (repro), nothing changed", run, dvc_repro));
    Ok(())
}

/// Makes `folder` anew, with a tenth of the photos to validate on.
fn draw(folder: &Path, photos: u32) -> Result<(), Error> {
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    for split in ["train", "valid"] {
        for class in ["cats", "dogs"] {
            fs_err::create_dir_all(folder.join("photos").join(split).join(class))?;
        }
    }
    for number in 0..photos {
        let split = if number % 10 == 0 { "valid" } else { "train" };
        let class = if number / 10 % 2 == 0 { "cats" } else { "dogs" };
        let path = folder.join("photos").join(split).join(class).join(format!("{class}.{number}.bmp"));
        fs_err::write(path, bmp(number))?;
    }
    Ok(())
}

/// A program that is run in a folder.
struct Program<'a> {
    path: &'a Path,
    folder: &'a Path,
}

impl Program<'_> {
    /// How long it takes. What it prints is read and dropped.
    fn time(&self, arguments: &[&str]) -> Result<Duration, Error> {
        let mut command = Command::new(self.path);
        command.current_dir(self.folder).args(arguments).stdout(Stdio::null());
        let started = Instant::now();
        process::run(&mut command)?;
        Ok(started.elapsed())
    }
}

/// One line: both medians and how many times the right one is of the left.
fn compared(what: &str, ours: Vec<Duration>, theirs: Vec<Duration>) -> String {
    let (ours, theirs) = (Times::of(ours), Times::of(theirs));
    let times = ours.as_ref().zip(theirs.as_ref()).map(|(ours, theirs)| theirs.median / ours.median);
    let times = times.map(|times| format!("{times:.0} times")).unwrap_or_default();
    let shown = |times: Option<Times>| times.map(|times| times.shown()).unwrap_or_default();
    line(what, &shown(ours), &shown(theirs), &times)
}

fn line(what: &str, ours: &str, theirs: &str, times: &str) -> String {
    format!("  {what:<30}   {ours:<26}   {theirs:<26}   {times}").trim_end().to_owned()
}

/// Times of one command, in seconds.
struct Times {
    median: f64,
    fastest: f64,
    slowest: f64,
}

impl Times {
    /// `None` of no times. Of an even number, the later of the two in the middle.
    fn of(mut times: Vec<Duration>) -> Option<Times> {
        times.sort();
        let seconds = |at: usize| times.get(at).map(Duration::as_secs_f64);
        Some(Times {
            median: seconds(times.len() / 2)?,
            fastest: seconds(0)?,
            slowest: seconds(times.len() - 1)?,
        })
    }

    fn shown(&self) -> String {
        let shown = |seconds: f64| match seconds {
            0.0..0.9995 => format!("{:.0} ms", seconds * 1e3),
            _ => format!("{seconds:.2} s"),
        };
        if self.fastest == self.slowest {
            return shown(self.median);
        }
        format!("{} ({} to {})", shown(self.median), shown(self.fastest), shown(self.slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(times: &[u64]) -> Vec<Duration> {
        times.iter().map(|ms| Duration::from_millis(*ms)).collect()
    }

    #[test]
    fn a_line_has_both_medians_with_their_ranges_and_the_ratio() {
        assert_eq!(
            compared("status", milliseconds(&[80, 70, 200]), milliseconds(&[1_400, 1_200, 900])),
            "  status                           80 ms (70 ms to 200 ms)      1.20 s (900 ms to 1.40 s)    15 times"
        );
    }

    #[test]
    fn without_the_other_program_its_column_is_empty() {
        assert_eq!(
            compared("status", milliseconds(&[80]), vec![]),
            "  status                           80 ms"
        );
    }

    #[test]
    fn the_folder_has_every_photo_once_in_two_classes_and_a_tenth_to_validate_on() {
        let folder = tempfile::tempdir().unwrap();
        draw(&folder.path().join("new"), 40).unwrap();
        let count =
            |name: &str| fs_err::read_dir(folder.path().join("new/photos").join(name)).unwrap().count();
        assert_eq!(["train/cats", "train/dogs", "valid/cats", "valid/dogs"].map(count), [18, 18, 2, 2]);
    }
}
