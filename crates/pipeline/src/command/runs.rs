//! `pipeline runs`: what the records of runs say.

use pipeline_runner::run_details::{RunDetails, StageRecord};
use pipeline_runner::{Error, RunRecord, Store};
use pipeline_stage::exit;
use serde_json::json;

use super::interrupt::Interrupt;
use super::store_folder::StoreFolder;
use super::table::Table;
use super::{Stop, stop};
use crate::terminal::{Screen, words};

/// List runs, show what came of one, or read what its stages said
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline runs list\n  pipeline runs show 20261128T1037\n  \
    pipeline runs logs 20261128T1037 head")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Logs(Logs),
}

/// List runs, the latest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline runs list --limit 5")]
struct List {
    /// How many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    store: StoreFolder,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Show a run: each stage, how long it took and how much memory, and why it ran
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline runs show\n  pipeline runs show 20261128T1037 --json\n\n\
    Memory is the most that the whole process had resident while the stage ran, that of a GPU not counted.")]
struct Show {
    /// A folder in runs/ of the store, the beginning of its name, or a path to it [default: the latest]
    run: Option<String>,
    #[command(flatten)]
    store: StoreFolder,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Print what the stages of a run said, in order: notes, warnings, numbers of the moment
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline runs logs 20261128T1037\n  pipeline runs logs 20261128T1037 head\n\n\
    Times are UTC. Numbers of the moment are kept every ten seconds."
)]
struct Logs {
    /// A folder in runs/ of the store, the beginning of its name, or a path to it
    run: String,
    /// Only this stage
    stage: Option<String>,
    #[command(flatten)]
    store: StoreFolder,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let done = match &arguments.command {
        Command::List(arguments) => list(arguments, screen),
        Command::Show(arguments) => show(arguments, screen),
        Command::Logs(arguments) => logs(arguments, screen),
    };
    done.map_err(|error| stop(&error, &interrupt))?;
    Ok(exit::DONE)
}

fn list(arguments: &List, screen: &Screen) -> Result<(), Error> {
    let records = RunRecord::all(&Store::existing(&arguments.store.dir())?)?;
    let limit = if arguments.limit == 0 { records.len() } else { arguments.limit };
    let runs: Vec<RunDetails> = records.iter().take(limit).map(RunRecord::details).collect();
    let older = records.len() - runs.len();
    if arguments.json {
        screen.json(&json!({"runs": runs, "older": older}));
        return Ok(());
    }
    if runs.is_empty() {
        screen.line("no run yet");
        return Ok(());
    }
    screen.line(&table_of_runs(&runs));
    if older > 0 {
        screen.line(&format!("  and {} older; --limit 0 lists all", words::count(older as u64)));
    }
    runs.iter().for_each(|run| warn_of_damage(run, screen));
    Ok(())
}

fn table_of_runs(runs: &[RunDetails]) -> String {
    let names = ["run", "config", "outcome", "began", "took", "ran", "fresh", "collected"];
    let mut table = Table::new("lllrrrrr", names);
    for run in runs {
        // What a worker did of a stage it ran as well.
        let ran = run.count("ran") + run.count("shard");
        let info = &run.info;
        table.row([
            run.run.clone(),
            or_dash(&info.config),
            info.outcome.clone(),
            info.began().unwrap_or_else(|| "-".to_owned()),
            took(run),
            ran.to_string(),
            run.count("fresh").to_string(),
            run.count("collected").to_string(),
        ]);
    }
    table.text()
}

fn show(arguments: &Show, screen: &Screen) -> Result<(), Error> {
    let store = Store::existing(&arguments.store.dir())?;
    let run = RunRecord::find(&store, arguments.run.as_deref())?.details();
    if arguments.json {
        screen.json(&serde_json::to_value(&run).unwrap_or_default());
        return Ok(());
    }
    screen.line(&text(&run));
    warn_of_damage(&run, screen);
    Ok(())
}

fn text(run: &RunDetails) -> String {
    let info = &run.info;
    let threads = if info.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", info.threads) };
    let mut lines = vec![format!("{}: {}", run.run, info.outcome)];
    if !info.command.is_empty() {
        lines.push(format!("  {}", info.command));
    }
    lines.push(format!(
        "  config {}, seed {}, {}, {threads}, host {}, pipeline {}",
        or_dash(&info.config),
        info.seed,
        or_dash(&info.device),
        or_dash(&info.host),
        or_dash(&run.pipeline_version)
    ));
    lines.push(format!("  began {}, took {}", info.began().unwrap_or_else(|| "-".to_owned()), took(run)));
    let shown: Vec<&StageRecord> =
        run.stages.iter().filter(|stage| stage.outcome != "not_selected").collect();
    if !shown.is_empty() {
        let mut table = Table::new(
            "llrrrrl",
            ["stage", "outcome", "version", "time", "memory", "size", "what came of it, and why it ran"],
        );
        shown.iter().for_each(|stage| table.row(cells(run, stage)));
        lines.extend([String::new(), table.text()]);
    }
    let of_stages =
        shown.iter().flat_map(|s| s.warnings.iter().map(move |text| format!("{}: {text}", s.name)));
    let warnings: Vec<String> = run.warnings.iter().cloned().chain(of_stages).collect();
    if !warnings.is_empty() {
        lines.push(String::new());
        lines.extend(warnings.iter().map(|text| format!("warning: {text}")));
    }
    lines.join("\n")
}

/// The row of a stage.
fn cells(run: &RunDetails, stage: &StageRecord) -> [String; 7] {
    let dash = || "-".to_owned();
    let part = stage.shard.iter().map(|part| format!(" {part}"));
    let outcome = [stage.outcome.replace('_', " ")].into_iter().chain(part).collect();
    let version = run.graph.get(&stage.name).map_or_else(dash, |settings| settings.version.to_string());
    let time = if stage.wall_seconds > 0.0 { words::duration(stage.wall_seconds) } else { dash() };
    let said = stage.summary.as_ref().map(|summary| summary.line.clone());
    let said = [stage.message.clone(), stage.because.clone(), said].into_iter().flatten().next();
    let memory = stage.peak_memory_bytes.map(words::size);
    let reason = stage.reason.as_ref().map(|reason| format!("({reason})"));
    let said: Vec<String> = said.into_iter().chain(reason).collect();
    [
        stage.name.clone(),
        outcome,
        version,
        time,
        memory.map_or_else(dash, |size| if stage.peak_memory_is_shared { format!("≤ {size}") } else { size }),
        stage.size_bytes.map_or_else(dash, words::size),
        said.join(" "),
    ]
}

fn logs(arguments: &Logs, screen: &Screen) -> Result<(), Error> {
    let store = Store::existing(&arguments.store.dir())?;
    let said = RunRecord::find(&store, Some(&arguments.run))?.said(arguments.stage.as_deref())?;
    let width = said.iter().filter_map(|said| said.stage.as_ref()).map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    if said.is_empty() {
        screen.error("nothing was said");
    }
    for line in said {
        let name = match (&arguments.stage, &line.stage) {
            (Some(_), _) => String::new(),
            (None, name) => format!("{:<width$}  ", name.as_deref().unwrap_or("-")),
        };
        screen.line(&format!("{:<24}  {name}{}", line.time, line.text.replace('\n', "\n    ")));
    }
    Ok(())
}

/// Says that a record is not whole, and why.
pub(super) fn warn_of_damage(run: &RunDetails, screen: &Screen) {
    if let Some(damage) = &run.damage {
        screen.error(&format!("warning: the record of {} is not whole: {damage}", run.run));
    }
}

/// How long it took, or has been going on.
fn took(run: &RunDetails) -> String {
    match run.info.since() {
        _ if run.info.wall_seconds > 0.0 => words::duration(run.info.wall_seconds),
        Some((_, seconds)) if !run.info.is_over() => words::duration(seconds),
        _ => "-".to_owned(),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunDetails {
        serde_json::from_value(json!({
            "run": "20261128T103712Z-0a", "config": "c", "outcome": "failed", "command": "pipeline run configs/c.yaml",
            "host": "atlas", "seed": 42, "threads": 2, "device": "cpu", "pipeline_version": "0.1.0", "wall_seconds": 61.0,
            "warnings": ["the record of this run is not complete"],
            "graph": {"head": {"kind": "head", "version": 3}},
            "stages": [
                {"name": "ingest", "kind": "ingest", "outcome": "fresh", "size_bytes": 4096, "summary": {"line": "20 photos"}},
                {"name": "head", "kind": "head", "outcome": "ran", "reason": "lr 0.01 → 0.003", "wall_seconds": 2.0,
                 "peak_memory_bytes": 1_200_000_000_u64, "summary": {"line": "98 %"}, "warnings": ["few photos"]},
                {"name": "tune", "outcome": "failed", "message": "no room", "wall_seconds": 1.0},
                {"name": "more", "outcome": "not_run", "because": "tune failed"},
                {"name": "photos", "outcome": "collected"},
                {"name": "part", "outcome": "shard", "shard": "2/4", "wall_seconds": 1.0},
                {"name": "other", "outcome": "not_selected"},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_run_is_shown_with_a_line_for_each_selected_stage_and_its_warnings() {
        let expected = "\
20261128T103712Z-0a: failed
  pipeline run configs/c.yaml
  config c, seed 42, cpu, 2 threads, host atlas, pipeline 0.1.0
  began -, took 1m 01 s

  stage    outcome     version    time   memory     size   what came of it, and why it ran
  ingest   fresh             -       -        -   4.1 kB   20 photos
  head     ran               3   2.0 s   1.2 GB        -   98 % (lr 0.01 → 0.003)
  tune     failed            -   1.0 s        -        -   no room
  more     not run           -       -        -        -   tune failed
  photos   collected         -       -        -        -
  part     shard 2/4         -   1.0 s        -        -

warning: the record of this run is not complete
warning: head: few photos";
        assert_eq!(text(&run()), expected);
    }

    #[test]
    fn runs_are_listed_with_how_they_ended_and_how_much_they_did() {
        let expected = "  run                   config   outcome   began      took   ran   fresh   collected
  20261128T103712Z-0a   c        failed        -   1m 01 s     2       1           1";
        assert_eq!(table_of_runs(&[run()]), expected);
    }
}
