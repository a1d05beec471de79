//! Times an epoch of the head on made-up features: 4,000 x 1,024, batches of 64, 2 classes, 2 threads, in float32 and in
//! bfloat16.
//!
//! `cargo run --release -p pipeline-nn --example head_epoch`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::num::NonZeroUsize;
use std::time::Instant;

use pipeline_nn::{
    Device, Dtype, Error, Group, Head, Kind, LossOptions, Optimizer, Rule, Sizes, Tensor, device, nll,
};
use pipeline_stage::random::{Stream, shuffled};

const ROWS: usize = 4000;
const SIZES: Sizes = Sizes { features: 1024, hidden: Sizes::HIDDEN, classes: 2 };
const BATCH: usize = 64;
const EPOCHS: u64 = 20;

fn main() -> Result<(), Error> {
    device::set_threads(NonZeroUsize::MIN.saturating_add(1));
    let shape = [ROWS as i64, SIZES.features as i64];
    let features =
        (Tensor::arange(shape[0] * shape[1], (Kind::Float, Device::Cpu)) * 0.7).sin().reshape(shape);
    let labels = Tensor::from_slice(&(0..shape[0]).map(|row| row % 2).collect::<Vec<_>>());
    for dtype in [Dtype::F32, Dtype::Bf16] {
        time(dtype, &features, &labels)?;
    }
    Ok(())
}

fn time(dtype: Dtype, features: &Tensor, labels: &Tensor) -> Result<(), Error> {
    let head = Head::new(SIZES, 1, Device::Cpu)?.with_dtype(dtype);
    let group = Group { parameters: head.named_parameters(), weight_decay: 0.0 };
    let mut sgd = Optimizer::new(Rule::sgd(0.9), vec![group])?;

    // Draw, forward, backward, step: seconds of an epoch, the least of all epochs.
    let mut least = [f64::INFINITY; 5];
    for epoch in 0..EPOCHS {
        let stream = |purpose, epoch| Stream { purpose, epoch, ..Stream::default() }.start();
        let order = shuffled(ROWS, &mut stream("order", epoch));
        let mut seconds = [0.0; 5];
        for (step, rows) in order.chunks(BATCH).enumerate() {
            let mut times = vec![Instant::now()];
            let rows = Tensor::from_slice(&rows.iter().map(|row| *row as i64).collect::<Vec<_>>());
            let (x, y) = (features.index_select(0, &rows), labels.index_select(0, &rows));
            times.push(Instant::now());
            let log_probs = head.forward_train(&x, &mut stream("dropout", epoch * 1000 + step as u64))?;
            let loss = nll(&log_probs, &y, &LossOptions::default())?;
            times.push(Instant::now());
            sgd.zero_grad()?;
            loss.backward();
            times.push(Instant::now());
            sgd.step(&[0.01])?;
            let _ = loss.double_value(&[]);
            times.push(Instant::now());
            for (sum, pair) in seconds.iter_mut().zip(times.windows(2)) {
                *sum += (pair[1] - pair[0]).as_secs_f64();
            }
        }
        seconds[4] = seconds[..4].iter().sum();
        least = std::array::from_fn(|part| least[part].min(seconds[part]));
    }
    let [batch, forward, backward, step, all] = least.map(|seconds| seconds * 1e3);
    println!(
        "{}: epoch {all:.1} ms: batch {batch:.1}, forward with masks {forward:.1}, backward {backward:.1}, step {step:.1}",
        dtype.as_str()
    );
    Ok(())
}
