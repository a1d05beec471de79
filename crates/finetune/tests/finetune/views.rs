//! What training sees of a photo: augmentation, mixing, sizes.

use pipeline_nn::artifact::ModelRecord;
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

use crate::{Inputs, history, train_losses};

fn head(made: &Made) -> pipeline_stage::Digest {
    made.artifact.files["head.safetensors"]
}

fn record(made: &Made) -> ModelRecord {
    ModelRecord::read(&made.artifact.path("model.json")).unwrap()
}

#[test]
fn with_an_augmentation_each_epoch_shows_other_views_and_without_one_plain_ones() {
    let bench = StageBench::default();
    // A rate that moves nothing to speak of, and one batch an epoch: what differs is what is seen.
    let params = json!({"freeze": "trunk", "epochs": 2, "lr": 1e-30, "momentum": 0.0, "batch_size": 16});
    let plain = Inputs::plain(&bench).train(&bench, &params);
    let augmented = Inputs::augmented(&bench, json!({})).train(&bench, &params);
    // The loss before any step has the same weights, masks and photos.
    let (plain_losses, augmented_losses) = (train_losses(&plain), train_losses(&augmented));
    let off = (augmented_losses[0] / plain_losses[0] - 1.0).abs();
    assert!(off > 1e-4, "{plain_losses:?}, {augmented_losses:?}");
    assert_eq!((record(&plain).views, record(&augmented).views), (1, 2));
    let valid = |made: &Made| history(made).iter().filter_map(|row| row.valid_loss).next().unwrap();
    // Measured on plain views all the same; only the head's statistics have seen others.
    assert!((valid(&plain) / valid(&augmented) - 1.0).abs() < 0.2, "{} {}", valid(&plain), valid(&augmented));
}

#[test]
fn mixed_batches_train_to_other_weights_with_a_loss_that_is_a_number() {
    let bench = StageBench::default();
    let params = json!({"freeze": "trunk", "epochs": 1});
    let train = |mix: Value| Inputs::augmented(&bench, mix).train(&bench, &params);
    let plain = train(json!({}));
    let mixup = train(json!({"mixup": {"p": 1.0, "alpha": 1.0}}));
    let cutmix = train(json!({"cutmix": {"p": 1.0}}));
    let heads = [&plain, &mixup, &cutmix].map(head);
    assert!(heads[0] != heads[1] && heads[1] != heads[2] && heads[0] != heads[2], "{heads:?}");
    for made in [&mixup, &cutmix] {
        assert!(train_losses(made).iter().all(|loss| loss.is_finite() && *loss > 0.0));
    }
}

#[test]
fn sizes_grow_by_epoch_and_the_last_is_the_models_own() {
    let bench = StageBench::default();
    let inputs = Inputs::plain(&bench);
    let run = |sizes: Value| inputs.train(&bench, &json!({"freeze": "trunk", "epochs": 3, "sizes": sizes}));
    let (both, small, own) = (run(json!([32, 48])), run(json!([32])), run(json!([])));
    assert_eq!([&both, &small, &own].map(|made| record(made).preprocessing.size), [48, 32, 36]);
    let (grown, stayed) = (train_losses(&both), train_losses(&small));
    // 10 photos in batches of 4, 4 and 2: the first three steps are at 32 pixels in both.
    assert_eq!((grown.len(), &grown[..3]), (9, &stayed[..3]));
    assert_ne!(grown[3], stayed[3]);
    assert_ne!(train_losses(&own)[0], stayed[0]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_or_sampler_others() {
    let mut bench = StageBench::default();
    let inputs = Inputs::augmented(&bench, json!({"mixup": {}}));
    let run = |bench: &StageBench, more: (&str, Value)| {
        let mut params = json!({"freeze": "first", "epochs": 1});
        params[more.0] = more.1;
        let made = inputs.train(bench, &params);
        ["head.safetensors", "trunk.safetensors"].map(|file| made.artifact.files[file])
    };
    let first = run(&bench, ("momentum", json!(0.9)));
    assert_eq!(run(&bench, ("momentum", json!(0.9))), first);
    assert_ne!(run(&bench, ("sampler", json!("balanced"))), first);
    bench.seed = 43;
    assert_ne!(run(&bench, ("momentum", json!(0.9))), first);
}
