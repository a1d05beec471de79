//! What is tried again (`--retries`): failures that may pass, and no others.

use pipeline_runner::{Outcome, RunOptions};
use serde_json::{Value, json};

use crate::project::{Project, chain, chain_with, join, outcomes, read};

fn retries(retries: u32, project: &Project) -> RunOptions {
    RunOptions { retries, ..project.options() }
}

#[test]
fn a_failure_that_may_pass_is_tried_again_and_the_record_says_why() {
    let project = Project::new();
    let nodes = chain_with(json!({"text": "x", "behaviour": {"passing": [project.path("tries"), 2]}}));
    let report = project.try_run(nodes, &retries(2, &project)).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last ran"]);
    let why = "the file server does not answer";
    let warnings = [format!("tried again (1 of 2): {why}"), format!("tried again (2 of 2): {why}")];
    assert_eq!(report.stages[1].warnings, warnings);
    assert!(report.stages[1].wall_seconds < 2.0, "pauses are not counted: {}", report.stages[1].wall_seconds);
    assert_eq!(fs_err::metadata(project.path("tries")).unwrap().len(), 3);

    let events = fs_err::read_to_string(report.dir.join("events.jsonl")).unwrap();
    let started =
        events.lines().filter(|line| line.contains(r#""stage_started""#) && line.contains("middle"));
    assert_eq!(started.count(), 3, "{events}");
    let log = fs_err::read_to_string(report.dir.join("middle.log")).unwrap();
    assert!(log.contains("warning: tried again (2 of 2): the file server does not answer"), "{log}");
    let record: Value =
        serde_json::from_str(&fs_err::read_to_string(report.dir.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["stages"][1]["warnings"], json!(warnings));
}

#[test]
fn what_fails_more_often_than_it_is_tried_again_has_failed() {
    let project = Project::new();
    let nodes = || chain_with(json!({"text": "x", "behaviour": {"passing": [project.path("tries"), 2]}}));
    let report = project.try_run(nodes(), &retries(1, &project)).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle failed", "last not run"]);
    assert_eq!(fs_err::metadata(project.path("tries")).unwrap().len(), 2);
    let report = project.run(nodes());
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last ran"], "not asked for, not needed");
}

#[test]
fn a_fault_and_a_panic_are_not_tried_again() {
    for behaviour in ["fail", "panic", "nan"] {
        let project = Project::new();
        let journal = project.path("journal");
        let nodes = chain_with(json!({"text": "x", "behaviour": behaviour, "journal": journal}));
        let report = project.try_run(nodes, &retries(3, &project)).unwrap();
        assert_eq!(outcomes(&report), ["read ran", "middle failed", "last not run"], "{behaviour}");
        assert_eq!(fs_err::read_to_string(journal).unwrap(), "middle\n", "{behaviour}");
        assert_eq!(report.stages[1].warnings, [""; 0], "{behaviour}");
    }
}

#[test]
fn a_stage_whose_input_is_replaced_while_it_reads_is_made_anew_from_the_new_one() {
    let project = Project::new();
    let random = || join("middle", json!({"text": "x", "behaviour": "random"}), &["read"]);
    project.run(vec![read(), random()]);
    // In the middle of `last`, another run replaces what `middle` made.
    let (met, go) = (project.path("met"), project.path("go"));
    let waits = json!({"text": "y", "behaviour": {"until_exists": go}, "journal": met});
    let nodes = || vec![read(), random(), join("last", waits.clone(), &["middle"])];
    let report = std::thread::scope(|scope| {
        let options = retries(1, &project);
        let (project, nodes) = (&project, nodes());
        let waiting = scope.spawn(move || project.try_run(nodes, &options).unwrap());
        while !met.exists() && !waiting.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut other = project.options();
        other.selection.force = vec!["middle".to_owned()];
        other.out = project.path("elsewhere");
        project.try_run(vec![read(), random()], &other).unwrap();
        project.write("go", "");
        waiting.join().unwrap()
    });
    assert_eq!(outcomes(&report), ["read fresh", "middle fresh", "last ran"]);
    let why = "tried again (1 of 1): another run replaced what `middle` made while this stage was reading it";
    assert_eq!(report.stages[2].warnings, [why]);
    assert_eq!(project.text("last"), format!("{}y", project.text("middle")));
    assert_eq!(project.plan(nodes()).to_run(), 0);
}

#[test]
fn a_source_that_changes_while_a_stage_reads_it_is_read_again_where_that_is_wanted() {
    let project = Project::new();
    let photo = project.path("texts/a.txt");
    // It does its work, and its source is then not the one that it began with.
    let nodes = || {
        let rewrites = json!({"path": "texts", "rewrite": [photo, "new "]});
        let mut nodes = chain();
        nodes[0] = crate::project::read_from(rewrites);
        nodes
    };
    let report = project.try_run(nodes(), &retries(0, &project)).unwrap();
    let Outcome::Failed { message, hint } = &report.stages[0].outcome else { panic!("{report:?}") };
    let changed = "its source `folder` changed while this stage was reading it";
    assert_eq!((message.as_str(), hint.as_deref()), (changed, Some("run again")));

    project.write("texts/a.txt", "old ");
    let report = project.try_run(nodes(), &retries(1, &project)).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last ran"]);
    assert_eq!(report.stages[0].warnings, [format!("tried again (1 of 1): {changed}")]);
    assert_eq!(project.text("read"), "new two ");
    assert_eq!(project.plan(chain()).to_run(), 0, "its key is that of what it read");
}

#[test]
fn a_download_that_fails_for_now_is_tried_again_and_one_that_is_refused_is_not() {
    for (status, more, outcome) in
        [("503 Busy", 1, Some("read ran")), ("503 Busy", 0, None), ("404 None", 1, None)]
    {
        let project = Project::new();
        let zip = crate::sources::zip_of_texts(&project);
        let url = crate::sources::serve_after(vec![status], zip);
        let nodes = vec![crate::project::read_from(json!({"path": "fetched", "url": url}))];
        let ran = project.try_run(nodes, &retries(more, &project));
        assert_eq!(
            ran.as_ref().ok().map(|report| outcomes(report)[0].clone()).as_deref(),
            outcome,
            "{ran:?}"
        );
        if let Ok(report) = ran {
            let why = "read: cannot fetch fetched.zip: the server answered with status 503";
            assert_eq!(report.warnings, [format!("tried again (1 of 1): {why}")]);
        }
    }
}
