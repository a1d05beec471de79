//! What a plan announces, in words and in JSON, is what a run does, and what `explain` says is what the plan
//! says: over random graphs, changes, damage, selections and numbers of jobs, also after `gc`.
//!
//! A plan looks at sizes. So bytes that changed without the size are announced as fresh, and remain so in a run of which no
//! stage reads them; one that does looks at their digests first, and fails. `verify` finds them at once.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_runner::plan::Plan;
use pipeline_runner::{
    Action, Announcement, Graph, Node, Outcome, PartKind, PlannedStage, RunOptions, RunReport, Selection,
    StageReport, Standing, State, Unobserved, explain, plan, run,
};
use pipeline_stage::Cancel;
use pipeline_stage::key;
use proptest::prelude::*;
use serde_json::json;

use crate::project::{Project, draw, graph, jobs, join, read};
use crate::toys::TEXT;

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
    Reads(prop::sample::Index, Vec<prop::sample::Index>),
    Source(u8),
    /// The source is away until the next round.
    Hide,
    Seed(u64),
    Delete(prop::sample::Index),
    Truncate(prop::sample::Index),
    CutManifest(prop::sample::Index),
    Unlink(prop::sample::Index),
    /// The links of these go, and what no link leads to any more.
    Collect(Vec<prop::sample::Index>),
}

/// Which stages are given to `--only`, `--from`, `--until`, `--force` and `--force-downstream`.
type Chosen = [Option<prop::sample::Index>; 5];

/// Few different ones, so that stages are alike and results come out equal.
fn spec() -> impl Strategy<Value = Spec> {
    (prop::collection::vec(any::<prop::sample::Index>(), 1..3), 0..2u8, keep())
        .prop_map(|(reads, text, keep)| Spec { reads, text, keep })
}

fn keep() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![3, 9, 50])
}

fn change() -> impl Strategy<Value = Change> {
    let stage = any::<prop::sample::Index>;
    prop_oneof![
        1 => Just(Change::Nothing),
        1 => (stage(), 0..2u8).prop_map(|(s, t)| Change::Text(s, t)),
        1 => (stage(), keep()).prop_map(|(s, k)| Change::Keep(s, k)),
        3 => (stage(), prop::collection::vec(stage(), 1..3)).prop_map(|(s, reads)| Change::Reads(s, reads)),
        1 => (0..3u8).prop_map(Change::Source),
        1 => stage().prop_map(Change::Delete),
        1 => Just(Change::Hide),
        1 => (1..3u64).prop_map(Change::Seed),
        1 => stage().prop_map(Change::Truncate),
        1 => stage().prop_map(Change::CutManifest),
        1 => stage().prop_map(Change::Unlink),
        2 => prop::collection::vec(stage(), 0..4).prop_map(Change::Collect),
    ]
}

/// Half of them choose nothing.
fn chosen() -> impl Strategy<Value = Chosen> {
    let some = |weight| prop::option::weighted(weight, any::<prop::sample::Index>());
    let options = (some(0.1), some(0.1), some(0.2), some(0.2), some(0.2));
    options.prop_map(|(only, from, until, force, downstream)| [only, from, until, force, downstream])
}

/// The last one draws: its key has the seed.
fn name(index: usize, count: usize) -> String {
    match index {
        0 => "read".to_owned(),
        index if index == count + 1 => "draw".to_owned(),
        index => format!("join{index}"),
    }
}

/// The stages that the spec at `index` (from 1) reads.
fn reads(spec: &Spec, index: usize) -> Vec<usize> {
    let mut places: Vec<usize> = spec.reads.iter().map(|i| i.index(index)).collect();
    places.dedup();
    places
}

fn nodes(specs: &[Spec]) -> Vec<Node> {
    let count = specs.len();
    let joins = specs.iter().enumerate().map(|(i, spec)| {
        let names: Vec<String> = reads(spec, i + 1).into_iter().map(|place| name(place, count)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        join(&name(i + 1, count), json!({"text": format!("<{}>", spec.text), "keep": spec.keep}), &names)
    });
    [read()].into_iter().chain(joins).chain([draw()]).collect()
}

/// What the stages must write, computed without a runner.
fn expected(specs: &[Spec], source: &str, seed: u64) -> BTreeMap<String, String> {
    let mut texts = vec![format!("{source}two ")];
    for (i, spec) in specs.iter().enumerate() {
        let mut text: String = reads(spec, i + 1).into_iter().map(|place| texts[place].clone()).collect();
        text += &format!("<{}>", spec.text);
        texts.push(text.chars().take(spec.keep).collect());
    }
    texts.push(seed.to_string());
    texts.into_iter().enumerate().map(|(i, text)| (name(i, specs.len()), text)).collect()
}

/// The selection, once by names and once by a pattern.
fn selection(chosen: &Chosen, count: usize) -> Selection {
    let stage = |place: usize| {
        let names = chosen[place].iter().map(|index| name(index.index(count + 2), count));
        names.map(|name| if place == 2 { format!("?{}*", &name[1..]) } else { name }).collect()
    };
    Selection { only: stage(0), from: stage(1), until: stage(2), force: stage(3), force_downstream: stage(4) }
}

/// Does `change` to the project, where there is still something to do it to.
fn apply(change: &Change, project: &Project, specs: &mut [Spec], source: &mut String, seed: &mut u64) {
    let count = specs.len();
    let artifact = |stage: &prop::sample::Index| {
        let name = name(stage.index(count + 2), count);
        fs_err::canonicalize(project.path("out/c").join(name)).ok()
    };
    match change {
        Change::Nothing => {}
        Change::Text(stage, text) => specs[stage.index(count)].text = *text,
        Change::Keep(stage, keep) => specs[stage.index(count)].keep = *keep,
        Change::Reads(stage, reads) => specs[stage.index(count)].reads = reads.clone(),
        Change::Seed(to) => *seed = *to,
        Change::Source(n) => {
            *source = format!("on{n} ");
            // Both files: an earlier change may have hidden the folder.
            project.write("texts/a.txt", &*source);
            project.write("texts/sub/b.txt", "two ");
        }
        Change::Hide => drop(fs_err::remove_dir_all(project.path("texts"))),
        Change::Delete(stage) => artifact(stage).iter().for_each(|dir| fs_err::remove_dir_all(dir).unwrap()),
        Change::Truncate(stage) => {
            if let Some(dir) = artifact(stage) {
                let _ = fs_err::remove_file(dir.join("text.txt"));
                fs_err::write(dir.join("text.txt"), "").unwrap();
            }
        }
        Change::CutManifest(stage) => {
            if let Some(dir) = artifact(stage) {
                let text = fs_err::read(dir.join("artifact.json")).unwrap();
                fs_err::remove_file(dir.join("artifact.json")).unwrap();
                fs_err::write(dir.join("artifact.json"), &text[..text.len() / 2]).unwrap();
            }
        }
        Change::Unlink(stage) => unlink(project, &name(stage.index(count + 2), count)),
        Change::Collect(stages) => {
            stages.iter().for_each(|stage| unlink(project, &name(stage.index(count + 2), count)));
            project.collect();
        }
    }
}

fn unlink(project: &Project, stage: &str) {
    let _ = fs_err::remove_file(project.path("out/c").join(stage));
}

/// What `run` did is what `planned`, also in its JSON form, announced.
fn assert_kept(planned: &Plan, options: &RunOptions, report: &RunReport) {
    let announced = serde_json::to_value(Announcement::new(planned, options, &[])).unwrap();
    // Whether another stage of this key ran.
    let is_twin = |done: &StageReport| {
        let is_other = |other: &&StageReport| {
            other.name != done.name && (&other.kind, other.key) == (&done.kind, done.key)
        };
        report.stages.iter().filter(is_other).any(|other| matches!(other.outcome, Outcome::Ran { .. }))
    };
    // Whether another stage of this key ran, which may be, since one of both had no key yet.
    let is_made_by_twin = |stage: &PlannedStage, done: &StageReport| {
        let others = planned.stages.iter().zip(&report.stages);
        let mut twins = others.filter(|(_, other)| {
            other.name != done.name && (&other.kind, other.key) == (&done.kind, done.key)
        });
        twins.any(|(twin, made)| {
            let is_open = stage.state.key().is_none() || twin.state.key().is_none();
            is_open && twin.runs() && matches!(made.outcome, Outcome::Ran { .. })
        })
    };
    let mut ran = BTreeMap::new();
    for (stage, done) in planned.stages.iter().zip(&report.stages).filter(|(_, done)| done.key.is_some()) {
        let count: &mut (usize, bool) = ran.entry((&done.kind, done.key)).or_default();
        count.0 += usize::from(matches!(done.outcome, Outcome::Ran { .. }));
        count.1 |= matches!(stage.action, Action::Run | Action::Rerun);
    }
    for (of, (times, is_announced)) in ran {
        let possible = if is_announced { 1..=1 } else { 0..=1 };
        assert!(possible.contains(&times), "{of:?} ran {times} times: {planned:?}, {report:?}");
    }
    for (place, (stage, done)) in planned.stages.iter().zip(&report.stages).enumerate() {
        let announced = &announced["stages"][place];
        assert_eq!(announced["stage"], done.name);
        let said = format!("announced {announced}, {done:?}");
        let possible: &[&str] = match announced["action"].as_str().unwrap() {
            // Which stages are alike to the last input shows when all have keys. Made once is enough, by one of which that
            // was announced.
            "run" | "rerun" if is_made_by_twin(stage, done) => &["fresh"],
            "use" if announced["state"] == "collected" && is_twin(done) => &["collected", "fresh"],
            "use" if announced["state"] == "collected" => &["collected"],
            "use" => &["fresh"],
            "run" | "rerun" => &["ran"],
            "decide" => &["fresh", "ran", "collected"],
            "skip" => &["not selected"],
            other => panic!("{other}"),
        };
        assert!(possible.contains(&done.outcome.word()), "{said}");
        assert_eq!(announced["runs"], stage.runs(), "{said}");
        match (&done.outcome, stage.action) {
            (Outcome::Ran { reason }, Action::Run) => assert_eq!(reason, &stage.reason(), "{said}"),
            (Outcome::Ran { reason }, Action::Rerun) if stage.state.key().is_some() => {
                assert_eq!(reason, "forced", "{said}");
            }
            _ => {}
        }
        if stage.state.key().is_some() {
            assert_eq!(announced["key"], json!(done.key), "{said}");
        }
        // Where the key is not known, nothing is guessed.
        let is_open = matches!(stage.state, State::Depends { .. });
        let is_unknown = matches!(stage.state, State::Unknown { .. });
        assert_eq!(announced["key"].is_null(), is_open || is_unknown, "{said}");
        assert_eq!(announced["depends_on"] != json!([]), is_open, "{said}");
        assert_eq!(announced["changes"] != json!([]), announced["state"] == "stale", "{said}");
    }
}

/// What `explain` says of each stage is what the plan of a whole run says.
fn assert_explained(graph: &Graph, options: &RunOptions) {
    let cancel = Cancel::default();
    let planned = plan(graph, options, &cancel, &Unobserved).unwrap();
    for stage in &planned.stages {
        let told = explain(graph, options, &stage.name, None, &cancel, &Unobserved).unwrap();
        let said = format!("{:?}\n{told:?}", stage.state);
        assert_eq!((told.state, told.key), (stage.state.word(), stage.state.key()), "{said}");
        let changed: Vec<_> = told.parts.iter().filter(|part| part.standing == Standing::Changed).collect();
        let first = changed.first();
        assert!(first.is_none_or(|part| part.first), "{said}");
        if let State::Stale { changes, .. } = &stage.state {
            let (kind, name) = match &changes[0] {
                key::Change::Version { .. } => (PartKind::Version, None),
                key::Change::Parameter { name, .. } => (PartKind::Parameter, Some(name)),
                key::Change::Seed { .. } => (PartKind::Seed, None),
                key::Change::Source { name, .. } => (PartKind::Source, Some(name)),
                key::Change::Input { name, .. } => (PartKind::Input, Some(name)),
            };
            assert_eq!(first.map(|part| (part.part, part.name.as_ref())), Some((kind, name)), "{said}");
            assert!(first.is_some_and(|part| told.headline.ends_with(&part.why())), "{said}");
        }
        if let (Some(key), Some(old)) = (told.key, &told.against) {
            assert_eq!(
                key != old.key,
                !changed.is_empty(),
                "a part changed exactly when the key did: {said}"
            );
        }
        let open = told.parts.iter().filter(|part| part.standing == Standing::Open);
        let open: BTreeSet<&str> = open.filter_map(|part| part.stage.as_deref()).collect();
        match &stage.state {
            State::Depends { on } => {
                let on: BTreeSet<&str> = on.iter().map(String::as_str).collect();
                // The twin of one that runs first is not read.
                assert!(open == on || (open.is_empty() && on.len() == 1), "{said}");
                assert!(told.upstream.len() >= on.len(), "{said}");
            }
            _ => assert!(open.is_empty(), "{said}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_does_what_the_plan_announces(
        mut specs in prop::collection::vec(spec(), 1..5),
        rounds in prop::collection::vec((prop::collection::vec(change(), 1..3), chosen(), 1..4usize), 1..5),
    ) {
        let project = Project::new();
        let (mut source, mut seed) = ("one ".to_owned(), 1);
        project.run(nodes(&specs));
        for (changes, chosen, at_once) in rounds {
            project.write("texts/a.txt", &source);
            project.write("texts/sub/b.txt", "two ");
            for change in &changes {
                apply(change, &project, &mut specs, &mut source, &mut seed);
            }
            let whole = jobs(at_once, 3, RunOptions { seed, ..project.options() });
            let options = RunOptions { selection: selection(&chosen, specs.len()), ..whole.clone() };
            let graph = graph(nodes(&specs));
            let before = project.listing(&[".pipeline/memo"]);
            let cancel = Cancel::default();
            assert_explained(&graph, &whole);
            let planned = plan(&graph, &options, &cancel, &Unobserved);
            prop_assert_eq!(&project.listing(&[".pipeline/memo"]), &before, "a plan writes nothing");

            let report = run(&graph, &options, &cancel, &Unobserved);
            let (planned, report) = match (planned, report) {
                (Ok(planned), Ok(report)) => (planned, report),
                (Err(announced), Err(error)) => {
                    prop_assert_eq!(announced.to_string(), error.to_string());
                    continue;
                }
                (Ok(planned), Err(error)) => {
                    let failing = planned.stages.iter().find(|stage| stage.action == Action::Fail);
                    prop_assert_eq!(failing.map(|stage| stage.reason()), Some(error.to_string()));
                    continue;
                }
                (planned, report) => panic!("{planned:?}\n{report:?}"),
            };
            prop_assert!(report.succeeded(), "{:?}", report);
            assert_kept(&planned, &options, &report);
            let expected = expected(&specs, &source, seed);
            let has_artifact = |stage: &&StageReport| matches!(stage.outcome, Outcome::Fresh | Outcome::Ran { .. });
            for stage in report.stages.iter().filter(has_artifact) {
                prop_assert_eq!(&project.text(&stage.name), &expected[&stage.name], "{}", stage.name);
            }
            let unforced = Selection { force: vec![], force_downstream: vec![], ..options.selection.clone() };
            let options = RunOptions { selection: unforced, ..options };
            let after = plan(&graph, &options, &cancel, &Unobserved).unwrap();
            prop_assert_eq!(after.to_run(), 0, "{:?}", after);
        }
    }

    #[test]
    fn bytes_that_changed_without_the_size_are_seen_by_whoever_reads_them_and_by_verify(
        mut specs in prop::collection::vec(spec(), 1..5),
        flipped in any::<prop::sample::Index>(),
        (stage, text) in (any::<prop::sample::Index>(), 0..3u8),
        at_once in 1..4usize,
    ) {
        let project = Project::new();
        project.run(nodes(&specs));
        let flipped = name(flipped.index(specs.len() + 2), specs.len());
        let dir = fs_err::canonicalize(project.path("out/c").join(&flipped)).unwrap();
        project.flip(&dir);
        let faults = |project: &Project| -> Vec<_> {
            let verified = project.verify().into_iter().filter(|artifact| !artifact.faults.is_empty());
            verified.map(|artifact| (fs_err::canonicalize(artifact.path).unwrap(), artifact.faults[0].file.clone())).collect()
        };
        prop_assert_eq!(faults(&project), [(dir.clone(), TEXT.to_owned())]);

        let options = RunOptions { keep_going: true, ..jobs(at_once, 3, project.options()) };
        let cancel = Cancel::default();
        let announced = plan(&graph(nodes(&specs)), &options, &cancel, &Unobserved).unwrap();
        prop_assert_eq!(announced.fresh(), specs.len() + 2);
        let report = run(&graph(nodes(&specs)), &options, &cancel, &Unobserved).unwrap();
        assert_kept(&announced, &options, &report);

        // Whoever must read it says so, and makes nothing of it.
        let changed = stage.index(specs.len());
        specs[changed].text = text;
        let graph = graph(nodes(&specs));
        let report = run(&graph, &options, &cancel, &Unobserved).unwrap();
        let expected = expected(&specs, "one ", 1);
        let of = |name: &String| fs_err::canonicalize(project.path("out/c").join(name)).unwrap() == dir;
        for stage in &report.stages {
            let reads = graph.node(&stage.name).unwrap().inputs.values().flatten();
            let damaged: Vec<&String> = reads.filter(|name| of(name)).collect();
            match &stage.outcome {
                Outcome::Ran { .. } => {
                    prop_assert_eq!(&project.text(&stage.name), &expected[&stage.name], "{}", stage.name);
                    prop_assert_eq!(damaged, [""; 0], "{:?}", stage);
                }
                Outcome::Failed { message, .. } => {
                    let said = |name: &&String| format!("{TEXT} of `{name}` is damaged: it is not what its manifest says");
                    prop_assert!(damaged.iter().any(|name| *message == said(name)), "{:?}", stage);
                }
                Outcome::Fresh | Outcome::NotRun { .. } => {}
                other => panic!("{other:?}"),
            }
        }

        // The way out that the message and `verify` name, for those that have it still.
        let force: Vec<String> = expected.keys().filter(|name| of(name)).cloned().collect();
        if !force.is_empty() {
            let selection = Selection { force, ..Selection::default() };
            let report = run(&graph, &RunOptions { selection, ..options }, &cancel, &Unobserved).unwrap();
            prop_assert!(report.succeeded(), "{:?}", report);
            prop_assert_eq!(faults(&project), []);
            for (name, text) in &expected {
                prop_assert_eq!(&project.text(name), text, "{}", name);
            }
        }
    }

    #[test]
    fn side_by_side_stages_make_what_they_make_one_after_another(
        specs in prop::collection::vec(spec(), 1..8),
        at_once in 2..5usize,
        threads in 1..5usize,
    ) {
        let made = |at_once: usize, threads: usize| {
            let project = Project::new();
            let report = project.try_run(nodes(&specs), &jobs(at_once, threads, project.options())).unwrap();
            assert!(report.succeeded(), "{report:?}");
            let keys = report.stages.iter().map(|stage| (stage.name.clone(), stage.key, project.text(&stage.name)));
            // Twins may change places: who ran is left out.
            keys.collect::<Vec<_>>()
        };
        prop_assert_eq!(made(at_once, threads), made(1, 1));
    }
}
