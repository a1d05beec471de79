//! `cargo xtask quickstart`: from a fresh clone to a measured classifier of drawn cats and dogs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::error::Error;
use crate::prerequisites::{self, Need};
use crate::process;
use crate::step::{self, Outcome};
use crate::workspace::Workspace;
use crate::{libtorch, weights};

/// Where the drawn pictures go; `configs/quickstart.yaml` reads them from there.
const PICTURES: &str = "data/quickstart";

/// The job.
const CONFIG: &str = "configs/quickstart.yaml";

/// Sets up, builds, draws the pictures, runs the job, and says what to look at next.
///
/// # Errors
/// The first step that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let start = Instant::now();
    prerequisites::check(&[Need::Pip, Need::Compiler])?;
    {
        let _lock = workspace.lock()?;
        step::run("libtorch", || libtorch::ensure(workspace, None))?;
        step::run("weights", || weights::ensure(workspace))?;
    }
    let command = build(workspace)?;

    let built = Instant::now();
    let pipeline = || {
        let mut pipeline = Command::new(&command);
        pipeline.current_dir(&workspace.root);
        pipeline
    };
    step::run("pictures", || {
        if workspace.root.join(PICTURES).is_dir() {
            return Ok(Outcome::ready(PICTURES));
        }
        process::run(pipeline().args(["sample-data", PICTURES, "--seed", "1"]))?;
        Ok(Outcome::done("drawn", PICTURES))
    })?;
    process::run(pipeline().args(["run", CONFIG]))?;

    let shown = workspace.short(&command).to_string();
    step::text(&next_steps(&shown, &step::time(built.elapsed()), &step::time(start.elapsed())));
    Ok(())
}

/// Builds the command, and returns where it is: beside this program, since `cargo xtask` is built with the
/// same profile into the same target folder, wherever that is.
///
/// # Errors
/// Those of Cargo.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let own = std::env::current_exe()?;
    let command = own.with_file_name(format!("pipeline{}", std::env::consts::EXE_SUFFIX));
    step::run("build", || {
        process::run(process::cargo().current_dir(&workspace.root).args([
            "build",
            "--release",
            "--package",
            "pipeline",
        ]))?;
        Ok(Outcome::done("built", workspace.short(&command).to_string()))
    })?;
    Ok(command)
}

fn next_steps(command: &str, since_built: &str, whole: &str) -> String {
    format!(
        "
quick start done in {since_built} once built, {whole} in all. Next:
  {PICTURES}/train   the pictures that it learned from
  out/quickstart/    what each stage left
  duckdb -c \"select label, count(*) from 'out/quickstart/precompute/features/*.parquet' group by all\"
                     (or pandas, polars, pyarrow; `cargo xtask python` installs all four for .tools/python/bin/python)
  {command} run {CONFIG} --set head.lr=0.003   one number changed: only what depends on it runs
  {command} status {CONFIG}                    which stages are fresh
  configs/dogscats.yaml                        the whole lesson; copy it for your own photos"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_name_the_command_and_both_times() {
        let text = next_steps("target/release/pipeline", "41.0 s", "3m 20 s");
        assert!(text.contains("done in 41.0 s once built, 3m 20 s in all"), "found: {text}");
        assert!(text.contains("target/release/pipeline run configs/quickstart.yaml --set"), "found: {text}");
    }
}
