//! The JSON schema of configs, in the hands of a validator that is not ours.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_testkit::Project;
use serde_json::{Value, json};

/// The Python of `PIPELINE_PYTHON`, or the one that `cargo xtask test` sets up.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let python =
        std::env::var_os("PIPELINE_PYTHON").map(PathBuf::from).or_else(|| own.exists().then_some(own));
    if python.is_none() {
        eprintln!("skipped: no Python with jsonschema; run `cargo xtask test`, or set PIPELINE_PYTHON");
    }
    python
}

/// Configs of a pipeline of the project's own, whose schema is not asked for.
const OWN: &str = "pipeline: more/own.yaml\nphotos: { root: a }\nfirst: { lr: 0.1 }\n";

#[test]
fn the_schema_is_one_accepts_the_shipped_configs_and_refuses_typos() {
    let Some(python) = python() else { return };
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    let written = |name: &str, arguments: &[&str]| {
        project.write(name, project.succeed(&[&["schema"], arguments].concat()).stdout);
        project.path(name)
    };
    let all = written("all.json", &[]);
    let of = |name: &str| written(&format!("{name}.json"), &["--pipeline", name]);
    let mut cases: Vec<Value> = Vec::new();
    let mut case = |schemas: &[&PathBuf], config: &str, valid: bool| {
        cases
            .extend(schemas.iter().map(|schema| json!({"schema": schema, "config": config, "valid": valid})));
    };

    let (lesson, quick) = (of("lesson1"), of("quick"));
    let shipped = |name: &str| {
        fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name))
            .unwrap()
    };
    case(&[&all, &lesson], &shipped("dogscats.yaml"), true);
    case(&[&all, &quick], &shipped("quickstart.yaml"), true);
    case(&[&quick], &shipped("dogscats.yaml"), false);
    let both = [&all, &quick];
    let with = |rest: &str| format!("pipeline: quick\ningest: {{ root: photos }}\n{rest}\n");
    for right in [
        "head:",
        "seed: 18446744073709551615",
        "head: { lr: { find: valley }, clip: null, class_weights: [1, 2.5] }",
        "head: { lr: [0.1], cycles: 3, weight_decay: [1e-4], keep: best, optimizer: adamw }",
        "augment: { policy: [flip, { rotate: { max_deg: 5 } }], mix: { mixup: { alpha: 0.2 } } }",
        "evaluate: { tta: flip, report_model: head }",
        "precompute: { splits: [train, valid] }",
        "backbone: { arch: resnet18, weights: w.pth }",
        "extends: configs/base.yaml",
    ] {
        project.write("configs/right.yaml", with(right));
        if !right.starts_with("extends") {
            project.succeed(&["validate", "configs/right.yaml"]);
        }
        case(&both, &with(right), true);
    }
    for wrong in [
        "haed: { lr: 0.1 }",
        "head: { learning_rate: 0.1 }",
        "head: { lr: fast }",
        "head: 3",
        "head: { epochs: 0 }",
        "precompute: { size: 7 }",
        "precompute: { splits: [tran] }",
        "evaluate: { tta: 65 }",
        "seed: -1",
    ] {
        project.write("configs/wrong.yaml", with(wrong));
        project.fail(2, &["validate", "configs/wrong.yaml"]);
        case(&both, &with(wrong), false);
    }
    case(&both, "pipeline: quick\n", false);
    case(&both, "pipeline: quick\ningest: {}\n", false);
    case(&both, "ingest: { root: photos }\n", false);
    case(&both, "extends: base.yaml\nhead: { lr: 0.1 }\n", true);
    case(&both, "extends: base.yaml\nhead: { lrr: 0.1 }\n", false);
    case(&[&all], OWN, true);
    case(&[&all], &OWN.replace("lr:", "lrr:"), false);

    // A pipeline of the project is known by its name.
    project.write("pipelines/mine.yaml", "stages:\n  photos: { kind: ingest }\n");
    let mine = [&written("own.json", &[]), &of("mine")];
    case(&mine, "pipeline: mine\nphotos: { root: a }\n", true);
    case(&mine, "pipeline: mine\nphoto: { root: a }\n", false);
    case(&mine, "pipeline: mine\nphotos:\n", false);

    project.write("cases.json", json!(cases).to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/config_schema.py");
    let output = Command::new(python)
        .args([script, project.path("cases.json")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.matches("ok ").count() == 2, "{text}");
}
