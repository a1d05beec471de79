//! [`queue`]: which photos to read, and what for; the most important first.

use std::collections::HashSet;

use pipeline_report::evaluation::{Insights, PhotoSheet};

use crate::answers::Said;
use crate::pictures::choice::{lowest, margin, predicted};
use crate::pictures::thumbnails::FEWEST_BYTES;

/// A photo to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: String,
    /// The class whose heat is shown, of a photo on a sheet.
    pub(super) heat_of: Option<u32>,
    /// Whether it is shown by itself, and not only as a thumbnail where there is room.
    pub(super) is_needed: bool,
}

/// The photos on the sheets with their neighbours and the photo `of_views`, then those to make thumbnails of: photos that were wrong, the highest
/// loss first, and in turn with them those that the insights name; the other labelled photos, the highest loss first; the
/// unlabelled ones, the most uncertain first. Each once, and no more than
/// there can be room for in `room_bytes`.
pub(super) fn queue(
    said: &Said,
    sheets: &[PhotoSheet],
    of_views: Option<usize>,
    insights: Option<&Insights>,
    room_bytes: usize,
) -> Vec<Wanted> {
    let mut queue = Queue::default();
    let on_sheets = || sheets.iter().flat_map(|sheet| &sheet.rows).flat_map(|(_, row)| row);
    for shown in on_sheets() {
        queue.add(&said.ids[shown.photo], Some(predicted(said, shown.photo)), true);
    }
    for neighbour in on_sheets().flat_map(|shown| &shown.neighbours) {
        queue.add(&neighbour.id, None, true);
    }
    if let Some(photo) = of_views {
        queue.add(&said.ids[photo], None, true);
    }

    let (labelled, unlabelled): (Vec<usize>, Vec<usize>) =
        (0..said.ids.len()).partition(|photo| said.labels[*photo].is_some());
    let labelled = lowest(labelled, |photo| -said.losses[photo]);
    let id = |photo: &usize| said.ids[*photo].as_str();
    let is_wrong = |photo: &&usize| said.labels[**photo] != Some(predicted(said, **photo));
    let mut wrong = labelled.iter().filter(is_wrong).map(id);
    let mut named = insights.map(Insights::shown).unwrap_or_default().into_iter();
    let most = queue.wanted.len() + room_bytes / FEWEST_BYTES;
    loop {
        let pair = [wrong.next(), named.next()];
        if pair == [None, None] || queue.wanted.len() >= most {
            break;
        }
        pair.into_iter().flatten().for_each(|id| queue.add(id, None, false));
    }
    for id in labelled.iter().chain(&lowest(unlabelled, |photo| margin(said, photo))).map(id) {
        if queue.wanted.len() >= most {
            break;
        }
        queue.add(id, None, false);
    }
    queue.wanted
}

#[derive(Default)]
struct Queue {
    wanted: Vec<Wanted>,
    ids: HashSet<String>,
}

impl Queue {
    /// Adds a photo, unless it is there.
    fn add(&mut self, id: &str, heat_of: Option<u32>, is_needed: bool) {
        if self.ids.insert(id.to_owned()) {
            self.wanted.push(Wanted { id: id.to_owned(), heat_of, is_needed });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_report::evaluation::{NearDuplicate, NeighbourPhoto, SheetPhoto, SuspectLabel};
    use pipeline_table::Mode;

    use super::*;

    /// Photos `00`, `01`, ... with labels and the probability of class 1.
    fn said(photos: &[(Option<u32>, f32)]) -> Said {
        let loss = |(label, prob): &(Option<u32>, f32)| match label {
            Some(1) => -prob.ln(),
            Some(_) => -(1.0 - prob).ln(),
            None => 0.0,
        };
        Said {
            model: "head".to_owned(),
            mode: Mode::Plain,
            ids: Arc::new((0..photos.len()).map(|photo| format!("{photo:02}")).collect()),
            labels: Arc::new(photos.iter().map(|(label, _)| *label).collect()),
            probs: photos.iter().flat_map(|(_, prob)| [1.0 - prob, *prob]).collect(),
            losses: photos.iter().map(loss).collect(),
            classes: 2,
        }
    }

    fn insights() -> Insights {
        let issue = SuspectLabel {
            id: "train/a".to_owned(),
            split: "train".to_owned(),
            label: 0,
            suggested: 1,
            label_probability: 0.1,
            suggested_probability: 0.9,
        };
        let pair = |ids: [&str; 2]| NearDuplicate {
            ids: ids.map(str::to_owned),
            splits: ["train", "valid"].map(str::to_owned),
            labels: Default::default(),
            similarity: 1.0,
        };
        let near_duplicates = vec![pair(["train/a", "train/b"]), pair(["train/b", "train/c"])];
        Insights { label_issues: vec![issue], near_duplicates, ..Insights::default() }
    }

    #[test]
    fn sheets_and_neighbours_come_first_then_wrong_and_named_ones_in_turn_then_the_highest_loss() {
        let said = said(&[
            (Some(1), 0.75),
            (Some(1), 0.375),
            (None, 1.0),
            (Some(1), 0.25),
            (Some(0), 0.375),
            (Some(0), 0.875),
            (None, 0.625),
        ]);
        let neighbour = NeighbourPhoto {
            id: "train/n".to_owned(),
            label: "dogs".to_owned(),
            similarity: 0.9,
            picture: None,
        };
        let shown = SheetPhoto { photo: 3, picture: None, heat: None, neighbours: vec![neighbour] };
        let sheet = PhotoSheet { rows: vec![(None, vec![shown])], ..PhotoSheet::default() };
        let queue = queue(&said, &[sheet], Some(0), Some(&insights()), 100_000);
        let ids: Vec<&str> = queue.iter().map(|wanted| wanted.id.as_str()).collect();
        let expected = ["03", "train/n", "00", "05", "train/a", "train/b", "01", "train/c", "04", "06", "02"];
        assert_eq!(ids, expected);
        assert_eq!((queue[0].heat_of, queue[0].is_needed), (Some(0), true));
        assert!(queue[1..3].iter().all(|wanted| wanted.is_needed && wanted.heat_of.is_none()));
        assert!(!queue[3..].iter().any(|wanted| wanted.is_needed));
    }

    #[test]
    fn of_many_photos_no_more_are_read_than_can_have_room() {
        let said = said(&vec![(Some(1), 0.75); 10_000]);
        // By hand: 2,200,000 / 600 = 3,666.
        assert_eq!(queue(&said, &[], None, None, 2_200_000).len(), 3666);
    }
}
