//! `init` and `doctor`: what a new user meets first.

use std::path::Path;

use pipeline_testkit::{Mount, Project, Ran, with_mounts};
use serde_json::Value;

use crate::write_weights;

/// A project with drawn photos in `drawn` and weights where `init` finds them.
fn project() -> Project {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    let drawn = ["--seed", "3", "--train", "8", "--valid", "3", "--test", "2"];
    project.succeed(&[["sample-data", "drawn"].as_slice(), &drawn].concat());
    write_weights(&project);
    let weights = project.path("data/weights");
    fs_err::create_dir_all(&weights).unwrap();
    let name = "efficientnet_lite0_drawn.safetensors";
    fs_err::rename(project.path("weights.safetensors"), weights.join(name)).unwrap();
    project
}

/// The drawn photos below `folder`, with their class and number.
fn drawn(project: &Project, folder: &str) -> Vec<(String, String, std::path::PathBuf)> {
    let mut found = vec![];
    for class in ["cats", "dogs"] {
        let entries = fs_err::read_dir(project.path("drawn").join(folder).join(class)).unwrap();
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.push((class.to_owned(), name, path));
        }
    }
    found.sort();
    found
}

/// Links each drawn photo of train to where `place` says, from its class and number.
fn arrange(project: &Project, place: impl Fn(&str, usize) -> String) {
    for (number, (class, _, path)) in drawn(project, "train").into_iter().enumerate() {
        let to = project.path(place(&class, number + 1));
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::hard_link(path, to).unwrap();
    }
}

/// `init` of the folder, then what it says comes next: the config is valid and runs as it was written.
fn begins(project: &Project, photos: &str, config: &str) -> String {
    let ran = project.succeed(&["init", photos]);
    let next = format!("next: pipeline run configs/{config}");
    assert_eq!(ran.stdout.lines().last(), Some(next.as_str()), "{}", ran.stdout);
    let written = format!("configs/{config}");
    project.succeed(&["validate", &written]);
    let run = project.succeed(&["run", &written]);
    assert!(run.stdout.contains("evaluate"), "{}", run.stdout);
    ran.stdout + &project.read(&written)
}

#[test]
fn split_folders_run_as_init_has_written_them() {
    let project = project();
    let text = begins(&project, "drawn", "drawn.yaml");
    assert!(text.contains("drawn: 22 photos in 2 classes, and 2 without a class in test"), "{text}");
    assert!(text.contains("splits: by folders, 16 to train on, 6 to measure on"), "{text}");
    assert!(text.contains("weights: data/weights/efficientnet_lite0_drawn.safetensors"), "{text}");
    assert!(!text.contains("split:"), "{text}");
}

#[test]
fn folders_of_classes_with_difficult_names_run_as_init_has_written_them() {
    let project = project();
    arrange(&project, |class, number| format!("my photos: 1/{class} 'n' #ö/{number}.png"));
    project.write("my photos: 1/Thumbs.db", "");
    let text = begins(&project, "my photos: 1", "my-photos--1.yaml");
    assert!(text.contains("16 photos in 2 classes") && text.contains("left out: Thumbs.db (1)"), "{text}");
    assert!(text.contains("root: 'my photos: 1'") && text.contains("    valid: 0.2"), "{text}");
}

#[test]
fn names_a_table_and_an_archive_run_as_init_has_written_them() {
    let project = project();
    arrange(&project, |class, number| format!("flat/{class}_{number}.png"));
    let text = begins(&project, "flat", "flat.yaml");
    assert!(
        text.contains("classes: the names of the photos") && text.contains("label_pattern: '^"),
        "{text}"
    );

    arrange(&project, |_, number| format!("table/img/{number}.png"));
    let photos = drawn(&project, "train");
    let rows = photos.iter().enumerate().map(|(at, (class, ..))| format!("img/{}.png,{class}\n", at + 1));
    project.write("table/labels.csv", format!("path,label\n{}", rows.collect::<String>()));
    let text = begins(&project, "table", "table.yaml");
    assert!(
        text.contains("classes: a table of labels") && text.contains("The only table of labels"),
        "{text}"
    );

    let tar = std::process::Command::new("tar")
        .args(["-cf", "drawn.tar", "drawn"])
        .current_dir(project.path(""))
        .status();
    assert!(tar.unwrap().success());
    let text = begins(&project, "drawn.tar", "drawn.yaml");
    assert!(text.contains("root: drawn.tar") && text.contains("22 photos in 2 classes"), "{text}");
}

#[test]
fn init_makes_a_project_of_an_empty_folder_and_overwrites_nothing() {
    let project = project();
    let empty = tempfile::tempdir().unwrap();
    let photos = project.path("drawn");
    let init = |more: &[&str]| {
        let arguments =
            [["init", photos.to_str().unwrap(), "--pipeline", "lesson1"].as_slice(), more].concat();
        Ran::from(project.command(&arguments).current_dir(empty.path()).output().unwrap())
    };
    let ran = init(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("wrote configs/drawn.yaml and pipelines/lesson1.yaml"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("without a network put resnet34-b627a593.pth into data/weights/"),
        "{}",
        ran.stdout
    );
    let config = empty.path().join("configs/drawn.yaml");
    let read = || fs_err::read_to_string(&config).unwrap();
    assert!(read().contains("finetune:"), "{}", read());
    project.succeed(&["validate", config.to_str().unwrap()]);

    fs_err::write(&config, "mine").unwrap();
    let refused = init(&[]);
    assert_eq!((refused.code, read().as_str()), (Some(2), "mine"));
    let expected = "error: configs/drawn.yaml is there already, and is not overwritten\n  \
                    hint: write to another place with --config PATH, or replace it with --force\n";
    assert_eq!(refused.stderr, expected);
    assert_eq!(init(&["--force"]).code, Some(0));
    assert!(read().contains("finetune:"));
}

#[test]
fn what_cannot_be_learned_from_is_refused_with_what_was_found_and_nothing_is_written() {
    let project = project();
    project.write("texts/a.txt", "");
    let error = project.fail(2, &["init", "texts"]);
    assert!(error.contains("found no photos in <project>/texts: 1 file, the first is `a.txt`"), "{error}");
    arrange(&project, |_, number| format!("one/all/{number}.png"));
    let error = project.fail(2, &["init", "one"]);
    assert!(error.contains("expected at least 2 class folders in <project>/one, found all"), "{error}");
    assert!(error.contains("`pipeline help init` lists the layouts"), "{error}");
    let error = project.fail(2, &["init", "."]);
    assert!(
        error.contains("would lie among the photos") && error.contains("hint: go to another folder first"),
        "{error}"
    );
    project.write("pipelines/quick.yaml", "stages:\n  photos: { kind: ingest }\n");
    let error = project.fail(2, &["init", "drawn"]);
    assert!(error.contains("unknown key"), "{error}");
    assert_eq!(fs_err::read_dir(project.path("configs")).unwrap().count(), 0);
}

/// The checks of `doctor --json` with these arguments: name, standing, what was found.
fn checks(ran: &Ran) -> Vec<(String, String, String)> {
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = json["checks"].as_array().unwrap();
    checks.iter().map(|check| (text(check, "name"), text(check, "standing"), text(check, "found"))).collect()
}

fn standing<'a>(checks: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let (_, standing, found) = checks.iter().find(|check| check.0 == name).unwrap();
    (standing, found)
}

/// `doctor` with a Python that answers, whatever this machine has.
fn doctor(project: &Project, arguments: &[&str]) -> std::process::Command {
    let mut command = project.command(&[["doctor"].as_slice(), arguments].concat());
    command.env_remove("PIPELINE_PYTHON");
    command
}

#[test]
fn doctor_says_what_is_ready_and_leaves_nothing_behind() {
    let project = project();
    project.succeed(&["init", "drawn"]);
    let files = || {
        let mut names: Vec<_> =
            fs_err::read_dir(project.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let ran = Ran::from(doctor(&project, &["configs/drawn.yaml", "--json"]).output().unwrap());
    let found = checks(&ran);
    let names: Vec<&str> = found.iter().map(|check| check.0.as_str()).collect();
    let expected = [
        "config",
        "libtorch",
        "device",
        "processor",
        "threads",
        "memory",
        "disk",
        "store",
        "photos",
        "weights",
        "python",
        "terminal",
    ];
    assert_eq!(names, expected);
    assert_eq!(standing(&found, "config"), ("ok", "configs/drawn.yaml is valid: quick, built in, 6 stages"));
    let (standing_of, libtorch) = standing(&found, "libtorch");
    assert!(standing_of == "ok" && libtorch.contains("2.13"), "{libtorch}");
    assert!(standing(&found, "store").1.contains("the first run makes it"));
    assert_eq!(files(), before);
    let text = Ran::from(doctor(&project, &[]).output().unwrap());
    assert_eq!(text.code, ran.code);
    assert!(text.stdout.lines().last().unwrap().contains("ready for a run"), "{}", text.stdout);
}

#[test]
fn doctor_ends_with_1_and_the_way_out_where_a_run_would_stop() {
    let project = project();
    project.write("configs/c.yaml", "pipeline: quick\ningest: { root: nowhere }\n");
    project.write("data/weights/resnet34-b627a593.pth", "another");
    let ran = Ran::from(doctor(&project, &["configs/c.yaml"]).output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    for part in [
        "problem   photos     expected a folder, or an archive of one at nowhere, found nothing",
        "hint: set `root` to the folder",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    assert!(ran.stdout.contains("resnet34-b627a593.pth is not the official weight file"), "{}", ran.stdout);

    project.write("configs/wrong.yaml", "pipeline: quick\nhaed: {}\n");
    let ran = Ran::from(doctor(&project, &["configs/wrong.yaml", "--json"]).output().unwrap());
    let found = checks(&ran);
    assert_eq!((ran.code, standing(&found, "config").0), (Some(1), "problem"));
    assert!(standing(&found, "config").1.contains("unknown key `haed`"), "{found:?}");
}

#[test]
fn doctor_goes_on_without_python_and_names_a_libtorch_that_does_not_load() {
    let project = project();
    let ran = Ran::from(doctor(&project, &["--json"]).env("PATH", project.path("nowhere")).output().unwrap());
    assert_eq!(standing(&checks(&ran), "python"), ("note", "python3: not found"));

    if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
        project.write("broken/libtorch_cpu.so", "no library");
        let broken = doctor(&project, &["--json"]).env("LD_LIBRARY_PATH", project.path("broken")).output();
        let ran = Ran::from(broken.unwrap());
        let found = checks(&ran);
        let (standing, why) = standing(&found, "libtorch");
        assert!(ran.code == Some(1) && standing == "problem" && why.contains("file too short"), "{why}");
    }
}

#[test]
fn doctor_finds_a_store_that_cannot_be_written() {
    with_mounts("beginning::doctor_finds_a_store_that_cannot_be_written", || {
        let project = project();
        project.write("disk/.pipeline/format", "1\n");
        let mounted = Mount::read_only(&project.path("disk"));
        let store: &Path = &mounted.path().join(".pipeline");
        let ran =
            Ran::from(doctor(&project, &["--json", "--store", store.to_str().unwrap()]).output().unwrap());
        let found = checks(&ran);
        let (standing, why) = standing(&found, "disk");
        assert!(ran.code == Some(1) && standing == "problem" && why.ends_with("is read-only"), "{why}");
    });
}
