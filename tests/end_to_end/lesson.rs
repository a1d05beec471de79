//! The lesson's pipeline: a head, the last layer with augmentation, all layers, and one report over the three models.

use pipeline_evaluate::Metrics;
use pipeline_nn::artifact::ModelRecord;
use pipeline_table::HistoryReader;
use pipeline_testkit::Project;

use crate::small_project;

const LESSON: &str = "\
pipeline: lesson1
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 64 }
head: { batch_size: 8 }
last_layer: { freeze: trunk, lr: 0.01, cycles: 2, cycle_len: 1, batch_size: 4 }
finetune: { cycles: 2, cycle_len: 1, cycle_mult: 2, batch_size: 4 }
evaluate: { tta: 2 }
";

fn lesson() -> Project {
    let project = small_project();
    project.write("configs/c.yaml", LESSON);
    project
}

#[test]
fn the_lesson_trains_three_models_and_one_report_measures_them() {
    let project = lesson();
    let ran = project.succeed(&["run", "configs/c.yaml"]);
    assert!(
        ran.stdout.starts_with("c: 8 stages, 0 fresh, 2 to run, 6 depend on them   (lesson1, built in, "),
        "{}",
        ran.stdout
    );
    // The lesson's table, on standard error as all notes.
    assert!(ran.stderr.contains("epoch  train loss  valid loss  accuracy      time"), "{}", ran.stderr);

    let record = |stage: &str| ModelRecord::read(&project.path(format!("out/c/{stage}/model.json"))).unwrap();
    let [head, last_layer, finetune] = ["head", "last_layer", "finetune"].map(record);
    assert_eq!(head.trunk, last_layer.trunk, "a frozen trunk stays");
    assert_ne!(head.trunk, finetune.trunk);
    assert!(head.head != last_layer.head && last_layer.head != finetune.head);

    let history = HistoryReader::open(&project.path("out/c/finetune/history.parquet")).unwrap();
    let rows: Vec<_> = history.map(Result::unwrap).collect();
    // 12 photos in batches of 4, cycles of 1 and 2 epochs: 9 steps and 3 epochs.
    let count = |phase: &str| rows.iter().filter(|row| row.phase == phase).count();
    assert_eq!((count("train"), count("valid")), (9, 3));
    // Step 4 begins the second cycle at the full rates.
    let begins: Vec<_> = rows.iter().filter(|row| row.phase == "train" && row.step == 4).collect();
    assert_eq!(begins[0].lr, [1e-4, 1e-3, 1e-2]);
    for file in ["lr.png", "loss.png", "history.jsonl", "tensorboard/events.out.tfevents.0.pipeline"] {
        assert!(project.path("out/c/last_layer").join(file).is_file(), "{file}");
    }

    let metrics: Metrics = serde_json::from_str(&project.read("out/c/evaluate/metrics.json")).unwrap();
    let measured: Vec<_> = metrics.models.iter().map(|(name, m)| (name.as_str(), m.tta.is_some())).collect();
    assert_eq!(measured, [("finetune", true), ("head", true), ("last_layer", true)]);
    // The history's accuracy is of the same photos.
    let last = rows.last().unwrap().accuracy.unwrap();
    assert_eq!(metrics.models["finetune"].plain.measured.accuracy().value, last);
}

#[test]
fn another_rate_trains_what_depends_on_it_and_the_finder_has_an_artifact_of_its_own() {
    let project = lesson();
    project.succeed(&["run", "configs/c.yaml"]);
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--set", "last_layer.lr=0.003"]);
    let expected = ["head fresh", "last_layer ran", "finetune ran", "evaluate ran"];
    assert_eq!(outcomes[4..], expected);

    let found = project.succeed(&["lr-find", "configs/c.yaml", "last_layer"]);
    assert!(
        found.stdout.contains("Learning-rate finder") && found.stdout.contains("valley"),
        "{}",
        found.stdout
    );
    for file in ["lr_curve.parquet", "lr_find.png", "lr_find.svg", "suggestions.json"] {
        assert!(project.path("out/c/last_layer_lr_find").join(file).is_file(), "{file}");
    }
    let again = project.succeed(&["lr-find", "configs/c.yaml", "last_layer"]);
    assert!(again.stdout.contains("last_layer_lr_find   fresh"), "{}", again.stdout);
    assert!(again.stdout.contains("valley"), "it is shown again: {}", again.stdout);
    // Whoever has written the rate into the config asks nothing new.
    let rate = ["lr-find", "configs/c.yaml", "last_layer", "--set", "last_layer.lr=0.003"];
    assert!(project.succeed(&rate).stdout.contains("last_layer_lr_find   fresh"));
    let batches = ["lr-find", "configs/c.yaml", "last_layer", "--set", "last_layer.batch_size=5"];
    assert!(project.succeed(&batches).stdout.contains("last_layer_lr_find   ran"));
}
