//! `pipeline man [COMMAND]`: the manual page, made from the same texts as `--help`.

use clap::CommandFactory;
use pipeline_stage::exit;
use pipeline_stage::suggest::nearest;

use super::Stop;
use crate::terminal::Screen;

/// Print the manual page of the command, or of a subcommand
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline man | man -l -\n  pipeline man run > ~/.local/share/man/man1/pipeline-run.1"
)]
pub(super) struct Arguments {
    /// The subcommand, and that of `runs`
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let mut command = super::Arguments::command();
    // Gives every subcommand its whole name, which its page has: `pipeline-runs-show`.
    command.build();
    for name in &arguments.command {
        let known: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
        let Some(below) = command.find_subcommand(name) else {
            let near = nearest(name, known.iter().map(String::as_str));
            return Err(Stop::Error {
                message: format!("unknown subcommand `{name}`, expected one of: {}", known.join(", ")),
                hint: near.map(|near| format!("did you mean `{near}`?")),
                code: exit::USAGE,
            });
        };
        command = below.clone();
    }
    let mut page = vec![];
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Stop::Error {
        message: format!("cannot write the manual page: {error}"),
        hint: None,
        code: exit::STAGE_FAILED,
    })?;
    screen.raw(&String::from_utf8_lossy(&page));
    Ok(exit::DONE)
}
