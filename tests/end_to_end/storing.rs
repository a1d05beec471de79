//! What is in the store, from the outside: `verify`, `gc`, `runs`, `diff`, `graph`; completions and manual pages.

use std::path::PathBuf;

use pipeline_testkit::Project;
use serde_json::{Value, json};

use crate::small_project;

/// A project that only takes stock of ten drawn photos: a run takes no time.
fn photos() -> Project {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    project.succeed(&["sample-data", "photos", "--seed", "3", "--train", "3", "--valid", "2", "--test", "0"]);
    project.write("pipelines/stock.yaml", "stages:\n  ingest: { kind: ingest }\n");
    project.write("configs/c.yaml", "pipeline: stock\ningest: { root: photos }\n");
    project
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    serde_json::from_str(&project.succeed(arguments).stdout).unwrap()
}

/// The run's name in the record of the latest.
fn latest(project: &Project) -> String {
    json_of(project, &["runs", "list", "--json"])["runs"][0]["run"].as_str().unwrap().to_owned()
}

/// Replaces a file of the current artifact, which is read-only.
fn put(project: &Project, file: &str, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let path = fs_err::canonicalize(project.path("out/c/ingest").join(file)).unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    change(&mut bytes);
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, bytes).unwrap();
    path
}

#[test]
fn damage_is_named_with_the_command_that_repairs_it() {
    let project = photos();
    let nowhere = project.fail(2, &["verify", "--all"]);
    assert_eq!(
        nowhere,
        "error: no store at <project>/.pipeline\n  hint: make one with `pipeline run`, or name another with --store\n"
    );
    project.succeed(&["run", "configs/c.yaml"]);
    let whole = project.succeed(&["verify", "configs/c.yaml"]).stdout;
    assert!(whole.starts_with("1 artifact, ") && whole.contains(": all whole   ("), "{whole}");

    put(&project, "images.parquet", |bytes| bytes[10] ^= 1);
    for (which, link) in [("configs/c.yaml", "out/c/ingest"), ("--all", "out/c/ingest")] {
        let error = project.fail(5, &["verify", which]);
        assert!(error.starts_with("error: ingest ") && error.contains(link), "{error}");
        assert!(
            error.contains("is damaged\n  images.parquet: blake3 ") && error.contains(", expected "),
            "{error}"
        );
        assert!(
            error.ends_with("  hint: make it again: pipeline run configs/c.yaml --force ingest\n"),
            "{error}"
        );
    }
    project.succeed(&["run", "configs/c.yaml", "--force", "ingest"]);
    project.succeed(&["verify", "configs/c.yaml"]);

    put(&project, "images.parquet", |bytes| bytes.truncate(bytes.len() - 1));
    put(&project, "artifact.json", |bytes| bytes.truncate(bytes.len() / 2));
    let error = project.fail(5, &["verify", "configs/c.yaml"]);
    assert!(error.contains("artifact.json: ") && error.contains("bytes that are none: EOF"), "{error}");
    assert!(error.ends_with("  hint: make it again: pipeline run configs/c.yaml\n"), "{error}");
    let ran = project.run(&["verify", "--all", "--json"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &found["damaged"]), (Some(5), &json!(1)));
    assert_eq!(found["artifacts"][0]["faults"][0]["way_out"], "run");
    project.succeed(&["run", "configs/c.yaml"]);
    project.succeed(&["verify", "--all"]);
    // What was moved aside is named and removed.
    let gone = project.succeed(&["gc"]).stdout;
    assert!(gone.contains("moved aside when it was made again"), "{gone}");
    assert_eq!(fs_err::read_dir(project.path(".pipeline/damaged")).unwrap().count(), 0);
}

#[test]
fn what_gc_collected_is_said_to_be_so() {
    let project = photos();
    let stock =
        "stages:\n  ingest: { kind: ingest }\n  augment: { kind: augment, inputs: { images: ingest } }\n";
    project.write("pipelines/stock.yaml", stock);
    project.succeed(&["run", "configs/c.yaml"]);
    fs_err::remove_file(project.path("out/c/ingest")).unwrap();
    project.succeed(&["gc"]);
    let verified = project.succeed(&["verify", "configs/c.yaml"]).stdout;
    assert!(verified.starts_with("ingest was collected by gc: nothing to check\n1 artifact, "), "{verified}");
    let status = project.succeed(&["status", "configs/c.yaml"]).stdout;
    assert!(status.starts_with("c: 2 stages, 1 fresh, 1 collected, 0 to run   ("), "{status}");
    project.succeed(&["run", "configs/c.yaml"]);
    let collected = &json_of(&project, &["runs", "show", "--json"])["stages"][0];
    assert_eq!(collected["outcome"], "collected");
    assert!(collected["summary"]["line"].as_str().unwrap().contains("photos"), "{collected}");
}

#[test]
fn gc_shows_what_it_would_remove_then_removes_it_and_the_current_artifact_stays() {
    let project = photos();
    project.succeed(&["run", "configs/c.yaml"]);
    assert_eq!(project.succeed(&["gc"]).stdout, "nothing to remove; 1 artifact stays\n");
    project.succeed(&["run", "configs/c.yaml", "--set", "ingest.on_bad=fail"]);
    // Of two artifacts the link leads to one, and the other is the latest of those that none leads to.
    for kept in [["--keep-last", "1"], ["--older-than", "7d"]] {
        let nothing = project.succeed(&[["gc"].as_slice(), &kept].concat()).stdout;
        assert_eq!(nothing, "nothing to remove; 2 artifacts stay\n", "{kept:?}");
    }
    let dry = project.succeed(&["gc", "--dry-run"]).stdout;
    let lines: Vec<&str> = dry.lines().collect();
    assert!(
        lines[1].starts_with("  artifact   ingest ") && lines[1].ends_with("   no link leads to it"),
        "{dry}"
    );
    assert!(
        lines[2].starts_with("would remove 1 item, which frees ") && lines[2].ends_with("; 1 artifact stays"),
        "{dry}"
    );
    let as_json = json_of(&project, &["gc", "--dry-run", "--json"]);
    assert_eq!((&as_json["dry_run"], &as_json["kept"]), (&json!(true), &json!(1)));
    let item = &as_json["doomed"][0];
    assert_eq!((&item["what"], &as_json["freed_bytes"]), (&json!("artifact"), &item["size_bytes"]));
    let path = PathBuf::from(item["path"].as_str().unwrap());
    assert!(path.exists());
    let done = project.succeed(&["gc"]).stdout;
    // But for the age, which grows meanwhile.
    let without_age = |text: &str| {
        text.split_whitespace().filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(without_age(&done), without_age(&dry).replace("would remove", "removed"));
    assert!(!path.exists());
    assert_eq!(project.outcomes(&["run", "configs/c.yaml", "--set", "ingest.on_bad=fail"]), ["ingest fresh"]);

    let error = project.fail(2, &["gc", "--older-than", "7"]);
    assert!(error.contains("as 30m, 12h, 7d or 2w, found `7`"), "{error}");
    project.write("mine/letter.txt", "dear");
    let error = project.fail(2, &["gc", "--store", "mine"]);
    assert!(error.starts_with("error: mine is not a store: it holds `letter.txt`"), "{error}");
    assert_eq!(project.read("mine/letter.txt"), "dear");
    let error = project.fail(2, &["gc", "--store", "none"]);
    assert!(error.starts_with("error: no store at none"), "{error}");
    // Beside a store of a newer command.
    project.write(".pipeline/format", "2\n");
    let error = project.fail(2, &["gc"]);
    assert!(error.contains("has format 2"), "{error}");
}

#[test]
fn runs_are_listed_shown_told_and_compared() {
    let project = photos();
    project.succeed(&["run", "configs/c.yaml"]);
    let first = latest(&project);
    project.succeed(&["run", "configs/c.yaml", "--set", "seed=7"]);
    let second = latest(&project);
    assert_ne!(first, second);
    let list = project.succeed(&["runs", "list"]).stdout;
    let words: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["run", "config", "outcome", "began", "took", "ran", "fresh", "collected"]);
    assert_eq!((words[1][0], words[2][0]), (second.as_str(), first.as_str()));
    assert_eq!(words[2][1..3], ["c", "succeeded"]);
    assert!(words[1].ends_with(&["0", "1", "0"]) && words[2].ends_with(&["1", "0", "0"]), "{list}");
    assert!(
        project
            .succeed(&["runs", "list", "--limit", "1"])
            .stdout
            .contains("  and 1 older; --limit 0 lists all")
    );

    let shown = project.succeed(&["runs", "show", &first]).stdout;
    assert!(shown.starts_with(&format!("{first}: succeeded\n")), "{shown}");
    assert!(shown.contains("config c, seed 42, ") && shown.contains("(no artifact yet)"), "{shown}");
    let shown = json_of(&project, &["runs", "show", &first, "--json"]);
    assert!(shown["stages"][0]["peak_memory_bytes"].as_u64().unwrap() > 1 << 20, "{shown}");
    assert_eq!(shown["graph"]["ingest"]["kind"], "ingest");

    let said = project.succeed(&["runs", "logs", &first, "ingest"]).stdout;
    assert!(said.lines().next().unwrap().ends_with("Z  started: no artifact yet"), "{said}");
    let error = project.fail(2, &["runs", "logs", &first, "ingset"]);
    assert!(error.contains("unknown stage `ingset`") && error.contains("did you mean `ingest`?"), "{error}");

    let differ = project.succeed(&["diff", &first, &second]).stdout;
    let row: Vec<&str> = differ.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["-", "parameter", "seed", "42", "7"]);
    assert_eq!(differ.lines().count(), 2, "{differ}");
    let differ = json_of(&project, &["diff", &first, &second, "--json"]);
    assert_eq!(differ["differences"][0]["values"], json!([42, 7]));
    let same = project.succeed(&["diff", &first, &first]).stdout;
    assert_eq!(same, "no parameter, version or metric differs\n");

    // One letter is wrong.
    let wrong = format!("{}x", &first[..first.len() - 1]);
    for arguments in [vec!["runs", "show", &wrong], vec!["diff", &first, &wrong]] {
        let error = project.fail(2, &arguments);
        assert!(error.contains(&format!("no run `{wrong}`")), "{error}");
        assert!(error.contains(&format!("did you mean `{first}`?")), "{error}");
    }
    let record = format!(".pipeline/runs/{first}/run.json");
    let text = project.read(&record);
    project.write(&record, &text[..text.len() / 2]);
    let cut = project.succeed(&["runs", "show", &first]);
    assert!(cut.stdout.starts_with(&format!("{first}: unknown\n")), "{}", cut.stdout);
    assert!(cut.stdout.contains("ran"), "the events still tell: {}", cut.stdout);
    assert!(cut.stderr.contains(&format!("warning: the record of {first} is not whole: ")), "{}", cut.stderr);
    project.succeed(&["runs", "list"]);
}

#[test]
fn the_graph_says_what_each_stage_is_in_both_languages() {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    project.write("configs/c.yaml", "pipeline: quick\ningest: { root: \"no <photos> \\\"here\\\"\" }\n");
    let mermaid = project.succeed(&["graph", "configs/c.yaml"]).stdout;
    assert!(mermaid.starts_with("flowchart TD\n"), "{mermaid}");
    assert!(mermaid.contains("]:::unknown") && mermaid.contains("]:::depends"), "{mermaid}");
    assert!(mermaid.contains("[\"ingest<br/>unknown: ingest: folder not found"), "{mermaid}");
    assert!(!mermaid.contains("<photos>") && mermaid.contains("#60;photos#62; #34;here#34;"), "{mermaid}");
    assert!(mermaid.contains(" -->|\"features\"| "), "{mermaid}");
    let dot = project.succeed(&["graph", "configs/c.yaml", "--format", "dot"]).stdout;
    assert!(dot.starts_with("digraph pipeline {\n") && dot.contains("no <photos> \\\"here\\\""), "{dot}");
    assert!(!project.path(".pipeline").exists(), "a graph leaves nothing behind");
}

#[test]
fn completions_and_manual_pages_are_printed_for_every_shell_and_subcommand() {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.succeed(&["completions", shell]).stdout;
        assert!(script.contains("keep-last") && !script.contains("\\u{"), "{shell}: {script}");
    }
    project.write("completions.bash", project.succeed(&["completions", "bash"]).stdout);
    let checked =
        std::process::Command::new("bash").arg("-n").arg(project.path("completions.bash")).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let page = project.succeed(&["man"]).stdout;
    assert!(page.contains(".TH pipeline 1") && page.contains("pipeline\\-verify(1)"), "{page}");
    let page = project.succeed(&["man", "runs", "show"]).stdout;
    assert!(page.contains(".TH pipeline-runs-show 1") && page.contains("pipeline runs show"), "{page}");
    let error = project.fail(2, &["man", "verfy"]);
    assert!(
        error.contains("unknown subcommand `verfy`") && error.contains("did you mean `verify`?"),
        "{error}"
    );
}

#[test]
fn a_store_whose_name_is_no_utf_8_holds_artifacts_and_a_manifest_that_is_a_pipe_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let project = small_project();
    let store = project.path(std::ffi::OsStr::from_bytes(b"st\xffre"));
    let run = |arguments: &[&str]| project.command(arguments).arg("--store").arg(&store).output().unwrap();
    let ran = run(&["run", "configs/c.yaml", "--until", "ingest"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(run(&["run", "configs/c.yaml", "--until", "ingest", "--json"]).status.success());
    assert!(run(&["gc", "--dry-run", "--json"]).status.success());

    let manifest = fs_err::canonicalize(project.path("out/c/ingest")).unwrap().join("artifact.json");
    fs_err::remove_file(&manifest).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&manifest).status().unwrap().success());
    let verified = run(&["verify", "configs/c.yaml", "--json"]);
    assert_eq!(verified.status.code(), Some(5), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("what is not a file"), "{verified:?}");
}
