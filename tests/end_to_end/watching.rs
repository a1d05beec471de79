//! A run's record, watched from outside.

use pipeline_testkit::Project;
use serde_json::json;

fn project_with(runs: &[&str]) -> Project {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    for run in runs {
        let record = json!({
            "config": "c", "command": "pipeline run configs/c.yaml", "outcome": "running", "host": "another",
            "seed": 1, "threads": 3, "device": "cpu",
        });
        project.write(&format!(".pipeline/runs/{run}/run.json"), record.to_string());
        let values = json!({"step": 10.0, "epoch": 1.0, "lr": 0.01, "train_loss": 0.25});
        let measured = json!({"event": "measured", "stage": "head", "phase": "train", "values": values});
        project.write(&format!(".pipeline/runs/{run}/events.jsonl"), format!("{measured}\n{{\"event\":\"me"));
    }
    project
}

#[test]
fn what_is_no_terminal_gets_all_that_is_known_of_the_latest_run() {
    let project = project_with(&["20261128T01Z-a", "20261128T02Z-b"]);
    let shown = project.succeed(&["watch"]).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("c: running, last event "), "{shown}");
    assert_eq!(lines[1], "  pipeline run configs/c.yaml");
    assert_eq!(lines[2], "  run 20261128T02Z-b, seed 1, cpu, 3 threads");
    assert!(shown.contains("\nhead: epoch 1, step 10, lr 0.01, train loss 0.2500\n"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    // From a folder below, and by the beginning of its name.
    project.write("deep/down/x", "");
    let mut command = project.command(&["watch", "20261128T01", "--once"]);
    let below = command.current_dir(project.path("deep/down")).output().unwrap();
    let below = String::from_utf8_lossy(&below.stdout).into_owned();
    assert!(below.contains("  run 20261128T01Z-a, "), "{below}");
}

#[test]
fn a_run_that_is_not_there_is_named_with_those_that_are() {
    let project = project_with(&["20261128T01Z-a", "20261128T02Z-b"]);
    assert_eq!(
        project.fail(2, &["watch", "2027"]),
        "error: no run `2027` in <project>/.pipeline/runs, the newest are: 20261128T02Z-b, 20261128T01Z-a\n  \
         hint: give a name, the beginning of one, or a run's folder\n"
    );
    assert_eq!(
        project.fail(2, &["watch", "--store", "elsewhere"]),
        "error: no run yet in elsewhere/runs\n  \
         hint: start one with `pipeline run`, or name another store with --store\n"
    );
}
