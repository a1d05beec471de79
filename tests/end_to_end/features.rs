//! A table of features: looked at, and with other layers than the usual ones, all the way to fine-tuned models.

use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Kind, Pool, Tensor, backbones, weights};
use pipeline_table::FeaturesReader;
use pipeline_testkit::Project;
use serde_json::Value;

use crate::small_project;
use crate::tiny_lesson::TinyLesson;

/// Gives the weights of `project` a classifier of three logits.
fn add_classifier(project: &Project) {
    let backbone = backbones::find("efficientnet_lite0").unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    let mut tensors: std::collections::BTreeMap<String, Tensor> =
        trunk.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
    let weight = Tensor::arange(3 * 1280, (Kind::Float, Device::Cpu)).sin().view([3, 1280]);
    tensors.insert("_fc.weight".to_owned(), weight);
    tensors.insert("_fc.bias".to_owned(), Tensor::from_slice(&[0.5f32, 0.0, -0.5]));
    weights::write_safetensors(&project.path("weights.safetensors"), &tensors, &Default::default()).unwrap();
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    let ran = project.succeed(&[["features"].as_slice(), arguments, &["--json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_table_is_shown_measured_and_asked_for_neighbours_by_its_config_its_artifact_and_its_folder() {
    let project = small_project();
    let none = project.fail(2, &["features", "show", "configs/c.yaml"]);
    assert!(none.contains("configs/c.yaml has no features yet: there are none in "), "{none}");
    assert!(none.contains("hint: pipeline run configs/c.yaml --until precompute; or name"), "{none}");

    add_classifier(&project);
    project.write("configs/c.yaml", crate::SMALL.replace("size: 64", "size: 64, layers: [max_avg, logits]"));
    project.succeed(&["run", "configs/c.yaml", "--until", "precompute"]);
    let shown = project.succeed(&["features", "show", "configs/c.yaml"]).stdout;
    let same = ["--set", "precompute.size=64", "--store", ".pipeline"];
    let asked = project.succeed(&[["features", "show", "configs/c.yaml"].as_slice(), &same].concat()).stdout;
    assert_eq!(asked.lines().count(), shown.lines().count(), "{asked}");
    let other = project.fail(2, &["features", "show", "configs/c.yaml", "--set", "precompute.size=96"]);
    assert!(other.contains("there are no features like that: precompute is stale"), "{other}");
    let other = project.fail(2, &["features", "show", "configs/c.yaml", "--out", "elsewhere"]);
    assert!(other.contains("has no features yet: there are none in"), "{other}");
    let parts = [
        "out/c/precompute/features: 20 × 2,560\n",
        "  arch            efficientnet_lite0\n",
        "  pool            max_avg\n",
        "  logits          3\n",
        "  emb        FixedSizeList<float32>[2560]\n",
        "  logits     FixedSizeList<float32>[3]\n",
        "  train   cats         6      6\n",
        "  valid   dogs         4      4\n",
        "  part-00000.parquet     20            1   ",
    ];
    for part in parts {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let shown = json(&project, &["show", "out/c/precompute"]);
    assert_eq!((&shown["rows"], &shown["dim"], &shown["logits"]), (&20.into(), &2560.into(), &3.into()));
    assert_eq!(shown["counts"][0]["photos"], 6);

    let table = FeaturesReader::open(&project.path("out/c/precompute/features")).unwrap();
    let all = table.load(|_| true).unwrap();
    let head = json(&project, &["head", "out/c/precompute/features", "--rows", "2"]);
    assert_eq!((head["rows"].as_array().unwrap().len(), &head["more"]), (2, &18.into()));
    assert_eq!(head["rows"][1]["emb"][2559], f64::from(all.of(1)[2559]));
    assert_eq!(head["rows"][1]["logits"].as_array().unwrap().len(), 3);

    let stats = json(&project, &["stats", "configs/c.yaml"]);
    let record: Value = serde_json::from_str(&project.read("out/c/precompute/artifact.json")).unwrap();
    let metrics = &record["summary"]["metrics"];
    assert_eq!(stats["emb"]["norms"]["max"], metrics["norm_max"], "{stats}");
    assert_eq!(stats["emb"]["dead"].as_array().unwrap().len() as f64, metrics["dead_features"]);
    assert_eq!((&stats["emb"]["rows"], &stats["logits"]["rows"]), (&20.into(), &20.into()));
    let text = project.succeed(&["features", "stats", "configs/c.yaml"]).stdout;
    assert!(text.contains("emb: 20 × 2,560\n") && text.contains("\n\nlogits: 20 × 3\n"), "{text}");
    assert!(text.contains("  not finite       no row"), "{text}");

    let id = all.rows[7].id.as_str();
    let by_id = json(&project, &["neighbors", "configs/c.yaml", id, "-k", "4"]);
    assert_eq!(by_id, json(&project, &["neighbors", "configs/c.yaml", "7", "-k", "4"]));
    let found = by_id["neighbors"].as_array().unwrap();
    let cosines: Vec<f64> = found.iter().map(|neighbor| neighbor["cosine"].as_f64().unwrap()).collect();
    assert!(found.len() == 4 && cosines.is_sorted_by(|a, b| a >= b), "{cosines:?}");
    assert!(found.iter().all(|neighbor| neighbor["id"] != id), "{found:?}");

    let wrong = project.fail(2, &["features", "neighbors", "configs/c.yaml", &id.replace(".jpg", ".jgp")]);
    assert!(wrong.contains("in the table\n  hint: did you mean `"), "{wrong}");
    assert!(wrong.contains(id), "{wrong}");
    let wrong = project.fail(2, &["features", "neighbors", "configs/c.yaml", "20"]);
    assert!(
        wrong.contains("no row 20: the table has 20 rows\n  hint: name an id, or a row from 0 to 19"),
        "{wrong}"
    );
    let wrong = project.fail(2, &["features", "show", "out/c"]);
    assert!(wrong.contains("hint: name an artifact in it, as in `out/c/precompute`"), "{wrong}");
}

#[test]
fn models_of_averages_alone_are_trained_fine_tuned_and_measured_with_their_own_pooling() {
    let lesson = TinyLesson::new();
    add_classifier(&lesson.project);
    let layers = ["--set", "precompute.layers=[avg, logits]"];
    lesson.project.succeed(&lesson.arguments(&layers));
    for stage in ["head", "last_layer", "finetune"] {
        let record = ModelRecord::read(&lesson.project.path(format!("out/c/{stage}/model.json"))).unwrap();
        assert_eq!((record.pool, record.feature_dim), (Pool::Avg, 1280), "{stage}");
    }
    let metrics: Value = serde_json::from_str(&lesson.project.read("out/c/evaluate/metrics.json")).unwrap();
    for model in ["head", "last_layer", "finetune"] {
        assert_eq!(metrics["models"][model]["plain"]["photos"], 6, "{metrics}");
    }
}

#[test]
fn the_classifier_is_in_the_key_where_logits_are_asked_for() {
    let lesson = TinyLesson::new();
    add_classifier(&lesson.project);
    let until = ["--until", "precompute"];
    let run = |more: &[&str]| {
        let mut outcomes = lesson.project.outcomes(&lesson.arguments(&[until.as_slice(), more].concat()));
        outcomes.retain(|outcome| !outcome.ends_with(" not_selected"));
        outcomes
    };
    let logits = ["--set", "precompute.layers=[logits, max_avg]"];
    let key_files = || {
        let text = lesson.project.read("out/c/precompute/artifact.json");
        let parts = serde_json::from_str::<Value>(&text).unwrap()["parts"].take();
        let files: Vec<String> =
            parts["inputs"]["backbone"][0]["files"].as_object().unwrap().keys().cloned().collect();
        (files.join(" "), parts["params"]["layers"].clone())
    };
    assert_eq!(run(&[]).last().unwrap(), "precompute ran");
    assert_eq!(key_files(), ("backbone.json trunk.safetensors".to_owned(), serde_json::json!(["max_avg"])));
    assert_eq!(run(&["--set", "precompute.layers=[max_avg]"]).last().unwrap(), "precompute fresh");
    assert_eq!(run(&logits).last().unwrap(), "precompute ran");
    let (files, layers) = key_files();
    assert_eq!(files, "backbone.json classifier.safetensors trunk.safetensors");
    assert_eq!(layers, serde_json::json!(["max_avg", "logits"]));

    let wrong = lesson.project.fail(2, &lesson.arguments(&["--set", "precompute.layers=[logits]"]));
    assert!(wrong.contains("expected one of max_avg and avg, found neither"), "{wrong}");
    let wrong = lesson.project.fail(2, &lesson.arguments(&["--set", "precompute.layers=[average]"]));
    assert!(wrong.contains("expected one of max_avg, avg, logits, found the text `average`"), "{wrong}");
}

#[test]
fn a_table_of_photos_that_were_decoded_small_has_models_that_look_at_photos_so() {
    let lesson = TinyLesson::new();
    let table = || {
        let table = FeaturesReader::open(&lesson.project.path("out/c/precompute/features")).unwrap();
        table.load(|_| true).unwrap().emb
    };
    let decode = |stage: &str| {
        let model = lesson.project.read(&format!("out/c/{stage}/model.json"));
        serde_json::from_str::<Value>(&model).unwrap()["preprocessing"].get("decode").cloned()
    };
    lesson.run();
    let full = table();
    assert_eq!(decode("head"), None, "as models were written before there was a choice");

    lesson.project.succeed(&lesson.arguments(&["--set", "precompute.decode=scaled"]));
    for stage in ["head", "last_layer", "finetune"] {
        assert_eq!(decode(stage), Some("scaled".into()), "{stage}");
    }
    let norm = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
    let off = norm(&mut full.iter().zip(table()).map(|(a, b)| a - b)) / norm(&mut full.iter().copied());
    assert!(off > 0.0 && off < 0.3, "pixels differ a little: {off}");
}
