//! `--shard I/N`: workers that do parts of precompute, and runs of it that are killed; the table is that of one run.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use pipeline_stage::random::{Random, Stream, below};
use pipeline_testkit::Project;

use crate::{SMALL, drawn_project};

/// Views: 5 chunks of 256, the last of 176, so that 4 workers have 2, 1, 1 and 1 of them.
const VIEWS: &str = "1,200";

/// 72 photos of train and 28 of valid, each in 12 views of 32 pixels.
fn project_of_views() -> Project {
    let config = SMALL.replace("size: 64", "size: 32") + "augment: { cached_views: 11 }\n";
    drawn_project(["36", "14", "1"], &config)
}

/// The arguments of a run that makes the table in this store, with more of them.
fn run<'a>(store: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "configs/c.yaml", "--store", store, "--json"], more].concat()
}

/// Makes what precompute reads.
fn prepare(project: &Project, store: &str) {
    project.succeed(&run(store, &["--until", "augment,backbone"]));
}

/// Digests of the table's files, of the run that was last.
fn digests(project: &Project) -> serde_json::Value {
    let manifest: serde_json::Value =
        serde_json::from_str(&project.read("out/c/precompute/artifact.json")).unwrap();
    assert!(manifest["files"].as_array().is_some_and(|files| !files.is_empty()), "{manifest}");
    manifest["files"].clone()
}

/// Digests of a table that one run has made.
fn in_one_go(project: &Project) -> serde_json::Value {
    let ran = project.succeed(&run("whole", &["--until", "precompute"]));
    assert!(ran.stdout.contains(&format!(" {VIEWS} views")), "{}", ran.stdout);
    digests(project)
}

/// Starts a run and waits until precompute has begun.
fn start(project: &Project, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = project.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_start = |line: &str| line.contains(r#""event":"stage_started""#) && line.contains("precompute");
    while !is_start(&lines.next().expect("precompute begins").unwrap()) {}
    (child, lines)
}

/// Chunks on the disk of this store.
fn chunks(project: &Project, store: &str) -> usize {
    let folders = fs_err::read_dir(project.path(format!("{store}/partial/precompute"))).into_iter().flatten();
    let files = folders.flat_map(|folder| fs_err::read_dir(folder.unwrap().path()).unwrap());
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "f32")).count()
}

/// Starts a run and kills it: a random moment after it has begun, or after so many chunks are there. Whether it was still
/// going on.
fn kill(project: &Project, arguments: &[&str], store: &str, at_chunks: usize, random: &mut Random) -> bool {
    let (mut child, lines) = start(project, arguments);
    let reader = std::thread::spawn(move || lines.for_each(drop));
    let deadline = Instant::now() + Duration::from_secs(60);
    while chunks(project, store) < at_chunks && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "no chunk in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(below(400, random)));
    child.kill().unwrap();
    reader.join().unwrap();
    child.wait().unwrap().code().is_none()
}

/// How many views a run found done, as it says.
fn went_on_after(stdout: &str) -> u64 {
    let after = stdout.split_once("goes on after ").map_or("0", |(_, after)| after);
    after.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn workers_at_once_and_after_each_other_make_the_bytes_of_one_run() {
    let project = project_of_views();
    let whole = in_one_go(&project);
    fs_err::remove_dir_all(project.path("out")).unwrap();
    prepare(&project, "four");
    let worker = |part| run("four", &["--only", "precompute", "--threads", "1", "--shard", part]);

    let (mut first, first_lines) = start(&project, &worker("1/4"));
    let (mut third, third_lines) = start(&project, &worker("3/4"));
    let error = project.fail(4, &run("four", &["--until", "precompute"]));
    assert!(error.contains("error: precompute: stage `precompute` is in use by pid "), "{error}");
    assert!(error.contains("/4, since ") && error.contains("--wait-lock"), "a worker is named: {error}");
    let said: Vec<String> = first_lines.chain(third_lines).map(Result::unwrap).collect();
    assert!(first.wait().unwrap().success() && third.wait().unwrap().success(), "{said:?}");
    for line in ["2 of 5 chunks done by this worker", "1 of 5 chunks done by this worker"] {
        assert!(said.iter().any(|event| event.contains(line)), "{line}: {said:?}");
    }
    let second = project.succeed(&worker("2/4")).stdout;
    assert!(second.contains("4 of 5 chunks are there: run without --shard when all are"), "{second}");
    assert!(second.contains(r#""outcome":"shard","#) && second.contains(r#""shard":"2/4""#), "{second}");
    let words = ["run", "configs/c.yaml", "--store", "four", "--only", "precompute", "--shard", "4/4"];
    let fourth = project.succeed(&words).stdout;
    for part in [
        "  precompute   shard ",
        "1 of 5 chunks done by this worker, ",
        "\n5 of 5 chunks are there: run without --shard to make the table",
    ] {
        assert!(fourth.contains(part), "{part}: {fourth}");
    }
    assert!(!project.path("out/c/precompute").exists(), "workers publish nothing");

    let merged = project.succeed(&run("four", &["--until", "precompute"])).stdout;
    assert_eq!(went_on_after(&merged), 1_200, "nothing was left to compute: {merged}");
    assert_eq!(digests(&project), whole);
    let again = project.succeed(&worker("2/4")).stdout;
    assert!(
        again.contains(r#""event":"stage_finished""#) && again.contains(r#""outcome":"fresh""#),
        "{again}"
    );
    assert_eq!(chunks(&project, "four"), 0, "nothing is left of the pieces");
    let left = fs_err::read_dir(project.path("four/locks")).unwrap().map(|entry| entry.unwrap().path());
    let of_stages = |path: &PathBuf| path.is_dir() && !path.ends_with("store.shared");
    let left: Vec<_> = left.filter(of_stages).collect();
    assert!(left.is_empty(), "{left:?}");

    // One worker is as none, and its run's record says what it was.
    prepare(&project, "single");
    project.succeed(&run("single", &["--only", "precompute", "--shard", "1/1"]));
    let runs = fs_err::read_dir(project.path("single/runs")).unwrap().map(|run| run.unwrap().path());
    let records: Vec<String> =
        runs.map(|run| fs_err::read_to_string(run.join("run.json")).unwrap()).collect();
    assert!(records.iter().any(|record| record.contains(r#""outcome": "shard""#)), "{records:?}");
    project.succeed(&run("single", &["--until", "precompute"]));
    assert_eq!(digests(&project), whole);
}

#[test]
fn what_a_worker_has_not_done_is_done_by_the_run_that_makes_the_table() {
    let project = project_of_views();
    let whole = in_one_go(&project);
    prepare(&project, "some");
    project.succeed(&run("some", &["--only", "precompute", "--shard", "2/3"]));
    let merged = project.succeed(&run("some", &["--until", "precompute"])).stdout;
    // Chunks 1 and 4, of 256 and 176 views.
    assert_eq!(went_on_after(&merged), 432, "{merged}");
    assert_eq!(digests(&project), whole);
}

#[test]
fn precompute_that_is_killed_goes_on_and_makes_the_same_bytes() {
    let project = project_of_views();
    let whole = in_one_go(&project);
    let mut random = Stream { seed: 8, purpose: "kills", ..Stream::default() }.start();
    for (round, at_chunks) in [0, 1, 1, 2, 3].into_iter().enumerate() {
        let store = format!("round-{round}");
        prepare(&project, &store);
        let arguments = run(&store, &["--until", "precompute"]);
        let was_killed = kill(&project, &arguments, &store, at_chunks, &mut random);
        let kept = chunks(&project, &store);
        let ran = project.succeed(&arguments);
        let after = went_on_after(&ran.stdout);
        if was_killed {
            // Whole chunks, of 256 views but for the last.
            let expected = if kept == 5 { 1_200 } else { 256 * kept as u64 };
            assert_eq!(after, expected, "round {round}: {}", ran.stdout);
            assert!(kept >= at_chunks, "round {round}: {kept}");
        }
        assert!(was_killed || at_chunks > 2, "round {round} ended before it was killed");
        assert_eq!(digests(&project), whole, "round {round}, killed with {kept} chunks");
    }
}

#[test]
fn a_worker_that_is_killed_goes_on_where_it_was() {
    let project = project_of_views();
    let whole = in_one_go(&project);
    prepare(&project, "killed");
    let mut random = Stream { seed: 9, purpose: "kills", ..Stream::default() }.start();
    let worker = |part| run("killed", &["--only", "precompute", "--shard", part]);
    assert!(kill(&project, &worker("1/2"), "killed", 1, &mut random), "it ended before it was killed");
    let again = project.succeed(&worker("1/2"));
    assert!(went_on_after(&again.stdout) >= 256, "{}", again.stdout);
    project.succeed(&worker("2/2"));
    let merged = project.succeed(&run("killed", &["--until", "precompute"]));
    assert_eq!(went_on_after(&merged.stdout), 1_200, "{}", merged.stdout);
    assert_eq!(digests(&project), whole);
}

#[test]
fn a_part_of_anything_but_one_stage_that_can_be_shared_is_refused_with_the_way_out() {
    let project = crate::small_project();
    let refused = |more: &[&str]| project.fail(2, &[&["run", "configs/c.yaml"], more].concat());
    for part in ["5/4", "0/4", "a/b", "-1/4"] {
        let error = refused(&["--only", "precompute", "--shard", part]);
        let expected = format!("expected a part and the number of parts, as 1/4 to 4/4, found `{part}`");
        assert!(error.contains(&expected), "{error}");
    }
    let way = "hint: stages that can be done in parts: precompute; select one with `--only`";
    let error = refused(&["--until", "precompute", "--shard", "1/4"]);
    let several = "error: `--shard 1/4` is a part of one stage, found 4 selected: ingest, augment, backbone, precompute\n";
    assert!(error.contains(several) && error.contains(way), "{error}");
    let error = refused(&["--only", "head", "--shard", "1/4"]);
    assert!(error.contains("error: `head` cannot be done in parts, found `--shard 1/4`\n"), "{error}");
    assert!(error.contains(way), "{error}");
    let error = refused(&["--only", "precompute", "--force", "precompute", "--shard", "1/4"]);
    assert!(error.contains("error: `--force` and `--shard 1/4` do not go together"), "{error}");
    let error = refused(&["--only", "precompute", "--shard", "1/4"]);
    assert!(error.contains("error: part 1/4 of `precompute` cannot begin: it reads `ingest`, which is not fresh: missing (no artifact yet)"), "{error}");
    assert!(
        error.contains("hint: make what it reads first, once: `--until ingest,augment,backbone`"),
        "{error}"
    );
}
