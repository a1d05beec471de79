//! Two runs of the same stage: the work is done once; a killed holder holds nothing.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use pipeline_runner::{Outcome, Unobserved, run};
use pipeline_stage::Cancel;
use serde_json::json;

use crate::project::{Listener, Project, graph, join, options, outcomes};

/// Names the project to the process that [`hold`] starts.
const PROJECT: &str = "PIPELINE_RUNNER_TEST_PROJECT";

/// In the process that [`hold`] starts: runs a stage that does not end before the file `go` is there.
#[test]
fn in_another_process_a_stage_runs_until_it_is_told_to_end() {
    let Some(root) = std::env::var_os(PROJECT) else { return };
    let root = std::path::Path::new(&root);
    let nodes = waiting_for(&root.join("go"), &root.join("journal"));
    run(&graph(nodes), &options(root), &Cancel::default(), &Unobserved).unwrap();
}

fn waiting_for(go: &std::path::Path, journal: &std::path::Path) -> Vec<pipeline_runner::Node> {
    vec![join("slow", json!({"behaviour": {"until_exists": go}, "journal": journal}), &[])]
}

/// Starts another process that runs the stage `slow`, and returns when it does.
fn hold(project: &Project) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "locks::in_another_process_a_stage_runs_until_it_is_told_to_end"])
        .env(PROJECT, project.path(""))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !project.path("journal").exists() {
        assert!(Instant::now() < deadline, "the other process does not start the stage");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn a_held_stage_names_its_holder_and_a_killed_holder_holds_nothing() {
    let project = Project::new();
    let nodes = || waiting_for(&project.path("go"), &project.path("journal"));
    let mut child = hold(&project);
    let report = project.try_run(nodes(), &project.options()).unwrap();
    assert_eq!(outcomes(&report), ["slow locked"]);
    let Outcome::Locked { message, hint } = &report.stages[0].outcome else { panic!("{report:?}") };
    let start = format!("stage `slow` is in use by pid {} on host ", child.id());
    assert!(
        message.starts_with(&start) && message.contains("(pipeline run configs/c.yaml, since "),
        "{message}"
    );
    assert_eq!(hint.as_deref(), Some("wait for it with --wait-lock 600, or use another --store"));
    assert_eq!(project.in_store("tmp").len(), 2, "the other's draft and its owner stay");

    child.kill().unwrap();
    child.wait().unwrap();
    project.write("go", "");
    assert_eq!(project.outcomes(nodes()), ["slow ran"]);
    assert_eq!(project.in_store("tmp"), [""; 0]);
}

#[test]
fn a_run_that_waits_finds_the_work_done() {
    let project = Project::new();
    let mut child = hold(&project);
    let mut options = project.options();
    options.wait_lock = Some(Duration::from_secs(30));
    let listener = Listener::default();
    let nodes = waiting_for(&project.path("go"), &project.path("journal"));
    let report = std::thread::scope(|scope| {
        let second = scope.spawn(|| run(&graph(nodes), &options, &Cancel::default(), &listener).unwrap());
        while !listener.lines().iter().any(|line| line.starts_with("waiting: stage `slow` is in use by")) {
            std::thread::sleep(Duration::from_millis(10));
        }
        project.write("go", "");
        second.join().unwrap()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(outcomes(&report), ["slow fresh"]);
    assert_eq!(fs_err::read_to_string(project.path("journal")).unwrap(), "slow\n", "it ran once");
}

#[test]
fn many_runs_at_once_do_the_work_once() {
    let project = Project::new();
    let journal = project.path("journal");
    let mut options = project.options();
    options.wait_lock = Some(Duration::from_secs(30));
    let nodes = || {
        vec![
            join("first", json!({"text": "1", "behaviour": {"slow": 50}, "journal": journal}), &[]),
            join("second", json!({"text": "2", "behaviour": {"slow": 20}, "journal": journal}), &["first"]),
        ]
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..6).map(|_| scope.spawn(|| project.try_run(nodes(), &options).unwrap().succeeded())).collect();
        assert!(runs.into_iter().all(|run| run.join().unwrap()));
    });
    assert_eq!(fs_err::read_to_string(&journal).unwrap(), "first\nsecond\n");
    assert_eq!(project.text("second"), "12");
}

#[test]
fn two_configs_that_share_a_store_run_side_by_side() {
    let project = Project::new();
    let mut child = hold(&project);
    // Its own stages, and one that both have: the first run is done with that, so it is a hit.
    let mut options = project.options();
    options.config = "d".to_owned();
    let nodes = || vec![join("other", json!({"text": "z"}), &[]), join("more", json!({}), &["other"])];
    let report = project.try_run(nodes(), &options).unwrap();
    assert_eq!(outcomes(&report), ["other ran", "more ran"]);
    assert!(child.try_wait().unwrap().is_none(), "the first still runs");
    project.write("go", "");
    assert!(child.wait().unwrap().success());
    let listed = |config: &str| {
        let entries = fs_err::read_dir(project.path("out").join(config)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(
        (listed("c"), listed("d")),
        (vec!["slow".to_owned()], vec!["more".to_owned(), "other".to_owned()])
    );
}

#[test]
fn after_a_kill_no_lock_is_held_and_nothing_is_to_be_cleaned() {
    let project = Project::new();
    let mut child = hold(&project);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it left names it, and stops nobody: not another config, not gc, not the same stage.
    let key = project.in_store("locks").into_iter().find(|name| name.ends_with(".holder")).unwrap();
    let holder = fs_err::read_to_string(project.path(".pipeline/locks").join(key)).unwrap();
    assert!(holder.contains(&format!("\"pid\":{}", child.id())), "{holder}");
    let mut options = project.options();
    options.config = "d".to_owned();
    assert!(project.try_run(vec![join("other", json!({"text": "z"}), &[])], &options).unwrap().succeeded());
    project.write("go", "");
    let nodes = || waiting_for(&project.path("go"), &project.path("journal"));
    assert_eq!(project.outcomes(nodes()), ["slow ran"]);
    let left: Vec<String> =
        project.in_store("locks").into_iter().filter(|n| n.ends_with(".holder")).collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(project.in_store("tmp"), [""; 0]);
}
