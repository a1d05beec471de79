//! What runs again, and what does not.

use std::time::{Duration, SystemTime};

use pipeline_runner::{RunOptions, Selection, run};
use pipeline_stage::{Cancel, CheckpointEvery};
use serde_json::json;

use crate::project::{Listener, Project, chain, chain_with, draw, graph, join, outcomes, read};

const ALL_RAN: [&str; 3] = ["read ran", "middle ran", "last ran"];
const ALL_FRESH: [&str; 3] = ["read fresh", "middle fresh", "last fresh"];

#[test]
fn the_second_run_finds_everything() {
    let project = Project::new();
    assert_eq!(project.outcomes(chain()), ALL_RAN);
    assert_eq!(project.text("last"), "one two xy");
    assert_eq!(project.outcomes(chain()), ALL_FRESH);
}

#[test]
fn a_changed_parameter_runs_only_what_depends_on_it_and_the_way_back_is_fresh() {
    let project = Project::new();
    project.run(chain());
    let changed = chain_with(json!({"text": "z"}));
    assert_eq!(project.outcomes(changed), ["read fresh", "middle ran", "last ran"]);
    assert_eq!(project.text("last"), "one two zy");
    assert_eq!(project.outcomes(chain()), ALL_FRESH);
    assert_eq!(project.text("last"), "one two xy");
}

#[test]
fn an_upstream_that_gives_the_same_result_stops_the_wave() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "x", "keep": 3})));
    let changed = chain_with(json!({"text": "z", "keep": 3}));
    let plan = project.plan(changed.clone());
    assert_eq!(plan.stage("last").unwrap().state.to_string(), "depends on middle");
    assert_eq!(project.outcomes(changed), ["read fresh", "middle ran", "last fresh"]);
}

#[test]
fn a_touched_file_is_not_a_changed_one() {
    let project = Project::new();
    project.run(chain());
    let file = fs_err::OpenOptions::new().append(true).open(project.path("texts/a.txt")).unwrap();
    file.file().set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    assert_eq!(project.outcomes(chain()), ALL_FRESH);
}

#[test]
fn other_bytes_of_the_same_size_and_time_are_a_change() {
    let project = Project::new();
    let path = project.path("texts/a.txt");
    let old = SystemTime::now() - Duration::from_secs(3600);
    let set_time = || fs_err::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
    set_time();
    project.run(chain());
    fs_err::write(&path, "ONE ").unwrap();
    set_time();
    assert_eq!(project.outcomes(chain()), ALL_RAN);
    assert_eq!(project.text("last"), "ONE two xy");
}

#[test]
fn a_new_a_renamed_and_a_deleted_file_are_changes_and_clutter_is_not() {
    let project = Project::new();
    project.run(chain());
    project.write("texts/.DS_Store", "litter");
    assert_eq!(project.outcomes(chain()), ALL_FRESH);
    project.write("texts/c.txt", "three ");
    assert_eq!(project.outcomes(chain())[0], "read ran");
    fs_err::rename(project.path("texts/c.txt"), project.path("texts/d.txt")).unwrap();
    assert_eq!(project.outcomes(chain())[0], "read ran");
    fs_err::remove_file(project.path("texts/d.txt")).unwrap();
    assert_eq!(project.outcomes(chain()), ALL_FRESH);
}

#[test]
fn the_same_files_elsewhere_are_the_same() {
    let project = Project::new();
    project.run(chain());
    fs_err::rename(project.path("texts"), project.path("moved")).unwrap();
    let mut nodes = chain();
    nodes[0] = crate::project::read_from(json!({"path": "moved"}));
    assert_eq!(project.outcomes(nodes), ALL_FRESH);
}

#[test]
fn a_seed_concerns_only_what_draws() {
    let project = Project::new();
    let nodes = || vec![read(), draw(), join("last", json!({}), &["read", "draw"])];
    project.run(nodes());
    let mut options = project.options();
    options.seed = 2;
    let report = project.try_run(nodes(), &options).unwrap();
    assert_eq!(outcomes(&report), ["read fresh", "draw ran", "last ran"]);
    assert_eq!(project.text("last"), "one two 2");
}

#[test]
fn two_configs_share_a_store() {
    let project = Project::new();
    project.run(chain());
    let mut options = project.options();
    options.config = "d".to_owned();
    let report = project.try_run(chain(), &options).unwrap();
    assert_eq!(outcomes(&report), ALL_FRESH);
    assert_eq!(
        fs_err::canonicalize(project.path("out/d/last")).unwrap(),
        fs_err::canonicalize(project.path("out/c/last")).unwrap()
    );
}

#[test]
fn a_stage_can_run_alone_when_what_it_reads_is_fresh() {
    let project = Project::new();
    let mut options = project.options();
    options.selection = Selection { only: vec!["last".to_owned()], ..Selection::default() };
    let error = project.try_run(chain(), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`last` cannot run alone: it reads `middle`, which is not fresh: depends on read"
    );
    assert_eq!(project.in_store("store"), [""; 0], "nothing ran");

    project.run(chain());
    let mut nodes = chain();
    nodes[2] = join("last", json!({"text": "Y"}), &["middle"]);
    let report = project.try_run(nodes, &options).unwrap();
    assert_eq!(outcomes(&report), ["read not selected", "middle not selected", "last ran"]);
    assert_eq!(project.text("last"), "one two xY");
}

#[test]
fn from_runs_what_is_downstream_and_until_what_is_upstream() {
    let project = Project::new();
    let mut options = project.options();
    options.selection = Selection { until: vec!["middle".to_owned()], ..Selection::default() };
    let report = project.try_run(chain(), &options).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last not selected"]);
    assert!(!project.path("out/c/last").exists());
    options.selection = Selection { from: vec!["middle".to_owned()], ..Selection::default() };
    let report = project.try_run(chain(), &options).unwrap();
    assert_eq!(outcomes(&report), ["read fresh", "middle fresh", "last ran"]);
}

#[test]
fn an_observer_is_told_the_reasons_in_order() {
    let project = Project::new();
    project.run(chain_with(json!({"keep": 2})));
    let listener = Listener::default();
    let nodes = chain_with(json!({"keep": 3}));
    let report = run(&graph(nodes), &project.options(), &Cancel::default(), &listener).unwrap();
    let lines = listener.lines();
    // The texts are too young to be remembered, so they are hashed again.
    let told: Vec<&str> = lines.iter().map(String::as_str).filter(|l| !l.contains("hash")).collect();
    assert_eq!(
        told,
        [
            "planned: 1 fresh, 2 to run",
            "read fresh",
            "middle started: keep 2 → 3",
            "middle ran",
            "last started: input texts changed (text.txt)",
            "last ran"
        ]
    );
    let events = fs_err::read_to_string(report.dir.join("events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    let finished = "stage_finished";
    assert_eq!(kinds, ["planned", finished, "stage_started", finished, "stage_started", finished]);
    let log = fs_err::read_to_string(report.dir.join("middle.log")).unwrap();
    assert!(log.contains("started: keep 2 → 3"), "{log}");
    let record: serde_json::Value =
        serde_json::from_slice(&fs_err::read(report.dir.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["outcome"], "succeeded");
    assert_eq!(record["stages"][1]["outcome"], "ran");
    assert_eq!(record["stages"][1]["reason"], "keep 2 → 3");
}

#[test]
fn what_a_stage_measures_is_in_the_record_and_how_often_it_keeps_is_in_no_key() {
    let project = Project::new();
    let nodes = || vec![join("m", json!({"text": "", "behaviour": "measure"}), &[])];
    let report = project.run(nodes());
    let events = fs_err::read_to_string(report.dir.join("events.jsonl")).unwrap();
    let lines = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let measured: Vec<_> = lines.filter(|event| event["event"] == "measured").collect();
    let values = json!({"step": 3.0, "train_loss": 0.625});
    assert_eq!(measured, [json!({"event": "measured", "stage": "m", "phase": "train", "values": values})]);
    assert_eq!(project.text("m"), "7 steps");
    let often = RunOptions { checkpoint_every: CheckpointEvery::Seconds(1.0), ..project.options() };
    let again = project.try_run(nodes(), &often).unwrap();
    assert_eq!(again.stages[0].outcome.word(), "fresh");
}
