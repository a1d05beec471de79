//! `pipeline watch [RUN]`: a run's stages and the curves of its training, while it runs or later.
//!
//! It reads the run's record and nothing else, so it can watch what another terminal, or a batch job, has started.

use std::time::Duration;

use pipeline_runner::{RunRecord, Store};
use pipeline_stage::exit;

use super::interrupt::Interrupt;
use super::store_folder::StoreFolder;
use super::{Stop, stop};
use crate::terminal::{Heading, Keys, Screen, Watched};

/// How often it looks and draws.
const EVERY: Duration = Duration::from_millis(500);

/// Columns where there is no terminal.
const COLUMNS: usize = 100;

/// Watch a run: its stages, and the curves of its training
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline watch\n  pipeline watch 20261128T1037\n  pipeline watch --once > curves.txt\n\n\
    On a terminal it ends with the run, or with q. Elsewhere it prints what is known and ends at once."
)]
pub(super) struct Arguments {
    /// A folder in runs/ of the store, the beginning of its name, or a path to it [default: the latest]
    run: Option<String>,
    #[command(flatten)]
    store: StoreFolder,
    /// Print what is known once, also on a terminal
    #[arg(long)]
    once: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let found =
        Store::at(&arguments.store.dir()).and_then(|store| RunRecord::find(&store, arguments.run.as_deref()));
    let mut record = found.map_err(|error| stop(&error, &interrupt))?;
    let mut watched = Watched::default();
    // A dumb terminal cannot draw in place.
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if arguments.once || screen.size().is_none() || is_dumb {
        let heading = look(&mut record, &mut watched)?;
        screen.line(&watched.whole(&heading, screen.size().map_or(COLUMNS, |(columns, _)| columns)));
        return Ok(exit::DONE);
    }
    let keys = Keys::listen();
    let mut drawn = 0;
    loop {
        let heading = look(&mut record, &mut watched)?;
        let (columns, rows) = screen.size().unwrap_or((COLUMNS, 24));
        // The cursor stands below.
        let text = watched.screen(&heading, columns, rows.saturating_sub(1));
        screen.redraw(&text, drawn);
        drawn = text.lines().count();
        if heading.info.is_over() || screen.is_closed() || keys.pressed_within(b'q', EVERY) {
            return Ok(exit::DONE);
        }
        if let Some(code) = interrupt.exit_code() {
            return Ok(code);
        }
    }
}

/// Reads what is new.
fn look(record: &mut RunRecord, watched: &mut Watched) -> Result<Heading, Stop> {
    // Before its events: those of a run that is over are then complete.
    let info = record.info();
    record.new_events(|event| watched.take(event)).map_err(|error| Stop::Error {
        message: format!("cannot read the events of the run {}: {error}", record.name()),
        hint: None,
        code: exit::STAGE_FAILED,
    })?;
    let silent_seconds = record.silent_for().map(|silent| silent.as_secs_f64());
    Ok(Heading { run: record.name(), since: info.since(), info, silent_seconds })
}
