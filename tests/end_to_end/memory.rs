//! Too little memory, for real: processes that may have so much and no more.

use pipeline_testkit::{Project, Ran};

use crate::small_project;

/// Runs precompute on one thread where the process may have so many GiB of address space.
fn run_within(gib: u64, project: &Project, more: &[&str]) -> Ran {
    let arguments = [&["run", "configs/c.yaml", "--threads", "1", "--until", "precompute"], more].concat();
    let command = project.command(&arguments);
    let limit = format!("ulimit -v {} && exec \"$0\" \"$@\"", gib << 20);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &limit]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(project.path("")).env_remove("LD_LIBRARY_PATH");
    shell.output().unwrap().into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_that_has_no_room_names_the_batch_size_to_set_and_that_one_has_room() {
    let project = small_project();
    // 8 views of 1,024 pixels: 101 MB of pixels, and more than a GB between the layers of the trunk.
    let set = [
        "--set",
        "precompute.size=1024",
        "--set",
        "precompute.batch_size=1000",
        "--set",
        "precompute.dtype=f32",
        "--set",
        "precompute.splits=[valid]",
    ];
    let ran = run_within(2, &project, &set);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let start = "error: precompute: out of memory on a batch of 8 views of 1024 pixels: ";
    assert!(ran.stderr.contains(start), "{}", ran.stderr);
    let hint = "hint: set `batch_size: 4`, or run with fewer --threads, each of which has a batch\n";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    let set = set.map(|set| if set.ends_with("=1000") { "precompute.batch_size=1" } else { set });
    let ran = run_within(2, &project, &set);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn pixels_that_have_no_room_are_an_error_and_no_abort() {
    let project = small_project();
    // 1,020 views of 1,024 pixels are 12.8 GB.
    let set = [
        "--set",
        "augment.cached_views=50",
        "--set",
        "precompute.size=1024",
        "--set",
        "precompute.batch_size=1020",
    ];
    let ran = run_within(6, &project, &set);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let expected = "out of memory on a batch of 1,020 views of 1024 pixels: there are no 12,834,570,240 bytes for its pixels";
    assert!(ran.stderr.contains(expected) && ran.stderr.contains("`batch_size: 510`"), "{}", ran.stderr);
}
