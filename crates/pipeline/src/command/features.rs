//! `pipeline features`: a table of features, for people without a tool that opens Parquet.
//!
//! - `opened`: the table that was asked for, by its folder, its artifact or its config.
//! - `show`, `head`, `stats`, `neighbors`: what is said of it.

mod head;
mod neighbors;
mod opened;
mod show;
mod stats;

use super::Stop;
use super::how::telling;
use super::job::Folders;
use crate::terminal::Screen;

/// Look at a table of features: what is in it, its numbers, and which photos are alike
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline features show configs/dogscats.yaml\n  \
    pipeline features stats out/dogscats/precompute\n  \
    pipeline features neighbors configs/dogscats.yaml valid/cats/cat.1.jpg\n\n\
    The table is read some rows at a time, whatever its size. Nothing is run and nothing is written.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(show::Arguments),
    Head(head::Arguments),
    Stats(stats::Arguments),
    Neighbors(neighbors::Arguments),
}

/// Which table, and how it is printed.
#[derive(Debug, clap::Args)]
struct Which {
    /// A config, an artifact such as out/dogscats/precompute, or the folder of its part files
    table: std::path::PathBuf,
    /// Of a config: override a parameter, for example precompute.size=96; may be given several times
    #[arg(long = "set", value_name = "STAGE.PARAM=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    folders: Folders,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let which = match &arguments.command {
        Command::Show(arguments) => &arguments.which,
        Command::Head(arguments) => &arguments.which,
        Command::Stats(arguments) => &arguments.which,
        Command::Neighbors(arguments) => &arguments.which,
    };
    telling(which.json, screen, || {
        let table = opened::open(which, screen)?;
        match &arguments.command {
            Command::Show(arguments) => show::run(arguments, &table, screen),
            Command::Head(arguments) => head::run(arguments, &table, screen),
            Command::Stats(arguments) => stats::run(arguments, &table, screen),
            Command::Neighbors(arguments) => neighbors::run(arguments, &table, screen),
        }
    })
}
