//! The `pipeline` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipeline::main()
}
