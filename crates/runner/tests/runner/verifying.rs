//! `verify`: every byte that is not what a manifest says is named, and nothing is changed.

use std::path::{Path, PathBuf};

use pipeline_runner::Store;
use pipeline_runner::verify::{Verified, WayOut, all, current, verify};
use pipeline_stage::progress::Silent;
use pipeline_stage::{Cancel, Digest};
use serde_json::json;

use crate::project::{Project, chain, join, outcomes};

fn verified(project: &Project) -> Vec<Verified> {
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    verify(all(&store).unwrap(), &Silent, &Cancel::default()).unwrap()
}

/// Replaces a file, which is read-only.
fn put(path: &Path, content: &[u8]) {
    fs_err::remove_file(path).unwrap();
    fs_err::write(path, content).unwrap();
}

/// Runs, damages the artifact of `middle`, and says what is found there: `file: found, expected ..., way out`.
fn found(damage: impl Fn(&Path)) -> (Project, Vec<String>) {
    let project = Project::new();
    project.run(chain());
    let artifact = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    damage(&artifact);
    let before = project.listing(&[]);
    let all = verified(&project);
    assert_eq!(project.listing(&[]), before, "nothing is changed");
    assert_eq!(all.len(), 3);
    let link = fs_err::canonicalize(project.path("out/c")).unwrap().join("middle");
    let mut lines = vec![];
    for artifact in all {
        let lines_of = artifact
            .faults
            .iter()
            .map(|f| format!("{}: {}, expected {}, {:?}", f.file, f.found, f.expected, f.way_out));
        lines.extend(lines_of.chain(artifact.unreadable.clone()));
        if !artifact.faults.is_empty() {
            assert_eq!(artifact.links.iter().collect::<Vec<_>>(), [&link]);
        }
    }
    (project, lines)
}

#[test]
fn an_artifact_is_whole_to_the_last_byte() {
    let (_project, lines) = found(|_| {});
    assert_eq!(lines, [""; 0]);
}

#[test]
fn each_damage_is_named_with_what_was_found_and_expected() {
    let (_, lines) = found(|dir| fs_err::remove_file(dir.join("text.txt")).unwrap());
    assert_eq!(lines, ["text.txt: nothing, expected 9 bytes, Run"]);
    let (_, lines) = found(|dir| put(&dir.join("text.txt"), b"one"));
    assert_eq!(lines, ["text.txt: 3 bytes, expected 9 bytes, Run"]);
    let (_, lines) = found(|dir| put(&dir.join("text.txt"), b"one twO x"));
    let (bad, good) = (Digest::of(b"one twO x"), Digest::of(b"one two x"));
    assert_eq!(lines, [format!("text.txt: blake3 {bad}, expected {good}, Force")]);
    let (_, lines) = found(|dir| {
        fs_err::remove_file(dir.join("text.txt")).unwrap();
        fs_err::create_dir(dir.join("text.txt")).unwrap();
    });
    assert_eq!(lines, ["text.txt: what is not a file, expected 9 bytes, Run"]);
    let (_, lines) = found(|dir| fs_err::write(dir.join("more.txt"), "x").unwrap());
    assert_eq!(lines, ["more.txt: a file, expected none of this name, MoveAway"]);
    let (_, lines) = found(|dir| {
        put(&dir.join("text.txt"), b"one");
        fs_err::remove_file(dir.join("when.txt")).unwrap();
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_manifest_cut_short_anywhere_is_damage_and_one_of_other_parts_too() {
    let project = Project::new();
    project.run(chain());
    let path = fs_err::canonicalize(project.path("out/c/middle/artifact.json")).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    for cut in (0..text.len() - 1).step_by(7) {
        put(&path, &text.as_bytes()[..cut]);
        let faults: Vec<_> = verified(&project).into_iter().flat_map(|artifact| artifact.faults).collect();
        assert_eq!(faults.len(), 1, "cut at {cut}: {faults:?}");
        let start = format!("{cut} bytes that are none: EOF");
        assert!(faults[0].found.starts_with(&start), "{faults:?}");
        assert_eq!((faults[0].expected.as_str(), faults[0].way_out), ("a manifest", WayOut::Run));
    }
    // A parameter that was edited no longer belongs to the key.
    let edited = text.replace(r#""text": "x""#, r#""text": "z""#);
    assert_ne!(edited, text);
    put(&path, edited.as_bytes());
    let faults: Vec<_> = verified(&project).into_iter().flat_map(|artifact| artifact.faults).collect();
    assert!(faults.len() == 1 && faults[0].found.starts_with("the manifest of "), "{faults:?}");
    // A newer form is not damage, but cannot be judged.
    put(&path, text.replacen(r#""format": 1"#, r#""format": 2"#, 1).as_bytes());
    let newer: Vec<_> = verified(&project).into_iter().flat_map(|artifact| artifact.unreadable).collect();
    assert_eq!(newer, ["artifact.json has format 2, this command reads 1"]);
}

#[test]
fn the_way_out_of_each_damage_repairs_it() {
    // A run sees sizes; another byte needs `--force`.
    let (project, lines) = found(|dir| put(&dir.join("text.txt"), b"one"));
    assert!(lines[0].ends_with("Run"), "{lines:?}");
    project.run(chain());
    assert!(verified(&project).iter().all(|artifact| artifact.faults.is_empty()));

    let (project, lines) = found(|dir| put(&dir.join("text.txt"), b"one twO x"));
    assert!(lines[0].ends_with("Force"), "{lines:?}");
    assert_eq!(outcomes(&project.run(chain())), ["read fresh", "middle fresh", "last fresh"]);
    let mut options = project.options();
    options.selection.force = vec!["middle".to_owned()];
    assert!(project.try_run(chain(), &options).unwrap().succeeded());
    assert!(verified(&project).iter().all(|artifact| artifact.faults.is_empty()));
}

#[test]
fn the_current_artifact_is_the_one_that_the_link_leads_to() {
    let project = Project::new();
    project.run(vec![join("big", json!({"behaviour": {"big": 3_000_001}}), &[])]);
    let target = current(&project.path("out/c/big")).unwrap().unwrap();
    assert_eq!((target.kind.as_str(), target.key.is_some()), ("join", true));
    let whole = verify(vec![target.clone()], &Silent, &Cancel::default()).unwrap();
    assert_eq!((whole[0].files, whole[0].faults.len()), (3, 0), "{whole:?}");
    assert!(whole[0].size_bytes > 3_000_001);
    // The last byte of several chunks.
    let path: PathBuf = target.dir.join("big");
    let mut bytes = fs_err::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    put(&path, &bytes);
    let faults = verify(vec![target], &Silent, &Cancel::default()).unwrap().remove(0).faults;
    assert_eq!(faults.iter().map(|fault| fault.file.as_str()).collect::<Vec<_>>(), ["big"]);
    assert_eq!(current(&project.path("out/c/none")).unwrap(), None);
}

#[test]
fn it_stops_when_it_is_asked_to() {
    let project = Project::new();
    project.run(chain());
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let error = verify(all(&store).unwrap(), &Silent, &cancel).unwrap_err();
    assert!(matches!(error, pipeline_runner::Error::Cancelled), "{error}");
}
