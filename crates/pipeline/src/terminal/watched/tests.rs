//! A run told by hand-written events.

use super::*;

/// A run in which `ingest` is fresh, `head` has trained, `finetune` trains, and `evaluate` waits.
const EVENTS: &str = r#"
{"event":"planned","stages":[{"stage":"ingest","state":"fresh","runs":false},{"stage":"head","state":"missing","runs":true},{"stage":"old","state":"missing","runs":false},{"stage":"finetune","state":"depends","runs":true},{"stage":"evaluate","state":"depends","runs":true}]}
{"event":"stage_finished","stage":"ingest","report":{"outcome":"fresh","wall_seconds":0.0,"summary":{"line":"5,200 photos"}}}
{"event":"stage_started","stage":"head","reason":"no artifact yet"}
{"event":"measured","stage":"head","phase":"train","values":{"step":60.0,"epoch":1.0,"lr":0.01,"train_loss":0.2}}
{"event":"measured","stage":"head","phase":"valid","values":{"step":120.0,"epoch":2.0,"lr":0.01,"train_loss":0.1,"valid_loss":0.15,"accuracy":0.98}}
{"event":"stage_finished","stage":"head","report":{"outcome":"ran","wall_seconds":2.2,"summary":{"line":"valid loss 0.1500, accuracy 0.9800"}}}
{"event":"stage_finished","stage":"old","report":{"outcome":"not_selected","wall_seconds":0.0,"summary":null}}
{"event":"from the future"}
{"event":"stage_started","stage":"finetune","reason":"no artifact yet"}
{"event":"measured","stage":"finetune","phase":"train","values":{"step":1000.0,"epoch":1.0,"lr":0.0001234567,"train_loss":0.5,"grad_norm":3.0}}
{"event":"measured","stage":"finetune","phase":"train","values":{"step":1500.0,"epoch":2.0,"lr":0.004567,"train_loss":0.43219}}
{"event":"measured","stage":"finetune","phase":"train","values":{"train_loss":"none"}}
"#;

fn watched(events: &str) -> Watched {
    let mut watched = Watched::default();
    for line in events.lines().filter(|line| !line.is_empty()) {
        watched.take(&serde_json::from_str(line).unwrap());
    }
    watched
}

fn heading(outcome: &str) -> Heading {
    let info = RunInfo {
        config: "dogscats".to_owned(),
        command: "pipeline run configs/dogscats.yaml".to_owned(),
        seed: 42,
        threads: 2,
        device: "cpu".to_owned(),
        outcome: outcome.to_owned(),
        ..RunInfo::default()
    };
    let since = Some(("14:02:11".to_owned(), 192.0));
    Heading { run: "20261128T103724Z-41176323".to_owned(), info, since, silent_seconds: Some(0.3) }
}

#[test]
fn a_run_is_told_by_its_record() {
    let text = watched(EVENTS).whole(&heading("running"), 60);
    // Behind the heading comes the first empty line, behind the stages the second.
    let (lines, charts) = text.split_at(text.match_indices("\n\n").nth(1).unwrap().0);
    assert_eq!(
        lines,
        "\
dogscats: running, began at 14:02:11 (3m 12 s ago), last event 0.3 s ago
  pipeline run configs/dogscats.yaml
  run 20261128T103724Z-41176323, seed 42, cpu, 2 threads

  ingest     fresh                 5,200 photos
  head       ran           2.2 s   valid loss 0.1500, accuracy 0.9800
  finetune   running               epoch 2, step 1,500, lr 0.00457, train loss 0.4322
  evaluate   waits"
    );
    let charts: Vec<&str> = charts.split("\n\n").skip(1).collect();
    assert_eq!(charts.len(), 2, "{text}");
    assert!(charts[0].starts_with("head: epoch 2, step 120, lr 0.01, train loss 0.1000,"), "{text}");
    assert!(charts[0].contains("train loss") && charts[0].contains("valid loss"), "{text}");
    assert!(charts[1].starts_with("finetune: ") && charts[1].contains("1200"), "{text}");
    assert!(!charts[1].contains("valid loss"), "nothing was validated yet\n{text}");
}

#[test]
fn a_run_that_was_killed_and_one_that_is_over_say_so() {
    let text = watched(EVENTS).whole(&heading("killed"), 60);
    assert!(
        text.starts_with("dogscats: killed, began at 14:02:11 (3m 12 s ago), last event 0.3 s ago\n"),
        "{text}"
    );
    assert!(text.contains("\n  finetune   killed ") && text.contains("\n  evaluate   not run\n"), "{text}");
    let mut over = heading("failed");
    over.info.wall_seconds = 60.0;
    let failed = r#"{"event":"stage_finished","stage":"head","report":{"outcome":"failed","wall_seconds":1.0,"message":"no\nluck","summary":null}}"#;
    let text = watched(failed).whole(&over, 60);
    assert!(
        text.starts_with("dogscats: failed after 1m 00 s, began at 14:02:11 (3m 12 s ago)\n  pipeline"),
        "{text}"
    );
    assert!(text.ends_with("\n  head   failed        1.0 s   no luck"), "{text}");
}

#[test]
fn a_lock_is_waited_for_until_something_happens() {
    let waiting = format!("{EVENTS}{}", r#"{"event":"waiting","message":"stage `x` is in use by pid 7"}"#);
    let shown = |events: &str| {
        watched(events).whole(&heading("running"), 60).contains("\n  waiting: stage `x` is in use by pid 7")
    };
    assert!(shown(&waiting));
    assert!(!shown(&format!("{waiting}\n{}", r#"{"event":"stage_started","stage":"evaluate"}"#)));
}

#[test]
fn a_run_without_a_word_is_its_name() {
    let info = RunInfo { outcome: "running".to_owned(), ..RunInfo::default() };
    let heading = Heading { run: "r".to_owned(), info, since: None, silent_seconds: None };
    assert_eq!(Watched::default().whole(&heading, 80), "r: running");
}

#[test]
fn a_screen_is_never_too_long_and_keeps_the_curve_before_the_list() {
    let watched = watched(EVENTS);
    let screen = |rows| watched.screen(&heading("running"), 80, rows);
    for rows in 1..60 {
        assert!(screen(rows).lines().count() <= rows, "{rows}\n{}", screen(rows));
    }
    let (large, usual, small) = (screen(50), screen(23), screen(12));
    assert!(
        large.contains("\n  ingest") && large.contains("\nfinetune: ") && !large.contains("\nhead: "),
        "{large}"
    );
    assert!(!usual.contains("\n  ingest") && usual.contains("\nfinetune: "), "{usual}");
    assert!(usual.contains("\n  finetune   running"), "{usual}");
    assert!(!small.contains("\nfinetune: ") && small.contains("\n  finetune   running"), "{small}");
}
