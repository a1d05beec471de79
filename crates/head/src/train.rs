//! The training loop of the head: shuffled batches of feature rows, SGD, a measurement per epoch.

use std::ops::Range;
use std::time::Instant;

use pipeline_fit::{DebiasedAverage, Schedule, batches};
use pipeline_nn::{Device, Head, Kind, Sgd, SgdConfig, Sizes, Tensor, nll, no_grad};
use pipeline_stage::random::{Stream, below, shuffled};
use pipeline_stage::{Context, Event, Failure};
use pipeline_table::features::Features;
use pipeline_table::history::HistoryRow;

use crate::Params;
use crate::error::Error;

/// Width of the head's hidden layer, the lesson's.
const HIDDEN: usize = 512;

/// Photos with the features of their views, as tensors.
pub(crate) struct Examples {
    /// `[N, D]`, f32, a row for each view of each photo.
    features: Tensor,
    /// `[N]`, i64, index of the class.
    labels: Tensor,
    photos: Vec<Photo>,
}

/// A photo's rows.
struct Photo {
    id: String,
    rows: Range<usize>,
}

impl Examples {
    /// Takes the rows of `features`, each labelled and with `dim` numbers.
    pub(crate) fn new(features: Features, dim: usize, device: Device) -> Result<Self, Error> {
        let mut labels = Vec::with_capacity(features.rows.len());
        let mut photos: Vec<Photo> = Vec::new();
        for (at, row) in features.rows.iter().enumerate() {
            let label = row.label_id.ok_or_else(|| Error::Unlabelled { id: row.id.clone() })?;
            labels.push(i64::from(label));
            match photos.last_mut() {
                Some(photo) if photo.id == row.id => photo.rows.end = at + 1,
                _ => photos.push(Photo { id: row.id.clone(), rows: at..at + 1 }),
            }
        }
        let table = Tensor::from_slice(&features.emb).view([labels.len() as i64, dim as i64]); // [N, D]
        Ok(Examples {
            features: table.to_device(device),
            labels: Tensor::from_slice(&labels).to_device(device),
            photos,
        })
    }

    /// Photos.
    pub(crate) fn len(&self) -> usize {
        self.photos.len()
    }

    /// Views of each photo, the plain one among them; the most that a photo has.
    pub(crate) fn views(&self) -> u32 {
        self.photos.iter().map(|photo| photo.rows.len() as u32).max().unwrap_or(1)
    }

    /// Which views there are, in words: `plain views`, `the plain view and 3 augmented ones of each photo`.
    pub(crate) fn views_in_words(&self) -> String {
        match self.views() - 1 {
            0 => "plain views".to_owned(),
            1 => "the plain view and an augmented one of each photo".to_owned(),
            augmented => format!("the plain view and {augmented} augmented ones of each photo"),
        }
    }

    /// For each photo the row of the view that it shows in this epoch, each of its views alike. The draw is of the
    /// photo's own, so other photos do not change it.
    fn draw_views(&self, seed: u64, epoch: u64) -> Vec<usize> {
        let draw = |photo: &Photo| {
            let stream = Stream { seed, purpose: "view", epoch, item: &photo.id, ..Stream::default() };
            match photo.rows.len() {
                1 => photo.rows.start,
                views => photo.rows.start + below(views as u64, &mut stream.start()) as usize,
            }
        };
        self.photos.iter().map(draw).collect()
    }
}

/// What training leaves.
pub(crate) struct Trained {
    pub(crate) head: Head,
    /// A row per epoch.
    pub(crate) history: Vec<HistoryRow>,
}

/// Trains a new head.
pub(crate) fn train(
    params: &Params,
    cx: &Context<'_>,
    train_set: &Examples,
    valid_set: &Examples,
    dim: usize,
    classes: usize,
    device: Device,
) -> Result<Trained, Failure> {
    let head = Head::new(Sizes { features: dim, hidden: HIDDEN, classes }, cx.seed, device)?;
    let config = SgdConfig { momentum: params.momentum, weight_decay: params.weight_decay };
    let mut sgd = Sgd::new(vec![head.parameters()], config);
    let schedule = Schedule::Constant;
    let steps_per_epoch = batches(train_set.len(), params.batch_size)?.len() as u64;
    let progress = cx.progress("train the head", Some(u64::from(params.epochs) * steps_per_epoch), "steps");

    let mut average = DebiasedAverage::new();
    let mut history = Vec::new();
    let mut step: u64 = 0;
    let started = Instant::now();
    for epoch in 0..params.epochs {
        let stream = |purpose, epoch| Stream { seed: cx.seed, purpose, epoch, ..Stream::default() };
        let views = train_set.draw_views(cx.seed, u64::from(epoch));
        let order = shuffled(train_set.len(), &mut stream("order", u64::from(epoch)).start());
        for range in batches(train_set.len(), params.batch_size)? {
            let rows: Vec<i64> = order[range].iter().map(|&photo| views[photo] as i64).collect();
            let rows = Tensor::from_slice(&rows).to_device(device);
            let x = train_set.features.index_select(0, &rows); // [B, D]
            let y = train_set.labels.index_select(0, &rows); // [B]
            let lr = schedule.rates(&[params.lr], step);

            let mut dropout = stream("dropout", step).start();
            let log_probs = head.forward_train(&x, &mut dropout)?; // [B, classes]
            let loss = nll(&log_probs, &y)?;
            sgd.zero_grad();
            loss.backward();
            sgd.step(&lr)?;

            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(Error::LossNotFinite { loss, epoch: epoch + 1, step: step + 1, lr: lr[0] }.into());
            }
            average.add(loss);
            step += 1;
            progress.add(1)?;
        }
        let measured = measure(&head, valid_set)?;
        if let Some(Measured { loss, .. }) = measured
            && !loss.is_finite()
        {
            // The last step of an epoch may be the one that diverges.
            return Err(Error::LossNotFinite { loss, epoch: epoch + 1, step, lr: params.lr }.into());
        }
        history.push(HistoryRow {
            stage: cx.stage.clone(),
            phase: "train".to_owned(),
            epoch: epoch + 1,
            step,
            lr: schedule.rates(&[params.lr], step.saturating_sub(1)),
            // At least one step was made, so there is an average.
            train_loss: average.value().unwrap_or(f64::NAN),
            valid_loss: measured.map(|m| m.loss),
            accuracy: measured.map(|m| m.accuracy),
            seconds: started.elapsed().as_secs_f64(),
        });
        report_epoch(cx, params.epochs, &history);
    }
    // Where there is nothing to measure on, the last step may have diverged unseen.
    if valid_set.len() == 0
        && let Some(Measured { loss, .. }) = measure(&head, train_set)?
        && !loss.is_finite()
    {
        return Err(Error::LossNotFinite { loss, epoch: params.epochs, step, lr: params.lr }.into());
    }
    Ok(Trained { head, history })
}

/// Loss and accuracy on a set.
#[derive(Clone, Copy)]
struct Measured {
    loss: f64,
    accuracy: f64,
}

/// Measures the head in eval mode; `None` on an empty set.
fn measure(head: &Head, set: &Examples) -> Result<Option<Measured>, Failure> {
    if set.len() == 0 {
        return Ok(None);
    }
    no_grad(|| {
        let log_probs = head.forward_eval(&set.features)?; // [N, classes]
        let loss = nll(&log_probs, &set.labels)?.double_value(&[]);
        let right = log_probs.argmax(1, false).eq_tensor(&set.labels);
        let accuracy = right.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        Ok(Some(Measured { loss, accuracy }))
    })
}

fn report_epoch(cx: &Context<'_>, epochs: u32, history: &[HistoryRow]) {
    let Some(row) = history.last() else { return };
    let measured = match (row.valid_loss, row.accuracy) {
        (Some(loss), Some(accuracy)) => format!(", valid loss {loss:.4}, accuracy {accuracy:.4}"),
        _ => String::new(),
    };
    let text = format!("epoch {}/{epochs}: train loss {:.4}{measured}", row.epoch, row.train_loss);
    cx.report.emit(Event::Note(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_table::{FeatureRow, Split};

    /// `views[i]` views of photo i, with one number each.
    fn examples(views: &[u32]) -> Examples {
        let row = |photo: usize, view| FeatureRow {
            id: format!("train/{photo:04}.jpg"),
            split: Split::Train,
            label: Some("cats".to_owned()),
            label_id: Some(0),
            view,
        };
        let rows: Vec<FeatureRow> = views
            .iter()
            .enumerate()
            .flat_map(|(photo, count)| (0..*count).map(move |view| row(photo, view)))
            .collect();
        let emb = vec![0.5; rows.len()];
        Examples::new(Features { dim: 1, rows, emb }, 1, Device::Cpu).unwrap()
    }

    #[test]
    fn each_epoch_shows_each_photo_once_in_one_of_its_views() {
        let set = examples(&[1, 3, 4]);
        assert_eq!(
            (set.len(), set.views_in_words().as_str()),
            (3, "the plain view and 3 augmented ones of each photo")
        );
        for epoch in 0..50 {
            let rows = set.draw_views(7, epoch);
            assert!(rows[0] == 0 && (1..4).contains(&rows[1]) && (4..8).contains(&rows[2]), "{rows:?}");
        }
        assert_eq!(examples(&[1, 1]).views_in_words(), "plain views");
    }

    #[test]
    fn views_are_alike_and_others_in_another_epoch_and_the_photos_own() {
        let set = examples(&[4; 6000]);
        let rows = set.draw_views(7, 0);
        let mut counts = [0_u32; 4];
        rows.iter().enumerate().for_each(|(photo, row)| counts[row - 4 * photo] += 1);
        // Chi-squared with 3 degrees of freedom stays under 16.27 with probability .999.
        let chi_squared: f64 = counts.iter().map(|c| (f64::from(*c) - 1500.0).powi(2) / 1500.0).sum();
        assert!(chi_squared < 16.27, "{chi_squared}: {counts:?}");
        assert_eq!(set.draw_views(7, 0), rows);
        assert_ne!(set.draw_views(7, 1), rows);
        assert_ne!(set.draw_views(8, 0), rows);
        assert_eq!(examples(&[4; 100]).draw_views(7, 0), rows[..100]);
    }
}
