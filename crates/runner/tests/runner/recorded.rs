//! What the record of a run says later: stages, memory, what was said, what differs.

use pipeline_runner::run_diff::diff;
use pipeline_runner::{RunRecord, Selection, Store};
use serde_json::json;

use crate::project::{Project, chain, chain_with, join};

fn store(project: &Project) -> Store {
    Store::existing(&project.path(".pipeline")).unwrap()
}

#[test]
fn every_stage_that_ran_has_its_time_its_memory_and_its_reason() {
    let project = Project::new();
    project.run(chain());
    let mut options = project.options();
    options.selection = Selection { force: vec!["middle".to_owned()], ..Selection::default() };
    let report = project.try_run(chain(), &options).unwrap();
    let details = RunRecord::find(&store(&project), Some(&report.run)).ok().unwrap().details();
    assert_eq!((details.count("ran"), details.count("fresh"), details.damage), (1, 2, None));
    let middle = &details.stages[1];
    assert_eq!((middle.name.as_str(), middle.reason.as_deref()), ("middle", Some("forced")));
    assert!(middle.wall_seconds > 0.0);
    if cfg!(target_os = "linux") {
        // More than the program itself, less than the machine.
        let bytes = middle.peak_memory_bytes.unwrap();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
    assert_eq!(details.stages[0].peak_memory_bytes, None);
    assert_eq!(details.graph["middle"].params["text"], "x");
    assert_eq!((details.info.seed, details.info.threads, details.info.device.as_str()), (1, 1, "cpu"));
}

#[test]
fn two_runs_differ_in_the_parameter_that_was_changed() {
    let project = Project::new();
    let (a, b) = (project.run(chain()), project.run(chain_with(json!({"text": "z"}))));
    let details = |run: &str| RunRecord::find(&store(&project), Some(run)).ok().unwrap().details();
    let found = diff(&store(&project), [&details(&a.run), &details(&b.run)]);
    let lines: Vec<String> = found
        .differences
        .iter()
        .map(|d| format!("{:?} {} {} {}", d.stage, d.name, d.values[0], d.values[1]))
        .collect();
    assert_eq!(lines, [r#"Some("middle") text "x" "z""#]);

    // A record of an old command has no parameters; the artifact does, as long as it is there.
    let old = |run: &str| {
        let mut old = details(run);
        old.graph.clear();
        old
    };
    let by_artifact = diff(&store(&project), [&old(&a.run), &details(&b.run)]);
    let names: Vec<&str> = by_artifact.differences.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["text"]);
    assert_eq!(by_artifact.unknown, [""; 0]);
    fs_err::remove_dir_all(project.path(".pipeline/store/join")).unwrap();
    assert_eq!(diff(&store(&project), [&old(&a.run), &details(&b.run)]).unknown.len(), 2);
}

#[test]
fn what_a_stage_said_is_read_in_order_with_its_time() {
    let project = Project::new();
    let report = project
        .run(vec![join("one", json!({"text": "1"}), &[]), join("two", json!({"text": "2"}), &["one"])]);
    let record = RunRecord::find(&store(&project), Some(&report.run)).ok().unwrap();
    let said = record.said(None).unwrap();
    let lines: Vec<String> =
        said.iter().map(|s| format!("{} {}", s.stage.clone().unwrap_or_default(), s.text)).collect();
    assert_eq!(lines[0], "one started: no artifact yet");
    let two = lines.iter().position(|line| line == "two started: no artifact yet").unwrap();
    assert!(lines[..two].iter().all(|line| line.starts_with("one ")), "{lines:?}");
    assert!(lines[two..].iter().all(|line| line.starts_with("two ")), "{lines:?}");
    assert!(said.iter().all(|s| s.time.len() == "2026-11-25T04:55:00.123Z".len()), "{said:?}");
}
