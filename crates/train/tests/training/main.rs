//! The training loop on a network of two numbers, whose steps are computed by hand.
//!
//! - `steps`: what one optimiser step does, and what an epoch shows.
//! - `epochs`: what is measured, when training stops, which weights are published.
//! - `finder`: the learning-rate finder, and that it leaves nothing behind.
//! - `resume`: a training that was stopped anywhere ends as one that was not.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod epochs;
mod finder;
mod resume;
mod steps;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pipeline_fit::{Length, Rates, Recipe};
use pipeline_nn::{Error, Tensor, no_grad};
use pipeline_stage::random::{Random, below};
use pipeline_stage::{Cancel, CheckpointEvery, Context, Event, Failure, Report};
use pipeline_train::data::{Batch, Data, Order, Sink};
use pipeline_train::{LayerGroup, Learner, Trained, fit};
use serde_json::{Value, json};

/// Two numbers a and b in a layer group each, and the log-probability -(a + b - x)^2 of the one class there is. So the
/// loss of a batch is the mean of (a + b - x)^2, and its gradient is 2 (a + b - mean of x) for both.
struct Quadratic {
    a: Tensor,
    b: Tensor,
    /// A running statistic: photos seen in training.
    seen: Tensor,
    /// A number drawn for each batch.
    draws: RefCell<Vec<u64>>,
}

impl Quadratic {
    fn new(a: f32, b: f32) -> Self {
        let number = |value: f32| Tensor::from_slice(&[value]).set_requires_grad(true);
        Quadratic { a: number(a), b: number(b), seen: Tensor::from_slice(&[0f32]), draws: RefCell::default() }
    }

    /// a, b and the photos seen.
    fn numbers(&self) -> [f64; 3] {
        [&self.a, &self.b, &self.seen].map(|tensor| tensor.double_value(&[0]))
    }

    fn log_probs(&self, x: &Tensor) -> Tensor {
        let off: Tensor = &self.a + &self.b - x; // [N, 1]
        -(&off * &off)
    }
}

impl Learner for Quadratic {
    fn name(&self) -> &'static str {
        "two numbers"
    }

    fn groups(&self) -> Vec<LayerGroup> {
        let group = |name: &str, tensor: &Tensor| LayerGroup {
            name: name.to_owned(),
            parameters: vec![(name.to_owned(), tensor.shallow_clone())],
        };
        vec![group("a", &self.a), group("b", &self.b)]
    }

    fn tensors(&self) -> BTreeMap<String, Tensor> {
        [("a", &self.a), ("b", &self.b), ("seen", &self.seen)]
            .map(|(name, tensor)| (name.to_owned(), tensor.detach()))
            .into()
    }

    fn forward_train(&self, x: &Tensor, random: &mut Random) -> Result<Tensor, Error> {
        self.draws.borrow_mut().push(below(u64::MAX, random));
        no_grad(|| {
            let _ = self.seen.shallow_clone().f_add_scalar_(x.size()[0]).unwrap();
        });
        Ok(self.log_probs(x))
    }

    fn forward_eval(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(no_grad(|| self.log_probs(x)))
    }
}

/// Numbers to train on, and batches of numbers to measure on.
#[derive(Default)]
struct Numbers {
    train: Vec<f32>,
    measured: Vec<Vec<f32>>,
    /// Classes, and the class of each number to train on; all 0 where left out.
    labels: Vec<u32>,
    classes: usize,
    /// The photos of each epoch that was asked for.
    orders: RefCell<Vec<Vec<usize>>>,
    /// Set before the batch is handed out with which so many photos are done, over all epochs.
    stop: Option<(u64, Cancel)>,
    /// Set before the first batch to measure on is handed out.
    stop_measuring: Option<Cancel>,
}

impl Numbers {
    fn new(train: &[f32], measured: &[&[f32]]) -> Self {
        Numbers {
            train: train.to_vec(),
            measured: measured.iter().map(|batch| batch.to_vec()).collect(),
            labels: vec![0; train.len()],
            classes: 1,
            orders: RefCell::default(),
            stop: None,
            stop_measuring: None,
        }
    }
}

fn batch(numbers: &[f32]) -> Batch {
    let count = numbers.len() as i64;
    Batch {
        x: Tensor::from_slice(numbers).view([count, 1]),
        labels: Tensor::from_slice(&vec![0i64; numbers.len()]),
        mixed: None,
    }
}

impl Data for Numbers {
    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn measured(&self) -> usize {
        self.measured.iter().map(Vec::len).sum()
    }

    fn seed(&self) -> u64 {
        42
    }

    fn train(&self, order: Order<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.orders.borrow_mut().push(order.photos.to_vec());
        for range in order.batches {
            let numbers: Vec<f32> =
                order.photos[range.clone()].iter().map(|photo| self.train[*photo]).collect();
            let done = order.epoch * self.train.len() as u64 + range.end as u64;
            if let Some((_, cancel)) = self.stop.as_ref().filter(|(stop, _)| done >= *stop) {
                cancel.cancel();
            }
            sink(batch(&numbers))?;
        }
        Ok(())
    }

    fn measure(&self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.stop_measuring.iter().for_each(Cancel::cancel);
        self.measured.iter().try_for_each(|numbers| sink(batch(numbers)))
    }
}

/// A recipe as written in a config; where nothing is said, two epochs at a rate of 0.1 without momentum.
fn recipe(written: Value) -> Recipe {
    let mut all = json!({"momentum": 0.0});
    all.as_object_mut().unwrap().extend(written.as_object().unwrap().clone());
    let mut recipe: Recipe = serde_json::from_value(all).unwrap();
    recipe.settle(Rates::One(0.1), Length::Epochs(2));
    let mut problems = vec![];
    recipe.check(2, "a, b", &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    recipe
}

/// Where a training runs.
struct Bench {
    dir: tempfile::TempDir,
    every: CheckpointEvery,
    cancel: Cancel,
    /// Sets `cancel` when so many of these are done, `photos` or steps of the finder.
    stop_after: Option<(u64, &'static str)>,
    /// What is being counted.
    unit: Mutex<&'static str>,
    events: Mutex<Vec<Event>>,
}

impl Report for Bench {
    fn emit(&self, event: Event) {
        match (&event, self.stop_after) {
            (Event::Begin { unit, .. }, _) => *self.unit.lock().unwrap() = unit,
            (Event::Done(done), Some((stop, unit)))
                if *done >= stop && *self.unit.lock().unwrap() == unit =>
            {
                self.cancel.cancel();
            }
            _ => {}
        }
        self.events.lock().unwrap().push(event);
    }
}

impl Bench {
    fn new() -> Self {
        Bench {
            dir: tempfile::tempdir().unwrap(),
            every: CheckpointEvery::default(),
            cancel: Cancel::default(),
            stop_after: None,
            unit: Mutex::default(),
            events: Mutex::default(),
        }
    }

    fn partial(&self) -> &Path {
        self.dir.path()
    }

    /// What a stage is given.
    fn with<T>(&self, run: impl FnOnce(&Context<'_>) -> T) -> T {
        run(&Context {
            lineage: vec![],
            stage: "toy".to_owned(),
            out: PathBuf::new(),
            partial: self.partial().to_owned(),
            memo: None,
            inputs: BTreeMap::new(),
            sources: BTreeMap::new(),
            seed: 42,
            threads: NonZeroUsize::MIN,
            checkpoint_every: self.every,
            shard: None,
            report: self,
            cancel: &self.cancel,
        })
    }

    fn fit(&self, recipe: &Recipe, learner: &Quadratic, data: &Numbers) -> Result<Trained, Failure> {
        self.with(|cx| fit(recipe, learner, data, cx))
    }

    /// Notes and warnings so far.
    fn said(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let text = |event: &Event| match event {
            Event::Note(text) | Event::Warning(text) => Some(text.clone()),
            _ => None,
        };
        events.iter().filter_map(text).collect()
    }
}

/// Trains a = 0.25 and b = 0.75 in a fresh folder.
fn train(recipe: &Recipe, data: &Numbers) -> (Quadratic, Trained) {
    let net = Quadratic::new(0.25, 0.75);
    let trained = Bench::new().fit(recipe, &net, data).unwrap();
    (net, trained)
}

/// float32 has 24 bits: a few roundings in numbers of about 10.
fn assert_near(found: &[f64], expected: &[f64]) {
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(found.len() == expected.len() && worst < 1e-5, "found {found:?}, expected {expected:?}");
}
