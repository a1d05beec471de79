//! `pipeline export`, and the scripts in `examples/` on what it and a run have left.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_nn::artifact::Model;
use pipeline_nn::{Device, Tensor};
use pipeline_photo::{Limits, Resizer};
use pipeline_testkit::Project;
use serde_json::Value;

use crate::small_project;

/// The Python of `PIPELINE_PYTHON`, or the one that `cargo xtask test` sets up, where it can import this.
fn python(imports: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let python = std::env::var_os("PIPELINE_PYTHON").map_or(own, PathBuf::from);
    let import = format!("import {imports}");
    let has = Command::new(&python).args(["-c", &import]).output().is_ok_and(|ran| ran.status.success());
    if !has {
        eprintln!("skipped: no Python with {imports}; run `cargo xtask test`, or set PIPELINE_PYTHON");
    }
    has.then_some(python)
}

/// Runs a script of `examples/` in the project's folder; its exit code, and what it printed to standard output and error.
fn example(
    project: &Project,
    python: &Path,
    script: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(script);
    let mut command = Command::new(python);
    command.current_dir(project.path(".")).arg(script).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), out, err)
}

#[test]
fn a_folder_has_a_card_of_all_that_its_run_knows_and_a_copy_says_what_it_does_not() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let said = project.succeed(&["export", "out/c/head", "--out", "exported/m"]).stdout;
    assert!(said.starts_with("exported/m: efficientnet_lite0 of 2 classes, folder, f32, "), "{said}");
    assert!(!said.contains("not known"), "{said}");
    let card = project.read("exported/m/README.md");
    for part in [
        "# efficientnet_lite0, 2 classes\n",
        "| 0 | cats | 6 |\n| 1 | dogs | 6 |\n",
        "| licence | not known: the weights were supplied by the user |",
        "Trained by a stage of kind head, seed ",
        "| train | 12 |\n| valid | 8 |",
        "On 8 labelled photos of valid, ",
        "| accuracy (higher is better) | 0.",
        "| expected calibration error (lower is better) | 0.",
        "The class that it finds least often is ",
        "- 2 classes had fewer than 50 photos to train on, cats the fewest (6).",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
    assert!(Model::load(&project.path("exported/m"), Device::Cpu).is_ok());
    // The same again, byte for byte; and the artifact is as it was.
    project.succeed(&["export", "out/c/head", "--out", "exported/m", "--force"]);
    assert_eq!(project.read("exported/m/README.md"), card);
    project.succeed(&["verify", "configs/c.yaml"]);

    // A copy, in which only the model is known, and with an evaluation all but its training.
    let said = project.succeed(&["export", "exported/m", "--out", "copy"]).stdout;
    let all = "where the pretrained weights are from, how it was trained, on which photos, how good it is";
    assert!(said.contains(&format!("  not known: {all}; README.md says how to get it\n")), "{said}");
    let arguments =
        ["export", "exported/m", "--out", "copy", "--force", "--report", "out/c/evaluate", "--json"];
    let said: Value = serde_json::from_str(&project.succeed(&arguments).stdout).unwrap();
    assert_eq!(said["unknown"], serde_json::json!(["how it was trained"]), "{said}");
    assert_eq!(said["classes"], serde_json::json!(["cats", "dogs"]), "{said}");
    assert!(project.read("copy/README.md").contains("On 8 labelled photos of valid, "));

    // Half precision loads again, and is no longer what was evaluated.
    project.succeed(&["export", "out/c/head", "--out", "half", "--dtype", "f16"]);
    assert!(Model::load(&project.path("half"), Device::Cpu).is_ok());
    let said = project.fail(2, &["export", "half", "--out", "h", "--report", "out/c/evaluate"]);
    assert!(said.contains("error: out/c/evaluate is no evaluation of this model: "), "{said}");
}

#[test]
fn what_cannot_be_exported_is_named_with_the_way_out_and_nothing_is_left() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--until", "head"]);
    let refused = |code: i32, arguments: &[&str], message: &str, hint: &str| {
        let said = project.fail(code, &[["export"].as_slice(), arguments].concat());
        assert_eq!(said, format!("error: {message}\n  hint: {hint}\n"));
    };
    refused(
        2,
        &["out/c", "--out", "m"],
        "`out/c` is no model, expected the folder of a model, with a model.json in it",
        "give one of: out/c/head",
    );
    let said = project.fail(2, &["export", "configs/c.yaml", "--out", "m"]);
    assert!(
        said.starts_with("error: `configs/c.yaml` is a config, expected the folder of a model"),
        "{said}"
    );
    assert!(said.contains("  hint: give one of: ") && said.ends_with("out/c/head\n"), "{said}");
    refused(
        2,
        &["out/c/head", "--out", "photos"],
        "`photos` is there already",
        "name another place, or replace it with --force",
    );
    refused(
        2,
        &["out/c/head", "--out", "photos", "--force"],
        "cannot replace `photos`: it holds `test1`",
        "name another place: --force replaces only what an export has written",
    );
    refused(
        2,
        &["out/c/head", "--out", "m.safetensors"],
        "cannot write efficientnet_lite0 for torchvision: torchvision has no such network",
        "write it with --format onnx or --format folder",
    );
    refused(
        2,
        &["out/c/head", "--out", "m", "--with-preprocessing"],
        "cannot put preprocessing into a folder: only an ONNX graph holds any",
        "name a file that ends in .onnx, or leave out --with-preprocessing",
    );
    let mut left: Vec<String> = fs_err::read_dir(project.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, [".pipeline", "configs", "out", "photos", "pipelines", "weights.safetensors"]);
}

#[test]
fn the_example_for_onnx_predicts_a_folder_as_the_model_does_and_names_what_it_cannot_read() {
    let Some(python) = python("onnxruntime, PIL") else { return };
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--until", "head"]);
    project.succeed(&["export", "out/c/head", "--out", "plain.onnx"]);
    project.succeed(&["export", "out/c/head", "--out", "photos.onnx", "--with-preprocessing"]);
    project.write("photos/valid/cats/broken.jpg", "no photo");
    let model = Model::load(&project.path("out/c/head"), Device::Cpu).unwrap();
    let rule = model.record.preprocessing;
    let mut resizer = Resizer::new();
    for file in ["plain.onnx", "photos.onnx"] {
        let (code, out, err) = example(&project, &python, "onnx_predict.py", &[file, "photos/valid"]);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(err.contains("photos/valid/cats/broken.jpg: cannot be read: "), "{err}");
        let mut rows = 0;
        for row in out.lines().skip(1) {
            let [path, class, probability] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let photo = rule.decode(&fs_err::read(project.path(path)).unwrap(), &Limits::default()).unwrap();
            let side = rule.size as usize;
            let mut chw = vec![0.0; 3 * side * side];
            rule.normalise_chw(&rule.crop(&photo.pixels, &mut resizer), &mut chw);
            let pixels = Tensor::from_slice(&chw).view([1, 3, side as i64, side as i64]);
            let probabilities =
                Vec::<f32>::try_from(model.log_probs(&pixels).unwrap().exp().view(-1)).unwrap();
            let index = model.record.classes.iter().position(|known| known == class).unwrap();
            let found: f32 = probability.parse().unwrap();
            // Decoders and resizers differ by a level.
            assert!((found - probabilities[index]).abs() < 0.01, "{file} {row}, here {probabilities:?}");
            rows += 1;
        }
        assert_eq!(rows, 8, "{out}");
    }
}

#[test]
fn the_example_for_features_shows_the_nearest_photos_and_the_surest_mistakes() {
    let Some(python) = python("polars, numpy") else { return };
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let photo = "valid/cats/cat.1.jpg";
    let known =
        project.succeed(&["features", "neighbors", "configs/c.yaml", photo, "-k", "1", "--json"]).stdout;
    let known: Value = serde_json::from_str(&known).unwrap();
    let (code, out, err) = example(&project, &python, "features.py", &["out/c", photo]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with(&format!("most like {photo}:\n")), "{out}");
    let nearest = known["neighbors"][0]["id"].as_str().unwrap();
    assert!(out.lines().nth(1).unwrap().contains(&format!("  {nearest}  (")), "{nearest}: {out}");
    let mistakes: Vec<&str> = out.lines().skip_while(|line| *line != "surest mistakes:").skip(1).collect();
    let metrics: Value = serde_json::from_str(&project.read("out/c/evaluate/metrics.json")).unwrap();
    let errors = metrics["models"]["head"]["plain"]["errors"].as_u64().unwrap();
    assert_eq!(mistakes.len() as u64, errors.min(5), "{out}");
    assert!(mistakes.iter().all(|line| line.contains(", head says ")), "{out}");

    let (code, out, err) = example(&project, &python, "features.py", &["out/c", "no/such.jpg"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("no/such.jpg is not in out/c/precompute: its first photo is "), "{err}");
}
