//! Flips labels of training photos on purpose and looks for them as evaluate's `label_issues: 5` does: how many of the
//! photos that it names were flipped (precision), and how many of the flipped ones it names (recall).
//!
//! `cargo run --release -p pipeline-evaluate --example flipped_labels -- FEATURES_DIR [COUNT] [SEEDS]`
//!
//! FEATURES_DIR is the folder `features` of what precompute made; COUNT is 40; SEEDS, how often it is done, is 5. Photos
//! that it names and that were not flipped count as wrong here, but some are: the data are not free of errors.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use pipeline_evaluate::{Folds, Labelled};
use pipeline_fit::label_issues;
use pipeline_stage::Failure;
use pipeline_stage::random::{Stream, below, shuffled};
use pipeline_table::{FeaturesReader, Split};

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default| arguments.get(place).map_or(Some(default), |text| text.parse().ok());
    let (Some(dir), Some(count), Some(seeds)) = (arguments.first(), number(1, 40), number(2, 5)) else {
        return Err(Failure::new("expected FEATURES_DIR [COUNT] [SEEDS]", None));
    };
    let reader = FeaturesReader::open(Path::new(dir))?;
    let features = reader.load(|row| row.view == 0 && row.label_id.is_some())?;
    let labels: Vec<u32> = features.rows.iter().filter_map(|row| row.label_id).collect();
    let train: Vec<usize> =
        (0..labels.len()).filter(|row| features.rows[*row].split == Split::Train).collect();
    let classes = reader.meta().classes.len();
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for seed in 0..seeds as u64 {
        let mut random = Stream { seed, purpose: "flip", ..Stream::default() }.start();
        let order = shuffled(train.len(), &mut random);
        let flipped: BTreeSet<usize> = order.into_iter().take(count).map(|place| train[place]).collect();
        let mut labels = labels.clone();
        for &row in &flipped {
            // Each other class alike.
            let step = 1 + below(classes as u64 - 1, &mut random);
            labels[row] = ((u64::from(labels[row]) + step) % classes as u64) as u32;
        }

        let started = Instant::now();
        let data = Labelled { features: &features.emb, dim: features.dim, labels: &labels, classes };
        let probs = Folds { count: 5, seed, threads }.probabilities(&data, &|_| Ok(()))?;
        let issues = label_issues(&labels, &probs, classes)?;
        let found = issues.iter().filter(|issue| flipped.contains(&issue.row)).count();
        let first = issues.iter().take(flipped.len()).filter(|issue| flipped.contains(&issue.row)).count();
        println!(
            "seed {seed}: {found} of {} flipped among {} named of {}: precision {:.3}, recall {:.3}; {first} among the first {}; {:.1} s",
            flipped.len(),
            issues.len(),
            labels.len(),
            found as f64 / issues.len() as f64,
            found as f64 / flipped.len() as f64,
            flipped.len(),
            started.elapsed().as_secs_f64()
        );
        for issue in issues.iter().filter(|issue| !flipped.contains(&issue.row)) {
            let own = issue.label_probability;
            println!("  not flipped: {} (probability of its label {own:.4})", features.rows[issue.row].id);
        }
    }
    Ok(())
}
