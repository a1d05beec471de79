//! An artifact that says that it lacks something serves the run that made it; the next makes it again.

use pipeline_runner::{Machine, Unobserved, run_on};
use pipeline_stage::Cancel;
use serde_json::json;

use crate::project::{Project, graph, join, outcomes};

#[test]
fn what_is_incomplete_is_used_by_its_run_and_made_again_by_the_next() {
    let project = Project::new();
    let away = project.path("away");
    let nodes = || {
        vec![
            join("part", json!({"text": "x", "behaviour": {"incomplete": away}}), &[]),
            join("after", json!({"text": "y"}), &["part"]),
        ]
    };
    let reason = "its text was missing when it was made";
    let planned = || {
        let plan = project.plan(nodes());
        plan.stages.iter().map(|stage| format!("{} {:?}", stage.state, stage.action)).collect::<Vec<_>>()
    };
    let expected = [format!("incomplete ({reason}) Run"), "depends on part Decide".to_owned()];

    project.write("away", "");
    assert_eq!(project.outcomes(nodes()), ["part ran", "after ran"]);
    assert_eq!(project.text("after"), "y");
    assert_eq!(planned(), expected);
    assert_eq!(project.in_store("partial/join").len(), 1, "its pieces are kept");
    assert_eq!(project.collect().doomed, [], "whoever makes it whole goes on from them");

    // As long as it is missing, nothing after it is done again.
    let again = project.run(nodes());
    assert_eq!(outcomes(&again), ["part ran", "after fresh"]);
    assert_eq!(planned(), expected);

    fs_err::remove_file(project.path("away")).unwrap();
    let whole = project.run(nodes());
    assert_eq!(outcomes(&whole), ["part ran", "after ran"]);
    assert_eq!((project.text("part"), project.text("after")), ("x".to_owned(), "xy".to_owned()));
    assert_eq!(whole.stages[0].warnings, [""; 0], "that it differs is no wonder");
    let pipeline_runner::Outcome::Ran { reason: said } = &whole.stages[0].outcome else {
        panic!("{whole:?}")
    };
    assert_eq!(said, reason);
    assert_eq!(planned(), ["fresh Use", "fresh Use"]);
    assert_eq!(project.in_store("partial/join"), [""; 0]);
}

#[test]
fn what_is_incomplete_is_made_once_by_runs_that_share_the_machine() {
    let project = Project::new();
    let away = project.path("away");
    project.write("away", "");
    let part = |name| join(name, json!({"text": "x", "behaviour": {"incomplete": away}}), &[]);
    let nodes = |text: &str| {
        vec![part("part"), part("twin"), join("after", json!({"text": text}), &["part", "twin"])]
    };
    let (options, cancel) = (project.options(), Cancel::default());
    let machine = Machine::of(&options);
    let run = |machine: &Machine, text: &str| {
        outcomes(&run_on(machine, &graph(nodes(text)), &options, &cancel, &Unobserved).unwrap())
    };
    assert_eq!(run(&machine, "y"), ["part ran", "twin fresh", "after ran"]);
    assert_eq!(run(&machine, "z"), ["part fresh", "twin fresh", "after ran"]);
    assert_eq!(run(&Machine::of(&options), "z"), ["part ran", "twin fresh", "after fresh"]);
}
