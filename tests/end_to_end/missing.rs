//! A photo that goes away while precompute reads, and comes back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pipeline_testkit::Project;

use crate::{SMALL, drawn_project};

/// 100 photos of train and valid, in 6 views each: two chunks of 256 views and one of 88.
fn project() -> Project {
    let config = SMALL.replace("size: 64", "size: 64, on_missing: skip") + "augment: { cached_views: 5 }\n";
    drawn_project(["36", "14", "1"], &config)
}

#[test]
fn a_table_that_lacks_photos_serves_its_run_and_is_made_again_when_they_are_back() {
    let project = project();
    project.succeed(&["run", "configs/c.yaml", "--store", "whole"]);
    let whole = project.read("out/c/precompute/artifact.json");

    let run = ["run", "configs/c.yaml", "--json"];
    let mut child = project.command(&run).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let photo = project.path("photos/valid/dogs");
    let photo = fs_err::read_dir(photo).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let bytes = fs_err::read(&photo).unwrap();
    let mut said = vec![];
    for line in lines {
        if line.contains(r#""event":"stage_started""#) && line.contains(r#""stage":"precompute""#) {
            fs_err::remove_file(&photo).unwrap();
        }
        said.push(line);
    }
    assert!(child.wait().unwrap().success(), "{said:?}");
    assert!(said.iter().any(|line| line.contains(", 1 photo left out")), "{said:?}");
    let trained =
        said.iter().any(|line| line.contains(r#""stage":"head""#) && line.contains(r#""outcome":"ran""#));
    assert!(trained, "the run goes on with what there is: {said:?}");

    fs_err::write(&photo, &bytes).unwrap();
    let reason = "1 photo was missing when it was made";
    let status = project.succeed(&["status", "configs/c.yaml"]).stdout;
    let line = status.lines().find(|line| line.trim_start().starts_with("precompute")).unwrap();
    assert!(line.contains("incomplete") && line.contains(reason), "{status}");
    let told = project.succeed(&["explain", "configs/c.yaml", "precompute"]).stdout;
    assert!(told.starts_with(&format!("precompute is incomplete: {reason}\n")), "{told}");
    assert_eq!(project.run(&["run", "configs/c.yaml", "--dry-run", "--check"]).code, Some(3));

    let ran = project.succeed(&run).stdout;
    assert!(
        ran.contains("goes on after 512 of 600 views"),
        "only the chunk of the photo is done again: {ran}"
    );
    assert!(ran.contains(reason) && !ran.contains("not deterministic"), "{ran}");
    let files =
        |manifest: &str| serde_json::from_str::<serde_json::Value>(manifest).unwrap()["files"].clone();
    assert_eq!(files(&project.read("out/c/precompute/artifact.json")), files(&whole));
    let outcomes = project.outcomes(&["run", "configs/c.yaml"]);
    assert!(outcomes.iter().all(|outcome| outcome.ends_with(" fresh")), "{outcomes:?}");
    let left = fs_err::read_dir(project.path(".pipeline/partial/precompute")).unwrap().count();
    assert_eq!(left, 0, "nothing is left to go on from");
}
