//! What is in the store and under `out/` after a run.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use pipeline_runner::{Outcome, Selection};
use pipeline_stage::{Digest, Manifest};
use serde_json::{Value, json};

use crate::project::{Project, chain, chain_with, join, outcomes, read};

fn manifest(project: &Project, stage: &str) -> Manifest {
    serde_json::from_slice(&fs_err::read(project.path("out/c").join(stage).join("artifact.json")).unwrap())
        .unwrap()
}

fn forced(project: &Project, middle: Value) -> pipeline_runner::RunReport {
    let mut options = project.options();
    options.selection = Selection { force: vec!["middle".to_owned()], ..Selection::default() };
    project.try_run(chain_with(middle), &options).unwrap()
}

#[test]
fn an_artifact_is_read_only_and_its_manifest_says_what_it_is_made_of() {
    let project = Project::new();
    project.run(chain());
    let link = project.path("out/c/middle");
    let target = fs_err::read_link(&link).unwrap();
    assert!(target.starts_with("../../.pipeline/store/join"), "{}", target.display());

    let manifest = manifest(&project, "middle");
    assert_eq!(
        manifest.parts.params,
        [("keep", json!(usize::MAX)), ("text", json!("x"))].map(|(k, v)| (k.to_owned(), v)).into()
    );
    assert_eq!(manifest.key, manifest.parts.key());
    let text = manifest.files.iter().find(|f| f.path == "text.txt").unwrap();
    assert_eq!((text.size_bytes, text.blake3), (9, Digest::of(b"one two x")));
    for name in ["text.txt", "when.txt", "artifact.json"] {
        assert_eq!(fs_err::metadata(link.join(name)).unwrap().permissions().mode() & 0o777, 0o444, "{name}");
    }
    assert_eq!(project.in_store("tmp"), [""; 0]);
    assert_eq!(project.in_store("partial/join"), [""; 0]);
    let tag = fs_err::read_to_string(project.path(".pipeline/CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"), "{tag}");
    assert_eq!(fs_err::read_to_string(project.path(".pipeline/.gitignore")).unwrap(), "*\n");
}

#[test]
fn a_forced_stage_with_the_same_result_keeps_the_old_artifact() {
    let project = Project::new();
    project.run(chain());
    let before = fs_err::metadata(project.path("out/c/middle/artifact.json")).unwrap().ino();
    let report = forced(&project, json!({"text": "x"}));
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
    let middle = report.stage("middle").unwrap();
    assert_eq!(middle.outcome, Outcome::Ran { reason: "forced".to_owned() });
    // `when.txt` differs, but is a record.
    assert_eq!(middle.warnings, [""; 0]);
    assert_eq!(fs_err::metadata(project.path("out/c/middle/artifact.json")).unwrap().ino(), before);
}

#[test]
fn a_forced_stage_with_another_result_replaces_it_and_warns() {
    let project = Project::new();
    let random = json!({"text": "x", "behaviour": "random"});
    project.run(chain_with(random.clone()));
    let before = project.text("last");
    let report = forced(&project, random.clone());
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last ran"]);
    let expected = "not deterministic: text.txt differs from the last time, with equal inputs";
    assert_eq!(report.stage("middle").unwrap().warnings, [expected]);
    assert_ne!(project.text("last"), before);
    assert_eq!(project.in_store("tmp"), [""; 0]);
    assert_eq!(project.outcomes(chain_with(random)), ["read fresh", "middle fresh", "last fresh"]);
}

#[test]
fn a_file_linked_from_an_input_is_shared_and_left_as_it_is() {
    let project = Project::new();
    let nodes = vec![read(), join("last", json!({"behaviour": "link_input"}), &["read"])];
    project.run(nodes.clone());
    let inode = |path: &str| fs_err::metadata(project.path(path)).unwrap().ino();
    assert_eq!(inode("out/c/last/linked.txt"), inode("out/c/read/text.txt"));
    let manifest = manifest(&project, "last");
    let linked = manifest.files.iter().find(|f| f.path == "linked.txt").unwrap();
    assert_eq!((linked.size_bytes, linked.blake3), (8, Digest::of(b"one two ")));
    assert_eq!(project.outcomes(nodes), ["read fresh", "last fresh"]);
}

#[test]
fn a_file_linked_from_outside_becomes_a_copy() {
    let project = Project::new();
    let outside = project.path("texts/a.txt");
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
    let before = mode(&outside);
    project.run(vec![join("last", json!({"behaviour": {"link_outside": outside}}), &[])]);
    let linked = project.path("out/c/last/linked.txt");
    assert_eq!(fs_err::read_to_string(&linked).unwrap(), "one ");
    assert_ne!(fs_err::metadata(&linked).unwrap().ino(), fs_err::metadata(&outside).unwrap().ino());
    assert_eq!(mode(&outside), before, "the user's own file is not touched");
}

#[test]
fn what_cannot_be_published_is_refused() {
    let project = Project::new();
    let message = |behaviour: &str| {
        let report = project.run(vec![join("last", json!({"behaviour": behaviour}), &[])]);
        match &report.stages[0].outcome {
            Outcome::Failed { message, .. } => message.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(message("manifest"), "cannot publish `artifact.json`: this name is the manifest's");
    assert_eq!(message("symlink"), "cannot publish `link`: it is not a file");
    assert_eq!(project.in_store("store/join"), [""; 0]);
    assert_eq!(project.in_store("tmp"), [""; 0]);
}

#[test]
fn a_file_where_the_link_belongs_is_not_overwritten() {
    let project = Project::new();
    project.write("out/c/read/mine.txt", "mine");
    let report = project.run(vec![read()]);
    let Outcome::Failed { message, .. } = &report.stages[0].outcome else { panic!("{report:?}") };
    assert!(message.ends_with("out/c/read to the artifact: a file or folder is in the way"), "{message}");
    assert!(project.path("out/c/read/mine.txt").exists());
}

#[test]
fn a_result_made_from_an_input_that_was_replaced_meanwhile_is_not_published() {
    let project = Project::new();
    let nodes = |last: Value| {
        let middle = json!({"text": "x", "behaviour": "random"});
        vec![read(), join("middle", middle, &["read"]), join("last", last, &["middle"])]
    };
    project.run(nodes(json!({"text": "y"})));
    let waits = json!({"text": "z", "journal": project.path("journal"), "behaviour": {"until_exists": project.path("go")}});
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| project.run(nodes(waits.clone())));
        while !project.path("journal").exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut options = project.options();
        let middle = vec!["middle".to_owned()];
        options.selection = Selection { only: middle.clone(), force: middle, ..Selection::default() };
        assert!(project.try_run(nodes(waits.clone()), &options).unwrap().succeeded());
        project.write("go", "");
        running.join().unwrap()
    });
    assert_eq!(outcomes(&report), ["read fresh", "middle fresh", "last failed"]);
    let Outcome::Failed { message, hint } = &report.stages[2].outcome else { panic!("{report:?}") };
    assert_eq!(message, "another run replaced what `middle` made while this stage was reading it");
    assert_eq!(hint.as_deref(), Some("run again"));
    assert_eq!(outcomes(&project.run(nodes(waits))), ["read fresh", "middle fresh", "last ran"]);
    assert_eq!(project.text("last"), format!("{}z", project.text("middle")));
}
