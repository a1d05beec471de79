//! Trains the head with several seeds on features that are there, and prints how accurate it is with each: what a
//! difference between two settings has to be measured against. Last, the seconds that an epoch of training took,
//! without its validation: of each seed the mean of its epochs, the first steps of a process included, and of all seeds
//! the median.
//!
//!     cargo run --release -p pipeline-head --example seeds -- PRECOMPUTE BACKBONE [SEEDS] [EPOCHS]
//!
//! PRECOMPUTE and BACKBONE are folders of artifacts, for example `out/dogscats/precompute`; seeds are 0 to SEEDS - 1,
//! five where it is left out; epochs are the lesson's 2 where left out, and the learning rate is the lesson's.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints numbers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pipeline_head::HeadStage;
use pipeline_stage::{Artifact, Digest};
use pipeline_table::HistoryReader;
use pipeline_table::history::TRAIN_PHASE;
use pipeline_testkit::StageBench;
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize, default| arguments.get(at).map_or(Some(default), |text| text.parse::<u32>().ok());
    let (Some(features), Some(backbone), Some(seeds), Some(epochs)) =
        (arguments.first(), arguments.get(1), number(2, 5), number(3, 2))
    else {
        eprintln!("usage: seeds PRECOMPUTE BACKBONE [SEEDS] [EPOCHS]");
        return ExitCode::from(2);
    };
    match measure(Path::new(features), Path::new(backbone), seeds, epochs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn measure(features: &Path, backbone: &Path, seeds: u32, epochs: u32) -> Result<(), String> {
    let trunk = Digest::of(&fs_err::read(backbone.join("trunk.safetensors")).map_err(|e| e.to_string())?);
    let features = artifact(features, BTreeMap::new());
    let backbone = artifact(backbone, [("trunk.safetensors".to_owned(), trunk)].into());
    let inputs = [("features", vec![&features]), ("backbone", vec![&backbone])];
    let (mut accuracies, mut seconds) = (Vec::new(), Vec::new());
    for seed in 0..seeds {
        let mut bench = StageBench::default();
        bench.seed = seed.into();
        let made = bench
            .run(&HeadStage, &json!({"epochs": epochs}), &inputs, &[])
            .map_err(|failure| failure.to_string())?;
        println!("seed {seed}: {}", made.summary.line);
        accuracies.extend(made.summary.metrics.get("accuracy").copied());
        seconds.push(training_seconds(&made.artifact.dir.join("history.parquet"))? / f64::from(epochs));
    }
    if accuracies.is_empty() {
        return Err("there are no seeds, or no valid photos to measure on".to_owned());
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    let (least, most) =
        (accuracies.iter().copied().fold(1.0, f64::min), accuracies.iter().copied().fold(0.0, f64::max));
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    println!("accuracy mean {mean:.4} range {least:.4}..{most:.4}; {median:.3} s per epoch");
    Ok(())
}

/// What the epochs of a history took from their start, or the end of the last validation, to their last step.
fn training_seconds(history: &Path) -> Result<f64, String> {
    let (mut sum, mut validated, mut stepped) = (0.0, 0.0, 0.0);
    for row in HistoryReader::open(history).map_err(|e| e.to_string())? {
        let row = row.map_err(|e| e.to_string())?;
        if row.phase == TRAIN_PHASE {
            stepped = row.seconds;
        } else {
            sum += stepped - validated;
            validated = row.seconds;
        }
    }
    Ok(sum)
}

fn artifact(dir: &Path, files: BTreeMap<String, Digest>) -> Artifact {
    let stage = dir.file_name().map(PathBuf::from).unwrap_or_default().display().to_string();
    Artifact { stage, dir: dir.to_owned(), files, sources: BTreeMap::new() }
}
