//! `cargo xtask bench ingest`: photos a second that are read and hashed, decoded, and taken in by the stage, beside Pillow and
//! libjpeg-turbo, in turn on the same photos with as many threads. With `--copies`, the stage on trees of so many copies.

use std::path::PathBuf;
use std::process::Command;

use super::rates::{Rates, absolute, number_after};
use crate::error::Error;
use crate::process;
use crate::step;
use crate::workspace::Workspace;

/// On what, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder with .jpg files, also in folders of its own.
    photos: PathBuf,
    /// How many of the photos, in the order of their paths.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    count: u32,
    /// Threads of each program; all processors where left out.
    #[arg(long)]
    threads: Option<usize>,
    /// Runs of each; the median is printed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Also the stage alone on so many copies of the photos, each with other bytes, in a temporary folder; may be given again.
    #[arg(long)]
    copies: Vec<u32>,
    /// The Python that runs `tests/bench/decode.py`, with pillow, and with simplejpeg for libjpeg-turbo.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

/// What our own program prints, and in which words that is shown.
const OURS: [(&str, &str); 4] = [
    ("hash", "read and hash"),
    ("decode", "read and decode"),
    ("stage", "whole stage"),
    ("again", "whole stage, photos known"),
];

/// The same of the peers.
const PEERS: [(&str, &str, &str); 2] =
    [("pillow", "PIL", "Pillow"), ("turbo", "simplejpeg", "libjpeg-turbo")];

/// Measures, prints.
///
/// # Errors
/// A program that fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let threads =
        options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let has =
        |package: &str| process::ask(&options.python, &["-c", &format!("import PIL, {package}")]).is_some();
    let peers: Vec<_> = PEERS.into_iter().filter(|(_, package, _)| has(package)).collect();
    if peers.is_empty() {
        step::text(&format!("no peer: {} without pillow", options.python.display()));
    }
    let mut photos = 0.0;
    let mut ours = OURS.map(|_| Vec::new());
    let mut theirs = vec![Vec::new(); peers.len()];
    for _ in 0..options.rounds {
        let printed = process::output(&mut options.rates(workspace, options.count, threads, false))?;
        photos = number_after(&printed, "photos ")?;
        for ((name, _), rates) in OURS.iter().zip(&mut ours) {
            rates.push(number_after(&printed, &format!("{name} "))?);
        }
        if !peers.is_empty() {
            let printed = process::output(&mut options.peer(workspace, threads))?;
            for ((name, ..), rates) in peers.iter().zip(&mut theirs) {
                rates.push(number_after(&printed, &format!("{name} "))?);
            }
        }
    }
    step::text(&format!(
        "\n{photos} photos, {threads} threads; {}; photos/s, median of {} (slowest to fastest)",
        process::processor(),
        options.rounds
    ));
    let theirs = peers.iter().zip(theirs).map(|((.., shown), rates)| (*shown, Rates(rates)));
    for line in lines(&ours.map(Rates), &theirs.collect::<Vec<_>>()) {
        step::text(&line);
    }
    for count in &options.copies {
        let printed = process::output(&mut options.rates(workspace, *count, threads, true))?;
        step::text(&copies_line(&printed)?);
    }
    Ok(())
}

impl Options {
    fn rates(&self, workspace: &Workspace, count: u32, threads: usize, copies: bool) -> Command {
        let mut command = process::cargo();
        command.current_dir(&workspace.root).args(["run", "--quiet", "--release", "--package"]);
        command.args(["pipeline-ingest", "--example", "scan", "--"]).arg(absolute(&self.photos));
        command.args([count.to_string(), threads.to_string()]).args(copies.then_some("copies"));
        command
    }

    fn peer(&self, workspace: &Workspace, threads: usize) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(workspace.root.join("tests/bench/decode.py")).arg(&self.photos);
        command.args([self.count.to_string(), threads.to_string()]);
        command
    }
}

/// The table: the peers with how many times theirs our decoding and our stage are.
fn lines(ours: &[Rates; 4], theirs: &[(&str, Rates)]) -> Vec<String> {
    let line = |what: &str, rates: &Rates, note: String| {
        format!("  {what:<26}   {:<26}   {note}", rates.shown()).trim_end().to_owned()
    };
    let named = OURS.iter().zip(ours).map(|((_, shown), rates)| line(shown, rates, String::new()));
    let [_, decode, stage, _] = ours;
    let compared = theirs.iter().map(|(name, rates)| {
        let note = format!(
            "ours decodes {:.2} times as fast, the stage is {:.2} times",
            decode.times(rates),
            stage.times(rates)
        );
        line(&format!("{name}, read and decode"), rates, note)
    });
    named.chain(compared).collect()
}

/// What was printed of a tree of copies.
fn copies_line(printed: &str) -> Result<String, Error> {
    let number = |key: &str| number_after(printed, key);
    Ok(format!(
        "  {} copies: {:.0} photos/s, again {:.0} photos/s, peak memory {:.0} MB",
        number("photos ")?,
        number("stage ")?,
        number("again ")?,
        number("peak_bytes ")? / 1e6
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_are_compared_with_what_is_decoded_and_with_the_stage() {
        let ours = [5000.0, 600.0, 450.0, 9000.0].map(|rate| Rates(vec![rate]));
        let theirs = [("Pillow", Rates(vec![500.0]))];
        assert_eq!(
            lines(&ours, &theirs),
            [
                "  read and hash                5000.0",
                "  read and decode              600.0",
                "  whole stage                  450.0",
                "  whole stage, photos known    9000.0",
                "  Pillow, read and decode      500.0                        ours decodes 1.20 times as fast, the stage is 0.90 times",
            ]
        );
    }

    #[test]
    fn a_tree_of_copies_is_told_with_its_memory() {
        let line = copies_line("photos 25000\nstage 480.4\nagain 9000.6\npeak_bytes 181000000\n").unwrap();
        assert_eq!(line, "  25000 copies: 480 photos/s, again 9001 photos/s, peak memory 181 MB");
    }
}
