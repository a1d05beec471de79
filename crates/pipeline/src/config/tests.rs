//! Whole configs, right and wrong, against the real stage kinds.

use super::*;
use crate::stages::STAGES;

mod extends;

/// A project with `pipelines/p.yaml` and `configs/c.yaml` in a temporary folder.
struct Project(tempfile::TempDir);

impl Project {
    fn new(pipeline: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = Project(dir);
        project.write("pipelines/p.yaml", pipeline);
        project.write("configs/c.yaml", config);
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn load(&self, sets: &[&str]) -> Result<Job, Vec<String>> {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        load(&self.0.path().join("configs/c.yaml"), &sets, STAGES).map_err(|faults| {
            let dir = format!("{}/", self.0.path().display());
            let text = |f: &Located| {
                let hint = f.hint.as_ref().map(|h| format!("\nhint: {h}")).unwrap_or_default();
                format!("{f}{hint}").replace(&dir, "")
            };
            faults.iter().map(text).collect()
        })
    }
}

const PIPELINE: &str = "\
stages:
  ingest: { kind: ingest }
  backbone: { kind: backbone }
  precompute: { kind: precompute, inputs: { images: ingest, backbone: backbone } }
  head: { kind: head, inputs: { features: precompute, backbone: backbone } }
";

fn faults(config: &str) -> Vec<String> {
    Project::new(PIPELINE, config).load(&[]).err().unwrap()
}

fn pipeline_faults(pipeline: &str) -> Vec<String> {
    Project::new(pipeline, "pipeline: p\ningest: { root: photos }\n").load(&[]).err().unwrap()
}

#[test]
fn defaults_are_the_lessons_and_the_root_is_the_folder_with_pipelines() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    let job = project.load(&[]).unwrap();
    assert_eq!(job.seed, 42);
    assert_eq!(job.name, "c");
    assert_eq!(job.root, project.0.path());
    let node = |name: &str| job.graph.nodes().iter().find(|n| n.name == name).unwrap().params.clone();
    assert_eq!(node("backbone")["arch"], "resnet34");
    assert_eq!(node("precompute")["size"], 224);
    assert_eq!(node("head")["lr"], 0.01);
    assert_eq!(node("head")["epochs"], 2);
}

#[test]
fn an_override_wins_over_the_file_and_its_paths_are_relative_to_the_current_folder() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\nhead: { lr: 0.1 }\n");
    let job = project.load(&["head.lr=3e-3", "ingest.root=elsewhere", "seed=7"]).unwrap();
    assert_eq!(job.seed, 7);
    let node = |name: &str| job.graph.nodes().iter().find(|n| n.name == name).unwrap().params.clone();
    assert_eq!(node("head")["lr"], 0.003);
    let expected = std::env::current_dir().unwrap().join("elsewhere");
    assert_eq!(node("ingest")["root"], expected.to_str().unwrap());
}

#[test]
fn an_unknown_parameter_is_placed_with_the_known_ones_and_the_nearest() {
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nhead:       { learning_rate: 0.01 }\n"),
        ["configs/c.yaml:3:15: unknown key `learning_rate` in stage `head`\n\
          expected one of: accumulate, batch_size, class_weights, clip, cycle_len, cycle_mult, cycles, dtype, early_stopping, ema, epochs, keep, label_smoothing, lr, momentum, optimizer, sampler, schedule, warmup_steps, weight_decay\nhint: did you mean `lr`?"]
    );
}

#[test]
fn a_wrong_type_and_a_wrong_range_name_the_parameter() {
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nhead: { lr: fast }\nprecompute: { size: 7 }\n"),
        [
            "configs/c.yaml:4:21: `precompute.size`: expected 32 to 1024 pixels, found 7",
            "configs/c.yaml:3:13: `head.lr`: expected a number, a list or a map, found the text `fast`",
        ]
    );
}

#[test]
fn a_missing_parameter_is_placed_at_its_stage() {
    assert_eq!(
        faults("pipeline: p\ningest: {}\n"),
        ["configs/c.yaml:2:1: missing key `root` in stage `ingest`"]
    );
}

#[test]
fn an_unknown_top_level_key_lists_the_stages() {
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nhaed: { lr: 1 }\n"),
        ["configs/c.yaml:3:1: unknown key `haed`: pipelines/p.yaml has no such stage\n\
          expected one of: pipeline, seed, extends, ingest, backbone, precompute, head\nhint: did you mean `head`?"]
    );
}

#[test]
fn an_unknown_architecture_is_refused_before_anything_runs() {
    let found = faults("pipeline: p\ningest: { root: photos }\nbackbone: { arch: resnet35 }\n");
    assert!(found[0].starts_with("configs/c.yaml:3:19: `backbone.arch`: "), "{}", found[0]);
    assert!(found[0].contains("did you mean `resnet34`?"), "{}", found[0]);
}

#[test]
fn a_wrong_override_is_placed_at_the_argument() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    assert_eq!(
        project.load(&["head.lr=-1"]).err().unwrap(),
        ["--set head.lr=-1: `head.lr`: expected a rate above 0, found -1"]
    );
    assert_eq!(
        project.load(&["head.lr.x=5"]).err().unwrap(),
        [
            "--set head.lr.x=5: `head.lr`: expected a rate, a list with a rate for each layer group, or `find: valley` (or slide, minimum, steep)"
        ]
    );
    assert!(
        project.load(&["tail.lr=1"]).err().unwrap()[0].starts_with("--set tail.lr=1: unknown key `tail`")
    );
}

#[test]
fn a_missing_or_wrong_pipeline_or_seed_is_named() {
    assert_eq!(
        faults("seed: -1\n"),
        [
            "configs/c.yaml: missing key `pipeline`\nhint: add a line `pipeline: quick`",
            "configs/c.yaml:1:7: `seed`: expected a whole number from 0, found the number -1",
        ]
    );
    assert_eq!(
        faults("pipeline: p\nexecutors: {}\n"),
        [
            "configs/c.yaml:2:1: `executors` is a reserved key that this version does not support\nhint: remove it"
        ]
    );
}

#[test]
fn a_pipeline_in_the_place_of_a_config_is_called_so() {
    assert_eq!(
        faults(PIPELINE),
        [
            "configs/c.yaml: expected a config, found a pipeline\nhint: give a config, which names the pipeline and its numbers"
        ]
    );
}

#[test]
fn all_wrong_values_of_a_stage_are_told_at_once_and_long_numbers_are_short() {
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nhead: { lr: fast, epochs: 0.5 }\n"),
        [
            "configs/c.yaml:3:27: `head.epochs`: expected a whole number from 1 to 10000, found the number 0.5",
            "configs/c.yaml:3:13: `head.lr`: expected a number, a list or a map, found the text `fast`",
        ]
    );
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nhead: { momentum: 1e308 }\n"),
        ["configs/c.yaml:3:19: `head.momentum`: expected 0 to below 1, found 1e308"]
    );
}

#[test]
fn an_unknown_stage_kind_is_placed_in_the_pipeline() {
    assert_eq!(
        pipeline_faults("stages:\n  ingest: { kind: ingets }\n"),
        ["pipelines/p.yaml:2:19: unknown stage kind `ingets`\n\
          expected one of: ingest, augment, backbone, precompute, head, finetune, evaluate, submit\nhint: did you mean `ingest`?"]
    );
}

#[test]
fn what_a_stage_cannot_do_with_its_inputs_is_told_before_anything_runs() {
    let evaluate = |inputs: &str, params: &str| {
        let pipeline =
            format!("{PIPELINE}  evaluate: {{ kind: evaluate, inputs: {{ {inputs}models: [head] }} }}\n");
        let project = Project::new(&pipeline, &format!("pipeline: p\ningest: {{ root: a }}\n{params}"));
        project.load(&[]).err().unwrap().remove(0)
    };
    let fault = evaluate("", "");
    assert!(fault.contains("there is nothing to measure on") && fault.contains("hint: "), "{fault}");
    let fault = evaluate("features: precompute, ", "evaluate: { tta: 4 }\n");
    let start = "configs/c.yaml:3:18: `evaluate.tta`: `tta: 4` needs photos and the training policy";
    assert!(fault.starts_with(start), "{fault}");
    assert_eq!(
        evaluate("features: precompute, ", "evaluate: { report_model: haed }\n"),
        "configs/c.yaml:3:27: `evaluate.report_model`: cannot detail the model `haed`: the models are head\n\
         hint: did you mean `head`? left out, `head` is detailed"
    );
}

#[test]
fn an_unknown_input_or_upstream_and_a_cycle_are_placed_in_the_pipeline() {
    let place = |pipeline: &str| {
        let fault = pipeline_faults(pipeline).remove(0);
        assert!(fault.contains("hint: ") || fault.contains("cycle"), "{fault}");
        fault
    };
    let unknown_input = PIPELINE.replace("images: ingest", "image: ingest");
    assert!(place(&unknown_input).starts_with("pipelines/p.yaml:4:"));
    let unknown_upstream = PIPELINE.replace("images: ingest", "images: ingset");
    let fault = place(&unknown_upstream);
    assert!(
        fault.starts_with("pipelines/p.yaml:4:53: ") && fault.contains("did you mean `ingest`?"),
        "{fault}"
    );
    let wrong_kind = PIPELINE.replace("images: ingest", "images: backbone");
    assert!(pipeline_faults(&wrong_kind)[0].starts_with("pipelines/p.yaml:4:53: "));
    let itself = PIPELINE.replace("features: precompute", "features: head");
    assert!(pipeline_faults(&itself)[0].starts_with("pipelines/p.yaml:5:"));
}

#[test]
fn a_missing_parameter_is_not_blamed_on_an_override_of_another() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: {}\n");
    assert_eq!(
        project.load(&["ingest.fetch=http://x/d.zip"]).err().unwrap(),
        ["configs/c.yaml:2:1: missing key `root` in stage `ingest`"]
    );
}

#[test]
fn a_pipeline_that_an_override_names_wrongly_is_placed_at_the_override() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    let fault = project.load(&["pipeline=quik"]).err().unwrap().remove(0);
    assert!(fault.starts_with("--set pipeline=quik: no pipeline `quik`"), "{fault}");
}

#[test]
fn an_address_as_a_path_says_where_addresses_go() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    assert_eq!(
        project.load(&["backbone.weights=http://x/w.pth"]).err().unwrap(),
        ["--set backbone.weights=http://x/w.pth: `backbone.weights`: expected a path, found an address\n\
          hint: set `fetch` to the address, and `weights` to where it should be put"]
    );
    assert_eq!(
        project.load(&["backbone.fetch=http://x/w.pth"]).err().unwrap(),
        [
            "--set backbone.fetch=http://x/w.pth: `backbone.fetch`: expected `weights` beside it, which says where the file is put\n\
          hint: the official file of an architecture needs neither"
        ]
    );
}

#[test]
fn a_wrong_item_of_a_list_is_placed_at_the_item() {
    assert_eq!(
        faults("pipeline: p\ningest: { root: photos }\nprecompute: { splits: [train, tset] }\n"),
        [
            "configs/c.yaml:3:31: `precompute.splits.1`: expected one of train, valid, test, found the text `tset`"
        ]
    );
}

#[test]
fn a_built_in_pipeline_is_called_so_from_wherever_the_command_runs() {
    let project = Project::new(PIPELINE, "pipeline: quick\ningest: { root: photos }\n");
    assert_eq!(project.load(&[]).unwrap().pipeline, "quick, built in");
    let own = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    assert_eq!(own.load(&[]).unwrap().pipeline, "pipelines/p.yaml");
}

#[test]
fn a_config_that_is_no_map_or_no_file_is_named() {
    assert_eq!(
        faults("- a\n- b\n"),
        ["configs/c.yaml: expected a map with the key `pipeline`, found a list"]
    );
    let missing = load(Path::new("nowhere/c.yaml"), &[], STAGES).err().unwrap();
    assert_eq!(missing[0].to_string(), "nowhere/c.yaml: no such file");
}

#[test]
fn a_pipeline_that_is_a_folder_is_told_where_it_is_named() {
    let project = Project::new(PIPELINE, "pipeline: own/deep.yaml\ningest: { root: photos }\n");
    project.write("own/deep.yaml/x", "");
    assert_eq!(
        project.load(&[]).err().unwrap(),
        ["configs/c.yaml:1:11: `pipeline`: own/deep.yaml: expected a YAML file, found a folder"]
    );
}

#[test]
fn two_configs_that_would_have_the_same_links_are_refused() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    project.write("configs/c.yml", "");
    assert_eq!(
        project.load(&[]).err().unwrap(),
        [
            "configs/c.yaml: configs/c.yaml and configs/c.yml would share the links in out/c\nhint: rename one of them"
        ]
    );
    fs_err::remove_file(project.0.path().join("configs/c.yml")).unwrap();
    assert_eq!(project.load(&[]).unwrap().name, "c");
}

#[test]
fn a_number_on_the_command_line_that_is_too_big_is_called_so() {
    let project = Project::new(PIPELINE, "pipeline: p\ningest: { root: photos }\n");
    assert_eq!(
        project.load(&["seed=18446744073709551616"]).err().unwrap()[0],
        "--set seed=18446744073709551616: the value: expected whole numbers from -9223372036854775808 to \
         18446744073709551615, found 18446744073709551616\nhint: write it as --set head.lr=0.01"
    );
}
