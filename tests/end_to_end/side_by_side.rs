//! `--jobs`, `--keep-going`, `--retries`: several stages at one time, on real stages.

use std::collections::BTreeMap;

use pipeline_testkit::Project;
use serde_json::Value;

use crate::small_project;

/// Two feature tables of different sizes, a head on each, and both measured.
const TWO: &str = "\
stages:
  ingest: { kind: ingest }
  augment: { kind: augment, inputs: { images: ingest } }
  backbone: { kind: backbone }
  small: { kind: precompute, inputs: { images: ingest, backbone: backbone } }
  large: { kind: precompute, inputs: { images: ingest, augment: augment, backbone: backbone } }
  head_small: { kind: head, inputs: { features: small, backbone: backbone } }
  head_large: { kind: head, inputs: { features: large, backbone: backbone } }
  on_small: { kind: evaluate, inputs: { images: ingest, features: small, models: [head_small] } }
  on_large: { kind: evaluate, inputs: { images: ingest, features: large, models: [head_large] } }
";

const CONFIG: &str = "\
pipeline: two
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
augment: { cached_views: 1 }
small: { size: 48 }
large: { size: 64 }
head_small: { batch_size: 8 }
head_large: { batch_size: 8 }
";

fn project() -> Project {
    let project = small_project();
    project.write("pipelines/two.yaml", TWO);
    project.write("configs/two.yaml", CONFIG);
    project
}

/// The key and the content of each artifact, without what only records how the run went.
fn artifacts(project: &Project) -> BTreeMap<String, (Value, Vec<Value>)> {
    let stages = fs_err::read_dir(project.path("out/two")).unwrap();
    let artifact = |name: String| {
        let manifest = project.read(&format!("out/two/{name}/artifact.json"));
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let records = ["history.parquet", "history.jsonl", "events.out.tfevents"];
        let files = manifest["files"].as_array().unwrap().iter();
        let is_content = |file: &&Value| {
            let path = file["path"].as_str().unwrap();
            !records.iter().any(|record| path.starts_with(record)) && !path.starts_with("tensorboard")
        };
        (name, (manifest["key"].clone(), files.filter(is_content).cloned().collect()))
    };
    stages.map(|stage| artifact(stage.unwrap().file_name().into_string().unwrap())).collect()
}

#[test]
fn the_artifacts_are_those_of_one_stage_after_another() {
    let project = project();
    let run = |jobs: &str| {
        let options = ["--threads", "2", "--jobs", jobs, "--store", jobs];
        project.succeed(&[["run", "configs/two.yaml"].as_slice(), &options].concat());
        artifacts(&project)
    };
    let (one, three) = (run("1"), run("3"));
    assert_eq!(one.len(), 9);
    for (stage, made) in &one {
        assert_eq!(Some(made), three.get(stage), "{stage}");
    }
}

#[test]
fn a_line_of_a_run_says_of_which_stage_it_is_and_the_record_whose_memory_is_shared() {
    let project = project();
    let ran = project.succeed(&["run", "configs/two.yaml", "--threads", "2", "--jobs", "2"]);
    let names = [
        "ingest",
        "augment",
        "backbone",
        "small",
        "large",
        "head_small",
        "head_large",
        "on_small",
        "on_large",
    ];
    let said = ran.stderr.lines().filter(|line| !line.trim().is_empty());
    for line in said {
        let first = line.trim_start().trim_start_matches("warning: ").split([' ', ':']).next().unwrap();
        assert!(names.contains(&first), "{line}");
    }
    let shown = project.succeed(&["runs", "show", "--json"]).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let stages = shown["stages"].as_array().unwrap();
    let is_shared = |name: &str| {
        let stage = stages.iter().find(|stage| stage["name"] == name).unwrap();
        stage["peak_memory_is_shared"].as_bool().unwrap()
    };
    // Nothing runs beside a training; ingest and backbone begin together.
    assert_eq!(["ingest", "backbone"].map(is_shared), [true; 2], "{shown}");
    assert_eq!(["head_small", "head_large"].map(is_shared), [false; 2], "{shown}");
}

#[test]
fn with_keep_going_the_other_stages_are_made_and_the_exit_code_is_that_of_a_failure() {
    let project = project();
    // No photo of this split has a label; nothing but `small` and what reads it depends on it.
    project.write(
        "configs/two.yaml",
        CONFIG.replace("small: { size: 48 }", "small: { size: 48, splits: [test] }"),
    );
    let ran = project.run(&["run", "configs/two.yaml", "--keep-going", "--jobs", "2", "--threads", "2"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let failed = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(failed, 1, "{}", ran.stderr);
    assert!(project.path("out/two/on_large/metrics.json").is_file(), "{}", ran.stdout);
    assert!(!project.path("out/two/on_small").exists());
    assert!(ran.stdout.contains("head_small failed"), "{}", ran.stdout);
}

#[test]
fn limits_that_are_no_numbers_are_refused_with_what_was_expected() {
    let project = project();
    for (arguments, expected) in [
        (["--memory", "8"], "expected a number of MB, GB or TB, as 500MB or 8GB, found `8`"),
        (["--jobs", "0"], "0 is not in 1..=1024"),
        (["--retries", "-1"], "-1 is not in 0..=1000"),
    ] {
        let error = project.fail(2, &[["run", "configs/two.yaml"].as_slice(), &arguments].concat());
        assert!(error.contains(expected), "{error}");
    }
}
