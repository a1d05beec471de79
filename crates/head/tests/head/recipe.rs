//! Each parameter does what it says. What a single step computes is tested with the training loop.

use std::collections::BTreeMap;

use pipeline_fit::Recipe;
use pipeline_head::HeadStage;
use pipeline_stage::{AnyStage, Digest};
use pipeline_table::Split;
use pipeline_testkit::StageBench;
use serde_json::{Value, json};

use crate::{Inputs, history, labelled_features, matching, of_phase};

/// 19 cats for each dog to train on, as many of each to measure on.
fn unbalanced(bench: &StageBench, train: usize) -> Inputs {
    let label = |split, i: usize| match split {
        Split::Train => u32::from(i % 20 == 7),
        _ => (i % 2) as u32,
    };
    Inputs::new(bench, labelled_features(bench.dir(), [train, 60], 2.0, &matching(), label))
}

#[test]
fn each_parameter_trains_to_other_weights() {
    let bench = StageBench::default();
    let inputs = unbalanced(&bench, 60);
    let head = |mut params: Value| {
        if params.get("cycles").is_none() {
            params["epochs"] = json!(3);
        }
        params["batch_size"].is_null().then(|| params["batch_size"] = json!(16));
        inputs.train(&bench, &params).artifact.files["head.safetensors"]
    };
    let mut found: BTreeMap<Digest, Value> = [(head(json!({})), json!({}))].into();
    for params in [
        json!({"lr": 0.02}),
        json!({"batch_size": 20}),
        json!({"cycles": 2}),
        json!({"cycles": 1, "cycle_len": 3}),
        json!({"cycles": 2, "cycle_mult": 2}),
        json!({"schedule": "cosine"}),
        json!({"schedule": "one_cycle"}),
        json!({"warmup_steps": 5}),
        json!({"accumulate": 2}),
        json!({"optimizer": "adamw"}),
        json!({"momentum": 0.5}),
        json!({"weight_decay": 0.1}),
        json!({"optimizer": "adamw", "weight_decay": 0.1}),
        json!({"clip": 0.1}),
        json!({"label_smoothing": 0.1}),
        json!({"class_weights": "balanced"}),
        json!({"class_weights": [1.0, 5.0]}),
        json!({"sampler": "balanced"}),
        json!({"ema": 0.9}),
    ] {
        let before = found.insert(head(params.clone()), params.clone());
        assert_eq!(before, None, "the same weights as with {params}");
    }
    // What leaves everything as it is.
    for params in [
        json!({"warmup_steps": 0, "accumulate": 1, "label_smoothing": 0.0, "weight_decay": [0.0], "lr": [0.01]}),
        json!({"clip": 1e9}),
        json!({"class_weights": "none", "sampler": "shuffle", "keep": "last", "schedule": "constant"}),
        json!({"ema": 0.0}),
        json!({"early_stopping": 3}),
    ] {
        assert_eq!(found.get(&head(params.clone())), Some(&json!({})), "{params}");
    }
    // scikit-learn's: photos / (classes · photos of the class).
    let weights = json!({"class_weights": [60.0 / (2.0 * 57.0), 60.0 / (2.0 * 3.0)]});
    assert_eq!(found.get(&head(weights)), Some(&json!({"class_weights": "balanced"})));
}

#[test]
fn a_rare_class_is_learned_where_it_counts_or_comes_up_as_much_as_the_others() {
    let bench = StageBench::default();
    let inputs = unbalanced(&bench, 2000);
    let loss = |more| {
        let mut params = json!({"epochs": 4, "batch_size": 64, "optimizer": "adamw", "lr": 0.001});
        params.as_object_mut().unwrap().extend(more);
        inputs.train(&bench, &params).summary.metrics["valid_loss"]
    };
    let [plain, weighted, drawn] =
        [("momentum", json!(0.9)), ("class_weights", json!("balanced")), ("sampler", json!("balanced"))]
            .map(|(name, value)| loss([(name.to_owned(), value)].into_iter()));
    assert!(
        weighted < 0.8 * plain && drawn < 0.8 * plain,
        "plain {plain}, weighted {weighted}, drawn {drawn}"
    );
}

#[test]
fn a_list_of_class_weights_of_another_length_is_refused() {
    let bench = StageBench::default();
    let (message, hint) = Inputs::small(&bench).fail(&bench, &json!({"class_weights": [1.0, 1.0, 2.0]}));
    assert_eq!(message, "`class_weights` has 3 weights for 2 classes");
    assert_eq!(hint, "give a weight for each class, in order of its name");
}

#[test]
fn training_stops_at_the_first_epoch_that_is_no_better_and_the_best_is_published() {
    let bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    let run = |more: Value| {
        // A rate at which the valid loss goes up and down.
        let mut params = json!({"epochs": 12, "batch_size": 16, "lr": 0.3});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inputs.train(&bench, &params)
    };
    let all = history(&run(json!({})));
    let losses: Vec<f64> = of_phase(&all, "valid").iter().filter_map(|row| row.valid_loss).collect();
    let rises = (1..losses.len()).find(|epoch| losses[*epoch] >= losses[*epoch - 1]).unwrap();
    let made = run(json!({"early_stopping": 1, "keep": "best"}));
    let found = history(&made);
    let found: Vec<f64> = of_phase(&found, "valid").iter().filter_map(|row| row.valid_loss).collect();
    assert_eq!(found, losses[..=rises]);
    assert_eq!(made.summary.metrics["valid_loss"], losses[rises - 1]);
    let of = format!(", of epoch {rises} of {}", rises + 1);
    assert!(made.summary.line.contains(&of), "{}, expected {of}", made.summary.line);
    // The weights are those of a training that ends there.
    let there = run(json!({"epochs": rises})).artifact.files["head.safetensors"];
    assert_eq!(made.artifact.files["head.safetensors"], there);
}

#[test]
fn every_step_has_the_rate_of_the_schedule() {
    let bench = StageBench::default();
    let inputs = Inputs::small(&bench);
    for written in [
        json!({"cycles": 2, "cycle_mult": 2, "lr": 0.02}),
        json!({"epochs": 2, "schedule": "one_cycle"}),
        json!({"epochs": 2, "schedule": "cosine", "warmup_steps": 4, "accumulate": 2}),
    ] {
        let mut params = written.clone();
        params["batch_size"] = json!(16);
        let history = history(&inputs.train(&bench, &params));
        let steps = of_phase(&history, "train");
        let recipe: Recipe = serde_json::from_value(HeadStage.resolve(&params).unwrap()).unwrap();
        // Batches of 16, 16, 16 and 2 photos.
        let schedule = recipe.schedule(4 / u64::from(recipe.accumulate));
        assert_eq!(steps.len() as u64, schedule.total_steps(), "{written}");
        for (step, row) in (0..).zip(steps) {
            assert_eq!(row.lr, schedule.rates(&recipe.rates(1).unwrap(), step), "{written}, step {step}");
        }
    }
}
