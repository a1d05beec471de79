//! [`Samples`]: the photos of the preview, a few of all, from as many classes as there are.

use std::collections::BTreeMap;

use pipeline_stage::random::Stream;
use pipeline_table::{ImageRow, Split};
use rand_core::RngCore;

/// Photos that the preview shows.
const COUNT: usize = 4;

/// Collects photos, one offered after the other. Which are kept depends on the seed and the photos' ids, not on
/// their order; a few of each class are held, whatever their number.
pub(crate) struct Samples {
    seed: u64,
    /// By label, those with the least random numbers, training photos first.
    by_label: BTreeMap<Option<String>, BTreeMap<(bool, u64), ImageRow>>,
}

impl Samples {
    pub(crate) fn new(seed: u64) -> Self {
        Samples { seed, by_label: BTreeMap::new() }
    }

    pub(crate) fn offer(&mut self, row: ImageRow) {
        let stream = Stream { seed: self.seed, purpose: "preview", item: &row.id, ..Stream::default() };
        let rank = (row.split != Split::Train, stream.start().next_u64());
        let of_label = self.by_label.entry(row.label.clone()).or_default();
        of_label.insert(rank, row);
        if of_label.len() > COUNT {
            of_label.pop_last();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_label.is_empty()
    }

    /// The photos: one of each class, then a second of each, and so on until there are enough. Those that are
    /// not trained on come only where there are no others.
    pub(crate) fn into_rows(self) -> Vec<ImageRow> {
        let mut ranked: Vec<(bool, usize, u64, ImageRow)> = Vec::new();
        for of_label in self.by_label.into_values() {
            let places = of_label.into_iter().enumerate();
            ranked.extend(places.map(|(place, ((other, number), row))| (other, place, number, row)));
        }
        ranked.sort_by_key(|(other, place, number, _)| (*other, *place, *number));
        ranked.truncate(COUNT);
        ranked.into_iter().map(|(.., row)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_table::Verdict;

    fn row(id: &str, split: Split, label: Option<&str>) -> ImageRow {
        ImageRow {
            id: id.to_owned(),
            split,
            label: label.map(str::to_owned),
            label_id: label.map(|_| 0),
            width: Some(9),
            height: Some(7),
            format: Some("png".to_owned()),
            orientation: Some(1),
            bytes: 1,
            digest: String::new(),
            appearance: None,
            verdict: Verdict::Ok,
            reason: None,
        }
    }

    fn picked(seed: u64, rows: &[ImageRow]) -> Vec<(String, Option<String>)> {
        let mut samples = Samples::new(seed);
        rows.iter().for_each(|row| samples.offer(row.clone()));
        samples.into_rows().into_iter().map(|row| (row.id, row.label)).collect()
    }

    #[test]
    fn classes_take_turns_whatever_their_size_and_the_order_of_the_photos() {
        let mut rows: Vec<ImageRow> =
            (0..50).map(|i| row(&format!("train/dogs/{i}.jpg"), Split::Train, Some("dogs"))).collect();
        rows.push(row("train/cats/1.jpg", Split::Train, Some("cats")));
        rows.push(row("test/1.jpg", Split::Test, None));
        let first = picked(1, &rows);
        let cats = first.iter().filter(|(_, label)| label.as_deref() == Some("cats")).count();
        assert_eq!((first.len(), cats), (4, 1));
        assert!(first.iter().all(|(_, label)| label.is_some()), "{first:?}");
        rows.reverse();
        assert_eq!(picked(1, &rows), first);
        assert_ne!(picked(2, &rows), first);
    }

    #[test]
    fn photos_that_are_not_trained_on_come_where_there_are_no_others() {
        let rows = [row("valid/a.jpg", Split::Valid, Some("a")), row("train/b.jpg", Split::Train, Some("b"))];
        let ids: Vec<String> = picked(1, &rows).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["train/b.jpg", "valid/a.jpg"]);
        assert!(picked(1, &[]).is_empty());
    }
}
