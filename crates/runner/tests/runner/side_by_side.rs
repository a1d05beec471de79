//! Several stages at one time: which, on how many threads, and what one that fails does to the others.

use std::time::Duration;

use pipeline_runner::{Machine, Node, Outcome, RunOptions, RunReport, Unobserved, run, run_on};
use pipeline_stage::Cancel;
use serde_json::{Value, json};

use crate::project::{Project, graph, jobs, join, outcomes, read};

/// `read`, and stages that read it and nothing else: name and parameters.
fn fan(stages: &[(&str, Value)]) -> Vec<Node> {
    let stages = stages.iter().map(|(name, params)| join(name, params.clone(), &["read"]));
    [read()].into_iter().chain(stages).collect()
}

/// Parameters of a stage that writes `text` and behaves so.
fn behaving(text: &str, behaviour: Value) -> Value {
    json!({"text": text, "behaviour": behaviour})
}

fn run_with(project: &Project, nodes: Vec<Node>, options: &RunOptions) -> RunReport {
    project.try_run(nodes, options).unwrap()
}

#[test]
fn independent_stages_run_side_by_side_and_are_reported_in_the_order_of_the_graph() {
    let project = Project::new();
    let meet = |count: usize| json!({"meet": [project.path("met"), count]});
    let stages =
        [("b", behaving("b", meet(3))), ("a", behaving("a", meet(3))), ("c", behaving("c", meet(3)))];
    let report = run_with(&project, fan(&stages), &jobs(3, 3, project.options()));
    assert_eq!(outcomes(&report), ["read ran", "b ran", "a ran", "c ran"]);
    assert_eq!(["a", "b", "c"].map(|name| project.text(name)), ["one two a", "one two b", "one two c"]);
    let shared: Vec<bool> = report.stages[1..].iter().map(|stage| stage.peak_memory_is_shared).collect();
    assert_eq!(shared, [true; 3], "what the process held was not theirs alone");
    // All of it is fresh for one job.
    assert_eq!(project.outcomes(fan(&stages)), ["read fresh", "b fresh", "a fresh", "c fresh"]);
}

#[test]
fn one_job_runs_one_stage_after_another_in_the_order_of_the_graph() {
    let project = Project::new();
    let (busy, journal) = (project.path("busy"), project.path("journal"));
    let alone = |text: &str| json!({"text": text, "behaviour": {"alone": busy}, "journal": journal});
    let stages = [("b", alone("b")), ("a", alone("a")), ("c", alone("c"))];
    let report = run_with(&project, fan(&stages), &jobs(1, 4, project.options()));
    assert!(report.succeeded(), "{report:?}");
    assert_eq!(fs_err::read_to_string(journal).unwrap(), "b\na\nc\n");
}

#[test]
fn no_more_stages_run_at_once_than_there_are_threads_or_than_memory_has_room_for() {
    for (threads, memory_bytes) in [(1, None), (2, Some(100))] {
        let project = Project::new();
        let options = RunOptions { memory_bytes, ..project.options() };
        let alone =
            |text: &str| json!({"text": text, "bytes": 60, "behaviour": {"alone": project.path("busy")}});
        let report =
            run_with(&project, fan(&[("a", alone("a")), ("b", alone("b"))]), &jobs(2, threads, options));
        assert!(report.succeeded(), "{threads} threads, {memory_bytes:?} bytes: {report:?}");
    }
    let project = Project::new();
    let options = RunOptions { memory_bytes: Some(120), ..project.options() };
    let meet =
        |text: &str| json!({"text": text, "bytes": 60, "behaviour": {"meet": [project.path("met"), 2]}});
    let report = run_with(&project, fan(&[("a", meet("a")), ("b", meet("b"))]), &jobs(2, 2, options));
    assert!(report.succeeded(), "{report:?}");
}

#[test]
fn a_stage_whose_bytes_depend_on_the_threads_has_all_of_them_whatever_the_jobs() {
    for jobs_ in [1, 3] {
        let project = Project::new();
        let busy = project.path("busy");
        let all = |name: &str| {
            join(name, json!({"behaviour": "threads", "most_threads": 0, "text": name}), &["read"])
        };
        let few = |name: &str| {
            join(name, json!({"behaviour": {"alone": busy}, "most_threads": 5, "text": name}), &["read"])
        };
        let report = run_with(
            &project,
            vec![read(), few("a"), all("b"), all("c")],
            &jobs(jobs_, 5, project.options()),
        );
        assert!(report.succeeded(), "{jobs_} jobs: {report:?}");
        assert_eq!(["b", "c"].map(|name| project.text(name)), ["5", "5"], "{jobs_} jobs");
        let made = fs_err::read_to_string(project.path("out/c/b/artifact.json")).unwrap();
        let made: Value = serde_json::from_str(&made).unwrap();
        assert_eq!(made["made"]["threads"], 5, "{jobs_} jobs");
    }
}

#[test]
fn stages_that_start_together_share_the_threads_and_their_manifests_say_so() {
    let project = Project::new();
    let threads =
        |text: &str, most: usize| json!({"behaviour": "threads", "most_threads": most, "text": text});
    let stages = [("a", threads("a", 9)), ("b", threads("b", 1)), ("c", threads("c", 9))];
    run_with(&project, fan(&stages), &jobs(3, 6, project.options()));
    // 2 each; then b can use one of its 2 only, which a gets.
    assert_eq!(["a", "b", "c"].map(|name| project.text(name)), ["3", "1", "2"]);
    let made: Value =
        serde_json::from_str(&fs_err::read_to_string(project.path("out/c/a/artifact.json")).unwrap())
            .unwrap();
    assert_eq!(made["made"]["threads"], 3);
}

#[test]
fn two_stages_with_one_key_run_once_also_when_both_are_ready_at_one_moment() {
    let project = Project::new();
    let journal = project.path("journal");
    let slow = json!({"text": "x", "behaviour": {"slow": 60}, "journal": journal});
    let stages = [("a", slow.clone()), ("b", slow.clone()), ("c", slow)];
    let report = run_with(&project, fan(&stages), &jobs(3, 3, project.options()));
    assert_eq!(outcomes(&report), ["read ran", "a ran", "b fresh", "c fresh"]);
    assert_eq!(fs_err::read_to_string(&journal).unwrap(), "a\n");
    assert_eq!(project.text("c"), "one two x");
}

#[test]
fn the_twin_of_a_forced_stage_waits_for_what_that_makes_also_where_that_has_to_wait() {
    let project = Project::new();
    let random = json!({"text": "x", "behaviour": "random", "most_threads": 0});
    let nodes = || {
        let slow = json!({"text": "s", "behaviour": {"slow": 100}});
        let mut nodes = fan(&[("slow", slow), ("a", random.clone()), ("b", random.clone())]);
        nodes.push(join("last", json!({"text": "y"}), &["b"]));
        nodes
    };
    run_with(&project, nodes(), &jobs(1, 3, project.options()));
    // `a` needs all threads, and `slow` has one; `b` is fresh until `a` has run.
    let mut options = jobs(3, 3, project.options());
    options.selection.force = vec!["slow".to_owned(), "a".to_owned()];
    let report = run_with(&project, nodes(), &options);
    assert_eq!(outcomes(&report), ["read fresh", "slow ran", "a ran", "b fresh", "last ran"]);
    assert_eq!(project.text("last"), format!("{}y", project.text("a")));
    assert_eq!(project.plan(nodes()).to_run(), 0);
}

/// `bad` fails; `after` reads it; `beside` does not, nor do `later` and `last`, which come after that.
fn with_a_fault() -> Vec<Node> {
    vec![
        read(),
        join("bad", json!({"text": "b", "behaviour": "fail"}), &["read"]),
        join("beside", json!({"text": "s", "behaviour": {"slow": 300}}), &["read"]),
        join("after", json!({"text": "a"}), &["bad"]),
        join("later", json!({"text": "l"}), &["beside"]),
        join("last", json!({"text": "t"}), &["later"]),
    ]
}

fn not_run(because: &str) -> Outcome {
    Outcome::NotRun { because: because.to_owned() }
}

#[test]
fn after_a_failure_what_runs_is_finished_and_nothing_new_is_started() {
    let project = Project::new();
    let report = run_with(&project, with_a_fault(), &jobs(2, 2, project.options()));
    let outcome = |name: &str| report.stage(name).unwrap().outcome.clone();
    assert_eq!(["bad", "beside"].map(|name| outcome(name).word()), ["failed", "ran"]);
    assert_eq!(outcome("after"), not_run("bad failed"));
    assert_eq!(outcome("later"), not_run("the run stopped: bad failed"));
    assert_eq!(outcome("last"), not_run("later is not run"));
    assert_eq!(project.in_store("tmp"), [""; 0]);
}

#[test]
fn with_keep_going_a_failure_stops_only_what_depends_on_it() {
    for jobs_ in [1, 3] {
        let project = Project::new();
        let options = RunOptions { keep_going: true, ..project.options() };
        let report = run_with(&project, with_a_fault(), &jobs(jobs_, jobs_, options));
        let outcome = |name: &str| report.stage(name).unwrap().outcome.clone();
        assert_eq!(
            ["bad", "beside", "later", "last"].map(|n| outcome(n).word()),
            ["failed", "ran", "ran", "ran"]
        );
        assert_eq!(outcome("after"), not_run("bad failed"));
        assert!(!report.succeeded());
    }
}

#[test]
fn a_cancel_stops_all_that_run() {
    let project = Project::new();
    let until = |text: &str| behaving(text, json!("until_cancelled"));
    let nodes = fan(&[("a", until("a")), ("b", until("b")), ("c", until("c"))]);
    let options = jobs(2, 2, project.options());
    let cancel = Cancel::default();
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&graph(nodes), &options, &cancel, &Unobserved).unwrap());
        while !running.is_finished() && project.in_store("partial/join").len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        cancel.cancel();
        running.join().unwrap()
    });
    assert_eq!(outcomes(&report), ["read ran", "a cancelled", "b cancelled", "c cancelled"]);
    assert_eq!(project.in_store("tmp"), [""; 0]);
}

#[test]
fn a_panic_fails_its_stage_and_not_the_one_beside_it() {
    let project = Project::new();
    let beside = json!({"text": "s", "behaviour": {"slow": 100}});
    let nodes = fan(&[("a", behaving("a", json!("panic"))), ("b", beside)]);
    let report = run_with(&project, nodes, &jobs(2, 2, project.options()));
    assert_eq!(outcomes(&report), ["read ran", "a failed", "b ran"]);
    let Outcome::Failed { message, .. } = &report.stages[1].outcome else { panic!("{report:?}") };
    assert_eq!(message, "the stage broke off: index out of bounds");
}

#[test]
fn the_record_tells_stages_apart_that_ran_at_one_time() {
    let project = Project::new();
    let meet = json!({"meet": [project.path("met"), 2]});
    let nodes = fan(&[("a", behaving("a", meet.clone())), ("b", behaving("b", meet))]);
    let report = run_with(&project, nodes, &jobs(2, 2, project.options()));
    let text = fs_err::read_to_string(report.dir.join("events.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<String> = events
        .filter(|event| event["stage"] == "a" || event["stage"] == "b")
        .map(|event| format!("{} {}", event["event"].as_str().unwrap(), event["stage"].as_str().unwrap()))
        .collect();
    let (begun, ended) = told.split_at(2);
    for (half, word) in [(begun, "stage_started"), (ended, "stage_finished")] {
        let mut half = half.to_vec();
        half.sort();
        assert_eq!(half, [format!("{word} a"), format!("{word} b")], "{told:?}");
    }
    let log = fs_err::read_to_string(report.dir.join("a.log")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
    let record: Value =
        serde_json::from_str(&fs_err::read_to_string(report.dir.join("run.json")).unwrap()).unwrap();
    assert_eq!((&record["jobs"], &record["threads"]), (&json!(2), &json!(2)));
}

/// Runs of these graphs at one moment, on one machine; the links of each are in a folder of their own.
fn run_together(runs: &[Vec<Node>], options: &RunOptions) -> Vec<RunReport> {
    let machine = Machine::of(options);
    let one = |place: usize| {
        let (config, wait_lock) = (format!("c{place}"), Some(Duration::MAX));
        let options = RunOptions { config, wait_lock, ..options.clone() };
        run_on(&machine, &graph(runs[place].clone()), &options, &Cancel::default(), &Unobserved).unwrap()
    };
    std::thread::scope(|scope| {
        let one = &one;
        let runs: Vec<_> = (0..runs.len()).map(|place| scope.spawn(move || one(place))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[test]
fn what_two_runs_of_a_process_need_is_made_once_and_with_all_threads() {
    let project = Project::new();
    let journal = project.path("journal");
    let shared = json!({"text": "s", "behaviour": {"slow": 60}, "journal": journal, "most_threads": 9});
    let of = |own: &str| {
        vec![
            read(),
            join("shared", shared.clone(), &["read"]),
            join("own", json!({"text": own}), &["shared"]),
        ]
    };
    let runs: Vec<Vec<Node>> = ["a", "b", "c", "d"].map(of).into();
    let reports = run_together(&runs, &jobs(4, 8, project.options()));
    assert!(reports.iter().all(RunReport::succeeded), "{reports:?}");
    assert_eq!(fs_err::read_to_string(&journal).unwrap(), "shared\n");
    let ran = |name: &str| {
        let word = |report: &RunReport| report.stage(name).unwrap().outcome.word();
        reports.iter().map(word).filter(|word| *word == "ran").count()
    };
    assert_eq!(["read", "shared", "own"].map(ran), [1, 1, 4]);
    let made = fs_err::read_to_string(project.path("out/c0/shared/artifact.json")).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["made"]["threads"], 8, "those that wait for it keep no threads");
}

#[test]
fn the_memory_the_threads_and_the_jobs_are_those_of_all_runs_of_a_process_together() {
    let own = |place: usize, params: Value| {
        vec![join("own", params, &[]), join("after", json!({"text": place.to_string()}), &["own"])]
    };
    // Two of 60 bytes have no room in 100; two threads none in one; two stages none in one job.
    for (jobs_, threads, memory) in [(4, 4, Some(100)), (4, 1, None), (1, 4, None)] {
        let project = Project::new();
        let busy = json!({"alone": project.path("busy")});
        let params = |place: usize| json!({"text": place.to_string(), "bytes": 60, "behaviour": busy});
        let runs: Vec<Vec<Node>> = (0..4).map(|place| own(place, params(place))).collect();
        let options = jobs(jobs_, threads, RunOptions { memory_bytes: memory, ..project.options() });
        let reports = run_together(&runs, &options);
        assert!(reports.iter().all(RunReport::succeeded), "{jobs_} jobs, {threads} threads: {reports:?}");
    }
    // With room, they meet.
    let project = Project::new();
    let meet = json!({"meet": [project.path("met"), 2]});
    let with = |text: &str| json!({"text": text, "bytes": 60, "behaviour": meet});
    let runs = ["one", "other"].map(|name| vec![join(name, with(name), &[])]);
    let options = jobs(2, 2, RunOptions { memory_bytes: Some(120), ..project.options() });
    assert!(run_together(&runs, &options).iter().all(RunReport::succeeded));
}

#[test]
fn a_training_has_all_threads_whatever_other_runs_of_its_process_do() {
    let project = Project::new();
    let of = |text: &str| {
        let training = json!({"behaviour": "threads", "most_threads": 0, "text": text});
        let slow = json!({"behaviour": {"slow": 30}, "text": text});
        vec![
            join("slow", slow, &[]),
            join("training", training, &["slow"]),
            join("last", json!({"text": text}), &["training"]),
        ]
    };
    let runs: Vec<Vec<Node>> = ["a", "b", "c"].map(of).into();
    let reports = run_together(&runs, &jobs(3, 5, project.options()));
    assert!(reports.iter().all(RunReport::succeeded), "{reports:?}");
    for place in 0..3 {
        let text = fs_err::read_to_string(project.path(&format!("out/c{place}/training/text.txt"))).unwrap();
        assert_eq!(text, "5", "run {place}");
    }
}
