//! Artifacts that are not whole are named, moved aside and made again; litter of killed runs goes.

use pipeline_runner::{Error, Outcome, RunReport};

use crate::project::{Project, chain, outcomes};

/// Runs, damages the artifact of `middle`, and runs again.
fn damaged(damage: impl Fn(&std::path::Path)) -> (Project, RunReport, String) {
    let project = Project::new();
    project.run(chain());
    let artifact = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    damage(&artifact);
    let planned = project.plan(chain()).stage("middle").unwrap().state.to_string();
    let report = project.run(chain());
    (project, report, planned)
}

fn assert_rebuilt(project: &Project, report: &RunReport, reason: &str) {
    assert_eq!(outcomes(report), ["read fresh", "middle ran", "last fresh"]);
    let middle = report.stage("middle").unwrap();
    assert_eq!(middle.outcome, Outcome::Ran { reason: reason.to_owned() });
    assert_eq!(project.text("middle"), "one two x");
    let aside = project.in_store("damaged");
    assert_eq!(aside.len(), 1, "{aside:?}");
    let expected =
        format!("its artifact was damaged ({reason}) and is moved to .pipeline/damaged/{}", aside[0]);
    assert_eq!(middle.warnings, [expected]);
}

#[test]
fn a_deleted_file() {
    let (project, report, planned) = damaged(|dir| fs_err::remove_file(dir.join("text.txt")).unwrap());
    assert_eq!(planned, "damaged (text.txt is missing)");
    assert_rebuilt(&project, &report, "text.txt is missing");
}

#[test]
fn a_truncated_file() {
    let (project, report, planned) = damaged(|dir| {
        fs_err::remove_file(dir.join("text.txt")).unwrap();
        fs_err::write(dir.join("text.txt"), "one").unwrap();
    });
    assert_eq!(planned, "damaged (text.txt has 3 bytes, expected 9)");
    assert_rebuilt(&project, &report, "text.txt has 3 bytes, expected 9");
}

#[test]
fn a_link_in_place_of_a_file() {
    let (project, report, _) = damaged(|dir| {
        fs_err::rename(dir.join("text.txt"), dir.join("elsewhere")).unwrap();
        fs_err::os::unix::fs::symlink("elsewhere", dir.join("text.txt")).unwrap();
    });
    assert_rebuilt(&project, &report, "text.txt is not a file");
}

#[test]
fn a_missing_manifest() {
    let (project, report, _) = damaged(|dir| fs_err::remove_file(dir.join("artifact.json")).unwrap());
    assert_rebuilt(&project, &report, "artifact.json is missing");
}

#[test]
fn a_manifest_cut_short() {
    let (_, report, planned) = damaged(|dir| {
        let text = fs_err::read(dir.join("artifact.json")).unwrap();
        fs_err::remove_file(dir.join("artifact.json")).unwrap();
        fs_err::write(dir.join("artifact.json"), &text[..text.len() / 2]).unwrap();
    });
    assert!(planned.starts_with("damaged (artifact.json cannot be read: "), "{planned}");
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
}

#[test]
fn the_manifest_of_another_artifact() {
    let (_, report, planned) = damaged(|dir| {
        let other = dir.ancestors().nth(2).unwrap().join("read");
        let other = fs_err::read_dir(other).unwrap().next().unwrap().unwrap().path();
        fs_err::remove_file(dir.join("artifact.json")).unwrap();
        fs_err::copy(other.join("artifact.json"), dir.join("artifact.json")).unwrap();
    });
    assert!(planned.starts_with("damaged (artifact.json is of another artifact, "), "{planned}");
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
}

#[test]
fn an_artifact_that_is_gone_is_made_again_without_a_word() {
    let (project, report, planned) = damaged(|dir| fs_err::remove_dir_all(dir).unwrap());
    assert_eq!(planned, "missing (no artifact yet)");
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
    assert_eq!(report.stage("middle").unwrap().warnings, [""; 0]);
    assert_eq!(project.in_store("damaged"), [""; 0]);
}

#[test]
fn drafts_without_an_owner_are_removed() {
    let project = Project::new();
    project.run(chain());
    // A killed process leaves its draft, and the owner file that nobody locks any more.
    project.write(".pipeline/tmp/1-0-7/out/text.txt", "half");
    project.write(".pipeline/tmp/1-0-7.owner", "");
    project.write(".pipeline/tmp/without-owner/out/text.txt", "half");
    project.run(chain());
    assert_eq!(project.in_store("tmp"), [""; 0]);
}

#[test]
fn a_damaged_memo_is_ignored() {
    let project = Project::new();
    project.run(chain());
    for name in project.in_store("memo") {
        project.write(&format!(".pipeline/memo/{name}"), "not a memo");
    }
    assert_eq!(project.outcomes(chain()), ["read fresh", "middle fresh", "last fresh"]);
}

#[test]
fn a_store_of_another_format_is_refused() {
    let project = Project::new();
    project.write(".pipeline/format", "2\n");
    let error = project.try_run(chain(), &project.options()).unwrap_err().to_string();
    let store = project.path(".pipeline");
    let expected =
        format!("the store {} has format 2, this command reads and writes format 1", store.display());
    assert_eq!(error, expected);
}

/// Puts `new` for `old` in the manifest in `dir`.
fn edit_manifest(dir: &std::path::Path, old: &str, new: &str) {
    let path = dir.join("artifact.json");
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn an_artifact_of_a_newer_command_is_named_and_stays_where_it_is() {
    let (project, report, planned) =
        damaged(|dir| edit_manifest(dir, "\"format\": 1,", "\"format\": 2, \"new\": [],"));
    assert_eq!(planned, "damaged (artifact.json has format 2, this command reads 1)");
    assert_eq!(outcomes(&report), ["read fresh", "middle failed", "last not run"]);
    let Outcome::Failed { message, .. } = &report.stage("middle").unwrap().outcome else { panic!() };
    assert!(message.starts_with("cannot use the artifact .pipeline/store/join/"), "{message}");
    assert!(message.ends_with(": artifact.json has format 2, this command reads 1"), "{message}");
    assert_eq!(project.in_store("damaged"), [""; 0]);
    assert_eq!(project.text("middle"), "one two x");
}

#[test]
fn a_forced_stage_replaces_an_artifact_whose_bytes_changed_on_the_disk() {
    let project = Project::new();
    project.run(chain());
    let text = fs_err::canonicalize(project.path("out/c/middle/text.txt")).unwrap();
    fs_err::remove_file(&text).unwrap();
    fs_err::write(&text, "ONE two x").unwrap(); // of the same size, so a lookup does not notice
    assert_eq!(project.outcomes(chain()), ["read fresh", "middle fresh", "last fresh"]);
    let mut options = project.options();
    options.selection.force = vec!["middle".to_owned()];
    let report = project.try_run(chain(), &options).unwrap();
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
    let aside = project.in_store("damaged");
    let expected =
        format!("its text.txt was damaged; what was there is moved to .pipeline/damaged/{}", aside[0]);
    assert_eq!(report.stage("middle").unwrap().warnings, [expected]);
    assert_eq!(project.text("middle"), "one two x");
}

#[test]
fn a_folder_that_holds_other_things_is_not_made_a_store() {
    let project = Project::new();
    let mut options = project.options();
    options.store = project.path("texts");
    let before = project.listing(&[]);
    let error = project.try_run(chain(), &options).unwrap_err();
    assert!(
        matches!(&error, Error::NotAStore { found, .. } if found == "a.txt" || found == "sub"),
        "{error:?}"
    );
    assert_eq!(project.listing(&[]), before);
    // What a kill left of a store that was being made is no obstacle.
    fs_err::create_dir_all(project.path(".pipeline/store")).unwrap();
    assert_eq!(project.outcomes(chain()), ["read ran", "middle ran", "last ran"]);
}

#[test]
fn a_stage_does_not_compute_on_an_input_whose_bytes_changed_on_the_disk() {
    let project = Project::new();
    project.run(chain());
    let text = fs_err::canonicalize(project.path("out/c/read/text.txt")).unwrap();
    fs_err::remove_file(&text).unwrap();
    fs_err::write(&text, "ONE two ").unwrap();
    let nodes = || crate::project::chain_with(serde_json::json!({"text": "z"}));
    let report = project.run(nodes());
    assert_eq!(outcomes(&report), ["read fresh", "middle failed", "last not run"]);
    let Outcome::Failed { message, hint } = &report.stage("middle").unwrap().outcome else { panic!() };
    assert_eq!(message, "text.txt of `read` is damaged: it is not what its manifest says");
    assert_eq!(hint.as_deref(), Some("make it again with --force read"));
    let mut options = project.options();
    options.selection.force = vec!["read".to_owned()];
    assert!(project.try_run(nodes(), &options).unwrap().succeeded());
    assert_eq!(project.text("middle"), "one two z");
}

#[test]
fn a_pipe_in_place_of_the_manifest_and_a_link_in_place_of_the_artifact_are_damage() {
    let (_, report, planned) = damaged(|dir| {
        fs_err::remove_file(dir.join("artifact.json")).unwrap();
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, dir.join("artifact.json"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    });
    assert_eq!(planned, "damaged (artifact.json is not a file)");
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);

    let (_, report, planned) = damaged(|dir| {
        fs_err::remove_dir_all(dir).unwrap();
        fs_err::os::unix::fs::symlink("/nowhere", dir).unwrap();
    });
    assert_eq!(planned, "damaged (it is not a folder)");
    assert_eq!(outcomes(&report), ["read fresh", "middle ran", "last fresh"]);
}

/// Removes what is at `path` and puts nothing there.
fn clear(path: &std::path::Path) {
    if path.is_dir() { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) }.unwrap();
}

#[test]
fn a_manifest_cut_short_anywhere_is_damage() {
    let project = Project::new();
    project.run(chain());
    let path = fs_err::canonicalize(project.path("out/c/middle")).unwrap().join("artifact.json");
    let text = fs_err::read(&path).unwrap();
    clear(&path);
    assert!(text.len() > 500, "{}", text.len());
    for cut in 0..text.len() {
        fs_err::write(&path, &text[..cut]).unwrap();
        let planned = project.plan(chain()).stage("middle").unwrap().state.to_string();
        assert!(planned.starts_with("damaged (artifact.json cannot be read: "), "{cut}: {planned}");
    }
    // Rebuilt, also where it is empty, as a power cut may leave it, or lacks its last letter.
    for cut in [0, 1, text.len() - 1] {
        let path = fs_err::canonicalize(project.path("out/c/middle")).unwrap().join("artifact.json");
        clear(&path);
        fs_err::write(&path, &text[..cut]).unwrap();
        assert_eq!(project.outcomes(chain()), ["read fresh", "middle ran", "last fresh"], "{cut}");
    }
    assert_eq!(project.in_store("damaged").len(), 3);
}

#[test]
fn a_file_or_manifest_that_became_something_else_is_damage_and_is_made_again() {
    for name in ["text.txt", "when.txt", "artifact.json"] {
        let (project, report, planned) = damaged(|dir| {
            clear(&dir.join(name));
            fs_err::create_dir(dir.join(name)).unwrap();
        });
        assert_eq!(planned, format!("damaged ({name} is not a file)"));
        assert_rebuilt(&project, &report, &format!("{name} is not a file"));

        // A link is not followed: whoever changes what it leads to would change the artifact.
        let (project, report, _) = damaged(|dir| {
            let elsewhere = dir.parent().unwrap().join("elsewhere");
            fs_err::rename(dir.join(name), &elsewhere).unwrap();
            fs_err::os::unix::fs::symlink(elsewhere, dir.join(name)).unwrap();
        });
        assert_rebuilt(&project, &report, &format!("{name} is not a file"));
    }
}

#[test]
fn a_file_in_place_of_the_artifact_is_damage() {
    let (project, report, planned) = damaged(|dir| {
        clear(dir);
        fs_err::write(dir, "").unwrap();
    });
    assert_eq!(planned, "damaged (it is not a folder)");
    assert_rebuilt(&project, &report, "it is not a folder");
}

#[test]
fn files_that_are_not_in_the_manifest_change_nothing() {
    let (_, report, planned) = damaged(|dir| fs_err::write(dir.join("mine.txt"), "notes").unwrap());
    assert_eq!(planned, "fresh");
    assert_eq!(outcomes(&report), ["read fresh", "middle fresh", "last fresh"]);
}

#[test]
fn several_damaged_artifacts_are_made_again_in_one_run_and_what_reads_them_stays_fresh() {
    let project = Project::new();
    project.run(chain());
    let artifact = |stage: &str| fs_err::canonicalize(project.path("out/c").join(stage)).unwrap();
    clear(&artifact("read").join("text.txt"));
    clear(&artifact("middle").join("artifact.json"));
    let report = project.run(chain());
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last fresh"]);
    assert_eq!((project.in_store("damaged").len(), project.text("last")), (2, "one two xy".to_owned()));
}
