//! The command line: its arguments, and one function per subcommand.

mod completions;
mod diff;
mod doctor;
mod explain;
mod export;
mod features;
mod gc;
mod graph;
mod how;
mod init;
mod interrupt;
mod job;
mod lr_find;
mod man;
mod model_folder;
mod predict;
mod report;
mod run;
mod runs;
mod sample_data;
mod schema;
mod serve;
mod stages;
mod status;
mod store_folder;
mod sweep;
mod table;
mod validate;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pipeline_runner::Error;
use pipeline_stage::exit;
use pipeline_stage::failure::{DISK_FULL_HINT, full_message, is_disk_full};

use crate::config::Located;
use crate::terminal::Screen;
use interrupt::Interrupt;

/// From a folder of labelled photos to a classifier you can trust, in stages that are cached by content.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Examples:\n  pipeline run configs/dogscats.yaml\n  pipeline help run\n\n\
Exit codes: 0 done, 1 a stage or a download failed, 2 the config or the arguments are wrong, \
3 `run --dry-run --check` found something to run, 4 a lock is held, 5 `verify` found damage, 130 and 143 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Run(run::Arguments),
    Sweep(sweep::Arguments),
    Status(status::Arguments),
    Explain(explain::Arguments),
    Watch(watch::Arguments),
    LrFind(lr_find::Arguments),
    Predict(predict::Arguments),
    Report(report::Arguments),
    Features(features::Arguments),
    Export(export::Arguments),
    Serve(serve::Arguments),
    Validate(validate::Arguments),
    Stages(stages::Arguments),
    Schema(schema::Arguments),
    SampleData(sample_data::Arguments),
    Doctor(doctor::Arguments),
    Runs(runs::Arguments),
    Diff(diff::Arguments),
    Graph(graph::Arguments),
    Verify(verify::Arguments),
    Gc(gc::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs the command with the process's arguments. The exit code is one of [`pipeline_stage::exit`].
pub fn main() -> ExitCode {
    let screen = Screen::default();
    quiet_decoders();
    interrupt::outlive_file_size_limit();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are errors to clap, and go to standard output.
        Err(error) => {
            if error.use_stderr() {
                screen.error(error.render().to_string().trim_end());
                return ExitCode::from(exit::USAGE);
            }
            screen.line(error.render().to_string().trim_end());
            return ended(exit::DONE, &screen);
        }
    };
    let outcome = match arguments.command {
        Command::Init(arguments) => init::run(&arguments, &screen),
        Command::Run(arguments) => run::run(&arguments, &screen),
        Command::Sweep(arguments) => sweep::run(&arguments, &screen),
        Command::Watch(arguments) => watch::run(&arguments, &screen),
        Command::LrFind(arguments) => lr_find::run(&arguments, &screen),
        Command::Explain(arguments) => explain::run(&arguments, &screen),
        Command::Predict(arguments) => predict::run(&arguments, &screen),
        Command::Report(arguments) => report::run(&arguments, &screen),
        Command::Features(arguments) => features::run(&arguments, &screen),
        Command::Export(arguments) => export::run(&arguments, &screen),
        Command::Serve(arguments) => serve::run(&arguments, &screen),
        Command::Status(arguments) => status::run(&arguments, &screen),
        Command::Validate(arguments) => validate::run(&arguments, &screen),
        Command::Stages(arguments) => stages::run(&arguments, &screen),
        Command::Schema(arguments) => schema::run(&arguments, &screen),
        Command::SampleData(arguments) => sample_data::run(&arguments, &screen),
        Command::Doctor(arguments) => doctor::run(&arguments, &screen),
        Command::Runs(arguments) => runs::run(&arguments, &screen),
        Command::Diff(arguments) => diff::run(&arguments, &screen),
        Command::Graph(arguments) => graph::run(&arguments, &screen),
        Command::Verify(arguments) => verify::run(&arguments, &screen),
        Command::Gc(arguments) => gc::run(&arguments, &screen),
        Command::Completions(arguments) => completions::run(&arguments, &screen),
        Command::Man(arguments) => man::run(&arguments, &screen),
    };
    let code = outcome.unwrap_or_else(|stop| stop.show(&screen));
    ended(code, &screen)
}

/// The exit code: nothing is done where what was to be printed was lost.
fn ended(code: u8, screen: &Screen) -> ExitCode {
    ExitCode::from(if code == exit::DONE && screen.has_lost() { exit::STAGE_FAILED } else { code })
}

/// A decoder that breaks off on a damaged photo is caught and becomes the photo's verdict; the message of its
/// panic would only tear the bars.
fn quiet_decoders() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !pipeline_photo::is_decoding() {
            usual(panic);
        }
    }));
}

/// Faults of a config that are shown at once.
const MOST_FAULTS: usize = 20;

/// Why a subcommand stopped before it could do its work.
#[derive(Debug)]
enum Stop {
    /// The config is wrong.
    Config(Vec<Located>),
    /// Anything else, with the exit code.
    Error { message: String, hint: Option<String>, code: u8 },
}

/// An error of the runner before any stage was tried.
fn stop(error: &Error, interrupt: &Interrupt) -> Stop {
    let code = match error {
        Error::Cancelled => interrupt.exit_code().unwrap_or(exit::INTERRUPTED),
        Error::Locked { .. } => exit::LOCKED,
        Error::DiskFull { .. }
        | Error::Io { .. }
        | Error::Unpublishable { .. }
        | Error::ArtifactUnreadable { .. }
        | Error::Fetch { .. }
        | Error::ZipChanged { .. }
        | Error::WrongDigest { .. }
        | Error::Unpack { .. } => exit::STAGE_FAILED,
        _ => exit::USAGE,
    };
    Stop::new(code, error)
}

impl Stop {
    fn new(code: u8, error: &dyn pipeline_stage::Hint) -> Self {
        let hint = if is_disk_full(error) { Some(DISK_FULL_HINT.to_owned()) } else { error.hint() };
        Stop::Error { message: full_message(error), hint, code }
    }

    /// What was asked for cannot be.
    fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Stop::Error { message: message.into(), hint: Some(hint.into()), code: exit::USAGE }
    }

    /// The event `error` of a run with `--json`.
    fn json(&self) -> serde_json::Value {
        let (message, hint, code) = match self {
            Stop::Config(faults) => {
                let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
                (all.join("\n"), faults.first().and_then(|fault| fault.hint.clone()), exit::USAGE)
            }
            Stop::Error { message, hint, code } => (message.clone(), hint.clone(), *code),
        };
        serde_json::json!({"event": "error", "message": message, "hint": hint, "exit_code": code})
    }

    /// Prints what is wrong and returns the exit code.
    fn show(self, screen: &Screen) -> u8 {
        match self {
            Stop::Config(faults) => {
                for fault in faults.iter().take(MOST_FAULTS) {
                    screen.failure(&fault.to_string(), fault.hint.as_deref());
                }
                if faults.len() > MOST_FAULTS {
                    screen.error(&format!("and {} more", faults.len() - MOST_FAULTS));
                }
                exit::USAGE
            }
            Stop::Error { message, hint, code } => {
                screen.failure(&message, hint.as_deref());
                code
            }
        }
    }
}

impl From<Vec<Located>> for Stop {
    fn from(faults: Vec<Located>) -> Self {
        Stop::Config(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_argument_has_help_and_every_command_an_example_in_help_and_manual() {
        let mut left: Vec<(String, clap::Command)> = vec![(String::new(), Arguments::command())];
        let mut seen = 0;
        while let Some((above, command)) = left.pop() {
            let name = format!("{above}{}", command.get_name());
            left.extend(command.get_subcommands().map(|below| (format!("{name} "), below.clone())));
            seen += 1;
            assert!(command.get_about().is_some(), "{name}");
            let has_example = |text: &str| {
                let example = text.split_once("Example").map_or("", |(_, after)| after);
                example.contains(&format!(" {name} ")) || example.lines().any(|line| line.trim() == name)
            };
            let help = command.clone().term_width(1_000).render_long_help().to_string();
            assert!(has_example(&help), "{name}: {help}");
            let mut page = vec![];
            clap_mangen::Man::new(command.clone()).render(&mut page).unwrap();
            let page = String::from_utf8(page).unwrap().replace("\\-", "-");
            assert!(has_example(&page), "{name}: {page}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
            }
        }
        assert!(seen > 15, "{seen}");
    }
}
