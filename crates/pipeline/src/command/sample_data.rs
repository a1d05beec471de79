//! `pipeline sample-data DIR`: draws the quick start's cats and dogs.

use std::path::PathBuf;

use pipeline_sample::{Options, draw_all};
use pipeline_stage::exit;

use super::Stop;
use super::interrupt::Interrupt;
use crate::terminal::{Header, Screen, Style, Teller, watch, words};

/// Draw a folder of labelled cats and dogs to try the pipeline on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline sample-data data/quickstart --seed 1")]
pub(super) struct Arguments {
    /// Folder to make; it must not exist or be empty
    dir: PathBuf,
    /// The same seed draws the same pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Training pictures per class
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    train: u32,
    /// Validation pictures per class
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    valid: u32,
    /// Unlabelled pictures
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    test: u32,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let options = Options {
        seed: arguments.seed,
        train_per_class: arguments.train,
        valid_per_class: arguments.valid,
        test: arguments.test,
    };
    let interrupt = Interrupt::listen();
    let header = Header::default();
    let observer = watch(Style::choose(false, false, screen), &header, screen);
    let teller = Teller { name: "pictures", observer: observer.as_ref() };
    let written = draw_all(&arguments.dir, &options, &teller, &interrupt.cancel);
    drop(observer);
    let written = written.map_err(|error| {
        let code = match error {
            pipeline_sample::Error::NotEmpty { .. } => exit::USAGE,
            _ => interrupt.exit_code().unwrap_or(exit::STAGE_FAILED),
        };
        Stop::new(code, &error)
    })?;
    screen.line(&format!(
        "{}: drew {} train, {} valid and {} unlabelled pictures of cats and dogs, {}",
        arguments.dir.display(),
        words::count(written.train.into()),
        words::count(written.valid.into()),
        words::count(written.test.into()),
        words::size(written.bytes)
    ));
    Ok(exit::DONE)
}
