//! One clear message for each kind of wrong input, the exit code, and nothing half-published.

use pipeline_testkit::Project;

use crate::small_project;

/// Runs a job that must fail, and checks that the store has no artifact of the stage and no litter.
fn failing(project: &Project, code: i32, stage: &str) -> String {
    let error = project.fail(code, &["run", "configs/c.yaml"]);
    let made = project.path(".pipeline/store").join(stage);
    assert!(!made.exists() || fs_err::read_dir(&made).unwrap().next().is_none(), "{}", made.display());
    let litter: Vec<_> = fs_err::read_dir(project.path(".pipeline/tmp"))
        .map(|entries| entries.map(|e| e.unwrap().path()).collect())
        .unwrap_or_default();
    assert!(litter.is_empty(), "{litter:?}");
    assert!(!error.contains("panicked"), "{error}");
    error
}

#[track_caller]
fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "expected `{part}` in:\n{error}");
    }
    assert!(error.contains("hint: "), "no way out in:\n{error}");
}

#[test]
fn a_missing_folder_of_photos() {
    let project = small_project();
    let error = project.fail(2, &["run", "configs/c.yaml", "--set", "ingest.root=nowhere"]);
    assert_says(&error, &["ingest", "nowhere"]);
}

#[test]
fn a_folder_without_train_or_valid() {
    let project = small_project();
    fs_err::rename(project.path("photos/valid"), project.path("photos/other")).unwrap();
    assert_says(&failing(&project, 1, "ingest"), &["ingest", "valid"]);
}

#[test]
fn an_empty_class() {
    let project = small_project();
    fs_err::create_dir(project.path("photos/train/emus")).unwrap();
    assert_says(&failing(&project, 1, "ingest"), &["ingest", "emus"]);
}

#[test]
fn one_class_only() {
    let project = small_project();
    fs_err::remove_dir_all(project.path("photos/train/dogs")).unwrap();
    fs_err::remove_dir_all(project.path("photos/valid/dogs")).unwrap();
    assert_says(&failing(&project, 1, "ingest"), &["ingest", "cats"]);
}

#[test]
fn a_class_of_valid_that_train_lacks() {
    let project = small_project();
    project
        .write("photos/valid/emus/e.jpg", fs_err::read(project.path("photos/valid/cats/cat.1.jpg")).unwrap());
    let error = failing(&project, 1, "ingest");
    assert_says(&error, &["ingest", "emus"]);
}

#[test]
fn a_file_that_is_no_photo_is_set_aside_and_named() {
    let project = small_project();
    project.write("photos/train/cats/notes.jpg", "these are my cats");
    let ran = project.succeed(&["run", "configs/c.yaml", "--until", "ingest"]);
    assert!(ran.stdout.contains("1 set aside"), "{}", ran.stdout);
    assert!(project.read("out/c/ingest/ingest.json").contains("train/cats/notes.jpg"));
}

#[test]
fn weights_that_cannot_be_used() {
    let project = small_project();
    let whole = fs_err::read(project.path("weights.safetensors")).unwrap();

    project.write("weights.safetensors", &whole[..whole.len() / 2]);
    assert_says(&failing(&project, 1, "backbone"), &["backbone", "weights.safetensors"]);

    project.write("weights.safetensors", &whole);
    let error = project.fail(1, &["run", "configs/c.yaml", "--set", "backbone.arch=resnet18"]);
    assert_says(&error, &["backbone", "these look like efficientnet_lite0 weights"]);

    // A pickle (protocol 2) that would call os.system("true").
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("w/data.pkl", stored).unwrap();
    std::io::Write::write_all(&mut zip, b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.").unwrap();
    project.write("weights.safetensors", zip.finish().unwrap().into_inner());
    let error = failing(&project, 1, "backbone");
    assert_says(&error, &["backbone", "weights.safetensors", "forbidden pickle operation `os.system`"]);

    fs_err::remove_file(project.path("weights.safetensors")).unwrap();
    let error = project.fail(2, &["run", "configs/c.yaml"]);
    assert_says(&error, &["backbone", "weights.safetensors"]);
}

#[test]
fn official_weights_without_a_network_say_which_file_to_put_where() {
    let project = small_project();
    project.write(
        "configs/c.yaml",
        "pipeline: quick\ningest: { root: photos }\nbackbone: { arch: efficientnet_lite0 }\n",
    );
    let error = project.fail(2, &["run", "configs/c.yaml"]);
    assert_says(&error, &["backbone", "data/weights/efficientnet-lite0-57934424.pth"]);

    // One that has an address, by way of a proxy that is not there.
    let mut command = project.command(&["run", "configs/c.yaml", "--set", "backbone.arch=resnet34"]);
    for name in ["all_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    let output = command.env("ALL_PROXY", "http://127.0.0.1:9").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_says(
        &error,
        &["backbone: cannot fetch resnet34-b627a593.pth: ", "data/weights/resnet34-b627a593.pth"],
    );
}

#[test]
fn wrong_files_have_line_and_column() {
    let project = small_project();
    let cases = [
        (
            "pipeline: quick\ningest: { root: photos }\nhead: { learning_rate: 1 }\n",
            "configs/c.yaml:3:9: unknown key `learning_rate`",
        ),
        (
            "pipeline: quick\ningest: { root: photos }\nhead: { lr: fast }\n",
            "configs/c.yaml:3:13: `head.lr`: expected a number, a list or a map, found the text `fast`",
        ),
        (
            "pipeline: quick\ningest: { root: photos }\ningest: { root: b }\n",
            "configs/c.yaml:3:1: duplicate key `ingest`",
        ),
        ("pipeline: quick\ningest: { root: photos }\nhaed: {}\n", "configs/c.yaml:3:1: unknown key `haed`"),
        ("pipeline: quik\ningest: { root: photos }\n", "configs/c.yaml:1:11: no pipeline `quik`"),
        ("pipeline: quick\n  ingest: {\n", "configs/c.yaml:"),
    ];
    for (text, expected) in cases {
        project.write("configs/c.yaml", text);
        for command in ["run", "status", "validate"] {
            let error = project.fail(2, &[command, "configs/c.yaml"]);
            assert!(error.starts_with(&format!("error: {expected}")), "{command}: {error}");
        }
    }
    assert!(!project.path(".pipeline").exists(), "a wrong config leaves nothing behind");
}

#[test]
fn wrong_pipelines_have_line_and_column() {
    let project = small_project();
    project.write("configs/c.yaml", "pipeline: p\ningest: { root: photos }\n");
    let stages = |more: &str| {
        format!("stages:\n  ingest: {{ kind: ingest }}\n  backbone: {{ kind: backbone }}\n{more}")
    };
    let cases = [
        (stages("  ingest: { kind: ingest }\n"), "pipelines/p.yaml:4:3: duplicate key `stages.ingest`"),
        (stages("  p: { kind: precomputed }\n"), "pipelines/p.yaml:4:14: unknown stage kind `precomputed`"),
        (
            stages("  p: { kind: precompute, inputs: { images: ingset, backbone: backbone } }\n"),
            "pipelines/p.yaml:4:44: ",
        ),
        (
            stages("  p: { kind: precompute, inputs: { photos: ingest, backbone: backbone } }\n"),
            "pipelines/p.yaml:4:",
        ),
        (
            stages(
                "  a: { kind: evaluate, inputs: { features: b, models: [b] } }\n  b: { kind: evaluate, inputs: { features: a, models: [a] } }\n",
            ),
            "pipelines/p.yaml:5:6: the stages form a cycle: b → a → b",
        ),
    ];
    for (text, expected) in cases {
        project.write("pipelines/p.yaml", &text);
        let error = project.fail(2, &["validate", "configs/c.yaml"]).replace("<project>/", "");
        assert!(error.starts_with(&format!("error: {expected}")), "{text}\n{error}");
    }
}

#[test]
fn wrong_arguments() {
    let project = small_project();
    assert!(project.fail(2, &["run"]).contains("<CONFIG>"));
    assert!(project.fail(2, &["runn", "configs/c.yaml"]).contains("run"));
    assert!(project.fail(2, &["run", "configs/missing.yaml"]).contains("configs/missing.yaml: no such file"));
    let error = project.fail(2, &["run", "configs/c.yaml", "--set", "head.lr"]);
    assert_says(&error, &["--set head.lr", "stage.param=value"]);
    let error = project.fail(2, &["sample-data", "photos"]);
    assert_says(&error, &["photos"]);
}

#[test]
#[cfg(target_os = "linux")]
fn help_that_cannot_be_printed_is_no_success() {
    let project = small_project();
    for arguments in [["--help"].as_slice(), &["--version"], &["run", "--help"]] {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = project.command(arguments).stdout(std::fs::File::from(full)).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.starts_with("error: cannot write to standard output: No space left"), "{said}");
    }
}

#[test]
fn photos_that_are_away_are_named_also_where_a_stage_is_to_run_alone() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--until", "head"]);
    fs_err::rename(project.path("photos"), project.path("away")).unwrap();
    let error = project.fail(2, &["run", "configs/c.yaml", "--only", "head"]);
    let parts = [
        "`head` cannot run alone: it reads `precompute`, which is not fresh: depends on ingest",
        " (ingest: folder not found at photos)",
        "hint: set `root` to the folder of the photos",
    ];
    assert_says(&error, &parts);
}

#[test]
fn a_photo_that_became_a_pipe_is_called_no_file() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--until", "ingest"]);
    let folder = project.path("photos/train/cats");
    let photo = fs_err::read_dir(&folder).unwrap().next().unwrap().unwrap();
    fs_err::remove_file(photo.path()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(photo.path()).status().unwrap();
    assert!(made.success());
    let told = project.succeed(&["explain", "configs/c.yaml", "ingest"]).stdout;
    assert!(told.contains(": not a file, before ") && !told.contains(": 0 bytes"), "{told}");
}
