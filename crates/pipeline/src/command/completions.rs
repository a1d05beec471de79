//! `pipeline completions SHELL`: a script that completes subcommands and options in a shell.

use clap::CommandFactory;
use clap_complete::Shell;
use pipeline_stage::exit;

use super::Stop;
use crate::terminal::Screen;

/// Print the script that completes the command in a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: pipeline completions bash > ~/.local/share/bash-completion/completions/pipeline"
)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let mut script = vec![];
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "pipeline", &mut script);
    screen.raw(&String::from_utf8_lossy(&script));
    Ok(exit::DONE)
}
