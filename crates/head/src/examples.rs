//! [`Examples`]: photos as features of their views; and [`FeatureData`], those that a head is trained and measured on.

use std::ops::Range;

use pipeline_nn::{Device, Tensor};
use pipeline_stage::Failure;
use pipeline_stage::random::{Stream, below};
use pipeline_table::features::Features;
use pipeline_train::data::{Batch, Data, Order, Sink};

use crate::error::Error;

/// Rows measured at a time.
const MEASURED_ROWS: i64 = 1024;

/// What a head is trained and measured on, in memory.
pub(crate) struct FeatureData {
    pub(crate) train: Examples,
    pub(crate) valid: Examples,
    pub(crate) classes: usize,
    pub(crate) seed: u64,
}

impl Data for FeatureData {
    fn labels(&self) -> &[u32] {
        &self.train.photo_labels
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn measured(&self) -> usize {
        self.valid.len()
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn train(&self, order: Order<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let views = self.train.draw_views(self.seed, order.epoch);
        for batch in order.batches {
            let rows: Vec<i64> =
                order.photos[batch.clone()].iter().map(|&photo| views[photo] as i64).collect();
            sink(self.train.batch(&rows)?)?;
        }
        Ok(())
    }

    fn measure(&self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let rows = self.valid.labels.size()[0];
        for start in (0..rows).step_by(MEASURED_ROWS as usize) {
            let rows: Vec<i64> = (start..rows.min(start + MEASURED_ROWS)).collect();
            sink(self.valid.batch(&rows)?)?;
        }
        Ok(())
    }
}

/// Photos with the features of their views, as tensors.
pub(crate) struct Examples {
    /// `[N, D]`, f32, a row for each view of each photo.
    features: Tensor,
    /// `[N]`, i64, class of each row.
    labels: Tensor,
    /// `[photos]`, class of each photo.
    photo_labels: Vec<u32>,
    photos: Vec<Photo>,
}

/// A photo's rows.
struct Photo {
    id: String,
    rows: Range<usize>,
}

impl Examples {
    /// Takes the rows of `features`, each labelled with a class below `classes` and with `dim` numbers.
    pub(crate) fn new(
        features: Features,
        dim: usize,
        classes: usize,
        device: Device,
    ) -> Result<Self, Failure> {
        let mut labels = Vec::with_capacity(features.rows.len());
        let mut photos: Vec<Photo> = Vec::new();
        let mut photo_labels = Vec::new();
        for (at, row) in features.rows.iter().enumerate() {
            let label = row.label_id.ok_or_else(|| Error::Unlabelled { id: row.id.clone() })?;
            if label as usize >= classes {
                return Err(Error::UnknownClass { id: row.id.clone(), label, classes }.into());
            }
            labels.push(i64::from(label));
            match photos.last_mut() {
                Some(photo) if photo.id == row.id => photo.rows.end = at + 1,
                _ => {
                    photos.push(Photo { id: row.id.clone(), rows: at..at + 1 });
                    photo_labels.push(label);
                }
            }
        }
        let place = || {
            let table = Tensor::f_from_slice(&features.emb)?; // [N, D]
            let table = table.f_view([labels.len() as i64, dim as i64])?.f_to_device(device)?;
            Ok((table, Tensor::f_from_slice(&labels)?.f_to_device(device)?))
        };
        let (features, labels) =
            place().map_err(pipeline_nn::Error::torch("hold all features of the photos in memory"))?;
        Ok(Examples { features, labels, photo_labels, photos })
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

    /// These rows, in this order.
    fn batch(&self, rows: &[i64]) -> Result<Batch, pipeline_nn::Error> {
        let select = || {
            let rows = Tensor::f_from_slice(rows)?.f_to_device(self.labels.device())?;
            let x = self.features.f_index_select(0, &rows)?; // [B, D]
            Ok((x, self.labels.f_index_select(0, &rows)?)) // [B]
        };
        let (x, labels) = select().map_err(pipeline_nn::Error::torch("put a batch together"))?;
        Ok(Batch { x, labels, mixed: None })
    }
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
        Examples::new(Features { dim: 1, rows, emb }, 1, 1, Device::Cpu).unwrap()
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
