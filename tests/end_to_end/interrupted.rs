//! Interruptions: whatever happens, finished artifacts stay whole and the next run goes on.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::Project;

use crate::small_project;

/// A job whose precompute takes long enough to be interrupted.
fn long_project() -> Project {
    let project = small_project();
    let config = project.read("configs/c.yaml").replace("size: 64", "size: 512, batch_size: 1");
    project.write("configs/c.yaml", config);
    project
}

/// Starts a run and waits until precompute runs.
fn start(project: &Project) -> Child {
    let mut child =
        project.command(&["run", "configs/c.yaml", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let mut lines = BufReader::new(stdout).lines();
    let started = r#""event":"stage_started","#;
    loop {
        let line = lines.next().expect("precompute starts before the run ends").unwrap();
        if line.contains(started) && line.contains(r#""stage":"precompute""#) {
            break;
        }
    }
    // Keep reading, so that the command is not stopped by a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn signal(child: &Child, name: &str) {
    // The shell's own `kill`: the program of that name is not on every machine.
    let kill = format!("kill -s {name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

fn finish(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("the command did not end within a minute");
}

fn assert_goes_on(project: &Project) {
    assert!(!project.path("out/c/precompute").exists(), "nothing half-made is visible");
    let outcomes = project.outcomes(&["run", "configs/c.yaml"]);
    assert_eq!(outcomes[..4], ["ingest fresh", "augment fresh", "backbone fresh", "precompute ran"]);
    let tmp = project.path(".pipeline/tmp");
    let litter: Vec<_> = fs_err::read_dir(tmp).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(litter.is_empty(), "{litter:?}");
}

#[test]
fn ctrl_c_ends_with_130_and_the_next_run_goes_on() {
    let project = long_project();
    let child = start(&project);
    signal(&child, "INT");
    assert_eq!(finish(child), Some(130));
    assert_goes_on(&project);
}

#[test]
fn sigterm_ends_with_143_and_the_next_run_goes_on() {
    let project = long_project();
    let child = start(&project);
    signal(&child, "TERM");
    assert_eq!(finish(child), Some(143));
    assert_goes_on(&project);
}

#[test]
fn sigkill_leaves_nothing_that_the_next_run_trips_over() {
    let project = long_project();
    let child = start(&project);
    let watched = || project.succeed(&["watch"]).stdout;
    assert!(
        watched().starts_with("c: running, ") && watched().contains("  precompute   running"),
        "{}",
        watched()
    );
    signal(&child, "KILL");
    assert_eq!(finish(child), None);
    assert!(
        watched().starts_with("c: killed, ") && watched().contains("  precompute   killed"),
        "{}",
        watched()
    );
    assert_goes_on(&project);
}

#[test]
fn a_second_run_of_the_same_stage_names_the_holder_or_waits_and_finds_a_hit() {
    let project = long_project();
    let child = start(&project);
    let error = project.fail(4, &["run", "configs/c.yaml"]);
    assert!(error.contains(&format!("pid {}", child.id())) && error.contains("--wait-lock"), "{error}");
    // Only so far: beyond it, the two would race for the head's lock, and the first does not wait.
    let until = ["run", "configs/c.yaml", "--wait-lock", "60", "--until", "precompute"];
    let outcomes = project.outcomes(&until);
    assert_eq!(finish(child), Some(0));
    assert_eq!(outcomes[3], "precompute fresh");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let project = small_project();
    let mut child = project
        .command(&["run", "configs/c.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked") && !stderr.contains("Broken pipe"), "{stderr}");
}
