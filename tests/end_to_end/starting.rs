//! What is loaded when the command starts: libtorch only where something is computed, since it takes 0.3 s.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use pipeline_testkit::{Project, Ran};

use crate::small_project;

/// Runs the command; what the system's loader maps is on standard error, line by line.
fn traced(project: &Project, arguments: &[&str]) -> Ran {
    let ran = Ran::from(project.command(arguments).env("LD_DEBUG", "files").output().unwrap());
    assert!(ran.stderr.contains("libc.so"), "the loader does not say what it loads: {}", ran.stderr);
    ran
}

#[test]
fn only_a_command_that_computes_loads_libtorch() {
    let project = small_project();
    for (arguments, code) in [
        (["--version"].as_slice(), 0),
        (&["stages"], 0),
        (&["status", "configs/c.yaml"], 0),
        (&["run", "configs/c.yaml", "--dry-run"], 0),
        (&["run", "configs/c.yaml", "--only", "ingest"], 0),
    ] {
        let ran = traced(&project, arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}\n{}", ran.stdout);
        assert!(!ran.stderr.contains("libtorch"), "{arguments:?}\n{}", ran.stderr);
    }
    let first = traced(&project, &["run", "configs/c.yaml"]);
    assert!(first.code == Some(0) && first.stderr.contains("libtorch_cpu.so"), "{}", first.stdout);
    let again = traced(&project, &["run", "configs/c.yaml"]);
    assert!(
        again.code == Some(0) && !again.stderr.contains("libtorch"),
        "{}\n{}",
        again.stdout,
        again.stderr
    );
}

#[test]
fn where_libtorch_does_not_load_a_stage_fails_with_the_way_out_and_status_works() {
    let project = small_project();
    project.write("broken/libtorch_cpu.so", "no library");
    let run = |arguments: &[&str]| {
        Ran::from(project.command(arguments).env("LD_LIBRARY_PATH", project.path("broken")).output().unwrap())
    };
    let ran = run(&["run", "configs/c.yaml"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("cannot load libtorch, which this program expects in `/"), "{}", ran.stderr);
    assert!(ran.stderr.contains("libtorch_cpu.so: file too short"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: put libtorch 2.13 there"), "{}", ran.stderr);
    let status = run(&["status", "configs/c.yaml"]);
    assert!(
        status.code == Some(0) && status.stdout.contains("missing"),
        "{}\n{}",
        status.stdout,
        status.stderr
    );
}
