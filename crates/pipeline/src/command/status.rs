//! `pipeline status CONFIG`: what each stage is, and why.

use pipeline_runner::Announcement;
use pipeline_runner::plan::{Plan, State};
use pipeline_stage::exit;

use super::Stop;
use super::how::{header, planned, telling};
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments};
use crate::terminal::{Screen, words};

/// Show which stages are fresh, stale (and why), missing or else, and which files that was read from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline status configs/dogscats.yaml --set head.lr=0.003\n\n\
    A stage is\n  \
    fresh       its artifact is there\n  \
    stale       its artifact was made from something else; the first difference is named\n  \
    missing     it has no artifact yet\n  \
    collected   gc removed its artifact; it is made again where a stage that runs needs it, or none reads it\n  \
    incomplete  something was missing when its artifact was made, and is there again\n  \
    damaged     its artifact is not whole, or cannot be read\n  \
    depends     on stages that must run first\n  \
    unknown     a source of it is not there, or not fetched yet\n\n\
    pipeline explain says more about one stage. The form of --json is pipeline_runner::Announcement.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    folders: Folders,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    telling(arguments.json, screen, || {
        let job = arguments.job.load()?;
        let options = arguments.folders.options(&job);
        let plan = planned(&job, &options, false, &Interrupt::listen(), screen)?;
        match arguments.json {
            true => screen.json(&serde_json::json!(Announcement::new(&plan, &options, &job.files))),
            false => {
                screen.line(&header(&job, &options).line(&plan));
                screen.line(&format!("{}\n", job.read()));
                show(&plan, screen);
            }
        }
        Ok(exit::DONE)
    })
}

fn show(plan: &Plan, screen: &Screen) {
    let width = plan.stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0);
    let words = plan.stages.iter().map(|stage| stage.state.word().len());
    // As wide as is usual, so that columns stay where they are.
    let word_width = words.max().unwrap_or(0).max("damaged ".len());
    for stage in &plan.stages {
        let detail = match &stage.state {
            State::Fresh { manifest, .. } => {
                format!("{:>9}   {}", words::size(manifest.size_bytes()), manifest.summary.line)
            }
            // The word before it says the rest.
            State::Depends { on } => format!("on {}", on.join(", ")),
            other => other.reason(),
        };
        let line = format!("  {:<width$}   {:<word_width$} {detail}", stage.name, stage.state.word());
        screen.line(line.trim_end());
        if let Some(hint) = stage.state.hint() {
            screen.line(&format!("  {:<width$}   hint: {hint}", ""));
        }
    }
}
