//! [`Folds`]: what heads say of photos that they were not trained on, for every labelled photo.

use std::num::NonZeroUsize;
use std::ops::Range;

use pipeline_fit::batches;
use pipeline_nn::{Device, Error, Group, Head, LossOptions, Optimizer, Rule, Sizes, Tensor, device, nll};
use pipeline_stage::lanes::in_order;
use pipeline_stage::random::{Stream, shuffled};
use pipeline_stage::{Cancelled, Failure};

/// Photos in a batch, the learning rate and SGD's momentum: the lesson's.
const BATCH: usize = 64;
const RATE: f64 = 0.01;
const MOMENTUM: f64 = 0.9;
/// The lesson's first training has two epochs. A few photos are few steps: then as many epochs as make `STEPS`, which let
/// the running statistics of batch norm, a tenth of a batch each, forget where they began.
const EPOCHS: usize = 2;
const STEPS: usize = 80;
/// Photos that are predicted at a time.
const PREDICTED: usize = 1024;

/// Labelled features in memory.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// `[N, dim]`, row-major, finite.
    pub features: &'a [f32],
    /// Length of a row's features.
    pub dim: usize,
    /// `[N]`: a class each.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// Into how many parts photos are cut, each of which is predicted by a head of the others.
#[derive(Debug, Clone, Copy)]
pub struct Folds {
    /// How many parts, at least 2.
    pub count: usize,
    /// Decides which photo is in which part, and all that is drawn in training.
    pub seed: u64,
    /// How many heads are trained at a time; no byte depends on it.
    pub threads: NonZeroUsize,
}

impl Folds {
    /// The fold of each row, `[N]`: folds differ by at most one row, in all and of each class.
    fn of(&self, labels: &[u32]) -> Vec<usize> {
        let mut random = Stream { seed: self.seed, purpose: "folds", ..Stream::default() }.start();
        let mut order = shuffled(labels.len(), &mut random);
        order.sort_by_key(|row| labels[*row]);
        let mut folds = vec![0; labels.len()];
        for (place, row) in order.into_iter().enumerate() {
            folds[row] = place % self.count;
        }
        folds
    }

    /// How many rows all heads are trained on, epoch by epoch: what `trained` of [`Folds::probabilities`] adds up to.
    pub fn work(&self, labels: &[u32]) -> u64 {
        let mut rows = vec![labels.len(); self.count];
        self.of(labels).into_iter().for_each(|fold| rows[fold] -= 1);
        rows.into_iter().map(|rows| (rows * epochs(rows)) as u64).sum()
    }

    /// For each row the probability of each class, `[N, classes]`, by a head that was trained on the other folds: in
    /// float32 on the processor, with SGD of momentum 0.9 and a rate of 0.01, in batches of 64, for two epochs or as many as
    /// make 80 steps. `trained` is told of rows as heads are trained on them.
    ///
    /// # Errors
    /// Those of `trained`; fewer than two rows without a fold; labels that are no class; libtorch's.
    pub fn probabilities(
        &self,
        data: &Labelled<'_>,
        trained: &(dyn Fn(u64) -> Result<(), Cancelled> + Sync),
    ) -> Result<Vec<f32>, Failure> {
        let fold_of = self.of(data.labels);
        let rows = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..fold_of.len()).filter(|row| wanted(fold_of[*row])).collect()
        };
        let work = |(): &mut (), fold: usize| {
            device::set_threads(NonZeroUsize::MIN);
            let head = self.train(data, &rows(&|other| other != fold), fold, trained)?;
            let held_out = rows(&|other| other == fold);
            let probs = predict(data, &held_out, &head)?;
            Ok((held_out, probs))
        };
        let lanes = vec![(); self.threads.get().min(self.count)];
        let mut all = vec![0.0; data.labels.len() * data.classes]; // [N, classes]
        in_order(lanes, 1, (0..self.count).map(Ok), work, |(held_out, probs)| {
            for (row, probs) in held_out.into_iter().zip(probs.chunks_exact(data.classes)) {
                all[row * data.classes..][..data.classes].copy_from_slice(probs);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// A head trained on these rows.
    fn train(
        &self,
        data: &Labelled<'_>,
        rows: &[usize],
        fold: usize,
        trained: &dyn Fn(u64) -> Result<(), Cancelled>,
    ) -> Result<Head, Failure> {
        let stream = |purpose, epoch: usize| Stream {
            seed: self.seed,
            purpose,
            epoch: epoch as u64,
            view: fold as u32,
            ..Stream::default()
        };
        let cut = batches(rows.len(), BATCH)?;
        let sizes = Sizes { features: data.dim, hidden: Sizes::HIDDEN, classes: data.classes };
        let head = Head::new(sizes, self.seed, Device::Cpu)?;
        let group = Group { parameters: head.named_parameters(), weight_decay: 0.0 };
        let mut sgd = Optimizer::new(Rule::sgd(MOMENTUM), vec![group])?;
        for epoch in 0..epochs(rows.len()) {
            let order = shuffled(rows.len(), &mut stream("folds order", epoch).start());
            let mut dropout = stream("folds dropout", epoch).start();
            for Range { start, end } in cut.iter().cloned() {
                let batch: Vec<usize> = order[start..end].iter().map(|place| rows[*place]).collect();
                let labels: Vec<i64> = batch.iter().map(|row| i64::from(data.labels[*row])).collect();
                let log_probs = head.forward_train(&data.batch(&batch)?, &mut dropout)?; // [B, classes]
                let loss = nll(&log_probs, &Tensor::from_slice(&labels), &LossOptions::default())?;
                sgd.zero_grad()?;
                loss.f_backward().map_err(Error::torch("compute gradients"))?;
                sgd.step(&[RATE])?;
                trained(batch.len() as u64)?;
            }
        }
        Ok(head)
    }
}

impl Labelled<'_> {
    /// The features of these rows, `[B, dim]`.
    fn batch(&self, rows: &[usize]) -> Result<Tensor, Error> {
        let values: Vec<f32> =
            rows.iter().flat_map(|row| &self.features[row * self.dim..][..self.dim]).copied().collect();
        Tensor::f_from_slice(&values)
            .and_then(|values| values.f_view([rows.len() as i64, self.dim as i64]))
            .map_err(Error::torch("put a batch of features together"))
    }
}

/// How often a head sees its `rows`.
fn epochs(rows: usize) -> usize {
    STEPS.div_ceil(rows.div_ceil(BATCH).max(1)).max(EPOCHS)
}

/// Probabilities of these rows, `[B, classes]`.
fn predict(data: &Labelled<'_>, rows: &[usize], head: &Head) -> Result<Vec<f32>, Error> {
    let mut probs = Vec::with_capacity(rows.len() * data.classes);
    for rows in rows.chunks(PREDICTED) {
        let batch = head.forward_eval(&data.batch(rows)?)?.exp().flatten(0, -1);
        probs.append(&mut Vec::try_from(&batch).map_err(Error::torch("read the predictions of a fold"))?);
    }
    Ok(probs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folds(threads: usize) -> Folds {
        Folds { count: 5, seed: 42, threads: NonZeroUsize::new(threads).unwrap() }
    }

    /// 61, 17 and 8 photos of three classes.
    fn labels() -> Vec<u32> {
        (0..86).map(|row| if row % 5 == 0 && row < 85 { 1 } else { u32::from(row % 11 == 3) * 2 }).collect()
    }

    #[test]
    fn folds_are_alike_in_size_and_in_classes_and_the_seed_draws_them() {
        let labels = labels();
        let of = folds(1).of(&labels);
        let counts = |wanted: &dyn Fn(u32) -> bool| -> Vec<usize> {
            let rows = |fold| (0..86).filter(|row| of[*row] == fold && wanted(labels[*row])).count();
            (0..5).map(rows).collect()
        };
        for (what, counts) in [
            ("all", counts(&|_| true)),
            ("0", counts(&|label| label == 0)),
            ("1", counts(&|label| label == 1)),
            ("2", counts(&|label| label == 2)),
        ] {
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1 && *least >= 1, "{what}: {counts:?}");
        }
        assert_ne!(of, Folds { seed: 43, ..folds(1) }.of(&labels));
    }

    #[test]
    fn few_photos_are_seen_often_and_many_twice() {
        // 4,000 photos are 63 steps, 5,000 are 79, 100 are 2, 1 is 1.
        assert_eq!([4000, 5000, 100, 1].map(epochs), [2, 2, 40, 80]);
    }

    #[test]
    fn probabilities_are_of_every_row_by_a_head_that_has_not_seen_it_and_for_any_number_of_threads() {
        // Features that say nothing of the labels: a head that has seen a photo would remember it.
        let labels = labels();
        let features: Vec<f32> = (0..86 * 40).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let data = Labelled { features: &features, dim: 40, labels: &labels, classes: 3 };
        let counted = std::sync::atomic::AtomicU64::new(0);
        let trained = |rows| {
            counted.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        let probs = folds(1).probabilities(&data, &trained).unwrap();
        assert_eq!(counted.into_inner(), folds(1).work(&labels));
        assert_eq!(probs, folds(3).probabilities(&data, &|_| Ok(())).unwrap());
        let mut of_label = 0.0;
        for (probs, label) in probs.chunks_exact(3).zip(&labels) {
            let sum: f32 = probs.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{probs:?}");
            of_label += probs[*label as usize] / 86.0;
        }
        // Blind, the mean is at most the sum of squared shares, (61² + 17² + 8²) / 86² = 0.55, and some luck.
        assert!(of_label < 0.65, "{of_label}");
    }

    #[test]
    fn whoever_is_told_of_the_rows_can_stop() {
        let labels = labels();
        let features = vec![0.5; 86 * 2];
        let data = Labelled { features: &features, dim: 2, labels: &labels, classes: 3 };
        let stopped = folds(2).probabilities(&data, &|_| Err(Cancelled));
        assert!(matches!(stopped, Err(Failure::Cancelled)));
    }
}
