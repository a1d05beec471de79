//! `pipeline report CONFIG`: what was measured, again; `--against`: two evaluations side by side.
//!
//! - `report_artifact`: the artifacts that were asked for.
//! - `ancestors`: what they were made from, and what differs there.
//! - `contents`: whether photos of one name are the same in both.
//! - `side_by_side`: what two of them say of the same photos.

pub(super) mod ancestors;
mod contents;
pub(super) mod report_artifact;
mod side_by_side;

use std::path::{Path, PathBuf};

use pipeline_evaluate::REPORT_FILE;
use pipeline_runner::{RunOptions, Store};
use pipeline_stage::exit;

use super::how::planned;
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments, command_line};
use super::{Stop, stop};
use crate::config::Job;
use crate::terminal::Screen;
use crate::terminal::pictures::{self, Protocol};
use ancestors::Lineage;
use contents::Contents;
use report_artifact::{Asked, ReportArtifact};

/// Lines of a verdict.
const MOST_LINES: usize = 20;

/// Show the verdict on the models that were evaluated, or set two evaluations side by side
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline report configs/dogscats.yaml\n  \
    pipeline report configs/dogscats.yaml --pictures\n  \
    pipeline report configs/dogscats.yaml --set head.lr=0.003 --against configs/dogscats.yaml\n  \
    pipeline report configs/dogscats.yaml --against 20261128T1037\n\n\
    Nothing is run. Two evaluations are compared on the photos that both measured; the page about them is kept in \
    reports/ of the store.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Only this stage [default: every stage that evaluates]
    stage: Option<String>,
    /// Compare with a run (as `pipeline watch` takes it), with another config, or with the folder of an evaluation
    #[arg(long, value_name = "RUN|CONFIG|FOLDER")]
    against: Option<PathBuf>,
    /// Draw the evaluation's pictures in the terminal: as kitty, iterm or sixel has it, or auto: whichever it can
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "auto", conflicts_with = "against")]
    pictures: Option<Pictures>,
    #[command(flatten)]
    folders: Folders,
}

/// How pictures are drawn in the terminal.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Pictures {
    Auto,
    Kitty,
    Iterm,
    Sixel,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let job = arguments.job.load()?;
    let options = arguments.folders.options(&job);
    let interrupt = Interrupt::listen();
    let config =
        Config { path: &arguments.job.config, sets: &arguments.job.sets, job: &job, options: &options };
    let asked = config.evaluations(arguments.stage.as_deref(), &interrupt, screen)?;
    match &arguments.against {
        Some(against) => {
            let this = asked.one(&config)?;
            let that = against_what(against, &this, &arguments.folders, &options, &interrupt, screen)?;
            compare(&this, &that, &options, &interrupt, screen)?;
        }
        None => {
            for (place, evaluation) in asked.all(&config)?.iter().enumerate() {
                if place > 0 {
                    screen.line("");
                }
                show(evaluation, &options, screen);
                if let Some(how) = arguments.pictures {
                    draw(evaluation, how, &options, screen)?;
                }
            }
            for without in &asked.without {
                screen.line(&format!("\n{}", without.sentence()));
            }
        }
    }
    Ok(exit::DONE)
}

/// A config that was asked about.
struct Config<'a> {
    path: &'a Path,
    sets: &'a [String],
    job: &'a Job,
    options: &'a RunOptions,
}

impl Config<'_> {
    /// What it has evaluated, by the stage `stage` or by any.
    fn evaluations(
        &self,
        stage: Option<&str>,
        interrupt: &Interrupt,
        screen: &Screen,
    ) -> Result<Asked, Stop> {
        let plan = planned(self.job, self.options, false, interrupt, screen)?;
        report_artifact::of_plan(self, &plan, stage, interrupt)
    }

    /// The command that evaluates.
    fn run_command(&self) -> String {
        let words = ["pipeline".to_owned(), "run".to_owned(), self.path.display().to_string()];
        command_line(
            words.into_iter().chain(self.sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()])),
        )
    }
}

/// What `against` names: the folder of an evaluation, a run by its folder or its name, or a config.
fn against_what(
    against: &Path,
    this: &ReportArtifact,
    folders: &Folders,
    options: &RunOptions,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<ReportArtifact, Stop> {
    let is_run = ["run.json", "events.jsonl"].iter().any(|file| against.join(file).is_file());
    if against.is_dir() && !is_run {
        return report_artifact::of_folder(against);
    }
    if against.is_file() {
        let job = JobArguments { config: against.to_owned(), sets: vec![] }.load()?;
        let options = folders.options(&job);
        let config = Config { path: against, sets: &[], job: &job, options: &options };
        // The same stage where there is one, or else any.
        let stage = job.graph.node(&this.stage).map(|_| this.stage.as_str());
        return config.evaluations(stage, interrupt, screen)?.one(&config);
    }
    let store = Store::at(&options.store).map_err(|error| stop(&error, interrupt))?;
    report_artifact::of_run(&store, &against.to_string_lossy(), &this.stage, interrupt)
}

/// Prints the verdict of an evaluation and where its page is.
fn show(evaluation: &ReportArtifact, options: &RunOptions, screen: &Screen) {
    if let Some(stale) = evaluation.stale_sentence() {
        screen.line(&format!("{stale}\n"));
    }
    let summary = &evaluation.manifest.summary;
    screen.line(&beginning(summary.text.as_deref().unwrap_or(&summary.line)));
    let page = evaluation.dir.join(REPORT_FILE);
    let way =
        if page.is_file() { format!("open {}", options.shown(&page)) } else { no_page(evaluation, options) };
    screen.line(&format!("\n{way}"));
}

/// The first [`MOST_LINES`] lines of `text`, and how many more there are.
fn beginning(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.len() <= MOST_LINES {
        return lines.join("\n");
    }
    let shown = MOST_LINES - 1;
    format!("{}\nand {} more lines, in the report", lines[..shown].join("\n"), lines.len() - shown)
}

fn no_page(evaluation: &ReportArtifact, options: &RunOptions) -> String {
    format!("its files are in {}, without a page", options.shown(&evaluation.dir))
}

/// Draws the pictures of an evaluation, or says why there are none.
fn draw(
    evaluation: &ReportArtifact,
    how: Pictures,
    options: &RunOptions,
    screen: &Screen,
) -> Result<(), Stop> {
    let protocol = match how {
        Pictures::Kitty => Some(Protocol::Kitty),
        Pictures::Iterm => Some(Protocol::Iterm),
        Pictures::Sixel => Some(Protocol::Sixel),
        Pictures::Auto if screen.size().is_none() => {
            screen.error("note: no pictures are drawn, since standard output is no terminal; --pictures=sixel draws them");
            return Ok(());
        }
        Pictures::Auto => Protocol::of_terminal(|name| std::env::var(name).ok()),
    };
    let Some(protocol) = protocol else {
        screen.error(
            "note: no pictures are drawn, since this terminal is not known to show any; \
             --pictures=kitty, =iterm or =sixel draws them anyway",
        );
        return Ok(());
    };
    let files = evaluation.pictures();
    if files.is_empty() {
        screen.error("note: the evaluation has no pictures");
    }
    for file in files {
        let path = evaluation.dir.join(&file);
        let wrong = |error: &dyn std::fmt::Display| Stop::Error {
            message: format!("cannot draw {}: {error}", options.shown(&path)),
            hint: Some(format!("make the artifact again with `--force {}`", evaluation.stage)),
            code: exit::STAGE_FAILED,
        };
        let png = fs_err::read(&path).map_err(|error| wrong(&error))?;
        let picture = pictures::draw(protocol, &png, screen.room()).map_err(|error| wrong(&error))?;
        screen.line(&format!("\n{file}"));
        screen.picture(&picture);
    }
    Ok(())
}

/// Sets two evaluations side by side: prints the verdict, and writes the page.
fn compare(
    this: &ReportArtifact,
    that: &ReportArtifact,
    options: &RunOptions,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<(), Stop> {
    if this.manifest.key == that.manifest.key {
        return Err(Stop::Error {
            message: format!("cannot compare: {} and {} are the same evaluation", this.side(), that.side()),
            hint: Some("name another run, config or folder, or change a number with --set".to_owned()),
            code: exit::USAGE,
        });
    }
    let lineages = [Lineage::of(this), Lineage::of(that)];
    let mut contents = Contents::open(&lineages[0], &lineages[1])?;
    let mut comparison = side_by_side::compare(this, that, &mut contents, || {
        interrupt.cancel.is_cancelled().then(|| stop(&pipeline_runner::Error::Cancelled, interrupt))
    })?;
    let stale = [("this", this), ("that", that)];
    let stale = stale.iter().filter_map(|(word, side)| Some(format!("{word}: {}", side.stale_sentence()?)));
    comparison.warnings.splice(0..0, stale);
    ancestors::differences(&lineages[0], &lineages[1], &mut comparison);
    if let Contents::Unknown = contents {
        let warning =
            "photos are matched by name: whether those of one name have the same content is not known";
        comparison.warnings.push(warning.to_owned());
    }
    // First, for the store may not let the page be written.
    screen.line(&comparison.text());
    let page = comparison.html().map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    let name = format!("{}-against-{}.html", this.file_name(), that.file_name());
    let path = Store::at(&options.store).and_then(|store| store.write_report(&name, &page));
    let path = path.map_err(|error| unwritten(&error, interrupt))?;
    screen.line(&format!("\nopen {}", options.shown(&path)));
    Ok(())
}

/// The page of a comparison, whose verdict was printed, could not be written.
fn unwritten(error: &pipeline_runner::Error, interrupt: &Interrupt) -> Stop {
    match stop(error, interrupt) {
        Stop::Error { message, hint, .. } => Stop::Error {
            message: format!("the page of the comparison could not be written: {message}"),
            hint: hint.or_else(|| {
                Some("let the store be written to, or name another with `--store DIR`".to_owned())
            }),
            code: exit::STAGE_FAILED,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_verdict_is_cut_at_twenty_lines_and_says_so() {
        let text = |lines: usize| (1..=lines).map(|n| format!("line {n}\n")).collect::<String>();
        assert_eq!(beginning(&text(20)), text(20).trim_end());
        let cut = beginning(&text(25));
        assert_eq!(cut.lines().count(), MOST_LINES);
        assert!(cut.ends_with("line 19\nand 6 more lines, in the report"), "{cut}");
    }
}
