//! A training that was stopped or killed ends as one that was not.

use std::path::Path;

use pipeline_stage::random::{Stream, below};
use pipeline_stage::{CheckpointEvery, Digest, Event, Failure};
use pipeline_table::HistoryRow;
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

use crate::{Inputs, history};

/// What must be equal to the bit: the weights, and the history but for its times.
fn left(made: &Made) -> ([Digest; 2], Vec<HistoryRow>) {
    let rows = history(made).into_iter().map(|row| HistoryRow { seconds: 0.0, ..row }).collect();
    (["trunk.safetensors", "head.safetensors"].map(|file| made.artifact.files[file]), rows)
}

/// A bench that keeps its folder of partial work.
fn bench(every: CheckpointEvery) -> StageBench {
    let mut bench = StageBench::default();
    bench.checkpoint_every = every;
    bench.partial = Some(bench.dir().join("partial"));
    bench
}

/// Three epochs of 10 photos in batches of 4, 4 and 2, augmented and mixed.
fn recipes() -> Vec<Value> {
    vec![
        json!({"cycles": 2, "cycle_mult": 2, "sizes": [32, 40]}),
        json!({"freeze": "first", "epochs": 3, "optimizer": "adamw", "ema": 0.9, "lr": 1e-3, "accumulate": 2}),
        json!({"freeze": "trunk", "epochs": 3, "keep": "best", "early_stopping": 1, "ema": 0.5, "sampler": "balanced"}),
    ]
}

#[test]
fn stopped_at_any_steps_it_ends_with_the_same_bytes() {
    let plain = StageBench::default();
    let inputs = Inputs::augmented(&plain, json!({"mixup": {"p": 0.5}}));
    for (number, params) in (0..).zip(recipes()) {
        let expected = left(&inputs.train(&plain, &params));
        let photos = 10 * u64::from(expected.1.last().unwrap().epoch);
        let mut random = Stream { seed: 7, purpose: "stops", epoch: number, ..Stream::default() }.start();
        let mut bench = bench(CheckpointEvery::Steps([9, 3, 1][number as usize]));
        // The first step, the last step of the first epoch, and another one anywhere.
        let stops = [1, 10, 11 + below(photos - 11, &mut random)];
        for stop in &stops {
            bench.cancel_after_done(*stop);
            let failure = inputs.run(&bench, &params).err();
            assert!(
                matches!(failure, Some(Failure::Cancelled)),
                "{params}: {stop} of {stops:?}: {failure:?}"
            );
            bench.go_on();
        }
        let found = left(&inputs.train(&bench, &params));
        assert_eq!(
            found, expected,
            "{params} stopped at {stops:?}, a checkpoint every {}",
            bench.checkpoint_every
        );
    }
}

#[test]
fn killed_after_its_last_checkpoint_it_ends_with_the_same_bytes() {
    let plain = StageBench::default();
    let inputs = Inputs::augmented(&plain, json!({"cutmix": {"p": 0.5}}));
    let params = json!({"freeze": "first", "epochs": 3, "ema": 0.9, "keep": "best", "lr": [1e-3, 1e-2]});
    // Checkpoints after steps 3 and 6, the second and third after the epoch was done; killed in step 5 and after 6.
    let mut bench = bench(CheckpointEvery::Steps(3));
    let partial = bench.partial.clone().unwrap();
    let kills = [18, 20].map(|photos| (photos, plain.dir().join(format!("killed-{photos}"))));
    let copies = kills.clone();
    bench.on_event = Some(Box::new(move |event| {
        for (photos, copy) in &copies {
            if matches!(event, Event::Done(done) if done == photos) {
                copy_files(&partial, copy);
            }
        }
    }));
    let expected = left(&inputs.train(&bench, &params));
    for (photos, killed) in kills {
        let mut bench = self::bench(CheckpointEvery::default());
        bench.partial = Some(killed);
        let found = left(&inputs.train(&bench, &params));
        assert_eq!(found, expected, "killed when {photos} photos were done");
        let goes_on = Event::Note("goes on after step 3 of 9, in epoch 1".to_owned());
        assert!(bench.events().contains(&goes_on), "{:?}", bench.events());
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs_err::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
