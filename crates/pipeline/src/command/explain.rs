//! `pipeline explain CONFIG STAGE`: why a stage is what it is, part by part of its key.

use pipeline_stage::exit;

use super::how::{header, telling};
use super::interrupt::Interrupt;
use super::job::{Folders, JobArguments};
use super::{Stop, stop};
use crate::terminal::{Screen, explained, watch_plan};

/// Explain why a stage is fresh or stale: every part of its key, before and now
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline explain configs/dogscats.yaml head --set head.lr=0.003\n  \
    pipeline explain configs/dogscats.yaml head --against 20261128T1037\n\n\
    Without --against, the stage is compared with its current artifact, out/CONFIG/STAGE.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// The stage
    stage: String,
    /// Compare with an older artifact: its key or the beginning of it, or a run that had it
    #[arg(long, value_name = "KEY|RUN")]
    against: Option<String>,
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
        let interrupt = Interrupt::listen();
        let Arguments { stage, against, .. } = arguments;
        let cancel = &interrupt.cancel;
        let header = header(&job, &options);
        let watched = watch_plan(false, &header, screen);
        let told = pipeline_runner::explain(
            &job.graph,
            &options,
            stage,
            against.as_deref(),
            cancel,
            watched.as_ref(),
        );
        drop(watched);
        let told = told.map_err(|error| stop(&error, &interrupt))?;
        match arguments.json {
            true => screen.json(&serde_json::json!(told)),
            false => screen.line(&explained::text(&told)),
        }
        Ok(exit::DONE)
    })
}
