//! `cargo xtask bench precompute`: photos a second of decoding, of the trunk, of the stage, of a model that predicts, and of what one would write in
//! Python, in turn on the same photos with as many threads.

use std::path::PathBuf;
use std::process::Command;

use super::rates::{Rates, absolute, number_after};
use crate::error::Error;
use crate::step;
use crate::workspace::Workspace;
use crate::{libtorch, process};

/// On what, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder with .jpg files, also in folders of its own.
    photos: PathBuf,
    /// The network.
    #[arg(long, default_value = "resnet34")]
    arch: String,
    /// Its weights; drawn at random where they are left out, which is as fast.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// How many of the photos, in the order of their paths.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    count: u32,
    /// Threads of each program; all processors where left out.
    #[arg(long)]
    threads: Option<usize>,
    /// Runs of each; the median is printed, of how many times one is the other, too.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The program to compare with, from the project's folder; it takes --images, --arch, --mode, --threads and --n, and prints "images_per_s".
    #[arg(long, default_value = "../shared/bench/peer_precompute.py")]
    peer: PathBuf,
    /// One of its modes alone; may be given again. All where left out.
    #[arg(long, value_parser = MODES.map(|(mode, _)| mode))]
    mode: Vec<String>,
    /// The Python that runs it, with torch, torchvision and pillow; modes whose packages it lacks are left out.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

/// Modes of the other program, and the package that each needs. The first is what most scripts do.
const MODES: [(&str, &str); 6] = [
    ("eager", "torchvision"),
    ("channels_last", "torchvision"),
    ("bf16", "torchvision"),
    ("onnxruntime", "onnxruntime"),
    ("openvino", "openvino"),
    ("openvino-bf16", "openvino"),
];

/// What our own program measures, and in which words that is printed.
const OURS: [(&str, &str); 4] = [
    ("decode", "decode, resize, crop"),
    ("trunk", "trunk alone"),
    ("stage", "whole stage"),
    ("predict", "predict"),
];

/// Measures, prints.
///
/// # Errors
/// Set-up, and a program that fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    {
        let _lock = workspace.lock()?;
        step::run("libtorch", || libtorch::ensure(workspace, None))?;
    }
    let threads =
        options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let is_asked = |mode: &str| options.mode.is_empty() || options.mode.iter().any(|asked| asked == mode);
    let modes = MODES.iter().filter(|(mode, package)| is_asked(mode) && options.has(workspace, package));
    let modes: Vec<&str> = modes.map(|(mode, _)| *mode).collect();
    if modes.is_empty() {
        step::text(&format!(
            "no peer: {} without torchvision, or no {}",
            options.python.display(),
            options.peer.display()
        ));
    }

    let mut photos = 0.0;
    let mut ours = OURS.map(|_| Vec::new());
    let mut theirs = vec![Vec::new(); modes.len()];
    for _ in 0..options.rounds {
        let printed = process::output(&mut options.rates(workspace, threads))?;
        photos = number_after(&printed, "photos ")?;
        for ((name, _), rates) in OURS.iter().zip(&mut ours) {
            rates.push(number_after(&printed, &format!("{name} "))?);
        }
        for (mode, rates) in modes.iter().zip(&mut theirs) {
            let printed = process::output(&mut options.peer(workspace, mode, threads))?;
            rates.push(number_after(&printed, "\"images_per_s\": ")?);
        }
    }

    step::text(&format!(
        "\n{}, {photos} photos, {threads} threads; {}; photos/s, median of {} (slowest to fastest)",
        options.arch,
        process::processor(),
        options.rounds
    ));
    let [decode, trunk, stage, predict] = ours.map(Rates);
    let theirs: Vec<(&str, Rates)> = modes.into_iter().zip(theirs.into_iter().map(Rates)).collect();
    for line in lines([&decode, &trunk, &stage, &predict], &theirs) {
        step::text(&line);
    }
    Ok(())
}

impl Options {
    /// Whether the other program is there, with a package.
    fn has(&self, workspace: &Workspace, package: &str) -> bool {
        let code = format!("import torchvision, {package}");
        workspace.root.join(&self.peer).is_file() && process::ask(&self.python, &["-c", &code]).is_some()
    }

    fn rates(&self, workspace: &Workspace, threads: usize) -> Command {
        let mut command = process::cargo();
        command.current_dir(&workspace.root).args(["run", "--quiet", "--release", "--package"]);
        command.args(["pipeline-precompute", "--example", "rates", "--"]);
        command.arg(absolute(&self.photos)).arg(&self.arch);
        command.args([self.count.to_string(), threads.to_string(), "auto".to_owned()]);
        command.args(self.weights.as_deref().map(absolute));
        command
    }

    fn peer(&self, workspace: &Workspace, mode: &str, threads: usize) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(workspace.root.join(&self.peer)).arg("--images").arg(&self.photos);
        command.args(["--arch", &self.arch, "--mode", mode]);
        command.args(["--threads", &threads.to_string(), "--n", &self.count.to_string()]);
        // What it warns of is of no use here, and fills the screen.
        command.env("PYTHONWARNINGS", "ignore");
        command
    }
}

/// The table: ours with the share that one is of another, theirs with how many times ours the stage is.
fn lines([decode, trunk, stage, predict]: [&Rates; 4], theirs: &[(&str, Rates)]) -> Vec<String> {
    let line = |what: &str, rates: &Rates, note: String| {
        format!("  {what:<24}   {:<24}   {note}", rates.shown()).trim_end().to_owned()
    };
    let share = format!("{:.2} of the trunk alone", stage.times(trunk));
    let mut lines = vec![
        line(OURS[0].1, decode, String::new()),
        line(OURS[1].1, trunk, String::new()),
        line(OURS[2].1, stage, share),
        line(OURS[3].1, predict, format!("{:.2} of the stage", predict.times(stage))),
    ];
    for (mode, rates) in theirs {
        let times = format!("the stage is {:.2} times as fast", stage.times(rates));
        lines.push(line(&format!("peer, {mode}"), rates, times));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_compared_with_its_trunk_and_with_each_mode_of_the_peer() {
        let ours = [vec![400.0], vec![60.0, 50.0, 58.0], vec![55.1, 54.0], vec![54.0, 54.0]];
        let [decode, trunk, stage, predict] = ours.map(Rates);
        let theirs = [("eager", Rates(vec![20.0, 24.0])), ("bf16", Rates(vec![38.0]))];
        assert_eq!(
            lines([&decode, &trunk, &stage, &predict], &theirs),
            [
                "  decode, resize, crop       400.0",
                "  trunk alone                58.0 (50.0 to 60.0)",
                "  whole stage                55.1 (54.0 to 55.1)        1.08 of the trunk alone",
                "  predict                    54.0                       1.00 of the stage",
                "  peer, eager                24.0 (20.0 to 24.0)        the stage is 2.75 times as fast",
                "  peer, bf16                 38.0                       the stage is 1.45 times as fast",
            ]
        );
    }
}
