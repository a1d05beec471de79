//! A training that was stopped or killed ends as one that was not.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use pipeline_head::HeadStage;
use pipeline_stage::random::{Stream, below};
use pipeline_stage::{CheckpointEvery, Digest, Event, Failure};
use pipeline_table::HistoryRow;
use pipeline_testkit::{Made, StageBench};
use serde_json::{Value, json};

use crate::{Inputs, history};

/// What must be equal to the bit: the weights, and the history but for its times.
fn left(made: &Made) -> (Digest, Vec<HistoryRow>) {
    let rows = history(made).into_iter().map(|row| HistoryRow { seconds: 0.0, ..row }).collect();
    (made.artifact.files["head.safetensors"], rows)
}

/// A bench that keeps its folder of partial work.
fn bench(every: CheckpointEvery) -> StageBench {
    let mut bench = StageBench::default();
    bench.checkpoint_every = every;
    bench.partial = Some(bench.dir().join("partial"));
    bench
}

/// Five epochs of 50 photos in batches of 16, 16, 16 and 2.
fn recipes() -> Vec<Value> {
    let mut all = vec![
        json!({}),
        json!({"optimizer": "adamw", "ema": 0.9, "label_smoothing": 0.1, "class_weights": "balanced"}),
        json!({"accumulate": 2, "clip": 1.0, "schedule": "one_cycle", "warmup_steps": 3}),
        json!({"keep": "best", "early_stopping": 2, "lr": 0.3, "ema": 0.5}),
        json!({"lr": {"find": "valley"}, "sampler": "balanced"}),
    ];
    for recipe in &mut all {
        (recipe["epochs"], recipe["batch_size"]) = (json!(5), json!(16));
    }
    all
}

#[test]
fn stopped_at_any_steps_it_ends_with_the_same_bytes() {
    let plain = StageBench::default();
    let inputs = Inputs::small(&plain);
    for (number, params) in (0..).zip(recipes()) {
        let expected = left(&inputs.train(&plain, &params));
        let photos = 50 * u64::from(expected.1.last().unwrap().epoch);
        let mut random = Stream { seed: 7, purpose: "stops", epoch: number, ..Stream::default() }.start();
        for every in [CheckpointEvery::default(), CheckpointEvery::Steps(1), CheckpointEvery::Steps(3)] {
            let mut bench = bench(every);
            // The first step, within the first epoch, its last step, and two anywhere.
            let mut stops = vec![1, 17, 50];
            stops.extend([0; 2].map(|_| 51 + below(photos - 51, &mut random)));
            stops.sort_unstable();
            for stop in &stops {
                stop_at(&mut bench, *stop);
                let failure = inputs.run(&bench, &HeadStage, &params).err();
                // A stop within the last step comes too late.
                assert!(
                    matches!(failure, Some(Failure::Cancelled)),
                    "{params}: {stop} of {stops:?}: {failure:?}"
                );
                bench.go_on();
            }
            let found = left(&inputs.train(&bench, &params));
            assert_eq!(found, expected, "{params} stopped at {stops:?} with a checkpoint every {every}");
        }
    }
}

/// Stops `bench` at the step with which `photos` are done, and not before training begins.
fn stop_at(bench: &mut StageBench, photos: u64) {
    let trains = AtomicBool::new(false);
    bench.cancel_when(move |event| match event {
        Event::Begin { unit, .. } => {
            trains.store(*unit == "photos", Ordering::Relaxed);
            false
        }
        Event::Done(done) => trains.load(Ordering::Relaxed) && *done >= photos,
        _ => false,
    });
}

/// Copies the folder of partial work when `photos` are done: what a kill at this moment leaves.
fn killed_at(inputs: &Inputs, every: CheckpointEvery, params: &Value, photos: u64) -> StageBench {
    let mut bench = bench(every);
    let (from, to) = (bench.partial.clone().unwrap(), bench.dir().join("killed"));
    let trains = AtomicBool::new(false);
    let target = to.clone();
    bench.on_event = Some(Box::new(move |event| match event {
        Event::Begin { unit, .. } => trains.store(*unit == "photos", Ordering::Relaxed),
        Event::Done(done) if trains.load(Ordering::Relaxed) && *done >= photos && !target.exists() => {
            copy(&from, &target);
        }
        _ => {}
    }));
    inputs.train(&bench, params);
    bench.go_on();
    bench.partial = Some(to);
    bench
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs_err::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn checkpoint(bench: &StageBench) -> PathBuf {
    bench.partial.as_ref().unwrap().join("checkpoint.safetensors")
}

fn said(bench: &StageBench, is_it: impl Fn(&str) -> bool) -> bool {
    bench.events().iter().any(|event| matches!(event, Event::Note(t) | Event::Warning(t) if is_it(t)))
}

#[test]
fn killed_after_its_last_checkpoint_it_ends_with_the_same_bytes() {
    let plain = StageBench::default();
    let inputs = Inputs::small(&plain);
    for params in recipes() {
        let expected = left(&inputs.train(&plain, &params));
        // Checkpoints after steps 3, 6 and so on: the history has rows of steps that were never kept. One of the first
        // steps, before any checkpoint; within an epoch; the last step of one.
        for (photos, kept) in [(20, false), (116, true), (132, true), (150, true)] {
            // What the finder found is kept at once.
            let kept = kept || params["lr"].is_object();
            let bench = killed_at(&inputs, CheckpointEvery::Steps(3), &params, photos);
            let long = params["accumulate"].is_null();
            assert!(!long || checkpoint(&bench).exists() == kept, "{params} at {photos}");
            let found = left(&inputs.train(&bench, &params));
            assert_eq!(found, expected, "{params} killed when {photos} photos were done");
            let goes_on = said(&bench, |text| text.starts_with("goes on after step "));
            assert_eq!(goes_on, checkpoint(&bench).exists() && kept, "{params} at {photos}");
        }
    }
}

/// Its name, and what it does to a checkpoint.
type Damage = (&'static str, fn(&Path));

#[test]
fn a_damaged_checkpoint_is_told_and_training_begins_anew() {
    let plain = StageBench::default();
    let inputs = Inputs::small(&plain);
    let params = json!({"epochs": 3, "batch_size": 16, "ema": 0.9});
    let expected = left(&inputs.train(&plain, &params));
    let damages: [Damage; 5] = [
        ("cut", |file| fs_err::write(file, &fs_err::read(file).unwrap()[..999]).unwrap()),
        ("garbage", |file| fs_err::write(file, [7; 4096]).unwrap()),
        ("empty", |file| fs_err::write(file, "").unwrap()),
        ("without its history", |file| fs_err::remove_file(file.with_file_name("history.jsonl")).unwrap()),
        ("with half its history", |file| {
            let history = file.with_file_name("history.jsonl");
            let bytes = fs_err::read(&history).unwrap();
            fs_err::write(history, &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let bench = killed_at(&inputs, CheckpointEvery::Steps(1), &params, 100);
        damage(&checkpoint(&bench));
        assert_eq!(left(&inputs.train(&bench, &params)), expected, "{name}");
        let warning = "the checkpoint cannot be used, so training starts from the beginning: ";
        let warned = |event: &Event| matches!(event, Event::Warning(text) if text.starts_with(warning));
        assert!(bench.events().iter().any(warned), "{name}: {:?}", bench.events());
    }
}

#[test]
fn a_line_that_the_kill_cut_short_is_written_again() {
    let plain = StageBench::default();
    let inputs = Inputs::small(&plain);
    let params = json!({"epochs": 3, "batch_size": 16});
    let expected = left(&inputs.train(&plain, &params));
    let bench = killed_at(&inputs, CheckpointEvery::Steps(2), &params, 116);
    let file = checkpoint(&bench).with_file_name("history.jsonl");
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, &text[..text.len() - 20]).unwrap();
    assert_eq!(left(&inputs.train(&bench, &params)), expected);
    assert!(said(&bench, |text| text.starts_with("goes on after step ")));
}

#[test]
fn another_number_of_threads_is_told_once_and_only_where_it_goes_on() {
    let plain = StageBench::default();
    let inputs = Inputs::small(&plain);
    let params = json!({"epochs": 3, "batch_size": 16});
    let mut bench = bench(CheckpointEvery::default());
    stop_at(&mut bench, 100);
    assert!(matches!(inputs.run(&bench, &HeadStage, &params), Err(Failure::Cancelled)));
    bench.go_on();
    bench.threads = 1;
    inputs.train(&bench, &params);
    let warnings: Vec<String> = bench
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Warning(text) = event { Some(text) } else { None })
        .collect();
    let expected =
        "it began with 2 threads and goes on with 1: the last digits may differ from a training in one go";
    assert_eq!(warnings, [expected]);
    assert!(said(&bench, |text| text == "goes on after step 8 of 12, in epoch 2"), "{:?}", bench.events());
}
