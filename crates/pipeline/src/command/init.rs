//! `pipeline init DIR`: looks at a folder of photos and writes a config for it.
//!
//! - `destination`: which project, and where in it the config goes.
//! - `seen`: what was seen: the layout as ingest reads it, the sizes of some photos, weights that are at hand.
//! - `written`: the config, each parameter with the reason; `yaml` quotes what strangers have named.

mod destination;
mod seen;
mod sizes;
mod weights;
mod written;
mod yaml;

use std::path::PathBuf;

use clap::ValueEnum;
use pipeline_stage::{Failure, exit};

use super::Stop;
use super::interrupt::Interrupt;
use super::job::command_line;
use super::store_folder::shown;
use crate::config;
use crate::stages::STAGES;
use crate::terminal::Screen;
use destination::Destination;
use seen::Seen;

/// Look at a folder of photos and write a config for it that runs, with the reason for each value
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline init photos\n  \
    pipeline init data/leaves.zip --pipeline lesson1 --config configs/leaves.yaml\n\n\
    Photos may lie as\n  \
    photos/train/CLASS/1.jpg   with photos/valid/CLASS/, and optionally photos/test/; without valid/ photos are drawn for it\n  \
    photos/CLASS/1.jpg         a folder for each class\n  \
    photos/CLASS.1.jpg         names that say the class, also CLASS_1.jpg, CLASS (1).jpg\n  \
    photos/labels.csv          with the columns path and label, beside the photos\n\
    or in a zip or tar archive of that, which is unpacked into the store. Photos are neither moved nor changed.\n\
    Where there is no project yet, the current folder becomes one.")]
pub(super) struct Arguments {
    /// Folder of the photos, or a zip or tar archive of it
    dir: PathBuf,
    /// Where to write the config [default: configs/DIR.yaml in the project]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// What to do with the photos: `quick` trains a head on features of a pretrained network, `lesson1` fine-tunes as well
    #[arg(long, value_enum, default_value_t)]
    pipeline: Lesson,
    /// Replace the config where there is one
    #[arg(long)]
    force: bool,
}

/// The pipelines that a config is written for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Lesson {
    #[default]
    Quick,
    Lesson1,
}

impl Lesson {
    /// Its name in a config.
    fn name(self) -> &'static str {
        match self {
            Lesson::Quick => "quick",
            Lesson::Lesson1 => "lesson1",
        }
    }
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let destination = Destination::of(&arguments.dir, arguments.config.as_deref())?;
    destination.check(arguments.force)?;
    let seen = Seen::of(&destination, &interrupt, screen)?;
    screen.line(&seen.text());

    let config = written::config(&seen, arguments.pipeline, &destination.named());
    let written = destination.write(&config, arguments.pipeline, arguments.force)?;
    if let Err(faults) = config::load(&destination.config, &[], STAGES) {
        // A pipeline of the project may have the name of ours, and other stages.
        written.undo();
        return Err(faults.into());
    }
    let files: Vec<String> = written.files.iter().map(|file| shown(file)).collect();
    screen.line(&format!("wrote {}", files.join(" and ")));
    screen.line(&seen.weights.text());
    let command = ["pipeline", "run", &destination.named()].map(str::to_owned);
    screen.line(&format!("next: {}", command_line(command.into_iter())));
    Ok(exit::DONE)
}

/// What stops a look at the photos.
fn refused(failure: Failure, interrupt: &Interrupt) -> Stop {
    match failure {
        Failure::Cancelled => {
            let code = interrupt.exit_code().unwrap_or(exit::INTERRUPTED);
            Stop::Error { message: "cancelled".to_owned(), hint: None, code }
        }
        Failure::Failed { message, hint, .. } => {
            let hint = hint.map(|hint| format!("{hint}; `pipeline help init` lists the layouts"));
            Stop::Error { message, hint, code: exit::USAGE }
        }
    }
}
