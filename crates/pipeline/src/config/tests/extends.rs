//! Configs that extend others.

use super::*;

/// What the keys of a job are made from.
fn resolved(job: &Job) -> Vec<(String, serde_json::Value, std::collections::BTreeMap<String, Vec<String>>)> {
    job.graph.nodes().iter().map(|n| (n.name.clone(), n.params.clone(), n.inputs.clone())).collect()
}

#[test]
fn a_config_that_extends_is_the_same_as_the_config_written_out() {
    let written = "pipeline: p\nseed: 7\ningest: { root: photos }\n\
        precompute: { splits: [train], size: 96 }\nhead: { epochs: 5, lr: [0.2], clip: null }\n";
    let written = Project::new(PIPELINE, written).load(&[]).unwrap();
    let project = Project::new(
        PIPELINE,
        "extends: configs/base.yaml\nseed: 7\nbackbone:\nhead: { lr: [0.2], clip: null }\nprecompute: { splits: [train] }\n",
    );
    project.write(
        "configs/base.yaml",
        "extends: shared/root.yaml\nhead: { epochs: 5, lr: { find: valley }, clip: 0.9 }\nprecompute: { splits: [train, valid], size: 96 }\n",
    );
    project
        .write("shared/root.yaml", "pipeline: p\nseed: 3\ningest: { root: photos }\nhead: { epochs: 9 }\n");
    let extended = project.load(&[]).unwrap();
    assert_eq!(resolved(&extended), resolved(&written));
    assert_eq!((extended.seed, &extended.name, &extended.pipeline), (7, &written.name, &written.pipeline));
    let root = project.0.path().to_owned();
    let files: Vec<_> =
        extended.files.iter().map(|f| f.strip_prefix(&root).unwrap().display().to_string()).collect();
    assert_eq!(files, ["configs/c.yaml", "configs/base.yaml", "shared/root.yaml", "pipelines/p.yaml"]);
    // `--set` wins over all of them.
    assert_eq!(project.load(&["head.epochs=1"]).unwrap().graph.node("head").unwrap().params["epochs"], 1);
}

#[test]
fn what_is_wrong_is_placed_in_the_file_where_it_stands() {
    let faults = |config: &str, base: &str| {
        let project = Project::new(PIPELINE, config);
        project.write("configs/base.yaml", base);
        project.load(&[]).err().unwrap()
    };
    assert_eq!(
        faults(
            "extends: configs/base.yaml\nhead: { lr: 0.1 }\n",
            "pipeline: p\ningest: { root: a }\nhead:\n  epochs: many\n"
        ),
        [
            "configs/base.yaml:4:11: `head.epochs`: expected a whole number from 1 to 10000, found the text `many`"
        ]
    );
    assert_eq!(
        faults(
            "extends: configs/base.yaml\nhead: { lr: fast }\n",
            "pipeline: p\ningest: { root: a }\nhead: { lr: slow }\n"
        ),
        ["configs/c.yaml:2:13: `head.lr`: expected a number, a list or a map, found the text `fast`"]
    );
    let fault = faults("extends: configs/base.yaml\n", "pipeline: p\ningest: { root: a }\nhaed: { lr: 1 }\n")
        .remove(0);
    assert!(fault.starts_with("configs/base.yaml:3:1: unknown key `haed`"), "{fault}");
    let fault =
        faults("extends: configs/base.yaml\n", "pipeline: p\ningest: { root: a }\nhead: { lrr: 1 }\n")
            .remove(0);
    assert!(fault.starts_with("configs/base.yaml:3:9: unknown key `lrr`"), "{fault}");
    // What is missing is missing in the nearest file that has the stage.
    assert_eq!(
        faults("extends: configs/base.yaml\n", "pipeline: p\ningest: {}\n"),
        ["configs/base.yaml:2:1: missing key `root` in stage `ingest`"]
    );
    assert_eq!(
        faults(
            "extends: configs/base.yaml\nhead: { lr: 0.1 }\n",
            "pipeline: p\ningest: { root: a }\nhead: 3\n"
        ),
        ["configs/base.yaml:3:7: `head`: expected a map of parameters, found the number 3"]
    );
    assert_eq!(
        faults("extends: configs/base.yaml\n", "ingest: { root: a }\n"),
        ["configs/c.yaml: missing key `pipeline`\nhint: add a line `pipeline: quick`"]
    );
}

#[test]
fn a_chain_that_leads_back_or_nowhere_or_too_deep_is_refused() {
    let project = Project::new(PIPELINE, "extends: configs/a.yaml\n");
    project.write("configs/a.yaml", "seed: 1\nextends: configs/../configs/c.yaml\n");
    assert_eq!(
        project.load(&[]).err().unwrap(),
        [
            "configs/a.yaml:2:10: `extends` leads back to where it was: configs/c.yaml → configs/a.yaml → configs/../configs/c.yaml"
        ]
    );
    project.write("configs/a.yaml", "extends: configs/a.yaml\n");
    assert!(project.load(&[]).err().unwrap()[0].starts_with("configs/a.yaml:1:10: `extends` leads back"));

    project.write("configs/a.yaml", "extends: b.yaml\n");
    let root = project.0.path().display().to_string();
    let missing = |project: &Project| project.load(&[]).err().unwrap().remove(0).replace(&root, "ROOT");
    assert_eq!(
        missing(&project),
        "configs/a.yaml:1:10: `extends`: no config b.yaml\nhint: paths in a config start at ROOT"
    );
    project.write("configs/b.yaml", "pipeline: p\n");
    assert_eq!(
        missing(&project),
        "configs/a.yaml:1:10: `extends`: no config b.yaml\nhint: paths in a config start at the project root: write configs/b.yaml"
    );

    project.write("configs/a.yaml", "extends: [b.yaml, c.yaml]\n");
    assert_eq!(
        project.load(&[]).err().unwrap(),
        ["configs/a.yaml:1:10: `extends`: expected the path of one config, found a list"]
    );

    project.write("configs/a.yaml", "extends: configs/1.yaml\n");
    for n in 1..=8 {
        project.write(&format!("configs/{n}.yaml"), &format!("extends: configs/{}.yaml\n", n + 1));
    }
    project.write("configs/9.yaml", "pipeline: p\n");
    let fault = project.load(&[]).err().unwrap().remove(0);
    assert!(
        fault.starts_with(
            "configs/8.yaml:1:10: `extends`: expected at most 10 files, found configs/c.yaml → "
        ),
        "{fault}"
    );
    project.write("configs/8.yaml", "pipeline: p\ningest: { root: a }\n");
    assert_eq!(project.load(&[]).unwrap().files.len(), 11, "ten configs and a pipeline");
}

#[test]
fn a_base_that_is_no_config_file_is_told_where_it_is_named() {
    for (base, shown) in [("configs", "configs"), (".", "."), ("pipelines/", "pipelines/")] {
        let project = Project::new(PIPELINE, &format!("seed: 1\nextends: {base}\n"));
        assert_eq!(
            project.load(&[]).err().unwrap(),
            [format!("configs/c.yaml:2:10: `extends`: {shown}: expected a YAML file, found a folder")]
        );
    }
    // What is wrong within it has a place of its own.
    let project = Project::new(PIPELINE, "extends: configs/base.yaml\n");
    project.write("configs/base.yaml", "seed: 99999999999999999999\n");
    assert_eq!(
        project.load(&[]).err().unwrap(),
        [
            "configs/base.yaml:1:7: expected whole numbers from -9223372036854775808 to 18446744073709551615, found 99999999999999999999"
        ]
    );
}
