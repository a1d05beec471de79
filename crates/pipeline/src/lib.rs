//! The `pipeline` command: YAML files in, artifacts out. The only crate that knows every stage kind.
//!
//! - [`config`]: from YAML to a checked graph, with file, line and column for all that is wrong.
//! - [`stages`]: the one list of stage kinds.
//! - `command`: a file per subcommand: its arguments, and what it does by calling the library.
//! - `terminal`: how a run is shown: bars, plain lines, or JSON events.

mod command;
pub mod config;
pub mod stages;
mod terminal;

pub use command::main;
