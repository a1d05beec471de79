//! Changes picture files at random and decodes them, until it finds one that [`check`](check::check) objects to:
//!
//!     cargo run --release -p pipeline-photo --example fuzz -- SECONDS [SEED] [FOLDER of more files to change]...
//!     cargo run --release -p pipeline-photo --example fuzz -- file FILE...
//!     cargo run --release -p pipeline-photo --example fuzz -- case NUMBER [SEED] [FOLDER]...
//!
//! The first hunts, the second checks files as they are, the third makes the file of a case of a hunt again, such as the
//! last one that was begun by a process that was ended. The same seed and files give the same cases.
//!
//! In: [`seeds`], whole files of every format; [`mutation`] changes them by their [`parts`]; [`hunt`] goes on and on.
//! `tests/fuzz.rs` hunts for a few seconds.

#![expect(clippy::print_stdout, reason = "a program for people who develop the crate")]
#![expect(clippy::print_stderr, reason = "as above")]

mod check;
mod hunt;
mod mutation;
mod parts;
mod seeds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use hunt::Hunt;

const USAGE: &str =
    "usage: fuzz SECONDS [SEED] [FOLDER]... | fuzz file FILE... | fuzz case NUMBER [SEED] [FOLDER]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["file", files @ ..] if !files.is_empty() => check_files(files),
        ["case", number, rest @ ..] => {
            number.parse().map_err(|_| USAGE.to_owned()).and_then(|number| case(&begin(rest)?, number))
        }
        [seconds, rest @ ..] => seconds
            .parse()
            .map_err(|_| USAGE.to_owned())
            .and_then(|seconds| hunt(begin(rest)?, Duration::from_secs(seconds))),
        [] => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// `[SEED] [FOLDER]...`
fn begin(rest: &[&str]) -> Result<Hunt, String> {
    let (seed, folders) = match rest {
        [first, folders @ ..] if first.parse::<u64>().is_ok() => (first.parse().unwrap_or_default(), folders),
        folders => (42, folders),
    };
    let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let hunt = Hunt::new(seed, &folders).map_err(|error| error.to_string())?;
    println!("{} files to change, seed {seed}", hunt.files());
    Ok(hunt)
}

fn hunt(hunt: Hunt, time: Duration) -> Result<(), String> {
    check::silence_decoders();
    let counts = hunt.run(time, |counts| println!("{counts}")).map_err(|finding| finding.to_string())?;
    println!("nothing found: {counts}");
    Ok(())
}

fn check_files(files: &[&str]) -> Result<(), String> {
    for file in files {
        let bytes = fs_err::read(file).map_err(|error| error.to_string())?;
        let checked = check::check(&bytes).map_err(|complaint| format!("{file}: {complaint}"))?;
        println!("{file}: {checked:?}");
    }
    Ok(())
}

fn case(hunt: &Hunt, number: u64) -> Result<(), String> {
    let path = Path::new("fuzz-case");
    fs_err::write(path, hunt.case(number)).map_err(|error| error.to_string())?;
    println!("written to {}", path.display());
    Ok(())
}
