//! What `gc` remembers of what it removes: manifests, while something that stays was made from what they are of.

use pipeline_runner::gc::{Survey, What};
use pipeline_runner::{Gc, RunOptions, Selection, Store, Unobserved, plan};
use pipeline_stage::Cancel;
use pipeline_testkit::{Mount, with_mounts};
use serde_json::{Value, json};

use crate::project::{Project, chain, graph, join, outcomes};

fn unlink(project: &Project, stages: &[&str]) {
    stages.iter().for_each(|stage| fs_err::remove_file(project.path("out/c").join(stage)).unwrap());
}

/// What each stage is: `read collected`.
fn states(project: &Project) -> Vec<String> {
    let stages = project.plan(chain()).stages.into_iter();
    stages.map(|stage| format!("{} {}", stage.name, stage.state.word())).collect()
}

/// Why things of a class go.
fn whys(survey: &Survey, what: What) -> Vec<&str> {
    survey.doomed.iter().filter(|item| item.what == what).map(|item| item.why.as_str()).collect()
}

/// The chain, of which `read` and `middle` were collected.
fn collected() -> Project {
    let project = Project::new();
    project.run(chain());
    unlink(&project, &["read", "middle"]);
    project.collect();
    assert_eq!(states(&project), ["read collected", "middle collected", "last fresh"]);
    project
}

/// The only manifest that was kept of this kind.
fn kept(project: &Project, kind: &str) -> String {
    let folder = format!("manifests/{kind}");
    let names = project.in_store(&folder);
    assert_eq!(names.len(), 1, "{names:?}");
    format!(".pipeline/{folder}/{}", names[0])
}

#[test]
fn a_manifest_that_cannot_be_kept_keeps_its_artifact_alone() {
    let project = Project::new();
    project.run(chain());
    let middle = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    unlink(&project, &["read", "middle"]);
    project.write(".pipeline/manifests/join", "in the way");
    let done = project.collect();
    assert_eq!(done.failures.len(), 1, "{done:?}");
    let key = middle.file_name().unwrap().to_str().unwrap();
    let said = format!("{key} stays: cannot keep the manifest: ");
    assert!(done.failures[0].contains(&said), "{done:?}");
    assert_eq!(states(&project), ["read collected", "middle fresh", "last fresh"]);
}

#[test]
fn a_full_disk_is_no_reason_to_keep_what_nobody_needs() {
    with_mounts("remembering::a_full_disk_is_no_reason_to_keep_what_nobody_needs", || {
        let project = Project::new();
        let disk = Mount::in_memory(&project.path("disk"), "size=1m");
        let options = RunOptions { store: disk.path().join("store"), ..project.options() };
        assert!(project.try_run(chain(), &options).unwrap().succeeded());
        unlink(&project, &["read", "middle"]);
        fs_err::write(disk.path().join("rest"), vec![0; 2 << 20]).unwrap_err();
        fs_err::write(disk.path().join("more"), [0; 4096]).unwrap_err();
        let (store, cancel) = (Store::existing(&options.store).unwrap(), Cancel::default());
        let gc = Gc {
            store: &store,
            rules: pipeline_runner::gc::Rules::default(),
            forget: vec![],
            shown: "disk/store".to_owned(),
            command: "pipeline gc".to_owned(),
            wait_lock: None,
            cancel: &cancel,
            observer: &Unobserved,
        };
        let done = gc.collect().unwrap();
        assert_eq!((whys(&done, What::Artifact).len(), done.failures.clone()), (2, vec![]), "{done:?}");
        let planned = plan(&graph(chain()), &options, &cancel, &Unobserved).unwrap();
        let states: Vec<&str> = planned.stages.iter().map(|stage| stage.state.word()).collect();
        assert_eq!(states, ["collected", "collected", "fresh"]);
    });
}

#[test]
fn a_manifest_of_a_newer_command_is_left_alone_and_one_that_says_nothing_goes() {
    let project = collected();
    project.write(&kept(&project, "read"), r#"{"format": 7, "of": "the future"}"#);
    let done = project.collect();
    let place = project.path(&kept(&project, "read"));
    let note = "left alone: artifact.json has format 7, this command reads 1";
    assert!(done.notes.len() == 1 && done.notes[0].ends_with(note), "{done:?}");
    assert!(whys(&done, What::Manifest).is_empty() && whys(&done, What::Note).is_empty(), "{done:?}");
    assert!(place.exists());

    project.write(&kept(&project, "read"), "{");
    let done = project.collect();
    let why = "artifact.json cannot be read: EOF while parsing an object at line 1 column 1";
    assert_eq!(whys(&done, What::Manifest), [why]);
    assert!(!place.exists());
}

#[test]
fn what_was_damaged_and_goes_is_remembered_as_well() {
    let project = Project::new();
    project.run(chain());
    let middle = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    fs_err::remove_file(middle.join("text.txt")).unwrap();
    unlink(&project, &["middle"]);
    let done = project.collect();
    let why = "no link leads to it, and it is damaged: text.txt is missing; its manifest stays, as what stays was made from it";
    assert_eq!(whys(&done, What::Artifact), [why]);
    assert_eq!(states(&project), ["read fresh", "middle collected", "last fresh"]);
}

#[test]
fn what_an_artifact_that_is_left_alone_was_made_from_is_remembered() {
    let project = Project::new();
    project.run(chain());
    let last = fs_err::canonicalize(project.path("out/c/last")).unwrap();
    // Someone has put it on another disk.
    fs_err::rename(&last, project.path("moved")).unwrap();
    fs_err::os::unix::fs::symlink(project.path("moved"), &last).unwrap();
    unlink(&project, &["read", "middle"]);
    let done = project.collect();
    assert!(
        done.notes.len() == 1 && done.notes[0].ends_with("is left alone: it is not a folder"),
        "{done:?}"
    );
    assert_eq!(project.in_store("manifests"), ["join", "read"]);
}

#[test]
fn why_a_manifest_goes_is_said() {
    let project = collected();
    // What reads it makes it again.
    let mut nodes = chain();
    nodes[2] = join("last", json!({"text": "z"}), &["middle"]);
    assert_eq!(outcomes(&project.run(nodes)), ["read ran", "middle ran", "last ran"]);
    let again = "the artifact that it is of is there again";
    assert_eq!(whys(&project.collect(), What::Manifest), [again, again]);

    let project = collected();
    unlink(&project, &["last"]);
    let unneeded = "nothing that stays was made from what it is of";
    assert_eq!(whys(&project.collect(), What::Manifest), [unneeded, unneeded]);
}

#[test]
fn a_run_reports_what_is_known_of_a_stage_that_was_collected() {
    let project = Project::new();
    let first = project.run(chain());
    unlink(&project, &["read", "middle"]);
    project.collect();
    let again = project.run(chain());
    assert_eq!(outcomes(&again), ["read collected", "middle collected", "last fresh"]);
    for (before, after) in first.stages.iter().zip(&again.stages) {
        assert!(after.summary.is_some() && after.summary == before.summary, "{after:?}");
    }
    let announced = pipeline_runner::Announcement::new(&project.plan(chain()), &project.options(), &[]);
    let announced = serde_json::to_value(announced).unwrap();
    for (stage, report) in announced["stages"].as_array().unwrap().iter().zip(&first.stages) {
        let known = [&stage["size_bytes"], &stage["summary"]];
        let line = &report.summary.as_ref().unwrap().line;
        assert_eq!(known, [&json!(report.size_bytes), &json!(line)], "{stage}");
    }
    assert_eq!(announced["collected"], Value::from(2));
}

#[test]
fn a_collected_stage_whose_parameter_changes_is_stale_and_says_why() {
    let project = collected();
    let mut nodes = chain();
    nodes[1] = join("middle", json!({"text": "z"}), &["read"]);
    // A run removes the links of what is not there.
    project.run(chain());
    let planned = project.plan(nodes.clone());
    assert_eq!(planned.stages[1].state.to_string(), "depends on read");
    let told = project.explain(nodes.clone(), "middle", None);
    assert_eq!(told.headline, "middle depends on read; its parameter text changed, too");
    let until = Selection { until: vec!["read".to_owned()], ..Selection::default() };
    let until = RunOptions { selection: until, ..project.options() };
    assert_eq!(outcomes(&project.try_run(chain(), &until).unwrap())[0], "read ran");
    let planned = project.plan(nodes);
    assert_eq!(planned.stages[1].state.to_string(), "stale (text \"x\" → \"z\")");
}

#[test]
fn what_was_collected_stays_so_where_what_it_was_made_from_comes_out_equal() {
    let project = collected();
    let force = Selection { force: vec!["read".to_owned()], ..Selection::default() };
    let options = RunOptions { selection: force, ..project.options() };
    let planned = plan(&graph(chain()), &options, &Cancel::default(), &Unobserved).unwrap();
    let actions: Vec<&str> = planned.stages.iter().map(|stage| stage.action.word()).collect();
    assert_eq!(actions, ["run", "decide", "decide"]);
    let report = project.try_run(chain(), &options).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle collected", "last fresh"]);
    // Where it comes out another one, both are made.
    project.write("texts/a.txt", "ONE ");
    assert_eq!(project.outcomes(chain()), ["read ran", "middle ran", "last ran"]);
}
