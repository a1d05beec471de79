//! Stages that do not succeed: nothing is published, the rest is told, and the next run goes on.

use std::time::Duration;

use pipeline_runner::{Error, Outcome, Unobserved, run};
use pipeline_stage::Cancel;
use serde_json::json;

use crate::project::{Project, chain, chain_with, graph, join, outcomes, read};

#[test]
fn a_failed_stage_publishes_nothing_and_stops_the_run() {
    let project = Project::new();
    let nodes = |behaviour: &str| {
        vec![
            read(),
            join("bad", json!({"text": "b", "behaviour": behaviour}), &["read"]),
            join("after", json!({"text": "a"}), &["bad"]),
            join("beside", json!({"text": "s"}), &["read"]),
        ]
    };
    let report = project.run(nodes("fail"));
    assert_eq!(outcomes(&report), ["read ran", "bad failed", "after not run", "beside not run"]);
    let (message, hint) = ("the text is not good".to_owned(), Some("write a better one".to_owned()));
    assert_eq!(report.stage("bad").unwrap().outcome, Outcome::Failed { message, hint });
    let because = |name: &str| match &report.stage(name).unwrap().outcome {
        Outcome::NotRun { because } => because.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(because("after"), "bad failed");
    assert_eq!(because("beside"), "the run stopped: bad failed");
    assert!(!report.succeeded());
    assert_eq!(project.in_store("store"), ["read"]);
    assert_eq!(project.in_store("tmp"), [""; 0]);
    let record = fs_err::read_to_string(report.dir.join("run.json")).unwrap();
    assert!(record.contains(r#""outcome": "failed""#), "{record}");

    let report = project.run(nodes("plain"));
    assert_eq!(outcomes(&report), ["read fresh", "bad ran", "after ran", "beside ran"]);
}

fn failure(report: &pipeline_runner::RunReport, stage: &str) -> String {
    match &report.stage(stage).unwrap().outcome {
        Outcome::Failed { message, .. } => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_metric_that_is_no_number_fails_its_stage_since_no_manifest_can_hold_it() {
    let project = Project::new();
    let report = project.run(chain_with(json!({"text": "x", "behaviour": "nan"})));
    assert_eq!(outcomes(&report), ["read ran", "middle failed", "last not run"]);
    assert_eq!(failure(&report, "middle"), "the stage reported NaN as `loss`, expected a finite number");
    assert_eq!(project.in_store("store"), ["read"]);
}

#[test]
fn a_stage_that_would_read_nothing_of_an_input_is_not_run() {
    let project = Project::new();
    let report = project.run(chain_with(json!({"text": "x", "behaviour": "no_text"})));
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last failed"]);
    assert_eq!(failure(&report, "last"), "the input `texts` has no file that is read, expected text.txt");
}

#[test]
fn a_panic_in_a_stage_is_a_failure_of_that_stage() {
    let project = Project::new();
    let report = project.run(chain_with(json!({"text": "x", "behaviour": "panic"})));
    assert_eq!(outcomes(&report), ["read ran", "middle failed", "last not run"]);
    let Outcome::Failed { message, hint } = &report.stages[1].outcome else { panic!("{report:?}") };
    assert_eq!(message, "the stage broke off: index out of bounds");
    assert!(hint.is_some());
    assert_eq!(project.outcomes(chain()), ["read fresh", "middle ran", "last ran"]);
}

#[test]
fn a_cancelled_stage_keeps_its_checkpoint_until_it_is_published() {
    let project = Project::new();
    let nodes = chain_with(json!({"text": "x", "behaviour": "until_cancelled"}));
    let cancel = Cancel::default();
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&graph(nodes), &project.options(), &cancel, &Unobserved).unwrap());
        let has_checkpoint = |key: &String| !project.in_store(&format!("partial/join/{key}")).is_empty();
        while !running.is_finished() && !project.in_store("partial/join").iter().any(has_checkpoint) {
            std::thread::sleep(Duration::from_millis(5));
        }
        cancel.cancel();
        running.join().unwrap()
    });
    assert_eq!(outcomes(&report), ["read ran", "middle cancelled", "last not run"]);
    assert!(report.cancelled());
    assert_eq!(project.in_store("tmp"), [""; 0]);
    assert_eq!(project.in_store("store"), ["read"]);
    let keys = project.in_store("partial/join");
    assert_eq!(keys.len(), 1);
    assert_eq!(project.in_store(&format!("partial/join/{}", keys[0])), ["checkpoint"]);

    assert_eq!(project.outcomes(chain()), ["read fresh", "middle ran", "last ran"]);
    assert_eq!(project.in_store("partial/join"), [""; 0]);
}

#[test]
fn a_cancel_before_the_first_stage_runs_nothing() {
    let project = Project::new();
    let cancel = Cancel::default();
    cancel.cancel();
    let error = run(&graph(chain()), &project.options(), &cancel, &Unobserved).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert_eq!(project.in_store("store"), [""; 0]);
}
