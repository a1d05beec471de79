//! What a plan announces is what a run does, over random graphs and random changes.

use std::collections::BTreeMap;

use pipeline_runner::{Action, Node, Outcome, Selection, State, Unobserved, plan, run};
use pipeline_stage::Cancel;
use proptest::prelude::*;
use serde_json::json;

use crate::project::{Project, graph, join, read};

/// One of the stages that join: which of the stages before it are read, its text, how much it keeps.
#[derive(Debug, Clone)]
struct Spec {
    reads: Vec<prop::sample::Index>,
    text: u8,
    keep: usize,
}

/// Something that happens between two runs.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    Text(prop::sample::Index, u8),
    Keep(prop::sample::Index, usize),
    Source(u8),
    Delete(prop::sample::Index),
    Truncate(prop::sample::Index),
    Force(prop::sample::Index),
}

fn spec() -> impl Strategy<Value = Spec> {
    (prop::collection::vec(any::<prop::sample::Index>(), 1..3), 0..3u8, 1..12usize)
        .prop_map(|(reads, text, keep)| Spec { reads, text, keep })
}

fn change() -> impl Strategy<Value = Change> {
    let stage = any::<prop::sample::Index>;
    prop_oneof![
        Just(Change::Nothing),
        (stage(), 0..3u8).prop_map(|(s, t)| Change::Text(s, t)),
        (stage(), 1..12usize).prop_map(|(s, k)| Change::Keep(s, k)),
        (0..3u8).prop_map(Change::Source),
        stage().prop_map(Change::Delete),
        stage().prop_map(Change::Truncate),
        stage().prop_map(Change::Force),
    ]
}

fn name(index: usize) -> String {
    if index == 0 { "read".to_owned() } else { format!("join{index}") }
}

/// The stages that the spec at `index` (from 1) reads.
fn reads(spec: &Spec, index: usize) -> Vec<usize> {
    let mut places: Vec<usize> = spec.reads.iter().map(|i| i.index(index)).collect();
    places.dedup();
    places
}

fn nodes(specs: &[Spec]) -> Vec<Node> {
    let joins = specs.iter().enumerate().map(|(i, spec)| {
        let names: Vec<String> = reads(spec, i + 1).into_iter().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        join(&name(i + 1), json!({"text": format!("<{}>", spec.text), "keep": spec.keep}), &names)
    });
    [read()].into_iter().chain(joins).collect()
}

/// What the stages must write, computed without a runner.
fn expected(specs: &[Spec], source: &str) -> BTreeMap<String, String> {
    let mut texts = vec![format!("{source}two ")];
    for (i, spec) in specs.iter().enumerate() {
        let mut text: String = reads(spec, i + 1).into_iter().map(|place| texts[place].clone()).collect();
        text += &format!("<{}>", spec.text);
        texts.push(text.chars().take(spec.keep).collect());
    }
    texts.into_iter().enumerate().map(|(i, text)| (name(i), text)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_does_what_the_plan_announces(
        mut specs in prop::collection::vec(spec(), 1..5),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let project = Project::new();
        let mut source = "one ".to_owned();
        project.run(nodes(&specs));
        for change in changes {
            let mut options = project.options();
            let count = specs.len();
            let artifact = |stage: &prop::sample::Index| project.path("out/c").join(name(stage.index(count + 1)));
            match &change {
                Change::Nothing => {}
                Change::Text(stage, text) => specs[stage.index(count)].text = *text,
                Change::Keep(stage, keep) => specs[stage.index(count)].keep = *keep,
                Change::Source(n) => {
                    source = format!("on{n} ");
                    project.write("texts/a.txt", &source);
                }
                Change::Delete(stage) => {
                    fs_err::remove_dir_all(fs_err::canonicalize(artifact(stage)).unwrap()).unwrap();
                }
                Change::Truncate(stage) => {
                    fs_err::remove_file(artifact(stage).join("text.txt")).unwrap();
                    fs_err::write(artifact(stage).join("text.txt"), "").unwrap();
                }
                Change::Force(stage) => {
                    let force = vec![name(stage.index(count + 1))];
                    options.selection = Selection { force, ..Selection::default() };
                }
            }
            let graph = graph(nodes(&specs));
            let before = project.listing(&[".pipeline/memo"]);
            let planned = plan(&graph, &options, &Cancel::default(), &Unobserved).unwrap();
            prop_assert_eq!(&project.listing(&[".pipeline/memo"]), &before, "a plan writes nothing");

            let report = run(&graph, &options, &Cancel::default(), &Unobserved).unwrap();
            prop_assert!(report.succeeded(), "{:?}", report);
            for (stage, done) in planned.stages.iter().zip(&report.stages) {
                let ran = matches!(done.outcome, Outcome::Ran { .. });
                let agrees = match stage.action {
                    Action::Use => !ran,
                    Action::Run | Action::Rerun => ran,
                    Action::Decide => matches!(stage.state, State::Depends { .. }),
                    Action::Skip => false,
                };
                prop_assert!(agrees, "{:?}: {} announced {:?}, {:?}", change, stage.name, stage.action, done.outcome);
                if let (Outcome::Ran { reason }, Action::Run) = (&done.outcome, stage.action) {
                    prop_assert_eq!(reason, &stage.reason());
                }
            }
            for (stage, text) in expected(&specs, &source) {
                prop_assert_eq!(project.text(&stage), text, "{}", stage);
            }
            let after = plan(&graph, &project.options(), &Cancel::default(), &Unobserved).unwrap();
            prop_assert_eq!(after.to_run(), 0, "{:?}", after);
        }
    }
}
